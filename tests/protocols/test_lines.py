import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.lines import Cut, LineCutter, TooLong, count_line_ends

CASES = {  # id: (stream, good lines with their offsets, sizes of lines too long), with max_bytes=4
    "two_lines": (b"ab\ncd\n", [(0, b"ab\n"), (3, b"cd\n")], []),
    "crlf": (b"ab\r\n", [(0, b"ab\r\n")], []),
    "empty_line": (b"\n", [(0, b"\n")], []),
    "no_end": (b"ab\nc", [(0, b"ab\n"), (3, b"c")], []),
    "just_fits": (b"abcd\r\n", [(0, b"abcd\r\n")], []),
    "too_long_recovers": (b"abcdef\nxy\n", [(7, b"xy\n")], [6]),
    "too_long_between": (b"a\nbcdefgh\nc\n", [(0, b"a\n"), (10, b"c\n")], [7]),
    "too_long_at_eof": (b"abcdef", [], [6]),
    "two_too_long": (b"abcdef\nghijkl\n", [], [6, 6]),
}


def lines_of(cuts: list[Cut]) -> list[tuple[int, bytes]]:
    """Return every good line with its place in the stream."""
    found = []
    for cut in cuts:
        offset = cut.offset
        *whole, last = cut.data.split(b"\n")
        for line in [one + b"\n" for one in whole] + ([last] if last else []):
            found.append((offset, line))
            offset += len(line)
    return found


def too_long(cuts: list[Cut]) -> list[int]:
    return [one.size for cut in cuts for one in cut.too_long]


def cut_stream(stream: bytes, step: int, max_bytes: int = 4) -> list[Cut]:
    cutter = LineCutter(max_bytes)
    cuts = [cut for i in range(0, len(stream), step) for cut in cutter.feed(stream[i : i + step])]
    return cuts + cutter.feed_eof()


@pytest.mark.parametrize("step", [1, 2, 3, 1000])  # TCP may cut anywhere
@pytest.mark.parametrize(("stream", "lines", "sizes"), CASES.values(), ids=CASES.keys())
def test_lines(stream: bytes, lines: list[tuple[int, bytes]], sizes: list[int], step: int) -> None:
    cuts = cut_stream(stream, step)
    assert lines_of(cuts) == lines
    assert too_long(cuts) == sizes


@given(st.text("ab\r\n", max_size=64).map(str.encode), st.integers(1, 9))
def test_cutting_the_stream_changes_nothing(stream: bytes, step: int) -> None:
    at_once, in_steps = cut_stream(stream, 1 << 20), cut_stream(stream, step)
    assert lines_of(in_steps) == lines_of(at_once)
    assert too_long(in_steps) == too_long(at_once)


@given(st.binary(max_size=200), st.integers(1, 30))
def test_no_byte_is_lost_and_offsets_point_at_their_lines(stream: bytes, step: int) -> None:
    cuts = cut_stream(stream, step, max_bytes=1000)
    assert b"".join(cut.data for cut in cuts) == stream
    assert all(stream[offset:].startswith(line) for offset, line in lines_of(cuts))


def test_a_line_without_end_holds_no_more_than_the_limit() -> None:
    cutter = LineCutter(max_bytes=1000)
    for _ in range(1000):
        assert cutter.feed(b"x" * 100) == []
        assert len(cutter._tail) <= 1001
    assert cutter.feed_eof() == [Cut(b"", 0, [TooLong(100_000, b"x" * 1100)])]


@given(st.text("ab\r\n", max_size=64).map(str.encode))
def test_count_line_ends(data: bytes) -> None:
    assert count_line_ends(data) == data.count(b"\n")
