"""``tcp``: events from TCP connections, such as those of python-logstash's TCPLogstashHandler.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-inputs-tcp, server mode. Text lines get
the fields ``host`` and ``port`` of the client; JSON records only if the config reads them and they lack them.

The protocol has no acknowledgements, so the kernel's receive buffer is used instead: bytes are peeked at (MSG_PEEK),
stored by the sink, and only then consumed. The next reader of the connection, after a crash, a reload or an upgrade,
finds the rest in it. A line stays there until it is complete, if there is room: Linux provides half of the third
value of `net.ipv4.tcp_rmem`, which is 3 MB by default. The start of a longer line (`max_line_bytes` allows none) is
lost if the process is killed before the line is complete.

Clients that send something other than lines are recognised by their first bytes.

With TLS (``ssl_enabled``), a line is decrypted before it can be stored, and the connection ends with the process that
reads it. At a stop, a reload or an upgrade, a client sees the end of the stream; what it sends until it closes is taken
in, but one that never checks is disconnected after two seconds. If a worker is killed, what it has decrypted and not
stored yet is lost: the last lines of each client, as the client cannot know that they did not arrive. Inputs whose
clients wait for an acknowledgement lose nothing then. Certificates can be replaced while the daemon runs: new
connections use the new files.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

from ingestd import metrics
from ingestd.event.chunk import Stream
from ingestd.event.fields import Event
from ingestd.plugins.codecs.json_lines import JsonLinesCodec
from ingestd.plugins.ecs import ecs_option, ecs_select
from ingestd.plugins.inputs._listening import ListeningInput
from ingestd.plugins.inputs._server import ServerOptions, check_port
from ingestd.plugins.inputs._streams import of_proxied_client
from ingestd.plugins.inputs._tcp_connection import TcpConnection
from ingestd.plugins.inputs._tcp_peek import PeekBuffer
from ingestd.plugins.inputs._tcp_poller import Gathering, Poller
from ingestd.plugins.inputs._tcp_reader import ConnectionReader
from ingestd.plugins.inputs._tcp_recognition import FRAMINGS, Framings, Owner
from ingestd.plugins.inputs._tcp_rejection import RejectedConnections
from ingestd.plugins.inputs._tcp_senders import SenderReports
from ingestd.plugins.inputs._tcp_tls import server_lines
from ingestd.plugins.inputs._tls import TLS_LEGACY, client_authentication, tls_warnings
from ingestd.plugins.interfaces import Sink, SocketInput, delimiter_of, grouping_of
from ingestd.plugins.registry import BuildContext, ignored, option, plugin, replaced
from ingestd.plugins.stream_fields import FieldNames
from ingestd.protocols.framing.lines import LINE_FEED
from ingestd.protocols.framing.proxy_header import ProxyHeader
from ingestd.protocols.framing.senders import ANSWERS, Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ServerOptions):
    """Options of the input ``tcp``."""

    mode: str = option("server", "Only `server`, which listens.", choices=("server",))
    tcp_keep_alive: bool = option(False, "Ask the system to probe idle connections.")
    ssl_client_authentication: str = client_authentication("required")
    ecs_compatibility: str = ecs_option(
        "With `v1` or `v8`, the sender is in `[@metadata][input][tcp][source]` (`name`, `ip` and `port`) and a proxy in"
        " `[@metadata][input][tcp][proxy]`, instead of `host`, `port`, `proxy_host` and `proxy_port`."
    )


def _stream_fields(opts: Options) -> FieldNames:
    """Return the fields that the reference of Logstash's input names."""
    source, proxy = "[@metadata][input][tcp][source]", "[@metadata][input][tcp][proxy]"
    return ecs_select(
        opts,
        disabled={
            "host": ["host", "[@metadata][ip_address]"],
            "port": ["port"],
            "proxy_host": ["proxy_host"],
            "proxy_port": ["proxy_port"],
        },
        ecs={
            "host": [f"{source}[name]", f"{source}[ip]"],
            "port": [f"{source}[port]"],
            "proxy_host": [f"{proxy}[ip]"],
            "proxy_port": [f"{proxy}[port]"],
        },
    )


_LEGACY = {
    **TLS_LEGACY,
    "dns_reverse_lookup_enabled": ignored("`host` is always the address; the filter dns finds its name"),
    "data_timeout": replaced("idle_timeout"),
}


class TcpInput(ListeningInput):
    """Reads the connections that it is given, line by line.

    Args:
        opts: Of the input.
        context: Of the input.
        framings: How the records of senders of other than lines are separated.
        expected: Senders that the input is meant for; None: see ``_expected``.
        fields: Those of all text lines, instead of the client's.
    """

    outlives_reader = True

    def __init__(
        self,
        opts: Options,
        context: BuildContext,
        *,
        framings: Framings = FRAMINGS,
        expected: frozenset[Sender] | None = None,
        fields: Event | None = None,
    ) -> None:
        super().__init__(opts, context)
        self._fields = fields
        self._opts, self._delimiter = opts, delimiter_of(context.codec)
        self._framings = framings if self._delimiter == LINE_FEED else {}
        self._max_line_bytes = context.settings.max_line_bytes
        self._grouping = grouping_of(context.codec)
        self._buffer = PeekBuffer(context.settings.batch.max_bytes)
        self._reports = SenderReports(*self._labels, _expected(opts, context) if expected is None else expected)
        self._connections: set[TcpConnection] = set()
        self._rejected = RejectedConnections(self.tasks)
        self._poller: Poller | None = None

    async def run(self, sink: Sink) -> None:
        """Serve until ``stop``; then, unless another process continues, read what the kernel holds.

        Raises what a background task of a connection raised.
        """
        self._sink = sink
        self._poller = Poller(Gathering(sink, self._buffer.chunk_bytes), self.tasks)
        try:
            await self._serve_until_stopped()
        finally:
            self._poller.close()

    async def _serve_until_stopped(self) -> None:
        timer = None
        if self._opts.idle_timeout:
            timer = self.tasks.start("idle timer", self._close_idle(), endless=True)
        await self.tasks.until(self._ended.wait())
        if timer is not None:
            self.tasks.cancel(timer)
        await self.tasks.until(self._end())

    async def _end(self) -> None:
        if self._mode == "handover":
            await asyncio.gather(*(connection.hand_over() for connection in list(self._connections)))
        else:
            await self._drain()
        self._rejected.close_all()

    async def _drain(self) -> None:
        """Read what the kernel holds, of all connections at the same time."""
        deadline = asyncio.get_running_loop().time() + self._stop_seconds
        half_lines = self._mode == "drain"
        drains = [connection.drain(deadline, half_lines=half_lines) for connection in list(self._connections)]
        left = [size for size in await asyncio.gather(*drains) if size]
        if left and self._mode == "drain":  # else the supervisor keeps the connections
            self._log_lost(connections=len(left), bytes=sum(left))

    def serve(
        self,
        sock: socket.socket,
        stream: Stream,
        kept: int,
        closed: Callable[[str], None],
        client: tuple[str, int] | None = None,
        on_client: Callable[[str, int], None] | None = None,
    ) -> None:
        """Read a connection until its end."""
        assert self._sink is not None and self._poller is not None  # noqa: S101, PT018 -- ``run`` runs
        if self._opts.tcp_keep_alive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._fields is not None:
            stream = stream._replace(fields=self._fields)

        connection = TcpConnection(
            sock,
            stream if client is None else self._proxied(stream, *client),
            self._sink,
            self._buffer,
            self._max_line_bytes,
            poller=self._poller,
            owner=self._owner(stream, closed, on_client),
            grouping=self._grouping,
            framings=self._framings,
            delimiter=self._delimiter,
        )
        self._connections.add(connection)
        self._count_open(len(self._connections))
        connection.start(kept)

    def _owner(
        self, stream: Stream, closed: Callable[[str], None], on_client: Callable[[str, int], None] | None
    ) -> Owner:
        def forget(connection: ConnectionReader, reason: str) -> None:
            self._connections.difference_update([connection])
            metrics.CONNECTIONS_CLOSED.add(1, *self._labels, reason)
            self._count_open(len(self._connections))
            closed(reason)

        def reject(connection: ConnectionReader, sock: socket.socket, sender: Sender) -> None:
            self._rejected.add(sock, ANSWERS.get(sender, b""), lambda: forget(connection, "rejected"))

        def proxied(header: ProxyHeader) -> Stream:
            if header.host and on_client is not None:
                on_client(header.host, header.port)
            return self._proxied(stream, header.host, header.port)

        return Owner(
            closed=forget,
            recognised=lambda sender: self._reports.report(sender, str(stream.fields.get("host", ""))),
            proxied=proxied,
            rejected=reject,
        )

    def _proxied(self, stream: Stream, host: str, port: int) -> Stream:
        """Return the stream of a proxy with the fields of its client; ``host`` is empty if that is unknown."""
        return of_proxied_client(stream, host, port) if self._opts.proxy_protocol and host else stream

    async def _close_idle(self) -> None:
        timeout = self._opts.idle_timeout
        while True:
            await asyncio.sleep(timeout / 4)
            for connection in list(self._connections):
                connection.close_if_idle(timeout)


def _expected(opts: Options, context: BuildContext) -> frozenset[Sender]:
    """Return the senders that an input is meant for: one for anything but JSON takes lines of syslog as well."""
    text = set() if isinstance(context.codec, JsonLinesCodec) else {Sender.SYSLOG, Sender.SYSLOG_NUL}
    nul = {Sender.GELF, Sender.SYSLOG_NUL} if delimiter_of(context.codec) == b"\0" else set()
    return frozenset(text | nul | ({Sender.PROXY} if opts.proxy_protocol else set()))


@plugin(
    "input",
    "tcp",
    Options,
    codec="line",
    stream=True,
    listens=True,
    stream_fields=_stream_fields,
    legacy=_LEGACY,
    option_warnings=tls_warnings,
)
def build(opts: Options, context: BuildContext) -> SocketInput:
    """Lines from TCP connections, any number of clients, as long as the daemon runs."""
    check_port(opts.port)
    return server_lines(opts, context, keep_alive=opts.tcp_keep_alive) if opts.ssl_enabled else TcpInput(opts, context)
