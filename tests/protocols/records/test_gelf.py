"""GELF: messages of several datagrams, and compressed ones."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.records.gelf import ChunkAssembler, GelfError, uncompressed


def chunk(number: int, count: int, data: bytes, message_id: bytes = b"12345678") -> bytes:
    """Return one chunk of a message."""
    return b"\x1e\x0f" + message_id + bytes([number, count]) + data


def test_a_message_of_one_datagram_is_returned_at_once() -> None:
    assert ChunkAssembler().add(b"{}", "a", 0) == b"{}"


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=4))
def test_chunks_in_any_order_and_some_twice(order: list[int], repeated: list[int]) -> None:
    assembler, parts = ChunkAssembler(), [b"a", b"", b"bc", b"d", b"e"]
    for number in [*order[:-1], *(number for number in repeated if number != order[-1])]:
        assert assembler.add(chunk(number, 5, parts[number]), "a", 0) is None
    assert assembler.add(chunk(order[-1], 5, parts[order[-1]]), "a", 0) == b"abcde"
    assert len(assembler) == 0


def test_the_same_id_of_another_sender_is_another_message() -> None:
    assembler = ChunkAssembler()
    assert assembler.add(chunk(0, 2, b"a"), "a", 0) is None
    assert assembler.add(chunk(1, 2, b"b"), "b", 0) is None
    assert assembler.add(chunk(1, 2, b"b"), "a", 0) == b"ab"


@pytest.mark.parametrize(
    "datagram",
    [b"\x1e\x0f", chunk(2, 2, b""), chunk(0, 0, b""), chunk(0, 129, b""), b"\x1e\x0f12345678\0"],
    ids=["only_the_magic", "number_too_high", "no_chunks", "too_many_chunks", "cut"],
)
def test_chunks_that_cannot_be_right(datagram: bytes) -> None:
    assembler = ChunkAssembler()
    with pytest.raises(GelfError):
        assembler.add(datagram, "a", 0)
    assert len(assembler) == 0


def test_another_number_of_chunks_is_an_error() -> None:
    assembler = ChunkAssembler()
    assembler.add(chunk(0, 2, b"a"), "a", 0)
    with pytest.raises(GelfError, match="3 chunks, an earlier one 2"):
        assembler.add(chunk(1, 3, b"b"), "a", 0)
    assert assembler.add(chunk(1, 2, b"b"), "a", 0) == b"ab"


def test_incomplete_messages_expire() -> None:
    later = ChunkAssembler(timeout_s=5)
    later.add(chunk(2, 3, b"c"), "a", 10)
    later.add(chunk(0, 3, b"a"), "a", 12)
    assert list(later.expired(14.9)) == []
    [message] = later.expired(15)
    assert message == (b"ac", "only 2 of the 3 chunks of a GELF message came within 5 s", "a")
    assert len(later) == 0
    assert later.add(chunk(1, 3, b"b"), "a", 16) is None, "the rest is a new message"


@pytest.mark.parametrize(
    ("limits", "given_up"),
    [
        ({"max_messages": 2}, [b"0" * 10]),
        ({"max_bytes": 25}, [b"0" * 10]),
        ({"max_bytes": 5}, [b"0" * 10, b"1" * 10, b"2" * 10]),
    ],
    ids=["messages", "bytes", "bytes_of_one"],
)
def test_memory_is_bounded(limits: dict[str, int], given_up: list[bytes]) -> None:
    assembler = ChunkAssembler(**limits)
    for number in range(3):
        assembler.add(chunk(0, 2, b"%d" % number * 10, b"%08d" % number), "a", 0)
    assert [message.data for message in assembler.expired(0)] == given_up
    assert len(assembler) == 3 - len(given_up)


def test_giving_up_all() -> None:
    assembler = ChunkAssembler()
    assembler.add(chunk(0, 2, b"a"), "a", 0)
    assert [message.data for message in assembler.give_up_all()] == [b"a"]
    assert len(assembler) == 0


TEXT = b'{"short_message": "' + b"x" * 300 + b'"}'


@pytest.mark.parametrize(
    "message",
    [TEXT, gzip.compress(TEXT), zlib.compress(TEXT, 1), zlib.compress(TEXT, 9)],
    ids=["plain", "gzip", "zlib_fast", "zlib_best"],
)
def test_compression(message: bytes) -> None:
    assert uncompressed(message, len(TEXT)) == TEXT
    with pytest.raises(GelfError, match=f"more than {len(TEXT) - 1} bytes"):
        uncompressed(message, len(TEXT) - 1)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_damaged_messages(compress: object, damage: str) -> None:
    data = gzip.compress(TEXT) if compress is gzip.compress else zlib.compress(TEXT)
    with pytest.raises(GelfError):
        uncompressed(data[:-5] if damage == "cut" else data[:12] + b"\xff\xff\xff" + data[15:], 1 << 20)


@given(st.binary(max_size=200))
def test_no_datagram_raises_anything_else(data: bytes) -> None:
    for datagram in (data, b"\x1e\x0f" + data, b"\x1f\x8b" + data, b"\x78\x9c" + data):
        try:
            message = ChunkAssembler().add(datagram, "a", 0)
            uncompressed(message or b"", 1000)
        except GelfError:
            pass
