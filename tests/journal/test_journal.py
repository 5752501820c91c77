"""What every record queue does, on disk and in memory: append, read, commit, bounds, several consumers."""

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.journal.base import (
    START,
    JournalError,
    JournalLockedError,
    JournalSizeLimitError,
    Pending,
    Position,
    RecordQueue,
)
from ingestd.journal.journal import Journal
from ingestd.journal.memory import MemoryJournal
from tests.journal.builders import chunk, chunks_of, everything, fill, segments, small
from tests.processes import open_files
from tests.random_cases import random_cases
from tests.threads import Background

Make = Callable[..., RecordQueue]


@pytest.fixture(params=["disk", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made: list[RecordQueue] = []

    def new(max_bytes: int = 1 << 20) -> RecordQueue:
        made.append(
            Journal(tmp_path / "journal", max_bytes=max_bytes, segment_bytes=4096)
            if request.param == "disk"
            else MemoryJournal(max_bytes=max_bytes)
        )
        return made[-1]

    yield new
    for journal in made:
        journal.close()


def test_what_is_appended_is_read_at_once(make: Make) -> None:
    journal = make()
    assert journal.read(START, 1000) == []
    end = journal.append([chunk(0), chunk(1, stream_id="c2", fields={}), chunk(2, frames=0)])
    entries = everything(journal)
    assert chunks_of(entries) == [chunk(0), chunk(1, stream_id="c2", fields={}), chunk(2, frames=0)]
    assert (entries[-1].end, journal.end) == (end, end)
    assert end.events == 2 + 2 + 1, "unknown is counted as one event"
    assert journal.read(end, 1000) == []
    assert journal.append([]) == end


@pytest.mark.parametrize("max_bytes", [1, 8, 9, 100, 5000, 1 << 20])
def test_reading_in_portions(make: Make, max_bytes: int) -> None:
    journal = make()
    records = fill(journal, 500) + fill(journal, 3, b"x" * 9000) + fill(journal, 50)
    position, seen = START, []
    while entries := journal.read(position, max_bytes):
        seen += chunks_of(entries)
        position = entries[-1].end
        assert len(entries) == 1 or sum(len(entry.chunk.data) for entry in entries) <= max_bytes
    assert seen == records
    assert position == journal.end


def test_each_consumer_has_its_own_position_and_state(make: Make) -> None:
    journal = make()
    assert journal.consumers(["fast", "slow"]) == {}
    fill(journal, 10)
    entries = everything(journal)
    state = {"2026-11-22": {"tcp-1": 20}}
    journal.commit("fast", entries[9].end, state)
    journal.commit("slow", entries[1].end)
    state["2026-11-22"] = {}
    assert journal.committed("fast") == (entries[9].end, {"2026-11-22": {"tcp-1": 20}})
    assert journal.committed("slow") == (entries[1].end, None)
    assert journal.pending("fast") == Pending(0, 0)
    assert journal.pending("slow") == Pending(16, entries[9].end.offset - entries[1].end.offset)
    journal.commit("fast", entries[9].end)
    assert journal.committed("fast")[1] == {"2026-11-22": {"tcp-1": 20}}, "no state keeps the one before"
    assert chunks_of(everything(journal, journal.committed("slow")[0])) == [chunk(number) for number in range(2, 10)]


def test_a_position_that_cannot_be(make: Make) -> None:
    journal = make()
    journal.consumers(["one"])
    fill(journal, 3)
    first, second, third = (entry.end for entry in everything(journal))
    journal.commit("one", second)
    with pytest.raises(ValueError, match="one commits"):
        journal.commit("one", first)
    with pytest.raises(ValueError, match="one commits"):
        journal.commit("one", Position(third.offset + 1, 9))
    assert journal.committed("one")[0] == second


def test_consumers_that_come_and_go(make: Make) -> None:
    journal = make()
    journal.consumers(["first"])
    fill(journal, 4)
    ends = [entry.end for entry in everything(journal)]
    journal.commit("first", ends[1])
    assert journal.consumers(["first", "second"]) == {}
    assert journal.committed("second")[0] == ends[1], "begins with what the slowest has before it"
    journal.commit("first", ends[3])
    assert journal.consumers(["first"]) == {"second": Pending(4, ends[3].offset - ends[1].offset)}
    assert journal.consumers([]) == {}, "what had nothing pending is dropped without a word"


def test_a_consumer_that_was_absent_goes_on(make: Make) -> None:
    """With its state, and without what came meanwhile; what it does not get is known until it has committed."""
    journal = make()
    journal.consumers(["first", "second"])
    fill(journal, 4)
    ends = [entry.end for entry in everything(journal)]
    journal.commit("second", ends[0], {"kept": True})
    journal.commit("first", ends[1])
    journal.consumers(["first"])
    journal.commit("first", ends[3])
    journal.consumers(["first", "second"])
    assert journal.committed("second") == (ends[3], {"kept": True})
    assert journal.skipped("second") == ends[3].events - ends[0].events
    journal.consumers(["first"])  # a crash before it could commit
    journal.consumers(["first", "second"])
    assert journal.skipped("second") == ends[3].events - ends[0].events
    journal.commit("second", ends[3], {"kept": 2})
    assert journal.skipped("second") == journal.skipped("first") == 0


def test_a_consumer_that_was_further_than_the_others_gets_nothing_twice(make: Make) -> None:
    journal = make()
    journal.consumers(["first", "second"])
    fill(journal, 4)
    ends = [entry.end for entry in everything(journal)]
    journal.commit("second", ends[2], {"kept": True})
    journal.consumers(["first"])
    journal.consumers(["first", "second"])
    assert journal.committed("second") == (ends[2], {"kept": True})
    assert journal.skipped("second") == 0


def test_absent_consumers_survive_a_restart(tmp_path: Path) -> None:
    journal: Any = small(tmp_path)
    journal.consumers(["first", "second"])
    journal.append([chunk(0, b"x")])
    [entry] = everything(journal)
    journal.commit("second", entry.end, {"kept": True})
    journal.consumers(["first"])
    journal.close()
    again: Any = small(tmp_path)
    again.consumers(["first", "second"])
    assert again.committed("second") == (entry.end, {"kept": True})
    again.close()


def test_at_the_bound_nothing_is_written(make: Make) -> None:
    journal = make(max_bytes=100_000)
    journal.consumers(["one"])
    taken = 0
    with suppress(JournalSizeLimitError):
        for taken in range(100):  # noqa: B007 - counts
            fill(journal, 1, b"x" * 5000)
    assert 15 <= taken <= 20
    assert journal.free_bytes < 5100
    end = journal.end
    assert len(everything(journal)) == taken
    with pytest.raises(JournalSizeLimitError):
        journal.append([chunk(0, b"x" * 50_000), chunk(1)])
    assert (journal.end, len(everything(journal))) == (end, taken)
    journal.commit("one", everything(journal)[9].end)
    journal.sync()
    assert journal.free_bytes > 40_000
    fill(journal, 5, b"x" * 5000)


def test_a_journal_in_which_nothing_waits_takes_any_record(make: Make) -> None:
    journal = make(max_bytes=50_000)
    journal.consumers(["one"])
    for _ in range(3):
        assert journal.free_bytes > 0
        journal.append([chunk(0, b"x" * 200_000)])
        assert journal.free_bytes <= 0
        with pytest.raises(JournalSizeLimitError):
            journal.append([chunk(0, b"x")])
        journal.commit("one", journal.read(journal.committed("one")[0], 1)[-1].end)


def test_the_slowest_consumer_holds_the_files(tmp_path: Path) -> None:
    journal = small(tmp_path)
    journal.consumers(["fast", "slow"])
    fill(journal, 20, b"x" * 2000)
    assert len(segments(tmp_path)) == 20, "two do not fit into one"
    entries = everything(journal)
    journal.commit("fast", entries[-1].end)
    journal.sync()
    assert len(segments(tmp_path)) == 20
    journal.commit("slow", entries[11].end)
    assert len(segments(tmp_path)) == 20, "freed when the positions are safe on the disk, not before"
    journal.sync()
    assert len(segments(tmp_path)) == 8
    assert journal.start.offset <= entries[12].end.offset
    journal.commit("slow", journal.end)
    journal.sync()
    assert len(segments(tmp_path)) == 1, "the newest one stays: it tells where the streams end"
    journal.close()


def test_without_consumers_everything_is_kept(tmp_path: Path) -> None:
    journal = small(tmp_path)
    fill(journal, 20, b"x" * 2000)
    journal.sync()
    assert len(everything(journal)) == 20
    journal.close()


def test_a_second_life(tmp_path: Path) -> None:
    journal = small(tmp_path)
    journal.consumers(["one", "two"])
    first = fill(journal, 30, b"x" * 500)
    middle = everything(journal)[14].end
    journal.commit("one", middle, {"n": 15})
    journal.commit("two", journal.end)
    end = journal.end
    journal.close()
    again = small(tmp_path)
    assert again.repairs == []
    assert (again.end, again.committed("one"), again.committed("two")[0]) == (end, (middle, {"n": 15}), end)
    assert again.pending("one") == Pending(15, end.offset - middle.offset)
    assert again.consumers(["one", "two"]) == {}
    second = fill(again, 5, b"y" * 500, first=30)
    assert chunks_of(everything(again, middle)) == first[15:] + second
    assert chunks_of(everything(again, end)) == second
    again.close()


def test_pending_events_over_a_restart(tmp_path: Path) -> None:
    for life in range(3):
        journal = small(tmp_path)
        journal.consumers(["one"])
        assert journal.pending("one").events == life * 20
        fill(journal, 10)
        assert journal.pending("one").events == life * 20 + 20
        journal.close()


def test_where_the_streams_end(tmp_path: Path) -> None:
    journal = small(tmp_path)
    fill(journal, 3)
    journal.append([chunk(0, stream_id="c2"), chunk(7, b"abc\n", stream_id="c3")])
    assert journal.stream_ends() == {}
    journal.close()
    again = small(tmp_path)
    assert again.stream_ends() == {"c1": 24, "c2": 8, "c3": 32}
    again.consumers(["one"])
    again.commit("one", again.end)
    again.sync()
    again.close()
    third = small(tmp_path)
    assert third.stream_ends() == {"c1": 24, "c2": 8, "c3": 32}, "also of what is delivered: it may wait in a socket"
    third.close()


def test_the_end_of_a_stream_that_is_kept_outlives_its_records(tmp_path: Path) -> None:
    """Files: the position of one that was not written to for a week."""
    journal = small(tmp_path)
    assert journal.streams.keep("file") == journal.streams.keep("other") == 0
    journal.append([chunk(100, b"abc\n", stream_id="file"), chunk(0, stream_id="c2")])
    journal.consumers(["one"])
    for _ in range(3):
        fill(journal, 200)  # more than a segment
        journal.commit("one", journal.end)
        journal.sync()
    journal.streams.forget("other")
    journal.close()
    for _ in range(2):
        again = small(tmp_path)
        assert "c2" not in again.stream_ends(), "the test frees its segment"
        assert again.streams.keep("file") == 404
        assert again.streams.keep("other") == 0
        again.close()
    last = small(tmp_path)
    last.streams.forget("file")
    assert last.streams.keep("file") == 0
    last.close()


def test_no_segment_is_freed_unless_the_ends_of_its_streams_are_saved(tmp_path: Path) -> None:
    journal = small(tmp_path)
    journal.streams.keep("file")
    journal.append([chunk(100, b"abc\n", stream_id="file")])
    journal.consumers(["one"])
    fill(journal, 200)
    journal.commit("one", journal.end)
    (tmp_path / "streams").write_bytes(b"in the way of the folder")
    before = sorted(tmp_path.glob("*"))
    with pytest.raises(JournalError, match="cannot free"):
        journal.sync()
    assert sorted(tmp_path.glob("*")) == before
    (tmp_path / "streams").unlink()
    journal.sync()
    assert len(sorted(tmp_path.glob("*"))) < len(before)
    journal.close()
    again = small(tmp_path)
    assert again.streams.keep("file") == 404
    again.close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    journal = small(tmp_path)
    with pytest.raises(JournalLockedError, match="open in another process"):
        small(tmp_path)
    journal.close()
    small(tmp_path).close()


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be opened"):
        small(tmp_path / "file" / "journal")


def test_more_records_than_one_call_of_the_kernel_takes(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    records = [chunk(number) for number in range(3000)]
    journal.append(records)
    assert chunks_of(everything(journal)) == records
    journal.close()


def descriptors() -> int:
    return len(open_files(os.getpid()))


def test_descriptors_do_not_grow(tmp_path: Path) -> None:
    journal = small(tmp_path)
    before = descriptors()
    fill(journal, 100, b"x" * 2000)
    assert descriptors() <= before + 20
    journal.sync()
    assert descriptors() <= before + 1
    journal.close()
    assert descriptors() < before


def test_sync_in_another_thread(tmp_path: Path) -> None:
    journal = small(tmp_path)
    journal.consumers(["one"])
    stop = threading.Event()

    def sync() -> None:
        while not stop.is_set():
            journal.sync()

    expected, seen = [], []
    with Background(sync, stop.set):
        for number in range(400):
            expected += fill(journal, 1, b"x" * (number % 50 * 60), first=number)
            if number % 3 == 0:
                for entry in everything(journal, journal.committed("one")[0]):
                    seen.append(entry.chunk)
                    journal.commit("one", entry.end)
    assert seen == expected[: len(seen)]
    assert len(seen) == 400
    journal.close()


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["append", "read", "commit", "sync", "reopen"]), st.integers(0, 2**16)), max_size=60
)


@random_cases(60)
@given(OPERATIONS)
def test_any_order_of_operations(tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, int]]) -> None:
    """Whatever is done in whatever order, each consumer sees every record once, in order, also over restarts."""
    folder = tmp_path_factory.mktemp("journal")
    disk: Any = small(folder)
    disk.consumers(["one", "two"])
    model, at, appended = [], {"one": 0, "two": 0}, 0
    for what, number in operations:
        name = ("one", "two")[number % 2]
        if what == "append":
            group = [chunk(appended + offset, b"x" * (number % 3000)) for offset in range(number % 4)]
            disk.append(group)
            model += group
            appended += len(group)
        elif what == "sync":
            disk.sync()
        elif what == "reopen":
            disk.close()
            disk = small(folder)
            assert disk.repairs == []
        else:
            entries = disk.read(disk.committed(name)[0], number)
            assert chunks_of(entries) == model[at[name] : at[name] + len(entries)]
            assert bool(entries) is (at[name] < len(model))
            if what == "commit" and entries:
                done = random.Random(number).randrange(len(entries))
                disk.commit(name, entries[done].end, {"at": number})
                at[name] += done + 1
                assert disk.committed(name)[1] == {"at": number}
    disk.close()
