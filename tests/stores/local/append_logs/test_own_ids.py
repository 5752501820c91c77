"""Events that name themselves are stored once, whichever writers get them and how often, and whatever fails between."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingestd.event.event_id import own_id
from ingestd.stores.base import DocumentsRejectedError, StoreError
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.append_logs import own_ids
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.layout import MAX_DOCUMENT_BYTES
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import Query

pytestmark = pytest.mark.usefixtures("shared_duckdb")

INDEX = "logstash-2026.11.22"
FILE = f"{INDEX}/{own_ids.NAME}"


def ids(*numbers: int) -> list[str]:
    return [own_id(b"file", number) for number in numbers]


def append(root: Path, wanted: Sequence[str], writer_id: str = "w0") -> list[int]:
    """Append an event for each id, as a process of its own; return the positions of those that were there."""
    with closing(LocalWriter(root, writer_id)) as writer:
        return writer.append_new(INDEX, [document(event_id) for event_id in wanted], wanted)


def document(event_id: str) -> bytes:
    return orjson.dumps({"@timestamp": "2026-11-22T10:00:00.000Z", "of": event_id})


def stored(root: Path) -> Counter[str]:
    """Return how often each id is there, by all that can say it."""
    store = LocalStore(root)
    found = Counter(hit.id for hit in store.search(Query(), 100_000))
    assert [index.events for index in store.indices()] == [found.total()]
    assert store.count(Query()) == found.total()
    return found


def once(*wanted: str) -> Counter[str]:
    return Counter(wanted)


def test_another_writer_does_not_store_it_again(tmp_path: Path) -> None:
    first = ids(*range(5))
    assert append(tmp_path, first) == []
    assert append(tmp_path, ids(3, 4, 5, 6), "w1") == [0, 1]
    assert append(tmp_path, first, "w2") == [*range(5)]
    assert stored(tmp_path) == once(*ids(*range(7)))


def test_what_comes_twice_at_once(tmp_path: Path) -> None:
    assert append(tmp_path, ids(1, 2, 1, 1)) == [2, 3]
    assert append(tmp_path, ids(2, 3, 3)) == [0, 2]
    assert stored(tmp_path) == once(*ids(1, 2, 3))


def test_ids_of_connections_cost_nothing(tmp_path: Path) -> None:
    assert append(tmp_path, ["s1-000000000000", "s1-000000000000"]) == []
    assert not (tmp_path / FILE).exists()


def test_ids_of_both_kinds_in_one_call(tmp_path: Path) -> None:
    mixed = ["s1-000000000000", *ids(1), "k_ab-000000000000", "s1-000000000005", *ids(2)]
    assert append(tmp_path, mixed) == []
    assert append(tmp_path, [*mixed, *ids(3)], "w1") == [1, 2, 4]
    expected = once(*mixed, *ids(3))
    expected.update(["s1-000000000000", "s1-000000000005"])
    assert stored(tmp_path) == expected


def test_other_indices_have_their_own(tmp_path: Path) -> None:
    append(tmp_path, ids(1))
    with closing(LocalWriter(tmp_path, "w1")) as writer:
        assert writer.append_new("another", [b"{}"], ids(1)) == []
        assert writer.append_new("another", [b"{}"], ids(1)) == [0]


def test_a_document_that_is_too_long(tmp_path: Path) -> None:
    append(tmp_path, ids(1))
    with closing(LocalWriter(tmp_path, "w1")) as writer:
        with pytest.raises(DocumentsRejectedError) as caught:
            writer.append_new(INDEX, [b"{}", b"{}", b" " * MAX_DOCUMENT_BYTES], ids(1, 2, 3))
        assert caught.value.positions == (2,)
        assert writer.append_new(INDEX, [b"{}"] * 2, ids(1, 2)) == [0]
    assert stored(tmp_path) == once(*ids(1, 2))


def test_what_is_sealed_and_merged(tmp_path: Path) -> None:
    for number in range(3):
        append(tmp_path, ids(number, 100 + number))
        seal_once(tmp_path, Policy(idle_s=0, small_files=1))
    append(tmp_path, ids(3))
    assert append(tmp_path, ids(0, 1, 2, 3, 4), "w1") == [0, 1, 2, 3]
    seal_once(tmp_path, Policy(idle_s=0))
    assert append(tmp_path, ids(4, 101, 5)) == [0, 1]
    assert stored(tmp_path) == once(*ids(0, 1, 2, 3, 4, 5, 100, 101, 102))


def removed(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def garbage(path: Path) -> None:
    path.write_bytes(random.randbytes(1000))


def incomplete(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 100)


@pytest.mark.sampled
@pytest.mark.parametrize("damage", [removed, emptied, cut, garbage, incomplete])
def test_the_file_is_made_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    append(tmp_path, [*ids(1), "s1-000000000000", "k_ab-000000000000"])
    seal_once(tmp_path, Policy(idle_s=0))
    append(tmp_path, ids(2))
    with closing(LocalWriter(tmp_path, "w1")) as writer:
        assert writer.append_new(INDEX, [b"{}"], ids(2)) == [0]
        damage(tmp_path / FILE)
        assert writer.append_new(INDEX, [b"{}"] * 4, [*ids(1, 2, 3), "k_ab-000000000000"]) == [0, 1, 3]
    assert stored(tmp_path) == once(*ids(1, 2, 3), "s1-000000000000", "k_ab-000000000000")


def test_after_a_start_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power failure may have taken marks, but not events: their ids are read again."""
    append(tmp_path, ids(1))
    with (tmp_path / FILE).open("r+b") as file:
        file.seek(own_ids._HEADER_BYTES)
        file.write(b"\0" * own_ids._FIRST_TABLE_BYTES)
    boot = tmp_path / "boot_id"
    boot.write_text("another\n")
    monkeypatch.setattr(own_ids, "_BOOT_ID", boot)
    assert append(tmp_path, ids(1, 2)) == [0]


def test_the_sealer_removes_it_when_the_index_is_quiet(tmp_path: Path) -> None:
    with closing(LocalWriter(tmp_path, "w0")) as writer:
        writer.append_new(INDEX, [document("x")], ids(1))
        seal_once(tmp_path, Policy(idle_s=0))
        assert (tmp_path / FILE).exists()
        seal_once(tmp_path, Policy(idle_s=0, quiet_s=-1))
        assert not (tmp_path / FILE).exists()
        assert writer.append_new(INDEX, [document("x")] * 2, ids(1, 2)) == [0]
    assert stored(tmp_path) == once(*ids(1, 2))


def test_many_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_ids, "_FIRST_TABLE_BYTES", 1024)
    wanted = ids(*range(3000))
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    tables = own_ids.IdTables(fd)
    tables.clear()
    tables.complete(b"boot")
    assert tables.add(wanted) == []
    again = own_ids.IdTables(fd)
    assert again.load(b"boot")
    assert again.add(wanted) == wanted
    assert again.add(ids(*range(3000, 6000))) == []
    assert not again.load(b"another")
    os.close(fd)


def test_writers_at_the_same_time(tmp_path: Path) -> None:
    wanted = ids(*range(3000))
    had = Counter[str]()

    def write(writer_id: str) -> None:
        parts = [wanted[start : start + 100] for start in range(0, 3000, 100)]
        random.shuffle(parts)
        with closing(LocalWriter(tmp_path, writer_id)) as writer:
            for part in parts:
                found = writer.append_new(INDEX, [document(event_id) for event_id in part], part)
                had.update({writer_id: len(found)})

    threads = [threading.Thread(target=write, args=[f"w{number}"]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored(tmp_path) == once(*wanted)
    assert had.total() == 2 * len(wanted)


def test_a_writer_is_killed_at_each_step(tmp_path: Path) -> None:
    """Its events come again to another writer, and from its journal to itself."""
    program = [sys.executable, "-m", "tests.stores.local.append_logs.killed_appends", str(tmp_path)]
    steps = int(subprocess.run(program, check=True, capture_output=True, text=True).stdout)
    assert steps > 5
    for step in range(steps):
        root = tmp_path / str(step)
        append(root, ids(1, 2, 3), "w1")
        assert append(root, ids(1, 2, 3)) == [0, 1, 2]
        assert stored(root) == once(*ids(1, 2, 3)), f"killed at step {step}"


def failing(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[list[LocalWriter]]:
    both = [LocalWriter(tmp_path, "w0"), LocalWriter(tmp_path, "w1")]
    yield both
    for writer in both:
        writer.close()


@pytest.mark.parametrize("call", ["pwrite", "pread", "ftruncate", "open"])
def test_a_file_that_cannot_be_used_holds_up_nothing(
    tmp_path: Path, writers: list[LocalWriter], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    first, second = writers
    with monkeypatch.context() as patch:
        real = getattr(os, call)
        patch.setattr(
            os, call, lambda *a, **n: failing() if call != "open" or own_ids.NAME in str(a[0]) else real(*a, **n)
        )
        assert first.append_new(INDEX, [document("x")] * 2, ids(1, 2)) == []
    assert second.append_new(INDEX, [document("x")] * 3, ids(1, 2, 3)) == [0, 1]
    assert stored(tmp_path) == once(*ids(1, 2, 3))


def test_an_index_that_cannot_be_read_is_written(tmp_path: Path) -> None:
    append(tmp_path, ids(1))
    seal_once(tmp_path, Policy(idle_s=0))
    (tmp_path / INDEX / manifest.NAME).write_text("damaged")
    assert append(tmp_path, ids(1, 2)) == []
    with pytest.raises(StoreError):
        manifest.load(tmp_path / INDEX)
