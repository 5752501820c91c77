"""The buffer into which the connections of the input ``tcp`` peek, and how much of it one of them takes in a turn."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable

from ingestd.plugins.inputs._unix_position import Consumption
from ingestd.protocols.framing.lines import LINE_FEED, count_line_ends, first_lines

_TURN_SECONDS = 0.005
_FIRST_LINES = 1000
_FEWEST_LINES = 20
"""At once, a connection takes at most a chunk, and no more lines than are processed in this many seconds of CPU time;
then the other connections get their turn. Garbage, or lines that filters do much with, cost ten to a hundred times as
much as others. Batches of fewer than the fewest lines would cost much more time for each line."""


class PeekBuffer:
    """The buffer into which all connections of a process peek, one after the other.

    Args:
        chunk_bytes: How much one connection takes at once before the others get their turn.
    """

    def __init__(self, chunk_bytes: int) -> None:
        self.chunk_bytes = chunk_bytes
        self._data = bytearray(chunk_bytes)
        self.resting = 0
        """How many connections are not peeked at for a while."""

    def of(self, size: int) -> bytearray:
        """Return the buffer, of at least ``size`` bytes."""
        if len(self._data) < size:
            self._data = bytearray(max(size, 2 * len(self._data)))
        return self._data


_DROP = socket.MSG_TRUNC if sys.platform == "linux" else 0
"""On Linux the kernel drops bytes of a TCP stream without copying them, tcp(7)."""


class Peeked:
    """What waits in a socket, as of the last look at it, and until another socket is looked at.

    Attributes:
        data: It starts with what waits.
    """

    def __init__(self, sock: socket.socket, buffer: PeekBuffer) -> None:
        self._sock, self._buffer = sock, buffer
        self._consumption = Consumption(sock) if sock.family == socket.AF_UNIX else None
        self.data = buffer.of(0)

    def look(
        self, chunk: int, low_water: int, longest: int, whole: Callable[[bytearray, int], int]
    ) -> tuple[int, int, bool]:
        """Peek at what waits; returns how many bytes, how many of them are whole records, and whether more may wait.

        Args:
            chunk: Bytes to look at, usually.
            low_water: Bytes that wait at least.
            longest: Bytes of the longest record: to look at if there is no end of a record in a chunk.
            whole: See ``Framing``.
        """
        look = max(chunk, min(2 * low_water, longest))
        while True:
            self.data = self._buffer.of(look)
            size = self._sock.recv_into(self.data, look, socket.MSG_PEEK)
            records = whole(self.data, size)
            if records or size < look or look >= longest:
                return size, records, size == look
            look = min(4 * look, longest)

    def first(self, size: int) -> bytes:
        """Return the first ``size`` bytes."""
        return bytes(memoryview(self.data)[:size])

    def drop(self, size: int) -> None:
        """Consume the first ``size`` bytes: they are there, so this does not wait."""
        if self._consumption is not None:
            self._consumption.start(size)
        while size:
            size -= self._sock.recv_into(self.data, size, _DROP)
        if self._consumption is not None:
            self._consumption.end()

    def skip(self, size: int, end_bytes: int = 1) -> tuple[int, bytes]:
        """Consume the next ``size`` bytes, or as many as wait; returns how many, and the last ``end_bytes`` of them."""
        skipped, last = 0, b""
        if self._consumption is not None and size > 0:
            self._consumption.start(size)
        with contextlib.suppress(OSError):
            while skipped < size and (data := self._sock.recv(min(size - skipped, len(self.data)))):
                skipped, last = skipped + len(data), (last + data[-end_bytes:])[-end_bytes:]
        if self._consumption is not None:
            self._consumption.end()
        return skipped, last


class Turns:
    """How many lines and bytes a connection takes in a turn.

    Args:
        max_bytes: At most this many bytes.
        delimiter: The end of a line.
    """

    def __init__(self, max_bytes: int, delimiter: bytes = LINE_FEED) -> None:
        self._max_bytes, self._delimiter = max_bytes, delimiter
        self._lines, self._taken = _FIRST_LINES, 0
        self.bytes = max_bytes
        """How many bytes to peek at for the next turn."""
        self.line_ends = 0
        """How many line ends the lines of this turn have; 0: that is not known."""

    def cut(self, data: bytes) -> bytes:
        """Return the lines of ``data``, which ends a line, that are taken in this turn."""
        self._taken = self.line_ends = count_line_ends(data, self._delimiter)
        if self._taken > self._lines:
            end = self._end(data)
            self._taken, self.line_ends = self._lines, 0  # or about as many
            self.bytes = min(2 * end, self._max_bytes)  # peeking at more would be wasted
            return data[:end]
        self.take_all()
        return data

    def _end(self, data: bytes) -> int:
        """Return where the lines of a turn end, or about there."""
        if self._delimiter != LINE_FEED:
            return first_lines(data, self._lines, self._delimiter)
        return data.rfind(b"\n", 0, len(data) * self._lines // self._taken) + 1 or data.find(b"\n") + 1

    def take_all(self) -> None:
        """Note that all was taken that was peeked at: it may be more in the next turn."""
        self.bytes = min(2 * self.bytes, self._max_bytes)

    def took(self, seconds: float) -> None:
        """Adapt to how long the lines of this turn took, in seconds of CPU time: a busy machine changes nothing."""
        if seconds > _TURN_SECONDS:
            self._lines = max(int(self._taken * _TURN_SECONDS / seconds), self._lines // 2, _FEWEST_LINES)
        elif self._taken == self._lines:
            self._lines *= 2
