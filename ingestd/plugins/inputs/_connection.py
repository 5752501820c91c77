"""A connection of an input that converses with its clients: reading, answering, and how it ends.

``Connection`` is what the protocol of an input sees. It reads no faster than it handles what was read: the transport
stops reading once ``read_bytes`` wait here, the kernel's buffer fills up, and the client waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any

from ingestd.event.chunk import Stream
from ingestd.plugins.interfaces import Sink

REST_SECONDS = 0.25
"""How long a stop waits for what may be on its way from a client that is silent: a busy kernel may take that long."""

SENDING_SECONDS = 2.0
"""How long a stop waits for a client that is silent in the middle of a request, or reads from one that only sends."""

_GOODBYE_SECONDS = 2.0
"""How long a client has to take the last answer and to close."""

_ROOM_SECONDS = 0.2
"""How often a connection that waits for room looks whether the input is stopping."""

_READ_BYTES = 1 << 16

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""socket(7): SO_LINGER on, with a time of 0."""


class Reader(asyncio.StreamReader):
    """A stream reader that returns everything that arrived before the connection failed, and then its end."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit=limit)
        self._loop_of = asyncio.get_running_loop()
        self.last_at = self._loop_of.time()
        """When something arrived last, on the loop's clock."""
        self.error: Exception | None = None
        """Why the connection failed."""

    def feed_data(self, data: Any) -> None:
        """Take in what arrived; nothing after the end."""
        if not self._eof:  # type: ignore[attr-defined]
            self.last_at = self._loop_of.time()
            super().feed_data(data)

    def set_exception(self, exc: Exception) -> None:
        """End the stream: first what arrived is read."""
        self.error = exc
        self.feed_eof()

    @property
    def waiting(self) -> bool:
        """Whether the conversation waits for the client to send."""
        return self._waiter is not None  # type: ignore[attr-defined]

    @property
    def has_more(self) -> bool:
        """Whether something has arrived that was not read."""
        return bool(self._buffer)  # type: ignore[attr-defined]

    async def wait(self) -> bool:
        """Return True as soon as there is something to read, False at the end of the stream."""
        if not self._buffer and not self._eof:  # type: ignore[attr-defined]
            await self._wait_for_data("wait")  # type: ignore[attr-defined]
        return bool(self._buffer)  # type: ignore[attr-defined]


class _Protocol(asyncio.StreamReaderProtocol):
    """Knows whether the client takes what it is sent."""

    @property
    def blocked(self) -> bool:
        """Whether the conversation waits for the client to read."""
        return bool(self._paused)  # type: ignore[attr-defined]


class Connection:
    """What a conversation reads from and writes to; see ``ServerInput``.

    Attributes:
        reader: What the client sends.
        writer: To the client; ``send`` also waits until it takes that.
        client: Host and port.
        stream: The id of the connection, and the fields of its events.
        sink: Where events go.
        stopping: The input ends: finish what is begun, and return. ``more`` and ``read`` know.
    """

    def __init__(self, sock: socket.socket, stream: Stream, sink: Sink, read_bytes: int, *, acknowledges: bool) -> None:
        self._sock, self._acknowledges = sock, acknowledges
        self._loop = asyncio.get_running_loop()
        self.reader = Reader(read_bytes)
        self.protocol = _Protocol(self.reader, loop=self._loop)
        self.writer: asyncio.StreamWriter
        self.stream, self.sink = stream, sink
        self.stopping = False
        self.end_reason = ""
        """Why it was ended from here; empty: it was not."""
        self._idle = False  # nothing of a request has arrived yet
        self._silent_since = self._loop.time()  # since when the client is waited for
        self._stopped_at = 0.0
        self._shut_down = False

    def opened(self, transport: asyncio.Transport) -> None:
        """Note that the connection is open, with TLS if it has that."""
        self.writer = asyncio.StreamWriter(transport, self.protocol, self.reader, self._loop)

    @property
    def client(self) -> tuple[str, int]:
        """Host and port of the client."""
        return str(self.stream.fields.get("host", "")), int(self.stream.fields.get("port", 0))

    # For conversations

    async def more(self, *, paused: bool = False) -> bool:
        """Return True as soon as the first byte of the next request is here; False: there is none, so return.

        To be called between requests (windows): then a stop ends the connection, and so does the idle timeout. Waits
        until the sink has room, unless ``paused``: the conversation itself refuses requests while it has none.
        """
        self._idle = True
        try:
            return (paused or await self._room()) and await self.reader.wait()
        finally:
            self._idle = False

    async def _room(self) -> bool:
        """Return True as soon as the sink has room, False if a stop does not wait for it."""
        while self.sink.paused:
            if self.stopping and self._acknowledges:
                self.end_reason = "shutdown"
                return False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.sink.wait_until_resumed(), _ROOM_SECONDS)
        return True

    async def read(self, *, idle: bool) -> bytes:
        """Return what has arrived, at least a byte; empty: return, the connection has ended.

        ``idle``: nothing of a request (window) has arrived yet, see ``more``.
        """
        if (idle and not await self.more()) or not await self.reader.wait():
            return b""
        return await self.reader.read(_READ_BYTES)

    async def put(self, data: bytes, offset: int, stream: Stream | None = None) -> None:
        """Put whole frames, waiting for room; ``offset`` is where they are in the stream, by default the connection's.

        See ``Sink.put``; acknowledge nothing before ``sink.synced()`` has returned.

        Raises:
            ConnectionAbortedError: The input stops and there is no room; the client sends it again.
        """
        while not self.sink.put(data, self.stream if stream is None else stream, offset):
            if not await self._room():
                raise ConnectionAbortedError("the input stops and has no room")

    async def send(self, data: bytes) -> None:
        """Send an answer; returns when the kernel or a small buffer has it, which waits for a client that is slow.

        Raises:
            ConnectionError: The client has gone.
        """
        self.writer.write(data)
        await self.writer.drain()

    # For the input

    def stop(self) -> None:
        """Let the conversation end.

        A client that gets no answers is shown the end of the stream: it stops sending, if it looks. What it has sent
        until it closes is read.
        """
        self.stopping = True
        self._stopped_at = self._silent_since = self._loop.time()
        if not self._acknowledges and not self.writer.is_closing():
            self.end_reason = "shutdown"
            with contextlib.suppress(OSError):
                self.writer.write_eof()

    def tick(self, idle_timeout: float) -> None:
        """End the connection if its client is silent for too long; 0: only at a stop."""
        now = self._loop.time()
        if not (self.reader.waiting or self.protocol.blocked):
            self._silent_since = now
        silent = now - max(self._silent_since, self.reader.last_at)
        if self.stopping and not self._acknowledges:
            if silent >= REST_SECONDS or now - self._stopped_at >= SENDING_SECONDS:
                self._disconnect("shutdown")
        elif self.stopping and silent >= (REST_SECONDS if self._idle else SENDING_SECONDS):
            self._end("shutdown")
        elif idle_timeout and silent >= idle_timeout:
            self._end("idle")

    def _end(self, reason: str) -> None:
        """End the conversation: as the client would between requests, else by cutting the connection."""
        if not self._acknowledges:
            self._disconnect(reason)
            return
        self.end_reason = reason
        if self._idle:
            self.reader.feed_eof()
        else:
            self.writer.transport.abort()

    def _disconnect(self, reason: str) -> None:
        """Let no more arrive; what has arrived is still read.

        Once a socket is shut down, the kernel answers data with a reset (tcp_rcv_state_process() in
        net/ipv4/tcp_input.c), so the client notices with the next line that it sends.
        """
        if self._shut_down:
            return
        self._shut_down, self.end_reason = True, reason
        with contextlib.suppress(OSError):  # the client was faster
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._sock.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Close, once the client has the last answer: a socket that is closed with unread bytes is reset."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self.writer.drain()
                if self._acknowledges and self.writer.can_write_eof():
                    self.writer.write_eof()
                    while await self.reader.read(_READ_BYTES):
                        pass
                self.writer.close()
                await self.writer.wait_closed()
        self.writer.transport.abort()
