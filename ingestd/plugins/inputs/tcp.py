"""``tcp``: events from plain TCP connections, such as those of python-logstash's TCPLogstashHandler.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-tcp, server mode. Text lines get
the fields ``host`` and ``port`` of the client; JSON records say themselves where they come from.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

from ingestd import metrics
from ingestd.logs import get_logger
from ingestd.plugins.inputs._streams import LineStream, new_origin
from ingestd.plugins.interfaces import Sink
from ingestd.plugins.registry import BuildContext, option, plugin, required

log = get_logger(__name__)

_RECEIVE_BUFFER = 4 << 20
"""Kernel buffer asked for each connection: what clients may send while the daemon is busy; capped by the system."""

_DRAIN_SECONDS = 2.0
"""How long a stop reads from one connection that goes on sending."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the input ``tcp``."""

    port: int = required("Port to listen on; 0 takes a free one.")
    host: str = option("0.0.0.0", "Address to listen on.")  # noqa: S104 -- Logstash's default
    mode: str = option("server", "Only `server`, which listens.", choices=("server",))
    max_connections: int = option(0, "Connections accepted at once; further clients wait. 0: no limit.")
    idle_timeout: float = option(0, "Seconds without data after which a connection is closed; 0: never.")
    tcp_keep_alive: bool = option(False, "Ask the system to probe idle connections.")


@dataclass(frozen=True, slots=True)
class _Labels:
    """Which input this is, in metrics and logs."""

    pipeline: str
    input: str


class TcpInput:
    """Listens on one port and reads all connections."""

    finite = False

    def __init__(self, opts: Options, context: BuildContext) -> None:
        self._opts = opts
        self._max_line_bytes = context.settings.max_line_bytes
        self._buffer = memoryview(bytearray(context.settings.batch.max_bytes))  # for all connections: read, cut, done
        self._labels = _Labels(context.pipeline_id, context.plugin_id)
        self._connections: set[_Connection] = set()
        self._accepting = False
        self._ended = asyncio.Event()

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: The address cannot be used.
        """
        family = socket.AF_INET6 if ":" in self._opts.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            listener.bind((self._opts.host, self._opts.port))
        except OSError as error:
            listener.close()
            where = f"{self._opts.host}:{self._opts.port}"
            raise OSError(f"cannot listen on {where}: {error.strerror}; is another program using the port?") from error
        listener.listen(1024)
        listener.setblocking(False)
        self._listener = listener
        host, port = listener.getsockname()[:2]
        log.info("listening for events", input=self._labels.input, host=host, port=port)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        port: int = self._listener.getsockname()[1]
        return port

    async def run(self, sink: Sink) -> None:
        """Serve until ``stop``; then read what the kernel holds of every connection."""
        self._sink = sink
        self._accept(on=True)
        timer = asyncio.ensure_future(self._close_idle()) if self._opts.idle_timeout else None
        await self._ended.wait()
        if timer is not None:
            timer.cancel()
        for connection in list(self._connections):
            await connection.drain()
        self._listener.close()

    def stop(self) -> None:
        """Stop accepting and let ``run`` return; clients that are waiting to be accepted are read as well."""
        self._accept(on=False)
        while self._accept_one():
            pass
        self._ended.set()

    def _accept(self, *, on: bool) -> None:
        if on == self._accepting:
            return
        self._accepting = on
        loop = asyncio.get_running_loop()
        if on:
            loop.add_reader(self._listener.fileno(), self._acceptable)
        else:
            loop.remove_reader(self._listener.fileno())

    def _acceptable(self) -> None:
        for _ in range(64):  # as many as wait, but let the connections be read in between
            limit = self._opts.max_connections
            if limit and len(self._connections) >= limit:
                self._accept(on=False)
                log.warning("no more connections are accepted", input=self._labels.input, max_connections=limit)
                return
            if not self._accept_one():
                return

    def _accept_one(self) -> bool:
        try:
            sock, address = self._listener.accept()
        except BlockingIOError:
            return False
        except OSError as error:  # out of descriptors, or the client has gone: the others are served on
            log.warning("a connection could not be accepted", input=self._labels.input, error=error.strerror)
            return False
        sock.setblocking(False)
        if self._opts.tcp_keep_alive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        origin = new_origin({"host": address[0], "port": address[1]})
        stream = LineStream(self._sink, origin, self._max_line_bytes)
        self._connections.add(_Connection(sock, stream, self._sink, self._buffer, self._closed))
        metrics.CONNECTIONS_ACCEPTED.add(1, self._labels.pipeline, self._labels.input)
        metrics.CONNECTIONS_OPEN.set(len(self._connections), self._labels.pipeline, self._labels.input)
        return True

    def _closed(self, connection: _Connection, reason: str) -> None:
        self._connections.discard(connection)
        metrics.CONNECTIONS_CLOSED.add(1, self._labels.pipeline, self._labels.input, reason)
        metrics.CONNECTIONS_OPEN.set(len(self._connections), self._labels.pipeline, self._labels.input)
        if not self._accepting and not self._ended.is_set():
            self._accept(on=True)

    async def _close_idle(self) -> None:
        timeout = self._opts.idle_timeout
        while True:
            await asyncio.sleep(timeout / 4)
            now = asyncio.get_running_loop().time()
            for connection in list(self._connections):
                if now - connection.last_read > timeout:
                    connection.close("idle")


class _Connection:
    """One client: reads as long as the sink has room, closes at the end of the stream."""

    def __init__(
        self,
        sock: socket.socket,
        stream: LineStream,
        sink: Sink,
        buffer: memoryview,
        closed: Callable[[_Connection, str], None],
    ) -> None:
        self._sock, self._stream, self._sink, self._buffer, self._closed = sock, stream, sink, buffer, closed
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Task[None] | None = None
        self.last_read = self._loop.time()
        self._loop.add_reader(sock.fileno(), self._readable)

    def _readable(self) -> None:
        if self._sink.full:
            self._loop.remove_reader(self._sock.fileno())
            self._waiting = self._loop.create_task(self._resume())
        elif not self._read():
            self.close("end")

    async def _resume(self) -> None:
        await self._sink.room()
        self._waiting = None
        if self._sock.fileno() >= 0:
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def _read(self) -> bool:
        """Read once; return False at the end of the stream."""
        try:
            size = self._sock.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            self.close("error")
            return True
        self.last_read = self._loop.time()
        self._stream.feed(self._buffer[:size])
        return size > 0

    async def drain(self) -> None:
        """Read what has arrived, then close. A client that never stops sending is not waited for."""
        deadline = self._loop.time() + _DRAIN_SECONDS
        while self._sock.fileno() >= 0 and self._loop.time() < deadline:
            await self._sink.room()
            try:
                self._sock.recv(1, socket.MSG_PEEK)
            except OSError:
                break
            if not self._read():
                break
        self.close("shutdown")

    def close(self, reason: str) -> None:
        """Close; the last line without a line end is an event too."""
        if self._sock.fileno() < 0:
            return
        if self._waiting is not None:
            self._waiting.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self._stream.feed_eof()
        self._closed(self, reason)


@plugin("input", "tcp", Options, codec="line", stream=True)
def build(opts: Options, context: BuildContext) -> TcpInput:
    """Lines from TCP connections, any number of clients, as long as the daemon runs."""
    if not 0 <= opts.port <= 65535:
        raise ValueError(f"port {opts.port} is not possible: write 1 to 65535, or 0 for a free one")
    return TcpInput(opts, context)
