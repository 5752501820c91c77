"""The buffer into which the connections of the input ``tcp`` peek, and how much of it one of them takes in a turn."""

from __future__ import annotations

from ingestd.protocols.lines import count_line_ends

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


class Turns:
    """How many lines and bytes a connection takes in a turn.

    Args:
        max_bytes: At most this many bytes.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lines, self._taken = _FIRST_LINES, 0
        self.bytes = max_bytes
        """How many bytes to peek at for the next turn."""

    def cut(self, data: bytes) -> bytes:
        """Return the lines of ``data``, which ends a line, that are taken in this turn."""
        self._taken = count_line_ends(data)
        if self._taken > self._lines:
            end = data.rfind(b"\n", 0, len(data) * self._lines // self._taken) + 1 or data.find(b"\n") + 1
            self._taken = self._lines  # or about as many
            self.bytes = min(2 * end, self._max_bytes)  # peeking at more would be wasted
            return data[:end]
        self.take_all()
        return data

    def take_all(self) -> None:
        """Note that all was taken that was peeked at: it may be more in the next turn."""
        self.bytes = min(2 * self.bytes, self._max_bytes)

    def took(self, seconds: float) -> None:
        """Adapt to how long the lines of this turn took, in seconds of CPU time: a busy machine changes nothing."""
        if seconds > _TURN_SECONDS:
            self._lines = max(int(self._taken * _TURN_SECONDS / seconds), self._lines // 2, _FEWEST_LINES)
        elif self._taken == self._lines:
            self._lines *= 2
