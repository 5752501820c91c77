"""The lines of a connection of the input ``tcp``: into the sink if they are good, else to the dead letters.

Usually whole lines come out of the kernel's buffer. The start of a line that does not fit into it is collected here.
One that is too long becomes a dead letter as soon as that is known, before its start leaves the kernel: what was read
outlives a kill only on the disk. The rest of it is dropped, by the next reader too: see ``_tcp_mark``.
"""

from __future__ import annotations

from ingestd.event.chunk import Stream
from ingestd.logs import get_logger
from ingestd.plugins.inputs._streams import reject_long_line
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.lines import EXCERPT_BYTES, LINE_FEED, OversizedLine, split_lines

log = get_logger(__name__)

_START_LOST = "the start of the line was lost with a process that was killed; only what came after it is here"


class TcpLines:
    """Stores the lines of one stream.

    Args:
        max_bytes: Of a line without its line end; longer ones become dead letters.
        grouping: How the codec groups lines to messages, each of which is stored alone; None: not.
        delimiter: The end of a line. What may be the start of one is not collected: see ``ConnectionReader``.
    """

    def __init__(
        self,
        sink: Sink,
        stream: Stream,
        max_bytes: int,
        grouping: Grouping | None = None,
        delimiter: bytes = LINE_FEED,
    ) -> None:
        self._sink, self._max, self._grouping, self._delimiter = sink, max_bytes, grouping, delimiter
        self._start = bytearray()  # of an incomplete line
        self.stream = stream
        self.rejected = False
        """The incomplete line is a dead letter already; its rest is to be dropped."""
        self.start_lost = False
        """Its start was collected by a reader that was killed."""
        self.collected = 0
        """Bytes of an incomplete line that are no longer in the kernel, whether kept here or not."""

    @property
    def may_be_good(self) -> bool:
        """Whether the start of a line that may be good is here."""
        return not self.rejected and 0 < self.collected <= self._max + 1

    @property
    def most(self) -> int:
        """Bytes that the rest of the longest line may have, with its line end; at least 1."""
        return max(self._max + 1 + len(self._delimiter) - self.collected, 1)

    def exceeds(self, size: int) -> bool:
        """Return whether the incomplete line, of which ``size`` more bytes wait, is too long."""
        return self.collected + size > self._max + 1  # + 1: a "\r" does not count

    def store(self, data: bytes, offset: int, line_ends: int = 0) -> int:
        """Store ``data``, at ``offset`` in the stream, which ends a line; ``line_ends``: if that is known, how many.

        Returns how many bytes are stored: fewer if there is no room for more.
        """
        if self._grouping is not None or self.collected + len(data) > self._max:
            return self._store_one_by_one(data, offset)
        lines, start = bytes(self._start) + data, offset - self.collected
        if line_ends:  # else they are counted, which takes as long as storing them
            stored = self._sink.put_all([(lines, self.stream, start, line_ends)])
        else:
            stored = self._sink.put(lines, self.stream, start)
        if not stored:
            return 0
        self._end_line()
        return len(data)

    def _store_one_by_one(self, data: bytes, offset: int) -> int:
        """Those that are too long become dead letters."""
        stored = 0
        for piece in split_lines(data, self._delimiter) if self._grouping is None else self._grouping.split(data):
            if not self._store_line(piece, offset + stored):
                break
            stored += len(piece)
            self._end_line()
        return stored

    def _store_line(self, piece: bytes, offset: int) -> bool:
        """Store the line that ends with ``piece``, or make a dead letter of it; False: not possible now."""
        line, start = bytes(self._start) + piece, offset - self.collected
        size = self.collected + len(piece.removesuffix(self._delimiter))
        if not self._is_too_long(line, size):
            return self._sink.put(line, self.stream, start)
        excerpt = line.removesuffix(self._delimiter)[:EXCERPT_BYTES]
        oversized = OversizedLine(size, excerpt, len(self._delimiter))
        return reject_long_line(self._sink, self.stream, oversized, self._max, start)

    def collect(self, data: memoryview, offset: int) -> bool:
        """Keep the start of a line that is about to leave the kernel, or make a dead letter of one that is too long.

        False: it must stay, the dead letter cannot be written now.
        """
        if not self.exceeds(len(data)):
            self._start += data
        elif self._reject_start(data, offset):
            self._start.clear()
            self.rejected = True
        else:
            return False
        self.collected += len(data)
        return True

    def reject_rest(self, data: bytes, offset: int) -> bool:
        """Make a dead letter of what has come of a line whose start was lost; False: not possible now."""
        end = offset + len(data)
        size = len(data) + 1  # more than is here
        self.rejected = self._sink.reject(data[:EXCERPT_BYTES], _START_LOST, self.stream, offset, end, size=size)
        self.start_lost = not self.rejected
        return self.rejected

    def reject(self, data: bytes, reason: str, offset: int, size: int) -> bool:
        """Make a dead letter of ``size`` bytes that are not a record, with ``data`` of them; False: impossible now."""
        return self._sink.reject(data, reason, self.stream, offset, offset + size, size=size)

    def end_rejected(self) -> None:
        """Note that the end of a line was reached that was rejected before."""
        self._end_line()

    def _reject_start(self, data: memoryview, offset: int) -> bool:
        """Make a dead letter of a line whose end is not known yet."""
        excerpt = (bytes(self._start[:EXCERPT_BYTES]) + bytes(data[:EXCERPT_BYTES]))[:EXCERPT_BYTES]
        start, end = offset - self.collected, offset + len(data)
        reason = f"the line is longer than max_line_bytes: more than {end - start} of {self._max} bytes allowed"
        return self._sink.reject(excerpt, reason, self.stream, start, end, size=end - start + 1)

    def end(self, offset: int) -> None:
        """Store or reject a collected line in which the stream ended, at ``offset``."""
        if not self.collected or self.rejected:
            return
        line, reason = bytes(self._start), "the connection ended within a line, and there was no room to keep it"
        start = offset - self.collected
        if not (self._store_line(b"", offset) or self._sink.reject(line, reason, self.stream, start, offset)):
            log.error("a line could not be kept", connection=self.stream.id, line=line.decode(errors="replace"))
            self._sink.note_loss()

    def _is_too_long(self, line: bytes, size: int) -> bool:
        """Return whether a line of ``size`` bytes without its end exceeds the limit; "\\r" before a line feed is free.

        ``line`` is the whole line, or what was kept of one that is much too long.
        """
        ends_in_carriage_return = self._delimiter == LINE_FEED and line.removesuffix(b"\n").endswith(b"\r")
        return size > (self._max + 1 if ends_in_carriage_return else self._max)

    def _end_line(self) -> None:
        self._start.clear()
        self.collected, self.rejected = 0, False
