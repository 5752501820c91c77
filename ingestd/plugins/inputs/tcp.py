"""``tcp``: events from plain TCP connections, such as those of python-logstash's TCPLogstashHandler.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-tcp, server mode. Text lines get
the fields ``host`` and ``port`` of the client; JSON records say themselves where they come from.

The clients have no acknowledgement, so the kernel's receive buffer is used as one: bytes are looked at
(MSG_PEEK), kept by the sink, and only then consumed. Whoever reads the connection next, after a crash or an
upgrade, finds the rest in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

from ingestd import metrics
from ingestd.plugins.inputs import _tcp_position as tcp_position
from ingestd.plugins.inputs._streams import reject_long_line
from ingestd.plugins.interfaces import Chunk, Origin, Sink, StopMode
from ingestd.plugins.registry import BuildContext, option, plugin, required
from ingestd.protocols.lines import HEAD_BYTES, TooLong, split_lines

_DROP = socket.MSG_TRUNC if sys.platform == "linux" else 0
"""On Linux the kernel drops bytes of a TCP stream without copying them, tcp(7)."""

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


class TcpInput:
    """Reads the connections it is given, line by line."""

    finite = False

    def __init__(self, opts: Options, context: BuildContext) -> None:
        self._opts = opts
        self._max_line_bytes = context.settings.max_line_bytes
        self._buffer = bytearray(context.settings.batch.max_bytes)  # for all connections: peek, keep, consume, done
        self._labels = (context.pipeline_id, context.plugin_id)
        self._connections: set[_Connection] = set()
        self._mode: StopMode = "drain"
        self._ended = asyncio.Event()
        self._sink: Sink | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return self._opts.host, self._opts.port

    @property
    def max_connections(self) -> int:
        """Connections at once; 0: no limit."""
        return self._opts.max_connections

    async def open(self) -> None:
        """Do nothing: somebody else listens."""

    async def run(self, sink: Sink) -> None:
        """Serve until ``stop``; then, unless another process goes on, read what the kernel holds."""
        self._sink = sink
        timer = asyncio.ensure_future(self._close_idle()) if self._opts.idle_timeout else None
        await self._ended.wait()
        if timer is not None:
            timer.cancel()
        for connection in list(self._connections):
            if self._mode == "handover":
                connection.close("shutdown")
            else:
                await connection.drain(half_lines=self._mode == "drain")

    def stop(self, mode: StopMode) -> None:
        """Let ``run`` return."""
        self._mode = mode
        self._ended.set()

    def serve(self, sock: socket.socket, origin: Origin, kept: int, closed: Callable[[str], None]) -> None:
        """Read a connection until its end."""
        assert self._sink is not None  # noqa: S101 -- ``run`` runs
        if self._opts.tcp_keep_alive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

        def forget(connection: _Connection, reason: str) -> None:
            self._connections.discard(connection)
            metrics.CONNECTIONS_CLOSED.add(1, *self._labels, reason)
            metrics.CONNECTIONS_OPEN.set(len(self._connections), *self._labels)
            closed(reason)

        connection = _Connection(sock, origin, self._sink, self._buffer, self._max_line_bytes, forget)
        self._connections.add(connection)
        metrics.CONNECTIONS_OPEN.set(len(self._connections), *self._labels)
        connection.start(kept)

    async def _close_idle(self) -> None:
        timeout = self._opts.idle_timeout
        while True:
            await asyncio.sleep(timeout / 4)
            for connection in list(self._connections):
                connection.close_if_idle(timeout)


class _Connection:
    """One client: reads as long as the sink has room, closes at the end of the stream.

    A line is usually taken whole out of the kernel's buffer. One that does not fit into it is collected in
    ``_begun`` (and lost if the process is killed meanwhile); one that is longer than allowed is skipped.
    """

    def __init__(
        self,
        sock: socket.socket,
        origin: Origin,
        sink: Sink,
        buffer: bytearray,
        max_line_bytes: int,
        closed: Callable[[_Connection, str], None],
    ) -> None:
        sock.setblocking(False)
        self._sock, self._origin, self._sink, self._closed = sock, origin, sink, closed
        self._buffer, self._max = buffer, max_line_bytes
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Task[None] | None = None
        self._offset = 0  # of the next byte to consume
        self._begun = bytearray()  # of a line that is too long only the head is kept
        self._line_size = 0  # how much of the line in ``_begun`` is consumed already
        self._low_water = 1
        self._last_read = self._loop.time()

    def start(self, kept: int) -> None:
        """Begin to read. Bytes before ``kept`` are kept already; what of them is still in the socket is dropped."""
        # Who read the connection before us may have left another mark.
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self._low_water)
        consumed = tcp_position.position(self._sock)
        self._offset = kept if consumed is None else consumed
        with contextlib.suppress(OSError):
            while self._offset < kept and (dropped := self._sock.recv(min(kept - self._offset, len(self._buffer)))):
                self._offset += len(dropped)
        self._loop.add_reader(self._sock.fileno(), self._readable)

    def _readable(self) -> None:
        if self._sink.full:
            self._pause()
            return
        try:
            self._read()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close("error")

    def _pause(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._waiting = self._loop.create_task(self._resume())

    async def _resume(self) -> None:
        await self._sink.room()
        self._waiting = None
        self._last_read = self._loop.time()  # that nothing was read was not the client's fault
        if self._sock.fileno() >= 0:
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def _read(self, *, woken: bool = True, last: bool = False) -> None:
        """Take in the whole lines that wait.

        ``woken``: the kernel says that there is something to read. ``last``: there will be no more, so take in a
        line without a line end too.
        """
        size = self._sock.recv_into(self._buffer, len(self._buffer), socket.MSG_PEEK)
        if not size:
            self.close("end")
            return
        self._last_read = self._loop.time()
        whole = self._buffer.rfind(b"\n", 0, size) + 1
        if whole:
            self._take(whole)
            self._wake_at(size - whole + 1)
        elif last or tcp_position.peer_has_closed(self._sock):
            self._take(size)
        elif size == len(self._buffer) or (woken and size < self._low_water):
            # The line fits into no buffer, or the kernel wakes us although the line has not grown: its own is full.
            self._collect(size)
        else:
            self._wake_at(size + 1)

    def _take(self, whole: int) -> None:
        """Put the first ``whole`` bytes of the buffer, which end a line, and consume them."""
        data = bytes(memoryview(self._buffer)[:whole])
        if self._line_size + whole > self._max:
            self._take_lines(data)
        elif self._put(bytes(self._begun) + data if self._begun else data, self._offset - self._line_size):
            self._consume(whole)
            self._begun.clear()
            self._line_size = 0
        else:
            self._pause()

    def _take_lines(self, data: bytes) -> None:
        """Put and consume the lines of ``data`` one by one, but make dead letters of those that are too long."""
        for line in split_lines(data):
            size = self._line_size + len(line.removesuffix(b"\n"))
            if size - line.endswith(b"\r\n") > self._max:
                head = (bytes(self._begun) + line)[:HEAD_BYTES]
                reject_long_line(self._sink, self._origin, TooLong(size, head), self._max)
            elif not self._put(bytes(self._begun) + line, self._offset - self._line_size):
                self._pause()
                return
            self._consume(len(line))
            self._begun.clear()
            self._line_size = 0

    def _put(self, data: bytes, offset: int) -> bool:
        return self._sink.put(Chunk(data, self._origin, offset))

    def _collect(self, size: int) -> None:
        """Move the begin of a long line out of the kernel's buffer."""
        self._begun += memoryview(self._buffer)[:size]
        self._line_size += size
        if self._line_size > self._max + 1:  # + 1: a "\r" does not count
            del self._begun[HEAD_BYTES:]
        self._consume(size)
        self._wake_at(1)

    def _consume(self, size: int) -> None:
        """Take bytes that were peeked out of the socket; they are there, so this does not wait."""
        self._offset += size
        while size:
            size -= self._sock.recv_into(memoryview(self._buffer)[:size], size, _DROP)

    def _wake_at(self, size: int) -> None:
        """Ask to be woken when so many bytes wait (or at the end), not for every piece of half a line."""
        if size != self._low_water:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            self._low_water = size

    async def drain(self, *, half_lines: bool) -> None:
        """Read what has arrived, then close. A client that never stops sending is not waited for."""
        deadline = self._loop.time() + _DRAIN_SECONDS
        while self._loop.time() < deadline:
            await self._sink.room()
            before = self._offset
            if self._sock.fileno() >= 0:
                try:
                    self._read(woken=False, last=half_lines)
                except OSError:
                    break
            if self._sock.fileno() < 0:
                return
            if self._offset == before and not self._sink.full:
                break
        self.close("shutdown")

    def close_if_idle(self, timeout: float) -> None:
        """Close if nothing came for ``timeout`` seconds; half a line that waits for its end counts as the last."""
        if self._waiting is not None or self._loop.time() - self._last_read <= timeout:
            return
        try:
            while self._sock.fileno() >= 0 and self._waiting is None:
                self._read(woken=False, last=True)
        except BlockingIOError:
            self.close("idle")
        except OSError:
            self.close("error")

    def close(self, reason: str) -> None:
        """Stop reading and let go of the connection."""
        if self._sock.fileno() < 0:
            return
        if self._waiting is not None:
            self._waiting.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        if self._line_size:
            self._end_of_begun_line()
        self._closed(self, reason)

    def _end_of_begun_line(self) -> None:
        """The stream ended within a line that was collected."""
        if self._line_size > self._max:
            line = TooLong(self._line_size, bytes(self._begun[:HEAD_BYTES]))
            reject_long_line(self._sink, self._origin, line, self._max)
        elif not self._put(bytes(self._begun), self._offset - self._line_size):
            reason = "the connection ended within a line, and there was no room to keep it"
            self._sink.reject(bytes(self._begun), reason, self._origin)


@plugin("input", "tcp", Options, codec="line", stream=True, listens=True)
def build(opts: Options, context: BuildContext) -> TcpInput:
    """Lines from TCP connections, any number of clients, as long as the daemon runs."""
    if not 0 <= opts.port <= 65535:
        raise ValueError(f"port {opts.port} is not possible: write 1 to 65535, or 0 for a free one")
    return TcpInput(opts, context)
