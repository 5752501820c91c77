"""The lines of a connection of the input ``tcp``: into the sink if they are good, else to the dead letters.

Usually whole lines come out of the kernel's buffer. The start of a line that does not fit into it is collected here.
"""

from __future__ import annotations

from ingestd.event.chunk import Stream
from ingestd.plugins.inputs._streams import reject_long_line
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.lines import EXCERPT_BYTES, OversizedLine, split_lines


class TcpLines:
    """Stores the lines of one stream.

    Args:
        max_bytes: Of a line without its line end; longer ones become dead letters.
    """

    def __init__(self, sink: Sink, stream: Stream, max_bytes: int) -> None:
        self._sink, self._max = sink, max_bytes
        self._start = bytearray()  # of an incomplete line; cut to an excerpt if it is too long
        self.stream = stream
        self.collected = 0
        """Bytes of an incomplete line that are no longer in the kernel, whether kept here or not."""

    @property
    def may_be_good(self) -> bool:
        """Whether the start of a line that may be good is here."""
        return 0 < self.collected <= self._max + 1

    @property
    def most(self) -> int:
        """Bytes that the rest of the longest line may have, with its line end; at least 1."""
        return max(self._max + 2 - self.collected, 1)

    def exceeds(self, size: int) -> bool:
        """Return whether the incomplete line, of which ``size`` more bytes wait, is too long."""
        return self.collected + size > self._max + 1  # + 1: a "\r" does not count

    def store(self, data: bytes, offset: int) -> int:
        """Store ``data``, at ``offset`` in the stream, which ends a line.

        Returns how many bytes are stored: fewer if there is no room for more.
        """
        if self.collected + len(data) > self._max:
            return self._store_one_by_one(data, offset)
        if not self._sink.put(bytes(self._start) + data, self.stream, offset - self.collected):
            return 0
        self._end_line()
        return len(data)

    def _store_one_by_one(self, data: bytes, offset: int) -> int:
        """Those that are too long become dead letters."""
        stored = 0
        for piece in split_lines(data):
            line, start = bytes(self._start) + piece, offset + stored - self.collected
            size = self.collected + len(piece.removesuffix(b"\n"))
            if self._is_too_long(line, size):
                self._reject(line, size, start)
            elif not self._sink.put(line, self.stream, start):
                break
            stored += len(piece)
            self._end_line()
        return stored

    def collect(self, data: memoryview) -> None:
        """Keep the start of a line that is about to leave the kernel; of one that is too long only an excerpt."""
        self._start += data
        self.collected += len(data)
        if self.collected > self._max + 1:
            del self._start[EXCERPT_BYTES:]

    def end(self, offset: int) -> None:
        """Store or reject a collected line in which the stream ended, at ``offset``."""
        if not self.collected:
            return
        start, line = offset - self.collected, bytes(self._start)
        if self._is_too_long(line, self.collected):
            self._reject(line, self.collected, start)
        elif not self._sink.put(line, self.stream, start):
            reason = "the connection ended within a line, and there was no room to keep it"
            self._sink.reject(line, reason, self.stream, offset=start)

    def _reject(self, line: bytes, size: int, start: int) -> None:
        reject_long_line(self._sink, self.stream, OversizedLine(size, line[:EXCERPT_BYTES]), self._max, start)

    def _is_too_long(self, line: bytes, size: int) -> bool:
        """Return whether a line of ``size`` bytes without its line feed exceeds the limit; a final "\\r" is free.

        ``line`` is the whole line, or what was kept of one that is much too long.
        """
        ends_in_carriage_return = line.removesuffix(b"\n").endswith(b"\r")
        return size > (self._max + 1 if ends_in_carriage_return else self._max)

    def _end_line(self) -> None:
        self._start.clear()
        self.collected = 0
