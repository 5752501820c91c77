"""One sync for all that wait, and an error for those whose data it could not force to the disk."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from ingestd.event.chunk import Chunk
from ingestd.journal.base import JournalError
from ingestd.journal.journal import Journal
from ingestd.pipeline.group_sync import GroupSync
from ingestd.tasks import BackgroundTasks
from tests.waiting import eventually


class Disk:
    """Counts syncs; each waits while ``gate`` is cleared."""

    def __init__(self) -> None:
        self.written = self.synced = self.syncs = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def sync(self) -> None:
        self.syncs += 1
        written = self.written
        self.gate.wait()
        if self.error is not None:
            raise self.error
        self.synced = written


async def test_one_sync_for_all_that_wait() -> None:
    disk = Disk()
    group = GroupSync(disk.sync, BackgroundTasks("test"))

    async def write() -> None:
        disk.written += 1
        mine = disk.written
        await group.wait()
        assert disk.synced >= mine

    disk.gate.clear()
    first = asyncio.create_task(write())
    await eventually(lambda: disk.syncs == 1)
    others = [asyncio.create_task(write()) for _ in range(100)]
    await asyncio.sleep(0)
    disk.gate.set()
    await asyncio.gather(first, *others)
    assert disk.syncs == 2
    await write()
    assert disk.syncs == 3


@pytest.mark.parametrize("error", [OSError(errno.EIO, "bad disk"), JournalError("bad disk")])
async def test_error_of_the_disk(error: Exception) -> None:
    disk = Disk()
    group = GroupSync(disk.sync, BackgroundTasks("test"))
    disk.error = error
    results = await asyncio.gather(group.wait(), group.wait(), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    assert "bad disk" in str(results[0])
    disk.error = None
    await group.wait()


async def test_end_of_the_pipeline_leaves_nobody_waiting() -> None:
    disk, tasks = Disk(), BackgroundTasks("test")
    group = GroupSync(disk.sync, tasks)
    disk.gate.clear()
    waiting = [asyncio.create_task(group.wait()) for _ in range(2)]
    await eventually(lambda: disk.syncs == 1)
    waiting.append(asyncio.create_task(group.wait()))
    await asyncio.sleep(0)
    await tasks.close()
    disk.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 3


async def test_whoever_gives_up_holds_up_nobody() -> None:
    disk = Disk()
    group = GroupSync(disk.sync, BackgroundTasks("test"))
    disk.gate.clear()
    gone, stays = asyncio.create_task(group.wait()), asyncio.create_task(group.wait())
    await eventually(lambda: disk.syncs == 1)
    gone.cancel()
    disk.gate.set()
    await stays


CHUNK = Chunk("tcp_0", "s1", {}, 0, 0, 1, b"line\n")


def test_records_of_the_journal_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what was appended, and once; what could not be synced is tried again."""
    synced: list[str] = []
    broken = False

    def fdatasync(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        if broken:
            raise OSError(errno.EIO, "bad disk")

    monkeypatch.setattr("os.fdatasync", fdatasync)
    journal = Journal(tmp_path / "j", segment_bytes=4096)
    try:
        journal.consumers(["out"])
        journal.append([CHUNK])
        journal.sync_records()
        journal.sync_records()
        assert synced == ["journal-00000001.seg"]
        journal.append([CHUNK._replace(data=b"x" * 4000 + b"\n")])
        journal.append([CHUNK._replace(data=b"x" * 4000 + b"\n")])
        del synced[:]
        broken = True
        with pytest.raises(JournalError, match="bad disk"):
            journal.sync_records()
        broken = False
        del synced[:]
        with pytest.raises(JournalError, match="could not be synced before"):
            journal.sync_records()
        assert sorted(synced) == [f"journal-0000000{number}.seg" for number in (1, 2, 3)]
    finally:
        journal.close()


def test_what_a_failed_sync_left_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel does not write its pages again, so another sync proves nothing, until outputs have delivered them."""
    real, broken = os.fdatasync, True

    def fdatasync(fd: int) -> None:
        if broken:
            raise OSError(errno.EIO, "bad disk")
        real(fd)

    journal = Journal(tmp_path / "j")
    journal.consumers(["out"])
    monkeypatch.setattr("os.fdatasync", fdatasync)
    end = journal.append([CHUNK])
    with pytest.raises(JournalError, match="bad disk"):
        journal.sync()
    broken = False
    journal.append([CHUNK])
    with pytest.raises(JournalError, match="could not be synced before"):
        journal.sync_records()
    journal.sync()
    with pytest.raises(JournalError, match="could not be synced before"):
        journal.sync_records()
    journal.commit("out", end)
    journal.sync_records()
    journal.close()


def test_a_failed_sync_of_a_full_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many full segments, an append syncs the oldest; its failure counts as one of any other sync."""
    real, broken = os.fdatasync, True

    def fdatasync(fd: int) -> None:
        if broken:
            raise OSError(errno.EIO, "bad disk")
        real(fd)

    journal = Journal(tmp_path / "j", segment_bytes=4096)
    journal.consumers(["out"])
    monkeypatch.setattr("os.fdatasync", fdatasync)
    segment = [CHUNK._replace(data=b"x" * 4000 + b"\n")]
    for _ in range(17):
        journal.append(segment)
    with pytest.raises(JournalError, match="bad disk"):
        journal.append(segment)
    broken = False
    end = journal.append(segment)
    with pytest.raises(JournalError, match="could not be synced before"):
        journal.sync_records()
    journal.commit("out", end)
    journal.sync_records()
    journal.close()


def test_syncs_do_not_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one of them is about to sync is not safe for the next one, until it is done."""
    journal = Journal(tmp_path / "j")
    started, go_on, done = threading.Event(), threading.Event(), threading.Event()
    real = os.fdatasync

    def slow(fd: int) -> None:
        started.set()
        go_on.wait()
        real(fd)

    monkeypatch.setattr("os.fdatasync", slow)
    journal.append([CHUNK])
    first = threading.Thread(target=journal.sync)
    first.start()
    started.wait()

    def second() -> None:
        journal.sync_records()
        done.set()

    waiting = threading.Thread(target=second)
    waiting.start()
    assert not done.wait(0.05)
    go_on.set()
    first.join()
    waiting.join()
    assert done.is_set()
    journal.close()
