"""Split a byte stream into runs of whole lines. Sans-IO: no socket, no clock, no logging, no asyncio.

A line ends with a line feed unless the config names another delimiter, of one byte or several; then line feeds are
text. The next delimiter is the first one after the end of the line before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from itertools import islice
from operator import methodcaller

LINE_FEED = b"\n"

MAX_DELIMITER_BYTES = 256
"""The start of a delimiter waits for its rest where the kernel and buffers must have room for it."""

EXCERPT_BYTES = 4096
"""How much of an oversized line is kept: enough to recognise its sender, small enough to store."""


@dataclass(frozen=True, slots=True)
class OversizedLine:
    """A line removed from the stream.

    ``size`` is its length in bytes without its end, ``excerpt`` its start, ``end_bytes`` the length of its end.
    """

    size: int
    excerpt: bytes
    end_bytes: int = 1


@dataclass(slots=True)
class LineRun:
    """Consecutive lines: ``data`` is whole lines, ``offset`` the position of its first byte in the stream.

    Oversized lines are missing from ``data``; the offset of a line after them is then not the sum of the
    lengths before it, so each run of lines without a gap is a separate ``LineRun``.
    """

    data: bytes
    offset: int
    oversized: list[OversizedLine] = field(default_factory=list)


class LineSplitter:
    """Buffers the bytes of one stream and returns whole lines, line ends included.

    A line of more than ``max_bytes`` bytes is reported, not raised: the stream recovers at the next line end.
    Memory: at most ``max_bytes`` + one read. ``offset`` counts every byte that was fed. ``delimiter`` ends a line;
    if it is empty, the stream has no lines: all that is fed comes out.
    """

    def __init__(self, max_bytes: int = 1 << 20, delimiter: bytes = LINE_FEED) -> None:
        self._max_bytes, self._delimiter = max_bytes, delimiter
        self._tail = bytearray()  # the start of a line that is not complete yet, but for ``_torn``
        self._torn = b""  # the last bytes that were fed, if they may be the start of a delimiter
        self._skipped = 0  # bytes of an oversized line, already discarded
        self._excerpt = b""
        self._offset = 0  # of the first byte not yet returned

    @property
    def offset(self) -> int:
        """The offset of the first byte that was not returned yet."""
        return self._offset

    @property
    def skips(self) -> bool:
        """Whether the line whose end was not fed yet is oversized."""
        return self._skipped > 0

    @property
    def incomplete(self) -> bytes:
        """The start of the line whose end was not fed yet; if it is oversized, an excerpt."""
        return self._excerpt if self._skipped else bytes(self._tail) + self._torn

    @property
    def incomplete_bytes(self) -> int:
        """How many bytes of that line were fed."""
        return self._skipped + len(self._tail) + len(self._torn)

    def skip(self, size: int) -> None:
        """Leave out bytes of the stream, between two lines."""
        self._offset += size

    def feed(self, data: bytes | memoryview) -> list[LineRun]:
        """Return the lines that ``data`` completes, in the order of the stream; usually one run."""
        data = self._torn + data if self._torn else bytes(data)
        runs: list[LineRun] = []
        if not self._delimiter:
            self._offset += len(data)
            return [LineRun(data, self._offset - len(data))]
        if self._skipped:
            end = data.find(self._delimiter)
            if end < 0:
                self._skipped += len(self._without_torn(data))
                return runs
            end += len(self._delimiter)
            runs.append(self._end_of_long_line(end))
            data = data[end:]
        whole = whole_lines(data, len(data), self._delimiter)
        if whole:
            lines = bytes(self._tail) + data[:whole] if self._tail else data[:whole]
            self._tail.clear()
            runs += self._runs(lines)
            self._tail += self._without_torn(data[whole:])
        else:
            self._tail += self._without_torn(data)
        if len(self._tail) > self._max_bytes + 1:  # + 1: a "\r" does not count
            self._skipped, self._excerpt = len(self._tail), bytes(self._tail[:EXCERPT_BYTES])
            self._tail.clear()
        return runs

    def feed_eof(self) -> list[LineRun]:
        """Return the last line if the stream ended without a line end."""
        torn, self._torn = self._torn, b""
        if self._skipped:
            self._skipped += len(torn)
            return [self._end_of_long_line(0)]
        lines = bytes(self._tail) + torn
        if not lines:
            return []
        self._tail.clear()
        return self._runs(lines)

    def _without_torn(self, data: bytes) -> bytes:
        """Note what may be the start of a delimiter at the end of ``data``, and return what is before it."""
        if len(self._delimiter) == 1:
            return data
        torn = torn_bytes(data, len(data), self._delimiter)
        self._torn = data[len(data) - torn :]
        return data[: len(data) - torn] if torn else data

    def _end_of_long_line(self, end: int) -> LineRun:
        size = self._skipped + max(end - len(self._delimiter), 0)
        run = LineRun(b"", self._offset, [OversizedLine(size, self._excerpt, len(self._delimiter))])
        self._offset += self._skipped + end
        self._skipped = 0
        return run

    def _runs(self, lines: bytes) -> list[LineRun]:
        """Return ``lines`` as one run, or several if a line is oversized."""
        if len(lines) <= self._max_bytes:
            run = LineRun(lines, self._offset)
            self._offset += len(lines)
            return [run]
        runs: list[LineRun] = []
        good: list[bytes] = []
        start = self._offset
        for line in split_lines(lines, self._delimiter):
            text = line.removesuffix(self._delimiter)
            if text_bytes(text, self._delimiter) > self._max_bytes:
                oversized = OversizedLine(len(text), text[:EXCERPT_BYTES], len(self._delimiter))
                runs.append(LineRun(b"".join(good), start, [oversized]))
                good = []
                start = self._offset + len(line)
            else:
                good.append(line)
            self._offset += len(line)
        if good:
            runs.append(LineRun(b"".join(good), start))
        return runs


def split_lines(data: bytes, delimiter: bytes = LINE_FEED) -> list[bytes]:
    """Return the lines of ``data`` with their ends; only the delimiter ends a line."""
    if delimiter == LINE_FEED:
        return BytesIO(data).readlines()
    *lines, last = split_texts(data, delimiter)
    return [line + delimiter for line in lines] + ([last] if last else [])


def split_texts(data: bytes, delimiter: bytes = LINE_FEED) -> list[bytes]:
    """Return the lines of ``data`` without their ends, and last what follows them: as ``bytes.split``, but faster.

    That compares byte by byte for a delimiter of several; for the first of them alone it uses memchr(3).
    """
    if len(delimiter) > 1:
        first, rest = delimiter[:1], delimiter[1:]
        start, *others = data.split(first)
        if all(map(methodcaller("startswith", rest), others)):
            return [start, *[part[len(rest) :] for part in others]]
    return data.split(delimiter)


def text_bytes(line: bytes, delimiter: bytes) -> int:
    """Return how many bytes of a line without its end count: a carriage return before a line feed does not."""
    return len(line.removesuffix(b"\r") if delimiter == LINE_FEED else line)


def whole_lines(data: bytes | bytearray, size: int, delimiter: bytes = LINE_FEED) -> int:
    """Return how many of the first ``size`` bytes of ``data``, in which a line starts, are whole lines."""
    last = data.rfind(delimiter, 0, size)
    if len(delimiter) == 1:
        return last + 1
    if last < 0:
        return 0
    if not _may_overlap(delimiter):
        return last + len(delimiter)
    return _end_of_lines(data, size, delimiter)


def torn_bytes(data: bytes | bytearray, size: int, delimiter: bytes) -> int:
    """Return how many bytes at the end of the first ``size`` may be the start of a delimiter; no line ends in them."""
    sizes = range(min(len(delimiter) - 1, size), 0, -1)
    return next((torn for torn in sizes if data.endswith(delimiter[:torn], 0, size)), 0)


def first_lines(data: bytes, number: int, delimiter: bytes = LINE_FEED) -> int:
    """Return how many bytes the first ``number`` lines of ``data`` have."""
    return sum(map(len, islice(split_lines(data, delimiter), number)))


def count_line_ends(data: bytes, delimiter: bytes = LINE_FEED) -> int:
    """Return the number of delimiters in ``data``, whole lines.

    ``bytes.count`` goes byte by byte in CPython up to 3.12; ``replace`` uses memchr(3) and is ten times as fast for
    lines of a few hundred bytes.
    """
    if delimiter == LINE_FEED:
        return len(data) - len(data.replace(b"\n", b""))
    return data.count(delimiter)


def count_lines(data: bytes, delimiter: bytes = LINE_FEED) -> int:
    """Return the number of lines in ``data``, of which the last may have no end."""
    if delimiter == LINE_FEED:
        return count_line_ends(data) + (not data.endswith(LINE_FEED))
    texts = split_texts(data, delimiter)
    return len(texts) - (not texts[-1])


@lru_cache
def _may_overlap(delimiter: bytes) -> bool:
    """Return whether two delimiters may share bytes, as in three line feeds: the last one found may be none."""
    return any(delimiter.endswith(delimiter[:size]) for size in range(1, len(delimiter)))


def _end_of_lines(data: bytes | bytearray, size: int, delimiter: bytes) -> int:
    end = 0
    while (found := data.find(delimiter, end, size)) >= 0:
        end = found + len(delimiter)
    return end
