"""Every background task and thread of the query and action processes is killed in turn: the next request succeeds, and
the one that was hit says what happened."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from ingestd.lifecycle.manual_actions import ManualAction
from ingestd.stores.local import store_root
from ingestd.tasks import BackgroundTasks
from ingestd.web.processes import action_runner, child_process
from ingestd.web.processes.action_runner import ActionRunner
from ingestd.web.processes.query_pool import QueryPool
from ingestd.web.processes.query_worker import QueryWorker
from ingestd.web.protocol import QueryProcessConfig, QueryResponse
from tests.processes import is_alive
from tests.waiting import WAIT_SECONDS, eventually
from tests.web.processes.store import INDEX, SEARCH

pytestmark = pytest.mark.sampled(of="file")

ABORTED = "the query was aborted by an internal error; the daemon's log has the reason"


@pytest.fixture
async def pool(data_dir: Path) -> AsyncIterator[QueryPool]:
    pool = QueryPool(QueryProcessConfig(str(data_dir), 256 << 20, WAIT_SECONDS))
    yield pool
    await pool.close()


@pytest.fixture
def pipe(data_dir: Path) -> Path:
    """An append log that is a pipe: each query hangs until it is deleted."""
    pipe = store_root(data_dir) / INDEX / "tail-w1-00001.ndjson"
    os.mkfifo(pipe)
    return pipe


def resume(pipe: Path) -> None:
    """Let later queries run."""
    pipe.unlink()


def message(response: QueryResponse) -> str:
    text: str = msgspec.json.decode(response.body)["error"]["message"]
    return text


async def kill(tasks: BackgroundTasks, name: str) -> None:
    """Cancel the running task whose name starts with ``name``, from outside of its owner."""
    await eventually(lambda: any(found.startswith(name) for found in tasks.names))
    [task] = [task for found in tasks.names if found.startswith(name) for task in tasks.find(found)]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def all_slots_work(pool: QueryPool) -> None:
    """Check that no slot was lost: as many queries as there are processes run at the same time."""
    responses = await asyncio.gather(*(pool.run("search", SEARCH) for _ in range(4)))
    assert {response.status for response in responses} == {200}
    assert pool.busy == 0
    assert pool._slots._value == pool._size


async def test_a_killed_query(pool: QueryPool, pipe: Path, caplog: pytest.LogCaptureFixture) -> None:
    query = asyncio.create_task(pool.run("search", SEARCH))
    await kill(pool._tasks, "query in process")
    response = await query
    assert (response.status, message(response)) == (500, ABORTED)
    assert "a background task was cancelled" in caplog.text
    resume(pipe)
    await eventually(lambda: pool.busy == 0)
    await all_slots_work(pool)


async def test_a_killed_interrupt(pool: QueryPool, pipe: Path, caplog: pytest.LogCaptureFixture) -> None:
    query = asyncio.create_task(pool.run("search", SEARCH))
    await eventually(lambda: pool.busy and next(iter(pool._running)).pid)
    query.cancel()
    await kill(pool._tasks, "interrupt of query process")
    assert "a background task was cancelled" in caplog.text
    resume(pipe)
    await eventually(lambda: pool.busy == 0)
    await all_slots_work(pool)


async def test_a_killed_start(pool: QueryPool, caplog: pytest.LogCaptureFixture) -> None:
    pool.warm_up()
    for task in [task for name in pool._tasks.names for task in pool._tasks.find(name)]:
        task.cancel()
    await eventually(lambda: not len(pool._tasks))
    assert "a background task was cancelled" in caplog.text
    await all_slots_work(pool)


ENDS = ["replacement of query process", "end of query process"]


@pytest.mark.parametrize("name", ENDS)
async def test_a_killed_end_is_repeated(
    pool: QueryPool, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await pool.run("search", SEARCH)
    [worker] = pool._idle
    held = asyncio.Event()
    end = QueryWorker.end

    async def slow_end(self: QueryWorker) -> None:
        await held.wait()
        await end(self)

    monkeypatch.setattr(QueryWorker, "end", slow_end)
    if name == ENDS[0]:
        pool._idle.remove(worker)
        pool._running.add(worker)
        await pool._slots.acquire()
        pool._replace(worker)
    else:
        pool._end_idle()
    await kill(pool._tasks, name)
    assert "a background task was cancelled" in caplog.text
    held.set()
    await eventually(lambda: worker.exit_code is not None and worker not in pool._running | pool._ending)
    await all_slots_work(pool)


async def test_a_query_that_fails_unexpectedly(
    pool: QueryPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def defect(message: bytes) -> bytes:
        raise RuntimeError("a defect")

    for _ in range(3):  # more than there are slots
        with monkeypatch.context() as patched:
            patched.setattr(child_process, "frame", defect)
            response = await pool.run("search", SEARCH)
        assert (response.status, message(response)) == (500, ABORTED)
    assert "RuntimeError: a defect" in caplog.text
    await eventually(lambda: pool.busy == 0)
    await all_slots_work(pool)


@pytest.mark.parametrize(("request_", "reason"), [(b"no JSON", "DecodeError"), (b"{}", "KeyError: 'call'")])
async def test_the_reader_thread_fails(pool: QueryPool, pipe: Path, request_: bytes, reason: str) -> None:
    query = asyncio.create_task(pool.run("search", SEARCH))
    await eventually(lambda: pool.busy and next(iter(pool._running)).pid)
    process = next(iter(pool._running))._process
    assert process is not None
    process.send(request_)
    response = await query
    assert response.status == 500
    assert f"the query process failed: {reason}" in message(response)
    resume(pipe)
    await eventually(lambda: process.exit_code is not None)
    await all_slots_work(pool)


async def test_the_process_fails_at_its_start(data_dir: Path) -> None:
    pool = QueryPool(QueryProcessConfig(str(data_dir), "no number", WAIT_SECONDS))  # type: ignore[arg-type]
    response = await pool.run("search", SEARCH)
    await pool.close()
    assert (response.status, "the query process failed: ValidationError" in message(response)) == (500, True)


async def running_action(runner: ActionRunner, data_dir: Path) -> None:
    """Start an action and wait for its process."""
    runner.start(ManualAction("backup", INDEX), {"data_dir": str(data_dir)})
    await eventually(lambda: runner._process is not None)


def stop(runner: ActionRunner) -> int:
    """Stop the process of an action, so that it does not end by itself; returns its id."""
    assert runner._process is not None
    os.kill(runner._process.pid, signal.SIGSTOP)
    return runner._process.pid


async def test_a_killed_action(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    runner = ActionRunner()
    await running_action(runner, data_dir)
    pid = stop(runner)
    await kill(runner._tasks, "manual action")
    assert runner.last is not None
    assert (runner.last["state"], runner.last["message"]) == ("failed", "it was interrupted; start it again")
    await eventually(lambda: "a background task was cancelled" in caplog.text)
    assert not runner.busy
    await eventually(lambda: not is_alive(pid))
    await runner.close()


LINES: list[tuple[str, bytes]] = [("no_json", b"no JSON\n"), ("too_long", b"x" * (1 << 20) + b"\n")]


@pytest.mark.parametrize("line", [case[1] for case in LINES], ids=[case[0] for case in LINES])
async def test_an_action_that_fails_unexpectedly(data_dir: Path, line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    runner = ActionRunner()
    await running_action(runner, data_dir)
    stop(runner)
    assert runner._process is not None
    runner._process.stdout.feed_data(line)
    await eventually(lambda: not runner.busy)
    assert runner.last is not None
    expected = "it was aborted by an internal error; the daemon's log has the reason"
    assert (runner.last["state"], runner.last["message"]) == ("failed", expected)
    await eventually(lambda: "a background task failed" in caplog.text)
    await runner.close()


async def test_a_killed_action_process(data_dir: Path) -> None:
    runner = ActionRunner()
    await running_action(runner, data_dir)
    os.kill(stop(runner), signal.SIGKILL)
    await eventually(lambda: not runner.busy)
    assert runner.last is not None
    assert (runner.last["state"], runner.last["message"]) == ("failed", "it was interrupted; start it again")
    await runner.close()


async def test_an_action_process_that_hangs(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action_runner, "_CHECK_SECONDS", 0.03)
    runner = ActionRunner()
    await running_action(runner, data_dir)
    pid = stop(runner)
    await eventually(lambda: not runner.busy)
    assert runner.last is not None
    assert (runner.last["state"], "stopped responding" in runner.last["message"]) == ("failed", True)
    await eventually(lambda: not Path(f"/proc/{pid}").exists())
    await runner.close()


@pytest.mark.parametrize(("seconds", "hangs"), [(3600.0, False), (5.0, True)], ids=["suspended", "silent"])
async def test_an_action_process_is_not_silent_while_both_are_suspended(
    monkeypatch: pytest.MonkeyPatch, seconds: float, hangs: bool
) -> None:
    """The clock jumps once by an hour, or goes on for a minute."""
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    stream = asyncio.StreamReader()
    reading = asyncio.create_task(action_runner._read_line(stream))
    for _ in range(1 if seconds > action_runner._CHECK_SECONDS else action_runner._SILENT_CHECKS):
        for _ in range(10):  # until it waits again
            await asyncio.sleep(0)
        assert not reading.done()
        now += seconds
    for _ in range(10):
        await asyncio.sleep(0)
    assert reading.done() == hangs
    stream.feed_data(b'{"alive":true}\n')
    if hangs:
        with pytest.raises(TimeoutError):
            await reading
    else:
        assert await reading == b'{"alive":true}\n'


async def test_an_action_with_a_defect(data_dir: Path) -> None:
    runner = ActionRunner()
    runner.start(ManualAction("nothing", INDEX), {"data_dir": str(data_dir)})  # type: ignore[arg-type]
    await eventually(lambda: not runner.busy)
    assert runner.last is not None
    assert runner.last["state"] == "failed"
    assert "Invalid enum value 'nothing'" in runner.last["message"]
    await runner.close()
