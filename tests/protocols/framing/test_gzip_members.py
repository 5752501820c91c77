"""Inflating gzip with any number of members."""

from __future__ import annotations

import gzip
import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.framing.gzip_members import GzipError, MemberGrouping, inflated, member_texts

MANY = gzip.compress(b"") * 50_000
"""1 MB. Time that grows with the square of the number of members would be seconds."""

CASES: list[tuple[str, bytes, bytes]] = [  # id, data, text
    ("empty", b"", b""),
    ("one", gzip.compress(b"ab"), b"ab"),
    ("longest", gzip.compress(bytes(100)), bytes(100)),
    ("several", gzip.compress(b"a") + gzip.compress(b"") + gzip.compress(b"b"), b"ab"),
    ("padded", gzip.compress(b"ab") + bytes(512), b"ab"),
    ("many", MANY + gzip.compress(b"a"), b"a"),
]
WRONG: list[tuple[str, bytes]] = [
    ("text", b"no"),
    ("cut", gzip.compress(b"ab")[:-3]),
    ("rest", gzip.compress(b"ab") + b"x"),
    ("rest_after_padding", gzip.compress(b"ab") + bytes(3) + b"x"),
    ("damaged", gzip.compress(b"ab" * 50, mtime=0)[:12] + bytes(20)),
    ("too_long", gzip.compress(bytes(101))),
    ("bomb", gzip.compress(bytes(1 << 24), compresslevel=1)),
]


@pytest.mark.parametrize(("data", "text"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_inflated(data: bytes, text: bytes) -> None:
    assert inflated(data, 100) == text


@pytest.mark.parametrize(("data", "text"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_texts_of_members(data: bytes, text: bytes) -> None:
    texts = member_texts(data, 100)
    assert b"".join(texts) == text
    assert len(texts) == data.count(gzip.compress(b"")[:4])


@pytest.mark.parametrize("data", [case[1] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(GzipError):
        inflated(data, 100)
    with pytest.raises(GzipError):
        member_texts(data, 100)


def test_zeros_alone_are_no_gzip() -> None:
    """Though they are the padding of no member."""
    with pytest.raises(GzipError):
        inflated(bytes(512), 100)


@pytest.mark.parametrize("size", [(1 << 18) - 1, 1 << 18, (1 << 18) + 1, 1 << 20])
def test_the_end_of_a_member_is_known_with_its_last_byte(size: int) -> None:
    """However much is inflated at a time."""
    data = gzip.compress(bytes(size))
    assert MemberGrouping(1 << 20, 1 << 21).ends(data) == [len(data)]


GOOD = [gzip.compress(text, mtime=0) for text in (b"", b"a\n", b"b" * 500, Random(1).randbytes(300))]
BAD = [b"garbage", b"\x1f", GOOD[2][:-9], GOOD[3][:-4] + bytes(4), b"\x1f\x8b\x08\xff" + bytes(9), b"x\x1f\x8bx"]
parts = st.lists(st.sampled_from([*GOOD, *BAD]), max_size=8)


def messages_of(stream: bytes, steps: list[int], max_bytes: int = 2000) -> list[bytes]:
    """Return the messages that a reader finds which keeps what has not ended; the rest is the last one."""
    grouping, found, start, seen = MemberGrouping(max_bytes, 1 << 16).of_stream(), list[bytes](), 0, 0
    while seen < len(stream):
        seen = min(seen + (steps.pop() if steps else len(stream)), len(stream))
        buffer = bytearray(stream[start:seen])
        if whole := grouping.whole(buffer, len(buffer)):
            found += grouping.split(bytes(buffer[:whole]))
            start += whole
    return found + ([stream[start:]] if start < len(stream) else [])


def text_of(message: bytes) -> bytes | None:
    try:
        return inflated(message, 1 << 20)
    except GzipError:
        return None


@given(parts, st.lists(st.integers(1, 400), max_size=20))
def test_members_wherever_the_stream_is_cut(pieces: list[bytes], steps: list[int]) -> None:
    found = messages_of(b"".join(pieces), steps)
    assert b"".join(found) == b"".join(pieces)
    if all(piece in GOOD for piece in pieces):
        texts = [text_of(message) for message in found]
        assert None not in texts
        assert b"".join(text or b"" for text in texts) == b"".join(gzip.decompress(piece) for piece in pieces)


@given(st.sampled_from([bad for bad in BAD if bad != b"\x1f"]), st.lists(st.integers(1, 400), max_size=9))
def test_what_is_damaged_costs_no_other_member(bad: bytes, steps: list[int]) -> None:
    found = messages_of(GOOD[1] + bad + GOOD[2] + GOOD[1], steps)
    texts = [text for message in found if (text := text_of(message)) is not None]
    assert b"".join(texts) == b"a\n" + b"b" * 500 + b"a\n"


@pytest.mark.parametrize(
    "message", [gzip.compress(Random(1).randbytes(3000)), gzip.compress(bytes(1 << 17))], ids=["long", "bomb"]
)
def test_a_member_that_is_too_long_is_a_message_without_text(message: bytes) -> None:
    found = messages_of(message + GOOD[1], [100] * 60)
    assert b"".join(found) == message + GOOD[1]
    assert text_of(found[-1]) == b"a\n"
    assert all(text_of(part) is None for part in found[:-1] if len(message) > 2000)


def test_a_member_is_inflated_once_however_often_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends it byte by byte must not cost time with the square of its size."""
    made = list[int]()
    inflater = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", lambda bits: made.append(bits) or inflater(bits))  # type: ignore[func-returns-value]
    messages_of(GOOD[3], [1] * len(GOOD[3]))
    assert len(made) <= 6
