"""Lines that belong together, wherever the stream is cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.framing.grouping import LineGrouping


def grouping(*, following: bool = False, **limits: Any) -> LineGrouping:
    """Group lines that start with a blank (or, if ``following``, end with a backslash) with others."""
    known: dict[str, Any] = {"max_lines": 500, "max_bytes": 10_000, "longest": 1000} | limits
    if following:
        return LineGrouping(lambda line: line.endswith(b"\\"), following=True, **known)
    return LineGrouping(lambda line: line.startswith(b" "), following=False, **known)


CASES: list[tuple[str, LineGrouping, bytes, list[bytes]]] = [  # id, grouping, data, whole messages
    ("nothing", grouping(), b"", []),
    ("one_line_may_go_on", grouping(), b"a\n", []),
    ("the_next_one_starts", grouping(), b"a\n 1\n 2\nb\n", [b"a\n 1\n 2\n"]),
    ("half_a_line_decides_nothing", grouping(), b"a\nb", []),
    ("first_line_belongs_to_nothing", grouping(), b" 1\na\nb\n", [b" 1\n", b"a\n"]),
    ("empty_lines", grouping(), b"\n\n", [b"\n"]),
    ("following", grouping(following=True), b"a\\\nb\nc\nd\\\n", [b"a\\\nb\n", b"c\n"]),
    ("max_lines", grouping(max_lines=2), b"a\n 1\n 2\n 3\n 4\n", [b"a\n 1\n 2\n"]),
    ("max_lines_following", grouping(following=True, max_lines=1), b"a\\\nb\\\nc\\\n", [b"a\\\nb\\\n"]),
    ("max_bytes", grouping(max_bytes=5), b"aaa\n 1\n 2\n", [b"aaa\n 1\n"]),
    ("longest", grouping(longest=8), b"aaa\n 1\n 2\n", [b"aaa\n 1\n"]),
    ("longest_with_half_a_line", grouping(longest=8), b"aaa\n 1\n 22", [b"aaa\n 1\n"]),
    ("one_line_alone_may_be_longer", grouping(longest=3), b"aaaaaa\nb\n", [b"aaaaaa\n"]),
]


@pytest.mark.parametrize(("lines", "data", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_where_messages_end(lines: LineGrouping, data: bytes, expected: list[bytes]) -> None:
    ends = lines.ends(data)
    assert [data[start:end] for start, end in zip([0, *ends], ends, strict=False)] == expected
    assert lines.whole(bytearray(data + b"garbage"), len(data)) == len(b"".join(expected))
    if data.endswith(b"\n"):
        rest = data[len(b"".join(expected)) :]
        assert lines.split(data) == [*expected, *([rest] if rest else [])]


@pytest.mark.parametrize(("lines", "data"), [case[1:3] for case in CASES], ids=[case[0] for case in CASES])
def test_half_a_line_at_the_end_of_the_stream_is_a_line(lines: LineGrouping, data: bytes) -> None:
    whole = data.removesuffix(b"\n") + b"\n"
    *before, last = lines.split(whole)
    assert lines.split(whole[:-1]) == [part for part in (*before, last[:-1]) if part]


pieces = st.lists(st.sampled_from([b"a", b" b", b"c\\", b"", b" "]), max_size=12)


@given(pieces, st.booleans(), st.integers(1, 4), st.integers(1, 12), st.data())
def test_cuts_change_nothing(
    texts: list[bytes], following: bool, max_lines: int, max_bytes: int, data: st.DataObject
) -> None:
    """A reader that sees the stream piece by piece, and keeps what has not ended, finds the same messages."""
    lines = grouping(following=following, max_lines=max_lines, max_bytes=max_bytes)
    stream = b"".join(text + b"\n" for text in texts)
    expected, found, seen, start = lines.split(stream), list[bytes](), 0, 0
    while seen < len(stream):
        seen = data.draw(st.integers(seen + 1, len(stream)))
        ends = lines.ends(stream[start:seen])
        found += [stream[start + before : start + end] for before, end in zip([0, *ends], ends, strict=False)]
        start += ends[-1] if ends else 0
    assert [*found, *([stream[start:]] if start < len(stream) else [])] == expected


def test_each_line_is_judged_once_however_often_a_message_is_looked_at() -> None:
    """Of a pattern that takes long, the lines of a message would be judged again with each line that comes."""
    judged: list[bytes] = []

    def joins(line: bytes) -> bool:
        judged.append(line)
        return line.startswith(b" ")

    lines = LineGrouping(joins, following=False, max_lines=500, max_bytes=10_000, longest=10_000)
    data = b"a\n" + b"".join(b" %d\n" % number for number in range(100))
    for size in range(len(data) + 1):
        assert lines.ends(data, size) == []
    assert len(judged) == 101
