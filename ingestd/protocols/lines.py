"""Split a byte stream into runs of whole lines. Sans-IO: no socket, no clock, no logging, no asyncio."""

from __future__ import annotations

from dataclasses import dataclass, field

EXCERPT_BYTES = 4096
"""How much of an oversized line is kept: enough to recognise its sender, small enough to store."""


@dataclass(frozen=True, slots=True)
class OversizedLine:
    """A line removed from the stream. ``size`` is its length in bytes without the line feed, ``excerpt`` its start."""

    size: int
    excerpt: bytes


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
    Memory: at most ``max_bytes`` + one read. ``offset`` counts every byte that was fed.
    """

    def __init__(self, max_bytes: int = 1 << 20) -> None:
        self._max_bytes = max_bytes
        self._tail = bytearray()  # the start of a line that is not complete yet
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
        return self._excerpt if self._skipped else bytes(self._tail)

    @property
    def incomplete_bytes(self) -> int:
        """How many bytes of that line were fed."""
        return self._skipped + len(self._tail)

    def feed(self, data: bytes | memoryview) -> list[LineRun]:
        """Return the lines that ``data`` completes, in the order of the stream; usually one run."""
        data = bytes(data)
        runs: list[LineRun] = []
        if self._skipped:
            end = data.find(b"\n") + 1
            if not end:
                self._skipped += len(data)
                return runs
            runs.append(self._end_of_long_line(end))
            data = data[end:]
        whole = data.rfind(b"\n") + 1
        if whole:
            lines = bytes(self._tail) + data[:whole] if self._tail else data[:whole]
            self._tail.clear()
            runs += self._runs(lines)
            self._tail += data[whole:]
        else:
            self._tail += data
        if len(self._tail) > self._max_bytes + 1:  # + 1: a "\r" does not count
            self._skipped, self._excerpt = len(self._tail), bytes(self._tail[:EXCERPT_BYTES])
            self._tail.clear()
        return runs

    def feed_eof(self) -> list[LineRun]:
        """Return the last line if the stream ended without a line end."""
        if self._skipped:
            return [self._end_of_long_line(0)]
        if not self._tail:
            return []
        lines = bytes(self._tail)
        self._tail.clear()
        return self._runs(lines)

    def _end_of_long_line(self, end: int) -> LineRun:
        size = self._skipped + max(end - 1, 0)
        run = LineRun(b"", self._offset, [OversizedLine(size, self._excerpt)])
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
        for line in split_lines(lines):
            text = line.removesuffix(b"\n")
            if len(text.removesuffix(b"\r")) > self._max_bytes:
                runs.append(LineRun(b"".join(good), start, [OversizedLine(len(text), text[:EXCERPT_BYTES])]))
                good = []
                start = self._offset + len(line)
            else:
                good.append(line)
            self._offset += len(line)
        if good:
            runs.append(LineRun(b"".join(good), start))
        return runs


def split_lines(data: bytes) -> list[bytes]:
    """Return the lines of ``data`` with their ends; only the line feed ends a line."""
    *lines, last = data.split(b"\n")
    return [line + b"\n" for line in lines] + ([last] if last else [])


def count_line_ends(data: bytes) -> int:
    """Return the number of line feeds in ``data``.

    ``bytes.count`` goes byte by byte in CPython up to 3.12; ``replace`` uses memchr(3) and is ten times as fast for
    lines of a few hundred bytes.
    """
    return len(data) - len(data.replace(b"\n", b""))
