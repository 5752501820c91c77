"""Puts the content of a file into the sink, from any place on: what ``ingestd import`` and the input ``file`` share."""

from __future__ import annotations

from codecs import BOM_UTF8

from ingestd.event.chunk import Stream
from ingestd.plugins.inputs._file_text import TextCleaner
from ingestd.plugins.inputs._streams import MessageStream
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.lines import LINE_FEED, LineSplitter


class FileReader:
    """Puts the lines of one file as the messages that a codec makes of them.

    Args:
        sink: Where they go.
        stream: The stream that the file is.
        max_line_bytes: Longer lines become dead letters.
        grouping: How lines become messages; None: each is one.
        start: The offset in the stream of the first byte that is fed: 0, or the ``position`` of another reader.
        delimiter: The end of a line.
    """

    def __init__(
        self,
        sink: Sink,
        stream: Stream,
        max_line_bytes: int,
        grouping: Grouping | None,
        start: int = 0,
        delimiter: bytes = LINE_FEED,
    ) -> None:
        self._cleaner = TextCleaner(at_start=not start) if delimiter == LINE_FEED else None
        self._splitter = LineSplitter(max_line_bytes, delimiter)
        self._messages = MessageStream(sink, stream, max_line_bytes, grouping, start)
        self._start = start

    @property
    def position(self) -> int:
        """The offset after what was put: another reader continues from there."""
        return self._start + self._splitter.offset - self._messages.pending_bytes

    @property
    def half_line(self) -> bytes:
        """What was fed of the last line, which has no end yet; of a very long line only its start."""
        return self._splitter.incomplete

    @property
    def waiting_bytes(self) -> int:
        """How many bytes were fed and not put: of the last line, and of the message that it belongs to."""
        return self._splitter.incomplete_bytes + self._messages.pending_bytes

    @property
    def skips(self) -> bool:
        """Whether the last line is too long already: of what was fed of it only the start is in memory."""
        return self._splitter.skips

    async def feed(self, data: bytes) -> None:
        """Put what is complete now."""
        if self._cleaner is not None:
            data = self._cleaner.clean(data)
        elif not self.position and data.startswith(BOM_UTF8) and not self.waiting_bytes:
            self._splitter.skip(len(BOM_UTF8))
            data = data[len(BOM_UTF8) :]
        await self._messages.put(self._splitter.feed(data))

    async def flush(self) -> None:
        """Put the whole lines that wait: no further line belongs to them."""
        await self._messages.flush()

    async def feed_eof(self) -> None:
        """Put the rest: nothing follows."""
        await self._messages.put(self._splitter.feed_eof())
        await self._messages.flush()
