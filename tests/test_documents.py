"""Small state in the data folder: changes of several processes add up, and what is damaged is kept aside."""

import errno
import logging
import multiprocessing
import os
import signal
from pathlib import Path

import msgspec
import pytest

from ingestd.documents import Document
from ingestd.files import try_lock


class Notes(msgspec.Struct):
    notes: dict[str, int] = {}
    last: str | None = None


@pytest.fixture
def document(tmp_path: Path) -> Document[Notes]:
    return Document(tmp_path / "data" / "notes.json", Notes, max_bytes=2000)


def test_missing_is_default_and_reading_creates_nothing(document: Document[Notes]) -> None:
    assert document.load() == Notes()
    assert not document.path.parent.exists()


def test_update_is_read_back(document: Document[Notes]) -> None:
    with document.update() as content:
        content.notes["a"] = 1
    with document.update() as content:
        content.last = "a"
    assert document.load() == Notes({"a": 1}, "a")


def test_an_exception_changes_nothing(document: Document[Notes]) -> None:
    with pytest.raises(KeyError, match="missing"), document.update() as content:
        content.notes["a"] = content.notes["missing"]
    assert document.load() == Notes()
    with document.update() as content:  # and the lock is free
        content.last = "b"
    assert document.load() == Notes(last="b")


def test_the_same_content_is_not_written(document: Document[Notes]) -> None:
    with document.update() as content:
        content.last = "a"
    inode = document.path.stat().st_ino
    with document.update() as content:
        content.last = "a"
    assert document.path.stat().st_ino == inode


DAMAGED = {
    "empty": b"",
    "torn": b'{"notes":{"a":',
    "zeros": bytes(100),
    "not_utf8": b'{"last":"\xff"}',
    "surrogate": b'{"last":"\\ud800"}',
    "other_type": b'{"notes":[1]}',
    "nested": b"[" * 1900,
    "too_large": b'{"last":"' + b"x" * 3000 + b'"}',
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
@pytest.mark.parametrize("change", [False, True], ids=["load", "update"])
def test_damaged_is_put_aside(
    document: Document[Notes], text: bytes, change: bool, caplog: pytest.LogCaptureFixture
) -> None:
    document.path.parent.mkdir()
    for name in ("notes.json.damaged", "notes.json.damaged-2"):
        document.path.write_bytes(text)
        if change:
            with document.update() as content:
                content.last = "new"
        assert document.load() == Notes(last="new" if change else None)
        assert (document.path.parent / name).read_bytes() == text
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.message for record in errors] == ["a damaged file was put aside"] * 2


def test_fields_of_a_newer_version_are_no_damage(document: Document[Notes]) -> None:
    document.path.parent.mkdir()
    document.path.write_bytes(b'{"last": "a", "new": 1}')
    assert document.load() == Notes(last="a")


def test_too_large_is_refused(document: Document[Notes]) -> None:
    with pytest.raises(OSError, match="more than 2000 bytes") as caught, document.update() as content:
        content.last = "x" * 3000
    assert caught.value.errno == errno.EFBIG
    assert document.load() == Notes()


def test_unreadable_is_no_default(document: Document[Notes]) -> None:
    document.path.mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        document.load()
    with pytest.raises(IsADirectoryError), document.update():
        pass


def test_a_lock_that_is_held_too_long(document: Document[Notes]) -> None:
    impatient = Document(document.path, Notes, timeout_s=0)
    with document.update() as content:
        content.last = "a"
        with pytest.raises(TimeoutError), impatient.update():
            pass
    assert impatient.load().last == "a"


def test_temporary_files_of_a_killed_process_are_removed(document: Document[Notes]) -> None:
    document.path.parent.mkdir()
    (document.path.parent / ".notes.json.0badcafe.tmp").write_bytes(b"{")
    with document.update() as content:
        content.last = "a"
    assert sorted(path.name for path in document.path.parent.iterdir()) == [".notes.json.lock", "notes.json"]


def _count(path: Path, name: str, times: int) -> None:
    for _ in range(times):
        with Document(path, Notes).update() as content:
            content.notes[name] = content.notes.get(name, 0) + 1


def test_processes_lose_no_change_of_each_other(document: Document[Notes]) -> None:
    forked = multiprocessing.get_context("fork")
    processes = [forked.Process(target=_count, args=(document.path, name, 20)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert document.load().notes == {"a": 20, "b": 20, "c": 20}


def test_a_kill_while_changing_frees_the_lock(document: Document[Notes]) -> None:
    with document.update() as content:
        content.last = "a"

    def killed() -> None:
        with document.update() as content:
            content.last = "b"
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=killed)
    process.start()
    process.join()
    assert document.load().last == "a"
    with document.path.with_name(".notes.json.lock").open("rb") as lock:
        assert try_lock(lock.fileno())
