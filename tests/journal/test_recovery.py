"""A journal opens after whatever happened to its files: the good records are read, the bad ones reported."""

import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.chunk import Chunk
from ingestd.journal.base import START, Entry, Position, Repair
from ingestd.journal.format import FILE_HEADER_BYTES, FILE_VERSION
from ingestd.journal.journal import Journal
from ingestd.journal.positions import FILE_NAME
from ingestd.journal.survey import Found, look
from tests.journal.builders import chunk, chunks_of, everything, fill, segments, small
from tests.random_cases import random_cases, sampled

CASES = [[b"a\n", b"\xff" * 7, b"bb\nb\n"], [b"", b"", b""], [b"x" * 300, b"y\n" * 20, b""]]


def written(folder: Path, datas: list[bytes]) -> tuple[list[Chunk], list[Entry]]:
    """Make a journal of one segment with a consumer whose position is after the first record."""
    journal = small(folder)
    journal.consumers(["one"])
    records = [chunk(number, data) for number, data in enumerate(datas)]
    for record in records:
        journal.append([record])
    entries = everything(journal)
    journal.commit("one", entries[0].end, {"done": 1})
    journal.close()
    return records, entries


def opened(folder: Path) -> tuple[list[Chunk], list[Repair]]:
    """Open, read everything, check that the journal works, close."""
    journal = small(folder)
    records = chunks_of(everything(journal))
    repairs = [repair for repair in journal.repairs if repair.kind != "positions"]  # the tests delete them
    before = journal.end
    after = chunk(99, b"after\n")
    end = journal.append([after])
    assert end > before
    assert chunks_of(everything(journal, before)) == [after]
    assert chunks_of(everything(journal)) == [*records, after]
    journal.consumers(["one"])
    journal.commit("one", end)
    journal.close()
    assert all(str(repair) for repair in repairs)
    return records, repairs


def rewrite(path: Path, data: bytes) -> None:
    """Put the folder of a segment back to that segment alone, with this content."""
    for other in path.parent.iterdir():
        other.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("datas", CASES, ids=["short", "empty", "long"])
def test_cut_off_at_every_byte(quick_path: Path, datas: list[bytes]) -> None:
    records, entries = written(quick_path, datas)
    (path,) = segments(quick_path)
    good, ends = path.read_bytes(), [entry.end.offset for entry in entries]
    for size in sampled(range(len(good) + 1)):
        rewrite(path, good[:size])
        seen, repairs = opened(quick_path)
        whole = sum(end <= size for end in ends)
        assert seen == records[:whole]
        rest = size - max([end for end in ends if end <= size], default=FILE_HEADER_BYTES)
        if 0 < size <= FILE_HEADER_BYTES - 1:
            assert [(repair.kind, repair.size) for repair in repairs] == [("torn", size)]
        elif size and rest:
            assert [(repair.kind, repair.offset, repair.size) for repair in repairs] == [("torn", size - rest, rest)]
            assert (quick_path / repairs[0].kept).read_bytes() == good[size - rest : size]
            assert repairs[0].kept == f"{path.name}.torn-{size - rest}"
        else:
            assert repairs == []


@pytest.mark.parametrize("datas", CASES, ids=["short", "empty", "long"])
def test_every_byte_flipped(quick_path: Path, datas: list[bytes]) -> None:
    records, entries = written(quick_path, datas)
    (path,) = segments(quick_path)
    good, ends = path.read_bytes(), [FILE_HEADER_BYTES, *(entry.end.offset for entry in entries)]
    for at, byte in sampled([*enumerate(good)]):
        rewrite(path, good[:at] + bytes([byte ^ (1 << at % 8)]) + good[at + 1 :])
        seen, repairs = opened(quick_path)
        if at < FILE_HEADER_BYTES:
            assert seen == records
            assert [(repair.kind, repair.offset, repair.size) for repair in repairs] == [
                ("damaged", 0, FILE_HEADER_BYTES)
            ]
            continue
        hurt = next(number for number in range(len(records)) if at < ends[number + 1])
        assert seen == records[:hurt] + records[hurt + 1 :]
        last = hurt == len(records) - 1
        (repair,) = repairs
        assert repair[:5] == (
            "torn" if last else "damaged",
            path.name,
            ends[hurt],
            ends[hurt + 1] - ends[hurt],
            None if last else records[hurt].frames or 1,
        )
        assert (quick_path / repair.kept).read_bytes()[at - ends[hurt]] == byte ^ (1 << at % 8)


@random_cases(150)
@given(st.data())
def test_any_damage(quick_path: Path, data: st.DataObject) -> None:
    """Several segments, several wounds of any kind: what is not hit is read, in order, and the journal works."""
    folder = Path(tempfile.mkdtemp(dir=quick_path))
    sizes = data.draw(st.lists(st.integers(0, 3000), min_size=1, max_size=12))
    records, _ = written(folder, [bytes([65 + number]) * size for number, size in enumerate(sizes)])
    before = [record for path in segments(folder) for record in _records_in(path)]
    lost = set()
    for _ in range(data.draw(st.integers(1, 4))):
        if not (files := sorted(folder.iterdir())):
            break
        path = data.draw(st.sampled_from(files))
        content = path.read_bytes()
        at = data.draw(st.integers(0, len(content)))
        until = data.draw(st.integers(at, len(content)))
        kind = data.draw(st.sampled_from(["cut", "zero", "noise", "remove", "unlink"]))
        if kind == "unlink":
            path.unlink()
        else:
            middle = {"cut": b"", "remove": b"", "zero": bytes(until - at), "noise": b"\xa7R" * ((until - at) // 2)}
            path.write_bytes(content[:at] + middle[kind] + (b"" if kind == "cut" else content[until:]))
        if path.suffix == ".seg":
            lost.add(path.name)
    whole = {path.name for path in segments(folder)} - lost
    kept = set().union(*({record.offset for record in _records_in(folder / name)} for name in whole))
    looked = list(look(folder, lambda: None))
    seen, repairs = opened(folder)
    assert [item.entry.chunk for item in looked if isinstance(item, Found)] == seen, "from outside it looks the same"
    kinds = {"torn", "damaged", "unreadable"}
    assert [item[:5] for item in looked if item[0] in kinds] == [item[:5] for item in repairs if item.kind in kinds]
    assert seen == [record for record in records if record in seen], "in order, none twice, none invented"
    assert kept <= {record.offset for record in seen}
    if not lost:
        assert seen == before


def _records_in(path: Path) -> list[Chunk]:
    """Return the records of one segment alone."""
    alone = path.parent / "alone"
    alone.mkdir()
    shutil.copy(path, alone / path.name)
    journal = small(alone)
    records = chunks_of(everything(journal))
    journal.close()
    shutil.rmtree(alone)
    return records


def many(folder: Path) -> list[Chunk]:
    """Make a journal of six segments of one record each; consumer ``one`` has two of them, ``two`` has none."""
    journal = small(folder)
    journal.consumers(["one", "two"])
    records = fill(journal, 6, b"x" * 3000)
    journal.commit("one", everything(journal)[1].end, {"n": 2})
    journal.close()
    return records


def test_a_missing_segment(tmp_path: Path) -> None:
    records = many(tmp_path)
    paths = segments(tmp_path)
    gone = paths[3].stat().st_size
    paths[3].unlink()
    journal = small(tmp_path)
    assert chunks_of(everything(journal)) == records[:3] + records[4:]
    assert journal.repairs == [Repair("missing", paths[4].name, 0, gone, 1, "")]
    journal.close()


def test_the_oldest_segments_are_missing(tmp_path: Path) -> None:
    records = many(tmp_path)
    paths = segments(tmp_path)
    gone = sum(path.stat().st_size for path in paths[:3])
    for path in paths[:3]:
        path.unlink()
    journal = small(tmp_path)
    assert chunks_of(everything(journal, journal.committed("two")[0])) == records[3:]
    assert journal.committed("two")[0] == journal.committed("one")[0] == journal.start
    assert journal.pending("two").events == 3
    assert [(repair.kind, repair.events) for repair in journal.repairs] == [("missing", 1), ("missing", 3)]
    assert journal.repairs[1].size == gone
    journal.close()


def test_all_segments_are_missing(tmp_path: Path) -> None:
    many(tmp_path)
    for path in segments(tmp_path):
        path.unlink()
    journal = small(tmp_path)
    assert everything(journal) == []
    assert journal.pending("one").bytes == journal.pending("two").bytes == 0
    assert [(repair.kind, repair.events) for repair in journal.repairs] == [("missing", 4), ("missing", 6)]
    fill(journal, 1)
    assert journal.pending("two").events == 2
    journal.close()


def test_an_empty_file_and_those_of_others(tmp_path: Path) -> None:
    records = many(tmp_path)
    (tmp_path / "journal-00000007.seg").write_bytes(b"")
    (tmp_path / "journal-00000003.seg.bak").write_bytes(b"x")
    (tmp_path / "README").write_text("mine")
    (tmp_path / "folder.seg").mkdir()
    journal = small(tmp_path)
    assert journal.repairs == []
    assert chunks_of(everything(journal)) == records
    fill(journal, 2)
    assert journal.repairs == []
    journal.close()
    assert (tmp_path / "README").read_text() == "mine"


def test_a_file_of_a_later_version_is_set_aside(tmp_path: Path) -> None:
    journal = small(tmp_path)
    journal.close()
    later = tmp_path / "journal-00000001.seg"
    later.write_bytes(b"ingestdJ" + bytes([FILE_VERSION + 1]) + bytes(100))
    journal = small(tmp_path)
    assert journal.repairs == [Repair("unreadable", later.name, 0, 109, None, later.name + ".unreadable")]
    fill(journal, 1)
    journal.close()
    assert [path.name for path in segments(tmp_path)] == ["journal-00000002.seg"]
    assert (tmp_path / (later.name + ".unreadable")).stat().st_size == 109


def test_an_old_copy_of_a_segment_is_set_aside(tmp_path: Path) -> None:
    records = many(tmp_path)
    first, *_ = segments(tmp_path)
    shutil.copy(first, tmp_path / "journal-00000009.seg")
    journal = small(tmp_path)
    assert chunks_of(everything(journal)) == records
    assert [(repair.kind, repair.kept) for repair in journal.repairs] == [
        ("unreadable", "journal-00000009.seg.unreadable")
    ]
    fill(journal, 1)
    journal.close()
    assert segments(tmp_path)[-1].name == "journal-00000010.seg"


def test_positions_that_cannot_be_read(tmp_path: Path) -> None:
    records = many(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(b"no positions" * 2000)
    journal = small(tmp_path)
    assert [repair.kind for repair in journal.repairs] == ["positions"]
    journal.consumers(["one"])
    assert chunks_of(everything(journal, journal.committed("one")[0])) == records
    journal.close()


def test_positions_that_are_not_there(tmp_path: Path) -> None:
    records = many(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    journal = small(tmp_path)
    assert [repair.kind for repair in journal.repairs] == ["positions"]
    journal.consumers(["one"])
    assert chunks_of(everything(journal, journal.committed("one")[0])) == records
    journal.close()


def test_a_consumer_beyond_the_end(tmp_path: Path) -> None:
    """As after a power failure that took records which were delivered already."""
    journal = small(tmp_path)
    journal.consumers(["one", "two"])
    records = fill(journal, 10)
    entries = everything(journal)
    journal.commit("one", entries[8].end)
    journal.commit("two", entries[2].end)
    end = journal.end
    journal.close()
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes()[: entries[4].end.offset])
    journal = small(tmp_path)
    assert [(repair.kind, repair.events) for repair in journal.repairs] == [("missing", 10)], "of the last five records"
    assert journal.end == journal.committed("one")[0] == end > entries[8].end
    more = fill(journal, 3, first=20)
    assert chunks_of(everything(journal, journal.committed("one")[0])) == more, "no position means two things"
    assert chunks_of(everything(journal, journal.committed("two")[0])) == records[3:5] + more
    journal.close()
    again = small(tmp_path)
    assert again.repairs == []
    again.close()


def test_zeros_at_the_end_are_cut_off_and_not_kept(tmp_path: Path) -> None:
    records = many(tmp_path)
    last = segments(tmp_path)[-1]
    size = last.stat().st_size
    last.write_bytes(last.read_bytes() + bytes(5000))
    journal = small(tmp_path)
    assert journal.repairs == [Repair("torn", last.name, size, 5000, None, "")]
    assert chunks_of(everything(journal)) == records
    journal.close()
    assert last.stat().st_size == size


def test_damage_while_the_journal_is_open(tmp_path: Path) -> None:
    journal = small(tmp_path)
    journal.consumers(["one"])
    records = fill(journal, 10)
    entries = everything(journal)
    (path,) = segments(tmp_path)
    content = bytearray(path.read_bytes())
    content[entries[3].end.offset + 70] ^= 1
    content[entries[8].end.offset + 70] ^= 1
    path.write_bytes(content)
    for _ in range(2):
        assert chunks_of(everything(journal)) == records[:4] + records[5:9]
    assert [(repair.kind, repair.events) for repair in journal.repairs] == [("damaged", 2), ("torn", None)]
    journal.commit("one", entries[8].end)
    more = fill(journal, 3, first=20)
    assert chunks_of(everything(journal, journal.committed("one")[0])) == more
    journal.commit("one", journal.end)
    assert journal.pending("one") == (0, 0)
    journal.sync()
    journal.close()
    assert len(list(tmp_path.glob("*.torn-*"))) == 2


def test_who_has_read_up_to_damage_is_done(tmp_path: Path) -> None:
    """The last record is damaged while the journal is open: nothing is left for who has read the one before."""
    journal = small(tmp_path)
    journal.consumers(["one"])
    fill(journal, 3)
    entries = everything(journal)
    journal.commit("one", entries[1].end)
    (path,) = segments(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert journal.read(entries[1].end, 1000) == []
    assert journal.pending("one").bytes == 0
    journal.close()


def test_the_only_record_of_a_file_is_damaged_while_the_journal_is_open(tmp_path: Path) -> None:
    journal = small(tmp_path)
    journal.consumers(["one"])
    fill(journal, 2, b"x" * 3000)
    journal.commit("one", everything(journal)[0].end, {"n": 1})
    path = segments(tmp_path)[1]
    path.write_bytes(path.read_bytes()[:-1] + b"y")
    assert journal.pending("one").events == 1
    assert journal.read(journal.committed("one")[0], 1000) == []
    assert (journal.pending("one"), journal.committed("one")) == ((0, 0), (journal.end, {"n": 1}))
    assert [repair.kind for repair in journal.repairs] == ["torn"]
    journal.close()


NO_RECORD = [  # id, what is left of the newest file
    ("nothing", 0),
    ("half_a_header", 20),
    ("a_header", FILE_HEADER_BYTES),
    ("half_a_record", FILE_HEADER_BYTES + 99),
]


@pytest.mark.parametrize("size", [c[1] for c in NO_RECORD], ids=[c[0] for c in NO_RECORD])
def test_a_file_without_a_record_leaves_no_trace(tmp_path: Path, size: int) -> None:
    """The record is gone; the gap is reported as long as records before it are there."""
    records = many(tmp_path)[:-1]
    last = segments(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:size])
    for life in range(3):
        journal = small(tmp_path)
        kinds = ["torn", "missing"] if size not in (0, FILE_HEADER_BYTES) else ["missing"]
        found = [repair.kind for repair in journal.repairs]
        assert found == kinds if life == 0 else set(found) <= {"missing"}
        assert chunks_of(everything(journal)) == records
        for entry in everything(journal, journal.committed("one")[0]):
            journal.commit("one", entry.end)
        assert journal.read(journal.committed("one")[0], 1) == []
        assert journal.pending("one") == (0, 0)
        records += fill(journal, 1, first=100 + life)
        assert journal.pending("one").events == 2
        journal.close()


def test_reading_from_the_middle_of_a_record(tmp_path: Path) -> None:
    journal = small(tmp_path)
    records = fill(journal, 3)
    first = everything(journal)[0].end
    assert chunks_of(everything(journal, Position(first.offset - 5, 0))) == records[1:]
    journal.close()


def test_what_was_cut_off_is_kept(tmp_path: Path) -> None:
    many(tmp_path)
    last = segments(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:-1])
    journal = small(tmp_path)
    assert not last.exists(), "it had no other record"
    assert [str(repair) for repair in journal.repairs] == [
        f"the end of a journal file was cut off, as a crash leaves it ({last.name} at byte 32: "
        f"{journal.repairs[0].size} bytes); kept in {last.name}.torn-32",
        "a part of the journal is missing and was skipped (journal-00000005.seg at byte 3127: 3127 bytes, 1 events)",
    ]
    journal.close()
    again = Journal(tmp_path)
    assert [repair.kind for repair in again.repairs] == ["missing"]
    assert len(again.read(START, 1 << 20)) == 1
    again.close()


def test_lost_positions_come_from_their_copy(tmp_path: Path) -> None:
    """As of the last sync; what was committed after it is read again."""
    folder, copy = tmp_path / "journal", tmp_path / "copy"
    with closing(Journal(folder, copy=copy)) as journal:
        journal.consumers(["a"])
        ends = [journal.append([chunk(number)]) for number in range(3)]
        journal.commit("a", ends[0], {"n": 1})
        journal.sync()
        journal.commit("a", ends[1], {"n": 2})
        kept = {path: path.read_bytes() for path in copy.iterdir()}
    for path, content in kept.items():  # the close has synced
        path.write_bytes(content)
    (folder / FILE_NAME).unlink()
    with closing(Journal(folder, copy=copy)) as journal:
        assert ([repair.kind for repair in journal.repairs], journal.positions_lost) == (["copied"], True)
        assert journal.committed("a") == (ends[0], {"n": 1})
        assert journal.end == ends[2]


@pytest.mark.parametrize("pending", [0, 2])
def test_a_journal_that_was_deleted_goes_on_where_it_was(tmp_path: Path, pending: int) -> None:
    folder, copy = tmp_path / "journal", tmp_path / "copy"
    with closing(Journal(folder, copy=copy)) as journal:
        journal.consumers(["a"])
        ends = [journal.append([chunk(number)]) for number in range(3)]
        journal.commit("a", ends[-1 - pending], {"n": 1})
    shutil.rmtree(folder)
    with closing(Journal(folder, copy=copy)) as journal:
        journal.consumers(["a"])
        missing = [repair.events for repair in journal.repairs if repair.kind == "missing"]
        assert missing == ([ends[2].events - ends[-1 - pending].events] if pending else [])
        assert (journal.committed("a"), journal.end) == ((ends[2], {"n": 1}), ends[2])
        end = journal.append([chunk(3)])
        assert journal.read(ends[2], 1)[0].end == end
