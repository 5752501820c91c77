"""The base of inputs that converse with their clients: beats, http and others that answer, and all that use TLS.

Such an input is a coroutine function that holds the conversation with one client:

    async def converse(connection: Connection) -> None:
        while await connection.more():
            request = await read_request(connection.reader)  # ProtocolError: that is not a request
            await connection.put(request.lines, request.offset)
            await connection.sink.synced()
            await connection.send(acknowledgement(request))

``ServerInput`` does the rest. The supervisor accepts, and hands each connection to a worker. If the worker is killed,
the connection ends (``outlives_reader``), and the client sends again what was not acknowledged. At a stop, a reload
and an upgrade, requests that have begun are finished and acknowledged, then the connection is closed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ingestd import metrics
from ingestd.event.chunk import Stream
from ingestd.logs import get_logger
from ingestd.plugins.inputs._client_warnings import ClientWarnings
from ingestd.plugins.inputs._connection import REST_SECONDS, SENDING_SECONDS, Connection
from ingestd.plugins.inputs._listening import ListeningInput
from ingestd.plugins.inputs._opening import HANDSHAKE_SECONDS, RejectedError, first_bytes, open_connection
from ingestd.plugins.inputs._streams import of_proxied_client
from ingestd.plugins.inputs._tcp_senders import SenderReports
from ingestd.plugins.inputs._tls import ServerContexts, TlsOptions
from ingestd.plugins.interfaces import Sink
from ingestd.plugins.registry import BuildContext, option, required

log = get_logger(__name__)

_HANDOVER_SECONDS = 5.0
"""How long they may continue if another process takes the place of this one, which it waits for."""

_END_OF_SILENT = {EOFError: "end", TimeoutError: "idle"}

_STOP_TICK = 0.05
_LONGEST_TICK = 5.0

_READ_BYTES = 1 << 16
"""What is read of a connection before it is handled, by default: twice as much, and a read, may wait in memory."""

Converse = Callable[[Connection], Awaitable[None]]


class ProtocolError(Exception):
    """A client does not keep to the protocol: it is disconnected, and the text, a sentence, is logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions(TlsOptions):
    """Options of all inputs that are a ``ServerInput``; redeclare one for another default."""

    port: int = required("Port to listen on; 0 takes a free one.")
    host: str = option("0.0.0.0", "Address to listen on.")  # noqa: S104 -- Logstash's default
    max_connections: int = option(0, "Maximum number of connections; further clients wait. 0: no limit.")
    idle_timeout: float = option(0, "Seconds without data after which a connection is closed; 0: never.")
    proxy_protocol: bool = option(
        False,
        "Take `host` and `port` of text lines from the header of the PROXY protocol, version 1 or 2; `proxy_host` "
        "and `proxy_port` are the proxy's. Whether this is set or not, a header is skipped.",
    )


def check_port(port: int) -> None:
    """Raise ValueError if a port is not possible."""
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} is not possible: write 1 to 65535, or 0 for a free one")


@dataclass(slots=True, eq=False)
class _Served:
    """A connection from ``serve`` on.

    ``connection`` is there once it is open, and ``begun`` set once its client has sent something.
    """

    task: asyncio.Task[None] = field(init=False)
    connection: Connection | None = None
    begun: bool = False


class ServerInput(ListeningInput):
    """Runs ``converse`` for each connection.

    Args:
        options: Where to listen, and limits.
        context: Of the plugin.
        converse: Called for each connection; returns at its end. A ``ProtocolError``, the end of the stream
            (``IncompleteReadError``) and errors of the network may be raised; whatever else is raised is logged, and
            ends this connection alone.
        acknowledges: Whether clients are answered. If not, a stop puts everything that they have sent until it
            disconnects them, as far as ``converse`` reads to the end of the stream.
        read_bytes: What is read of a connection before it is handled.
        keep_alive: Whether the system probes idle connections.
    """

    outlives_reader = False

    def __init__(
        self,
        options: ServerOptions,
        context: BuildContext,
        converse: Converse,
        *,
        acknowledges: bool = True,
        read_bytes: int = _READ_BYTES,
        keep_alive: bool = False,
    ) -> None:
        check_port(options.port)
        super().__init__(options, context)
        self._options, self._converse, self._acknowledges = options, converse, acknowledges
        self._read_bytes, self._keep_alive = read_bytes, keep_alive
        self._warnings, self._reports = ClientWarnings(*self._labels), SenderReports(*self._labels)
        self._tls = ServerContexts(options, *self._labels) if options.ssl_enabled else None
        self._served: set[_Served] = set()

    async def run(self, sink: Sink) -> None:
        """Serve until ``stop``, then finish what has begun."""
        self._sink = sink
        timer = self.tasks.start("connection timer", self._watch(), endless=True)
        try:
            await self.tasks.until(self._ended.wait())
            self.tasks.cancel(timer)
            await self.tasks.until(self._end())
        finally:
            await self.tasks.close()

    async def _watch(self) -> None:
        timeout = self._options.idle_timeout
        while True:
            await asyncio.sleep(min(timeout / 4, _LONGEST_TICK) or _LONGEST_TICK)
            self._tick()

    def _tick(self) -> None:
        for served in self._served:
            if served.connection is not None:
                served.connection.tick(self._options.idle_timeout)

    async def _end(self) -> None:
        """Let the conversations end, in the time that there is; then cut them off."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (_HANDOVER_SECONDS if self._mode == "handover" else self._stop_seconds)
        started = loop.time()
        for served in self._served:
            if served.connection is not None:
                served.connection.stop()
        while self._served and loop.time() < deadline:
            self._tick()
            self._give_up_unopened(loop.time() - started)
            await asyncio.wait([served.task for served in self._served], timeout=_STOP_TICK)
        await self._cut_off()

    def _give_up_unopened(self, seconds: float) -> None:
        """Cut off the connections whose clients have not sent enough in the time since the stop."""
        for served in self._served:
            patience = SENDING_SECONDS if served.begun else REST_SECONDS
            if served.connection is None and seconds >= patience:
                self.tasks.cancel(served.task)

    async def _cut_off(self) -> None:
        left = [served for served in self._served if served.connection is not None]
        if left and not self._acknowledges:
            self._log_lost(connections=len(left))
        tasks = [served.task for served in self._served]
        for task in tasks:
            self.tasks.cancel(task)
        await asyncio.gather(*tasks, return_exceptions=True)

    # Connections

    def serve(
        self,
        sock: socket.socket,
        stream: Stream,
        kept: int,
        closed: Callable[[str], None],
        client: tuple[str, int] | None = None,
        on_client: Callable[[str, int], None] | None = None,
    ) -> None:
        """Hold a conversation until its end; ``kept``, ``client`` and ``on_client`` are of connections read on."""
        served = _Served()
        self._served.add(served)
        self._count_open(len(self._served))
        served.task = self.tasks.start(f"connection {stream.id}", self._serve(served, sock, stream, closed))

    async def _serve(self, served: _Served, sock: socket.socket, stream: Stream, closed: Callable[[str], None]) -> None:
        reason = "shutdown"  # if it is cancelled
        try:
            reason = await self._open_and_converse(served, sock, stream)
        except Exception as error:
            host = stream.fields.get("host", "")
            log.exception("a connection is closed: what it sent cannot be handled", client=host, error=repr(error))
            reason = "error"
        finally:
            sock.close()
            self._served.discard(served)
            self._count_open(len(self._served))
            metrics.CONNECTIONS_CLOSED.add(1, *self._labels, reason)
            closed(reason)

    async def _open_and_converse(self, served: _Served, sock: socket.socket, stream: Stream) -> str:
        """Return the reason of the end."""
        try:
            sock.setblocking(False)
            if self._keep_alive:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            async with asyncio.timeout(self._first_seconds):
                header = await first_bytes(sock)
        except (OSError, EOFError) as error:
            return _END_OF_SILENT.get(type(error), "error")
        served.begun = True
        if header is not None and header.host and self._options.proxy_protocol:
            stream = of_proxied_client(stream, header.host, header.port)
        assert self._sink is not None  # noqa: S101 -- ``run`` runs
        connection = Connection(sock, stream, self._sink, self._read_bytes, acknowledges=self._acknowledges)
        try:
            context = self._tls.current() if self._tls is not None else None
            await open_connection(connection, sock, context, self._warnings, self._reports)
        except RejectedError:
            return "rejected"
        except OSError:
            return "error"
        served.connection = connection
        if self._ended.is_set():
            connection.stop()
        try:
            return await self._hold(connection)
        finally:
            connection.writer.transport.abort()

    @property
    def _first_seconds(self) -> float | None:
        """How long a client may be silent at first."""
        return HANDSHAKE_SECONDS if self._tls is not None else self._options.idle_timeout or None

    async def _hold(self, connection: Connection) -> str:
        try:
            await self._converse(connection)
            await connection.close()
        except (ProtocolError, asyncio.LimitOverrunError) as error:
            text = "a client violates the protocol; it was disconnected"
            self._warnings.warn(connection.client[0], text, error=str(error))
            await connection.close()
            return "rejected"
        except (OSError, EOFError):
            return connection.end_reason or "error"
        return connection.end_reason or ("end" if connection.reader.error is None else "error")
