import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.lines import LineRun, LineSplitter, OversizedLine, count_line_ends

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


def lines_of(runs: list[LineRun]) -> list[tuple[int, bytes]]:
    """Return every good line with its place in the stream."""
    found = []
    for run in runs:
        offset = run.offset
        *whole, last = run.data.split(b"\n")
        for line in [line + b"\n" for line in whole] + ([last] if last else []):
            found.append((offset, line))
            offset += len(line)
    return found


def oversized(runs: list[LineRun]) -> list[int]:
    return [line.size for run in runs for line in run.oversized]


def split_stream(stream: bytes, step: int, max_bytes: int = 4) -> list[LineRun]:
    splitter = LineSplitter(max_bytes)
    runs = [run for i in range(0, len(stream), step) for run in splitter.feed(stream[i : i + step])]
    return runs + splitter.feed_eof()


@pytest.mark.parametrize("step", [1, 2, 3, 1000])  # TCP may split anywhere
@pytest.mark.parametrize(("stream", "lines", "sizes"), CASES.values(), ids=CASES.keys())
def test_lines(stream: bytes, lines: list[tuple[int, bytes]], sizes: list[int], step: int) -> None:
    runs = split_stream(stream, step)
    assert lines_of(runs) == lines
    assert oversized(runs) == sizes


@given(st.text("ab\r\n", max_size=64).map(str.encode), st.integers(1, 9))
def test_splitting_the_stream_changes_nothing(stream: bytes, step: int) -> None:
    at_once, in_steps = split_stream(stream, 1 << 20), split_stream(stream, step)
    assert lines_of(in_steps) == lines_of(at_once)
    assert oversized(in_steps) == oversized(at_once)


@given(st.binary(max_size=200), st.integers(1, 30))
def test_no_byte_is_lost_and_offsets_point_at_their_lines(stream: bytes, step: int) -> None:
    runs = split_stream(stream, step, max_bytes=1000)
    assert b"".join(run.data for run in runs) == stream
    assert all(stream[offset:].startswith(line) for offset, line in lines_of(runs))


def test_a_line_without_end_holds_no_more_than_the_limit() -> None:
    splitter = LineSplitter(max_bytes=1000)
    for _ in range(1000):
        assert splitter.feed(b"x" * 100) == []
        assert len(splitter._tail) <= 1001
    assert splitter.feed_eof() == [LineRun(b"", 0, [OversizedLine(100_000, b"x" * 1100)])]


@given(st.text("ab\r\n", max_size=64).map(str.encode))
def test_count_line_ends(data: bytes) -> None:
    assert count_line_ends(data) == data.count(b"\n")


@pytest.mark.parametrize(
    ("stream", "incomplete", "size"),
    [(b"ab\ncd", b"cd", 2), (b"ab\n", b"", 0), (b"a\nbcdefghij", b"bcdefghij", 9)],
    ids=["short", "none", "oversized"],
)
def test_incomplete_line(stream: bytes, incomplete: bytes, size: int) -> None:
    splitter = LineSplitter(4)
    splitter.feed(stream)
    assert (splitter.incomplete, splitter.incomplete_bytes) == (incomplete, size)
    splitter.feed(b"\n")
    assert (splitter.incomplete, splitter.incomplete_bytes) == (b"", 0)
