"""Group the lines of a stream to messages of several lines. Sans-IO, like ``lines``.

A stream is cut where a message ends, so whoever reads on from there, another process too, groups what follows in the
same way. Nothing but the lines of a message decides where it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

from ingestd.protocols.framing.lines import LINE_FEED, whole_lines

_KNOWN_LINES, _KNOWN_BYTES = 1024, 1024
"""How many lines are remembered, and how long they may be: 1 MB."""


class Grouping(Protocol):
    """Knows where the messages of a stream end; see ``LineGrouping``."""

    flush_seconds: float
    delimiter: bytes
    """The end of a line; empty: messages have no lines."""

    def of_stream(self) -> Grouping:
        """Return what groups one stream, from its start or that of a message."""

    def ends(self, data: bytes | bytearray, size: int | None = None) -> list[int]:
        """Return where messages end in the first ``size`` bytes of ``data``, in which one starts; rising."""

    def whole(self, data: bytearray, size: int) -> int:
        """Return how many of the first ``size`` bytes are whole messages."""

    def split(self, data: bytes) -> list[bytes]:
        """Return ``data``, which starts with a message and is the last of its stream, in pieces to store."""

    def flushable(self, data: bytearray, size: int) -> int:
        """Return how many of the first ``size`` bytes may be taken for whole messages, whatever follows."""


class LineGrouping:
    """Knows where messages end.

    Args:
        joins: Whether a line, without its line feed, belongs to the line before it or after it.
        following: To the one after it.
        max_lines: A message with more lines ends.
        max_bytes: A message with that many bytes of text ends.
        longest: No message of several lines has more bytes, line ends included.
        flush_seconds: After this time without a further line, the last message ends; 0: never.
        delimiter: The end of a line.
    """

    def __init__(  # noqa: PLR0913 -- declarations, each by name
        self,
        joins: Callable[[bytes], bool],
        *,
        following: bool,
        max_lines: int,
        max_bytes: int,
        longest: int,
        flush_seconds: float = 0,
        delimiter: bytes = LINE_FEED,
    ) -> None:
        self._joins, self._following = _remembered(joins), following
        self._max_lines, self._max_bytes, self._longest = max_lines, max_bytes, longest
        self.flush_seconds, self.delimiter = flush_seconds, delimiter

    def of_stream(self) -> LineGrouping:
        """Return itself: all streams are alike."""
        return self

    def ends(self, data: bytes | bytearray, size: int | None = None) -> list[int]:
        """Return where messages end in the first ``size`` bytes of ``data``, in which one starts; rising.

        What comes after the last of them is the start of a message.
        """
        size = len(data) if size is None else size
        found: list[int] = []
        start = at = lines = 0  # of the message, of the line; lines in the message before that line
        while (text_end := data.find(self.delimiter, at, size)) >= 0:
            joins, end = self._joins(bytes(data[at:text_end])), text_end + len(self.delimiter)
            if lines and (
                end - start > self._longest or (not self._following and self._ends_before(joins, lines, at - start))
            ):
                found.append(at)
                start, lines = at, 0
            lines += 1
            if self._following and self._ends_before(joins, lines, end - start):
                found.append(end)
                start, lines = end, 0
            at = end
        if lines and size - start > self._longest:  # the next line is too long for this message
            found.append(at)
        return found

    def _ends_before(self, joins: bool, lines: int, size: int) -> bool:
        text_bytes = size - lines * len(self.delimiter)
        return not joins or self.has_max_lines(lines) or self.has_max_bytes(text_bytes)

    def has_max_lines(self, lines: int) -> bool:
        """Return whether a message ends because of its lines."""
        return lines > self._max_lines

    def has_max_bytes(self, size: int) -> bool:
        """Return whether a message of ``size`` bytes, without line ends, ends because of them."""
        return size >= self._max_bytes

    def whole(self, data: bytearray, size: int) -> int:
        """Return how many of the first ``size`` bytes are whole messages."""
        ends = self.ends(data, size)
        return ends[-1] if ends else 0

    def split(self, data: bytes) -> list[bytes]:
        """Return the messages of ``data``, with their line ends; the last one ends where ``data`` does.

        Half a line at the end counts as a line: nothing follows it.
        """
        whole = whole_lines(data, len(data), self.delimiter) == len(data)
        ends = [end for end in self.ends(data if whole else data + self.delimiter) if end < len(data)]
        return [data[start:end] for start, end in pairwise([0, *ends, len(data)]) if start < end]

    def flushable(self, data: bytearray, size: int) -> int:
        """Return how many of the first ``size`` bytes are whole lines."""
        return whole_lines(data, size, self.delimiter)


def _remembered(joins: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    """Return a function that remembers its results: the lines of a message are seen each time that one comes."""
    known = lru_cache(_KNOWN_LINES)(joins)
    return lambda line: known(line) if len(line) <= _KNOWN_BYTES else joins(line)
