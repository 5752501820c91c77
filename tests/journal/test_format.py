"""The form of records: there and back, and what is found among bad bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.chunk import Chunk
from ingestd.journal.base import Position
from ingestd.journal.format import (
    FILE_HEADER_BYTES,
    MAGIC,
    Bad,
    Good,
    RecordNames,
    check,
    decode,
    decode_file_header,
    encode,
    encode_file_header,
    find_base,
    walk,
)
from tests.journal.builders import chunk

TEXTS = st.text(st.characters(), max_size=20)  # surrogates too: a file's name may be no UTF-8
RECORDS = st.builds(
    Chunk,
    TEXTS,
    TEXTS,
    st.dictionaries(st.text(max_size=5), st.integers() | st.text() | st.none(), max_size=3),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=200) | st.just(MAGIC * 20),
)
BASE = Position(10_000, 77)


def chain(records: list[Chunk], base: Position = BASE) -> tuple[bytes, list[int]]:
    """Return records one behind the other, and where each ends."""
    parts, end = encode(records, base, RecordNames())
    data, ends = b"".join(parts), [len(b"".join(parts[: number + 2])) for number in range(0, len(parts), 2)]
    assert end == Position(base.offset + len(data), base.events + sum(record.frames or 1 for record in records))
    return data, ends


@given(st.lists(RECORDS, max_size=5))
def test_there_and_back(records: list[Chunk]) -> None:
    data, ends = chain(records)
    found = list(walk(data, 0, BASE))
    assert [item.header.end.offset - BASE.offset for item in found if isinstance(item, Good)] == ends
    assert [decode(memoryview(data), item.at, item.header) for item in found if isinstance(item, Good)] == records


@given(st.lists(RECORDS, min_size=1, max_size=3), st.lists(st.integers(0, 5), max_size=12), st.integers(1, 3))
def test_names_that_are_remembered_are_those_of_the_record(kinds: list[Chunk], order: list[int], most: int) -> None:
    """Streams take turns, change their fields and have the same ids, more of them than are remembered."""
    records = [kinds[number % len(kinds)]._replace(stream_id=str(number // len(kinds))) for number in order]
    names = RecordNames(most)
    found = [b"".join(encode([record], BASE, names)[0]) for record in records]
    assert found == [b"".join(encode([record], BASE, RecordNames())[0]) for record in records]
    assert len(names) <= most


@given(st.lists(RECORDS, min_size=1, max_size=4), st.data())
def test_one_flipped_byte_costs_one_record(records: list[Chunk], data: st.DataObject) -> None:
    good, ends = chain(records)
    at = data.draw(st.integers(0, len(good) - 1))
    flipped = bytearray(good)
    flipped[at] ^= data.draw(st.integers(1, 255))
    hurt = next(number for number, end in enumerate(ends) if at < end)
    begin = ends[hurt - 1] if hurt else 0
    last = hurt == len(records) - 1
    events = None if last else records[hurt].frames or 1
    found = list(walk(bytes(flipped), 0, BASE))
    assert [item for item in found if isinstance(item, Bad)] == [Bad(begin, ends[hurt] - begin, events)]
    assert [decode(memoryview(flipped), item.at, item.header) for item in found if isinstance(item, Good)] == [
        *records[:hurt],
        *records[hurt + 1 :],
    ]


@given(RECORDS, st.binary(max_size=300))
def test_garbage_is_no_record(one: Chunk, garbage: bytes) -> None:
    data = garbage + chain([one], Position(BASE.offset + len(garbage), 80))[0]
    *bad, good = walk(data, 0, BASE)
    assert isinstance(good, Good)
    assert decode(memoryview(data), good.at, good.header) == one
    assert bad == ([Bad(0, len(garbage), 3)] if garbage else [])


def test_a_record_inside_the_data_of_a_damaged_one_is_none() -> None:
    inner, _ = chain([chunk(5)], Position(1, 1))
    outer, _ = chain([chunk(0, inner), chunk(1)])
    flipped = b"\0" + outer[1:]
    bad, good = walk(flipped, 0, BASE)
    assert isinstance(bad, Bad)
    assert isinstance(good, Good)
    assert decode(memoryview(flipped), good.at, good.header) == chunk(1)


def test_magic_is_no_text() -> None:
    with pytest.raises(UnicodeDecodeError):
        (b"\xc2" + MAGIC).decode()


def test_a_size_that_says_more_than_there_is() -> None:
    data, _ = chain([chunk()])
    assert check(memoryview(data), 0, BASE.offset)
    assert check(memoryview(data)[:-1], 0, BASE.offset) is None
    assert check(memoryview(data), 0, BASE.offset + 1) is None


def test_what_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        chain([chunk(stream_id="x" * 65_536)])
    with pytest.raises(ValueError, match="does not fit"):
        chain([chunk(offset=-1)])


@given(st.integers(0, 2**61), st.integers(0, 2**61), st.integers(0, FILE_HEADER_BYTES - 1), st.integers(0, 255))
def test_file_header(offset: int, events: int, at: int, byte: int) -> None:
    header = encode_file_header(Position(offset, events))
    assert len(header) == FILE_HEADER_BYTES
    assert decode_file_header(header) == Position(offset, events)
    assert decode_file_header(header[:at]) is None
    changed = header[:at] + bytes([byte]) + header[at + 1 :]
    assert (decode_file_header(changed) is None) is (changed != header)


def test_a_base_is_found_without_the_header() -> None:
    data, _ = chain([chunk(), chunk(1)], Position(1032, 7))
    assert find_base(bytes(FILE_HEADER_BYTES) + data) == Position(1000, 7)
    hurt = data[:40] + bytes([data[40] ^ 1]) + data[41:]
    assert find_base(bytes(FILE_HEADER_BYTES) + hurt) == Position(1000, 9), "the first record that is good tells"
    assert find_base(b"") is None
    assert find_base(MAGIC * 50) is None
