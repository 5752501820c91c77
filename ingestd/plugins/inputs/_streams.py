"""What inputs that read byte streams have in common: ids of streams, and putting lines into the sink."""

from __future__ import annotations

import itertools
import os
import time

from ingestd.event.chunk import Stream
from ingestd.event.fields import Event
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.lines import EXCERPT_BYTES, LINE_FEED, LineRun, LineSplitter, OversizedLine

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


class StreamIds:
    """Makes ids of streams that are unique across processes: start time, a random part, a number.

    They ascend with time, which makes the document ids cheap to index.
    """

    def __init__(self) -> None:
        self._prefix = _base36(int(time.time() * 1000)) + _base36(36**2 + int.from_bytes(os.urandom(2), "big") % 36**3)
        self._numbers = itertools.count()

    def new(self, fields: Event | None = None) -> Stream:
        """Return a new stream."""
        return Stream(f"{self._prefix}{_base36(next(self._numbers))}", fields or {})


def of_proxied_client(stream: Stream, host: str, port: int) -> Stream:
    """Return the stream of a proxy with its client's address; its own is in ``proxy_host`` and ``proxy_port``."""
    fields = stream.fields
    of_proxy = {f"proxy_{name}": fields[name] for name in ("host", "port") if name in fields}
    return stream._replace(fields=fields | {"host": host, "port": port} | of_proxy)


def reject_long_line(sink: Sink, stream: Stream, line: OversizedLine, max_bytes: int, offset: int) -> bool:
    """Make a dead letter of a line that is too long, and its end; False: see ``Sink.reject``."""
    reason = f"the line is longer than max_line_bytes: {line.size} of {max_bytes} bytes allowed"
    return sink.reject(line.excerpt, reason, stream, offset, offset + line.size + line.end_bytes, size=line.size)


async def put(sink: Sink, data: bytes, stream: Stream, offset: int) -> None:
    """Put whole frames, waiting for room."""
    while not sink.put(data, stream, offset):
        await sink.wait_until_resumed()


async def put_runs(sink: Sink, runs: list[LineRun], stream: Stream, max_line_bytes: int, start: int = 0) -> None:
    """Put lines, and make dead letters of those that are too long; ``start``: where the runs count from."""
    for run in runs:
        if run.data:
            await put(sink, run.data, stream, start + run.offset)
        offset = start + run.offset + len(run.data)
        for line in run.oversized:
            while not reject_long_line(sink, stream, line, max_line_bytes, offset):
                await sink.wait_until_resumed()
            offset += line.size + line.end_bytes


class MessageStream:
    """Puts the lines of one stream as the messages that a codec makes of them.

    Args:
        sink: Where they go.
        stream: The stream.
        max_line_bytes: Longer lines become dead letters.
        grouping: None: a message may be any number of lines.
        start: Where runs count from.
    """

    def __init__(
        self, sink: Sink, stream: Stream, max_line_bytes: int, grouping: Grouping | None, start: int = 0
    ) -> None:
        self._sink, self._stream, self._max, self._grouping = sink, stream, max_line_bytes, grouping
        self._start = start
        self._pending, self._offset = bytearray(), 0  # the start of a message, and where it is

    @property
    def pending_bytes(self) -> int:
        """Bytes of lines of a message whose end is not known yet."""
        return len(self._pending)

    async def put(self, runs: list[LineRun]) -> None:
        """Put lines, and make dead letters of those that are too long."""
        if self._grouping is None:
            await put_runs(self._sink, runs, self._stream, self._max, self._start)
            return
        for run in runs:
            if run.offset != self._offset + len(self._pending):
                await self.flush()
                self._offset = run.offset
            self._pending += run.data
            if ends := self._grouping.ends(self._pending):
                await self._put_first(ends)
            if len(self._pending) > self._max and not self._grouping.delimiter:
                await self._put_first([len(self._pending)])
            if run.oversized:
                await self.flush()
                oversized = LineRun(b"", run.offset + len(run.data), run.oversized)
                await put_runs(self._sink, [oversized], self._stream, self._max, self._start)

    async def flush(self) -> None:
        """Put the lines that wait as messages: nothing else belongs to them."""
        if self._pending:
            parts = [self._pending] if self._grouping is None else self._grouping.split(bytes(self._pending))
            await self._put_first([*itertools.accumulate(map(len, parts))])

    async def _put_first(self, ends: list[int]) -> None:
        data, start = bytes(self._pending[: ends[-1]]), 0
        lines = self._grouping is None or self._grouping.delimiter
        for end in ends:
            message, offset = data[start:end], self._start + self._offset + start
            if lines or end - start <= self._max:
                await put(self._sink, message, self._stream, offset)
            else:
                oversized = LineRun(b"", offset, [OversizedLine(end - start, message[:EXCERPT_BYTES], 0)])
                await put_runs(self._sink, [oversized], self._stream, self._max)
            start = end
        del self._pending[:start]
        self._offset += start


class LineStream:
    """Feeds one stream of lines into a sink: whole lines as chunks, lines too long as dead letters.

    Args:
        sink: Where they go.
        stream: The stream.
        max_line_bytes: Longer lines become dead letters.
        grouping: How the codec groups lines to messages; None: not.
        delimiter: The end of a line.
    """

    def __init__(
        self,
        sink: Sink,
        stream: Stream,
        max_line_bytes: int,
        grouping: Grouping | None = None,
        delimiter: bytes = LINE_FEED,
    ) -> None:
        grouping = grouping.of_stream() if grouping is not None else None
        self._messages = MessageStream(sink, stream, max_line_bytes, grouping)
        self._splitter = LineSplitter(max_line_bytes, delimiter)
        self._flush_seconds = grouping.flush_seconds if grouping is not None else 0

    @property
    def patience(self) -> float | None:
        """How many seconds to wait for more, then call ``flush``; None: any time."""
        return self._flush_seconds if self._flush_seconds and self._messages.pending_bytes else None

    async def flush(self) -> None:
        """Treat what has arrived of the last message as all of it."""
        await self._messages.flush()

    async def feed(self, data: bytes | memoryview) -> None:
        """Take in what was read."""
        await self._messages.put(self._splitter.feed(data))

    async def feed_eof(self) -> None:
        """Take in the last line, if the stream ended without a line end."""
        await self._messages.put(self._splitter.feed_eof())
        await self._messages.flush()
