"""Messages of TLS connections, whose senders separate them in other ways than with line feeds: syslog and gelf.

As with ``_tcp_tls``, a connection ends with the process that reads it, and whole messages are stored as soon as they
are here.
"""

from __future__ import annotations

from ingestd.plugins.inputs._connection import Connection
from ingestd.plugins.inputs._server import ProtocolError, ServerInput, ServerOptions
from ingestd.plugins.inputs._streams import LineStream
from ingestd.plugins.inputs._tcp_recognition import Framings, Recognition
from ingestd.plugins.inputs._tcp_senders import CLOSED
from ingestd.plugins.registry import BuildContext
from ingestd.protocols.framing.lines import EXCERPT_BYTES


def tls_messages(options: ServerOptions, context: BuildContext, framings: Framings, *, keep_alive: bool) -> ServerInput:
    """Return an input that puts the messages of its clients, as lines; ``framings``: see ``Recognition``."""
    max_line_bytes = context.settings.max_line_bytes

    async def read_messages(connection: Connection) -> None:
        messages = _Messages(connection, max_line_bytes, framings)
        while data := await connection.read(idle=messages.idle):
            await messages.feed(data)
        await messages.feed_eof()

    return ServerInput(options, context, read_messages, acknowledges=False, keep_alive=keep_alive)


class _Messages:
    """The messages of one connection."""

    def __init__(self, connection: Connection, max_line_bytes: int, framings: Framings) -> None:
        self._connection = connection
        self._recognition = Recognition(lambda sender: None, max_line_bytes, framings=framings)
        self._lines = LineStream(connection.sink, connection.stream, max_line_bytes)
        self._data = bytearray()  # the start of a message whose end is not known
        self._offset = 0  # of the data

    @property
    def idle(self) -> bool:
        """Whether nothing of a message waits."""
        return not self._data

    async def feed(self, data: bytes, *, ended: bool = False) -> None:
        """Take in what was read.

        Raises:
            ProtocolError: The rest of the stream cannot be read.
        """
        self._data += data
        if self._recognition.sender is None and self._data:
            sender = self._recognition.judge(bytes(self._data), self._offset, ended=ended)
            if sender in CLOSED:
                raise ProtocolError(f"it speaks {sender}")
            if sender is None:
                return
        framing = self._recognition.framing
        whole = framing.whole(self._data, len(self._data)) if not framing.delimiter else len(self._data)
        await self._put(len(self._data) if ended else whole)
        if fault := framing.fault(self._data, len(self._data)) if self._data else "":
            await self._reject(fault)

    async def _put(self, size: int) -> None:
        data = self._recognition.framing.lines(bytes(self._data[:size]))
        del self._data[:size]
        self._offset += size
        await self._lines.feed(data)

    async def _reject(self, reason: str) -> None:
        size, raw = len(self._data), bytes(self._data[:EXCERPT_BYTES])
        sink, stream = self._connection.sink, self._connection.stream
        while not sink.reject(raw, reason, stream, self._offset, self._offset + size, size=size):
            await sink.wait_until_resumed()
        self._data.clear()
        raise ProtocolError(reason)

    async def feed_eof(self) -> None:
        """Take in the last message, if the stream ended without its end."""
        await self.feed(b"", ended=True)
        await self._lines.feed_eof()
