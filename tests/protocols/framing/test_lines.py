import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.framing.lines import (
    LineRun,
    LineSplitter,
    OversizedLine,
    count_line_ends,
    count_lines,
    first_lines,
    split_lines,
    split_texts,
    torn_bytes,
    whole_lines,
)

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


DELIMITERS = [b"\n", b"|", b"\r\n", b"\n\n", b"|E|", b"aba", b"aab", b"ab\r"]
texts = st.text("ab\r\n|E", max_size=48).map(str.encode)


def expected_lines(stream: bytes, delimiter: bytes) -> list[bytes]:
    """Return the lines of a stream, with their ends, found byte by byte."""
    lines, start = list[bytes](), 0
    while (end := stream.find(delimiter, start)) >= 0:
        lines.append(stream[start : end + len(delimiter)])
        start = end + len(delimiter)
    return lines + ([stream[start:]] if start < len(stream) else [])


@given(texts, st.sampled_from(DELIMITERS), st.integers(1, 9))
def test_a_delimiter_may_be_cut_anywhere(stream: bytes, delimiter: bytes, step: int) -> None:
    splitter = LineSplitter(1000, delimiter)
    found, seen = list[bytes](), 0
    for at in range(0, len(stream), step):
        for run in splitter.feed(stream[at : at + step]):
            assert run.offset == seen
            found += split_lines(run.data, delimiter)
            seen += len(run.data)
        fed = min(at + step, len(stream))
        assert stream[seen:fed] == splitter.incomplete
        assert splitter.incomplete_bytes == fed - splitter.offset == fed - seen
    found += [line for run in splitter.feed_eof() for line in split_lines(run.data, delimiter)]
    assert found == expected_lines(stream, delimiter)


@given(texts, st.sampled_from(DELIMITERS), st.integers(1, 9), st.integers(1, 5))
def test_long_lines_with_any_delimiter(stream: bytes, delimiter: bytes, step: int, limit: int) -> None:
    splitter = LineSplitter(limit, delimiter)
    runs = [run for at in range(0, len(stream), step) for run in splitter.feed(stream[at : at + step])]
    runs += splitter.feed_eof()
    good, long, at = list[tuple[int, bytes]](), list[tuple[int, int]](), 0
    for line in expected_lines(stream, delimiter):
        text = line.removesuffix(delimiter)
        counted = text.removesuffix(b"\r") if delimiter == b"\n" else text
        if len(counted) > limit:
            long.append((at, len(text)))
        else:
            good.append((at, line))
        at += len(line)
    found_good, found_long = list[tuple[int, bytes]](), list[tuple[int, int]]()
    for run in runs:
        at = run.offset
        for line in split_lines(run.data, delimiter):
            found_good.append((at, line))
            at += len(line)
        for oversized in run.oversized:
            found_long.append((at, oversized.size))
            assert stream[at:].startswith(oversized.excerpt)
            at += oversized.size + oversized.end_bytes
    assert (found_good, found_long) == (good, long)


@given(texts, st.sampled_from(DELIMITERS), st.integers(0, 50))
def test_lines_of_a_buffer(stream: bytes, delimiter: bytes, size: int) -> None:
    size = min(size, len(stream))
    lines = expected_lines(stream[:size], delimiter)
    whole = [
        line for line in lines if line.endswith(delimiter) and (line is not lines[-1] or _has_end(lines, delimiter))
    ]
    end = whole_lines(bytearray(stream), size, delimiter)
    assert stream[:end] == b"".join(whole)
    assert count_lines(stream[:size], delimiter) == len(lines) or not size
    assert split_texts(stream, delimiter) == stream.split(delimiter)
    assert count_line_ends(stream[:end], delimiter) == len(whole)
    assert first_lines(stream[:size], 2, delimiter) == len(b"".join(lines[:2]))
    rest = stream[end:size]
    torn = torn_bytes(rest, len(rest), delimiter)
    assert delimiter.startswith(rest[len(rest) - torn :])
    assert not any(rest.endswith(delimiter[:more]) for more in range(torn + 1, len(delimiter)))


def _has_end(lines: list[bytes], delimiter: bytes) -> bool:
    """Return whether the last line has an end."""
    return lines[-1].find(delimiter) == len(lines[-1]) - len(delimiter)
