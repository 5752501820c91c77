"""What a crash and a full disk do to the journal: real processes killed, a real small file system."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ingestd.journal.base import JournalError
from ingestd.journal.journal import Journal
from ingestd.journal.positions import load_positions
from tests.disks import small_disk
from tests.journal.builders import chunk, chunks_of, everything, fill, segments, small

WRITER = """
import itertools, sys
from pathlib import Path
from ingestd.journal.journal import Journal
from tests.journal.builders import chunk

journal = Journal(Path(sys.argv[1]), max_bytes=1 << 26, segment_bytes=1 << 18)
journal.consumers(["one"])
number = int(sys.argv[2])
for turn in itertools.count():
    group = [chunk(0, b"%d,%s\\n" % (at, b"x" * (at * 7919 % 5000)), offset=at) for at in range(number, number + 3)]
    number += 3
    end = journal.append(group)
    print("appended", number, flush=True)
    if turn % 3 == 0:
        journal.commit("one", end, {"number": number})
        print("committed", number, flush=True)
    if turn % 10 == 0:
        journal.sync()
"""


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """What ``append`` acknowledged is there, in order; a commit is lost at most with its last write."""
    chance = random.Random(7)
    number = committed = 0
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "journal"), str(number)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        ) as writer:
            assert writer.stdout
            output = [writer.stdout.readline()]
            time.sleep(chance.random() * 0.2)
            writer.kill()
            output += writer.stdout.readlines()
        words = [line.split() for line in output if line.endswith(b"\n")]
        number = max([int(count) for what, count in words if what == b"appended"], default=number)
        done = max([int(count) for what, count in words if what == b"committed"], default=committed)
        journal = Journal(tmp_path / "journal", max_bytes=1 << 26, segment_bytes=1 << 18)
        assert all(repair.kind == "torn" for repair in journal.repairs)
        position, state = journal.committed("one")
        assert state is None or state["number"] >= done, "a kill loses no commit that returned"
        committed = state["number"] if state else 0
        left = chunks_of(everything(journal, position))
        offsets = [survivor.offset for survivor in left]
        assert offsets == list(range(committed, committed + len(left)))
        assert committed + len(left) >= number, "everything acknowledged is there"
        assert all(int(survivor.data.split(b",")[0]) == survivor.offset for survivor in left)
        if left:
            assert journal.stream_ends()["c1"] >= left[-1].offset + len(left[-1].data)
        number = committed + len(left)
        journal.close()
    assert number > 100


def test_a_killed_process_lets_go_of_the_lock(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), "0"], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as writer:
        assert writer.stdout
        writer.stdout.readline()
        with pytest.raises(JournalError, match="open in another process"):
            Journal(tmp_path)
        writer.kill()
    Journal(tmp_path).close()


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    with small_disk(tmp_path / "tiny", "size=512k") as disk:
        yield disk


def fill_up(journal: Journal, size: int = 3000) -> int:
    """Append until the disk refuses; return how many records were taken."""
    count = 0
    while True:
        try:
            journal.append([chunk(count, b"x" * size), chunk(count, b"y" * size)])
        except JournalError:
            return count
        count += 1


def fill_disk(place: Path) -> None:
    with (place / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(100))


@pytest.mark.parametrize("segment_bytes", [8192, 100_000, 1 << 20])
def test_a_full_disk(tiny: Path, segment_bytes: int) -> None:
    """Appending fails with nothing half-written; what was taken can be read, committed and freed; then it goes on."""
    folder = tiny / "journal"
    journal = Journal(folder, max_bytes=1 << 30, segment_bytes=segment_bytes)
    journal.consumers(["one"])
    for _ in range(4):
        position = journal.end
        taken = fill_up(journal)
        assert 50 < taken < 90
        for _ in range(3):
            with pytest.raises(JournalError, match="No space left on device"):
                journal.append([chunk(0, b"x" * 500_000)])
        entries = everything(journal, position)
        assert len(entries) == 2 * taken
        for entry in entries:
            journal.commit("one", entry.end, {"at": entry.end.offset})
        journal.sync()
        journal.append([chunk(1)])
        journal.commit("one", journal.end)
        journal.sync()
    journal.close()
    again = Journal(folder)
    assert again.repairs == []
    again.close()


def test_opening_on_a_full_disk(tiny: Path) -> None:
    journal = small(tiny / "journal")
    journal.consumers(["one"])
    taken = fill_up(journal)
    end = journal.end
    journal.close()
    fill_disk(tiny)
    again = small(tiny / "journal")
    again.consumers(["one"])
    assert again.end == end
    entries = everything(again, again.committed("one")[0])
    assert len(entries) == 2 * taken
    with pytest.raises(JournalError):
        again.append([chunk()])
    again.commit("one", end, {"n": 1})
    again.sync()
    again.append([chunk()])
    again.close()


def test_a_torn_end_on_a_full_disk(tiny: Path) -> None:
    """The torn bytes cannot be copied: they stay where they are, also when the records before them are freed."""
    journal = small(tiny / "journal", segment_bytes=1 << 20)
    journal.consumers(["one"])
    journal.append([chunk(0)])
    journal.append([chunk(1, b"x" * 9000)])
    journal.close()
    (path,) = segments(tiny / "journal")
    os.truncate(path, path.stat().st_size - 10)
    torn = path.read_bytes()
    fill_disk(tiny)
    journal = small(tiny / "journal")
    assert [(repair.kind, repair.events) for repair in journal.repairs] == [("torn", None), ("missing", 1)]
    assert journal.repairs[0].kept == ""
    assert path.read_bytes() == torn
    (tiny / "ballast").unlink()
    assert chunks_of(everything(journal)) == [chunk(0)]
    fill(journal, 1)
    journal.commit("one", journal.end)
    journal.sync()
    journal.close()
    assert path.with_name(path.name + ".damaged").read_bytes() == torn


def test_positions_that_do_not_fit(tiny: Path) -> None:
    """A state that grew needs a larger file: the commit holds, and is written when there is room for it."""
    journal = small(tiny / "journal")
    journal.consumers(["one"])
    end = journal.append([chunk()])
    fill_disk(tiny)
    for size in (12_000, 17_000):  # the first fits into what is there
        journal.commit("one", end, "x" * size)
        loaded = load_positions(tiny / "journal")
        assert loaded is not None
        assert loaded.commits["one"].state == b'"%b"' % (b"x" * 12_000)
    assert journal.committed("one") == (end, "x" * 17_000)
    for _ in range(2):
        with pytest.raises(JournalError, match="cannot be synced: No space left on device"):
            journal.sync()
    (tiny / "ballast").unlink()
    journal.sync()
    journal.close()
    again = small(tiny / "journal")
    assert again.committed("one") == (end, "x" * 17_000)
    again.close()


def test_a_file_that_cannot_be_deleted(tmp_path: Path) -> None:
    journal = small(tmp_path)
    journal.consumers(["one"])
    fill(journal, 3, b"x" * 3000)
    journal.commit("one", journal.end)
    first, second, _ = segments(tmp_path)
    first.unlink()
    first.mkdir()
    room = journal.free_bytes
    for _ in range(2):
        with pytest.raises(JournalError, match="cannot free its files"):
            journal.sync()
    assert journal.free_bytes == room
    first.rmdir()
    journal.sync()
    assert journal.free_bytes > room + 6000
    assert not second.exists()
    journal.close()
    journal.close()


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """RLIMIT_FSIZE cuts a write short and then refuses: the journal goes on in the next file."""
    journal = Journal(tmp_path, segment_bytes=1 << 20)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        assert fill_up(journal) > 5
        assert fill_up(journal) > 5
        with pytest.raises(JournalError, match="File too large"):
            journal.append([chunk(0, b"x" * 60_000)])
        assert fill_up(journal) > 5
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    entries = everything(journal)
    journal.append([chunk(0, b"x" * 60_000)])
    assert len(everything(journal)) == len(entries) + 1
    journal.close()
    again = Journal(tmp_path)
    assert again.repairs == []
    assert len(everything(again)) == len(entries) + 1
    again.close()


def test_a_power_failure_between_two_writes_of_positions(tmp_path: Path) -> None:
    """The positions on the disk are older than the records freed could be: nothing that they need is gone."""
    journal = small(tmp_path)
    journal.consumers(["one"])
    fill(journal, 10, b"x" * 3000)
    entries = everything(journal)
    journal.commit("one", entries[3].end, {"n": 4})
    journal.sync()
    on_disk = (tmp_path / "positions").read_bytes()
    journal.commit("one", entries[7].end, {"n": 8})
    crashed = shutil.copytree(tmp_path, tmp_path / "crashed")
    (crashed / "positions").write_bytes(on_disk)
    again = small(crashed)
    assert again.repairs == []
    position, state = again.committed("one")
    assert (position, state) == (again.start, {"n": 4})
    assert chunks_of(everything(again, entries[3].end)) == chunks_of(entries[4:])
    again.close()
    journal.close()
