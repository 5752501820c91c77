"""Query processes: they answer, are stopped, die, and are replaced. The store is a real one; a query hangs where a
tail is a pipe that nobody writes to, which no interrupt of DuckDB reaches."""

from __future__ import annotations

import asyncio
import datetime
import errno
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
import pytest_asyncio

from ingestd.lifecycle.retention import Rules
from ingestd.lifecycle.state import State
from ingestd.stores.base import QueryMemoryError
from ingestd.stores.local import store_root
from ingestd.stores.local.index.index_folder import IndexMetadata, write_metadata
from ingestd.stores.lucene.lexer import MAX_TERMS
from ingestd.web.processes.query_calls import is_out_of_memory
from ingestd.web.processes.query_pool import QueryPool
from ingestd.web.protocol import QueryProcessConfig, QueryResponse
from tests import processes
from tests.waiting import WAIT_SECONDS, eventually
from tests.web.processes.store import DOCUMENT, INDEX, SEARCH, fill

pytestmark = pytest.mark.sampled(of="file")


def hang(data_dir: Path) -> Path:
    """Make each query of the store hang; what is unlinked ends that for later ones."""
    pipe = store_root(data_dir) / INDEX / "tail-w1-00001.ndjson"
    os.mkfifo(pipe)
    return pipe


Make = Callable[..., QueryPool]


@pytest.fixture
async def make(data_dir: Path) -> AsyncIterator[Make]:
    pools = []

    def pool(timeout_s: float = WAIT_SECONDS, memory: int = 256 << 20, **arguments: Any) -> QueryPool:
        pools.append(QueryPool(QueryProcessConfig(str(data_dir), memory, timeout_s), **arguments))
        return pools[-1]

    yield pool
    for started in pools:
        await started.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[QueryPool]:
    """A pool for what does not depend on the processes: a test takes one that an earlier one has started."""
    data_dir = fill(tmp_path_factory.mktemp("shared"))
    pool = QueryPool(QueryProcessConfig(str(data_dir), 256 << 20, WAIT_SECONDS))
    yield pool
    await pool.close()


on_the_shared_pool = pytest.mark.asyncio(loop_scope="module")


def children() -> set[int]:
    """Return the processes that this one has started."""
    return set(processes.children(os.getpid()))


def message(answer: QueryResponse) -> str:
    text: str = msgspec.json.decode(answer.body)["error"]["message"]
    return text


LONGEST: list[tuple[str, str]] = [
    ("any", " OR ".join(f"word{number}" for number in range(MAX_TERMS))),
    ("all", " ".join(f"word{number}" for number in range(MAX_TERMS))),
    ("none", " ".join(f"-word{number}" for number in range(MAX_TERMS))),
    ("of_a_field", " OR ".join(f"message:word{number}" for number in range(MAX_TERMS))),
    ("values", " OR ".join(f"status_code:{number}" for number in range(MAX_TERMS))),
    ("korean", " OR ".join(f"서울{number}" for number in range(MAX_TERMS))),
    ("the_same", " OR ".join(["a"] * MAX_TERMS)),
]


@pytest.mark.parametrize("query", [case[1] for case in LONGEST], ids=[case[0] for case in LONGEST])
@on_the_shared_pool
async def test_a_query_of_as_many_terms_as_it_may_have(shared: QueryPool, query: str) -> None:
    answer = await shared.run("search", SEARCH | {"q": query})
    assert (answer.status, b"too much memory" in answer.body) == (200, False)


@on_the_shared_pool
async def test_a_phrase_that_the_store_cannot_search_for(shared: QueryPool) -> None:
    """That is a mistake of the client: to try again later does not help."""
    phrase = " ".join(f"word{number}" for number in range(MAX_TERMS))
    answer = await shared.run("search", SEARCH | {"q": f'"{phrase}"'})
    assert (answer.status, "a phrase of the query is too long" in message(answer)) == (400, True)


@on_the_shared_pool
async def test_answer(shared: QueryPool) -> None:
    answer = await shared.run("search", SEARCH)
    found = msgspec.json.decode(answer.body)
    [hit] = found["hits"]
    assert (answer.status, found["next"], hit["id"], hit["index"]) == (200, None, "a", INDEX)
    assert DOCUMENT in answer.body


async def test_indices_with_their_backups_and_what_becomes_of_them(data_dir: Path) -> None:
    state, verified = State.load(data_dir), datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
    state.verified["s3"] = {f"{INDEX}-{day}001000": verified for day in (20261123, 20261124, 20261125)}
    state.backup_events["s3"] = {f"{INDEX}-20261123001000": 1, f"{INDEX}-20261124001000": 1}
    state.save()
    setup = QueryProcessConfig(str(data_dir), 256 << 20, WAIT_SECONDS, retention=Rules(max_age=30 * 86_400))
    setup.action_settings = {"data_dir": str(data_dir)}
    pool = QueryPool(setup)
    [index] = msgspec.json.decode((await pool.run("indices", {})).body)["indices"]
    await pool.close()
    assert (index["index"], index["day"], index["events"], index["delete_at"]) == (INDEX, "2026-11-22", 1, "2026-12-23")
    snapshot = f"{INDEX}-20261124001000"
    assert index["backup"] == {
        "repository": "s3",
        "snapshot": snapshot,
        "verified": "2026-11-23T00:00:00Z",
        "events": 1,
    }
    write_metadata(
        store_root(data_dir) / INDEX, IndexMetadata("ab", datetime.datetime(2026, 12, 20, 3, tzinfo=datetime.UTC))
    )
    pool = QueryPool(setup)
    [index] = msgspec.json.decode((await pool.run("indices", {})).body)["indices"]
    await pool.close()
    assert index["delete_at"] == "2026-12-28"  # restored, it stays for a week


async def test_nothing_runs_before_the_first_query_nor_long_after_the_last(make: Make) -> None:
    before = children()
    pool = make(idle_timeout_s=0.2)
    assert not children() - before
    await pool.run("search", SEARCH)
    assert len(children() - before) == 1
    await eventually(lambda: not children() - before)
    assert (await pool.run("search", SEARCH)).status == 200


async def test_a_process_is_used_again(make: Make) -> None:
    before, pool = children(), make()
    await pool.run("search", SEARCH)
    first = children() - before
    await pool.run("search", SEARCH)
    assert children() - before == first


async def test_many_at_once_take_turns(make: Make) -> None:
    before, pool = children(), make()
    answers = await asyncio.gather(*(pool.run("search", SEARCH) for _ in range(10)))
    assert {answer.status for answer in answers} == {200}
    assert len(children() - before) <= 2


async def test_a_query_that_nobody_waits_for_is_stopped(make: Make, data_dir: Path) -> None:
    before, pool, pipe = children(), make(), hang(data_dir)
    queries = [asyncio.create_task(pool.run("search", SEARCH)) for _ in range(3)]
    await eventually(lambda: pool.busy == 2)
    pipe.unlink()
    for query in queries:
        query.cancel()
    await eventually(lambda: pool.busy == 0)  # its process is idle, or gone
    assert len(children() - before) <= 2
    assert (await pool.run("search", SEARCH)).status == 200


async def test_a_query_that_takes_too_long_is_stopped(make: Make, data_dir: Path) -> None:
    before, pool, pipe = children(), make(timeout_s=0.5), hang(data_dir)
    answer = await pool.run("search", SEARCH)
    hanging = children() - before
    assert hanging
    assert (answer.status, message(answer)) == (
        504,
        "the query took more than 0.5 s; choose a shorter time range",
    )
    pipe.unlink()
    await eventually(lambda: not hanging <= children())


async def test_too_many_are_turned_away(make: Make, data_dir: Path) -> None:
    pool = make(timeout_s=1.0, max_waiting=2)
    hang(data_dir)
    queries = [asyncio.create_task(pool.run("search", SEARCH)) for _ in range(4)]
    await eventually(lambda: pool.busy == 2)
    answer = await pool.run("search", SEARCH)
    assert (answer.status, message(answer)) == (503, "too many queries are waiting; try again in a moment")
    assert {answer.status for answer in await asyncio.gather(*queries)} <= {503, 504}


async def test_a_process_that_dies_is_replaced(make: Make, data_dir: Path) -> None:
    before, pool, pipe = children(), make(), hang(data_dir)
    query = asyncio.create_task(pool.run("search", SEARCH))
    await eventually(lambda: children() - before)
    [pid] = children() - before
    pipe.unlink()
    os.kill(pid, signal.SIGKILL)
    answer = await query
    assert (answer.status, "needs too much memory" in message(answer)) == (503, True)
    assert (await pool.run("search", SEARCH)).status == 200


async def test_a_process_that_dies_without_work_is_replaced(make: Make) -> None:
    before, pool = children(), make()
    await pool.run("search", SEARCH)
    [pid] = children() - before
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not pool._idle[0].usable)
    assert (await pool.run("search", SEARCH)).status == 200


async def test_processes_start_ahead_of_need(make: Make) -> None:
    before, pool = children(), make()
    pool.warm_up()
    pool.warm_up()
    await eventually(lambda: len(children() - before) == 2)
    first = children() - before
    assert (await pool.run("search", SEARCH)).status == 200
    assert children() - before == first


async def test_memory_of_the_database_is_bounded(make: Make) -> None:
    answer = await make(memory=1 << 20).run("top", {**SEARCH, "field": "message", "n": 10})
    assert (answer.status, "too much memory" in message(answer)) == (503, True)


async def test_a_process_without_memory_is_replaced(make: Make) -> None:
    """What it could not give back would fail the queries of others, until it ends."""
    before, pool = children(), make(memory=1 << 20)
    await pool.run("indices", {})
    first = children() - before
    assert (await pool.run("top", {**SEARCH, "field": "message", "n": 10})).status == 503
    await eventually(lambda: not first & children())
    assert (await pool.run("indices", {})).status == 200


MEMORY = [  # id, error, whether it is for want of memory
    ("python", MemoryError(), True),
    ("duckdb", duckdb.OutOfMemoryException("Out of Memory Error: Allocation failure"), True),
    ("store", QueryMemoryError("too much"), True),
    ("thread", RuntimeError("can't start new thread"), True),
    ("system", OSError(errno.ENOMEM, "Cannot allocate memory"), True),
    ("disk", OSError(errno.ENOSPC, "No space left on device"), False),
    ("other", RuntimeError("a defect"), False),
    ("none", None, False),
]


@pytest.mark.parametrize(("error", "expected"), [case[1:] for case in MEMORY], ids=[case[0] for case in MEMORY])
def test_want_of_memory_is_recognized(error: Exception | None, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_memory_of_the_process_is_bounded() -> None:
    code = "from ingestd.web.processes.query_process import limit_resources; limit_resources(0); bytearray(800 << 20)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )
    assert done.stderr.endswith("MemoryError\n")


WRONG: list[tuple[str, str, dict[str, Any], int, str]] = [  # id, call, arguments, status, in the message
    ("query", "search", {"q": "level:("}, 400, "bracket"),
    ("cursor", "search", {"after": "x"}, 400, "after is not a cursor"),
    ("bars", "histogram", {"seconds": 1, "offset": 0, "field": "level", "since": "2020-01-01T00:00:00Z"}, 400, "bars"),
    ("bug", "nothing", {}, 500, "KeyError"),
]


@pytest.mark.parametrize(("call", "arguments", "status", "text"), [c[1:] for c in WRONG], ids=[c[0] for c in WRONG])
@on_the_shared_pool
async def test_refused(shared: QueryPool, call: str, arguments: dict[str, Any], status: int, text: str) -> None:
    now = {"now": "2026-11-22T10:00:00Z"}
    answer = await shared.run(call, SEARCH | now | arguments)
    assert (answer.status, text in message(answer)) == (status, True)
    assert (await shared.run("search", SEARCH)).status == 200


async def test_nothing_is_left_behind(make: Make, data_dir: Path) -> None:
    before, pool, pipe = children(), make(), hang(data_dir)
    folder = data_dir / "query-tmp"
    dead = subprocess.Popen(["true"])  # noqa: ASYNC220
    dead.wait()
    for owner in (dead.pid, os.getpid(), os.getppid(), "other"):
        (folder / f"{owner}-x").mkdir(parents=True)
    query = asyncio.create_task(pool.run("search", SEARCH))
    await eventually(lambda: children() - before)
    assert len(list(folder.iterdir())) == 2
    await pool.close()
    with suppress(asyncio.CancelledError):
        await query
    pipe.unlink()
    await eventually(
        lambda: [found.name for found in folder.iterdir()] == [f"{os.getppid()}-x"] and not children() - before
    )


async def test_the_process_ends_with_whoever_started_it(data_dir: Path) -> None:
    pipe = hang(data_dir)
    code = f"""
import asyncio, os, signal
from ingestd.web.processes.query_pool import QueryPool
from ingestd.web.protocol import QueryResponse, QueryProcessConfig

async def main():
    pool = QueryPool(QueryProcessConfig({str(data_dir)!r}, 1 << 28, {WAIT_SECONDS}))
    query = asyncio.create_task(pool.run("search", {SEARCH!r}))
    while not pool.busy or not next(iter(pool._running)).pid:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    print(next(iter(pool._running)).pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    output, _ = await parent.communicate()
    await eventually(lambda: not processes.is_alive(int(output)))
    pipe.unlink()
