"""Inputs that get messages over TCP and in datagrams: syslog and gelf."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from ingestd.event.chunk import Stream
from ingestd.plugins.inputs import tcp
from ingestd.plugins.inputs._datagram_input import DatagramServer
from ingestd.plugins.inputs._server import ServerOptions
from ingestd.plugins.inputs._tcp_recognition import Framings
from ingestd.plugins.inputs._tls_messages import tls_messages
from ingestd.plugins.interfaces import Codec, DatagramSocket, Input, Sink, SocketInput, StopMode
from ingestd.plugins.registry import BuildContext
from ingestd.protocols.framing.senders import Sender
from ingestd.tasks import BackgroundTasks


class ConnectionsInput(SocketInput, Protocol):
    """An input that reads connections, of which datagrams are a part."""

    tasks: BackgroundTasks


class MessageConnections:
    """An input whose connections are read by another one: the messages on them are decoded by ``codec``.

    Args:
        connections: Reads the connections.
        codec: Decodes what it puts.
    """

    finite = False

    def __init__(self, connections: ConnectionsInput, codec: Codec) -> None:
        self._connections, self.codec = connections, codec

    @property
    def outlives_reader(self) -> bool:
        """Whether a connection can be read on by another process."""
        return self._connections.outlives_reader

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return self._connections.address

    @property
    def max_connections(self) -> int:
        """Maximum number of connections at a time; 0: no limit."""
        return self._connections.max_connections

    async def open(self) -> None:
        """Open what reads connections."""
        await self._connections.open()

    async def run(self, sink: Sink) -> None:
        """Read until ``stop``."""
        await self._connections.run(sink)

    def stop(self, mode: StopMode) -> None:
        """Let ``run`` return."""
        self._connections.stop(mode)

    def serve(
        self,
        sock: socket.socket,
        stream: Stream,
        kept: int,
        closed: Callable[[str], None],
        client: tuple[str, int] | None = None,
        on_client: Callable[[str, int], None] | None = None,
    ) -> None:
        """Read a connection."""
        self._connections.serve(sock, stream, kept, closed, client, on_client)


class MessageServer(MessageConnections):
    """The same, which reads datagrams as well.

    Args:
        connections: Reads the connections.
        datagrams: Reads datagrams.
    """

    def __init__(self, connections: ConnectionsInput, datagrams: DatagramServer) -> None:
        super().__init__(connections, datagrams.codec)
        self._datagrams = datagrams

    @property
    def datagram_sockets(self) -> Sequence[DatagramSocket]:
        """What to open."""
        return self._datagrams.datagram_sockets

    async def run(self, sink: Sink) -> None:
        """Read until ``stop``."""
        self._datagrams.start(sink, self._connections.tasks)
        await self._connections.run(sink)
        await self._datagrams.finish()

    def stop(self, mode: StopMode) -> None:
        """Let ``run`` return."""
        super().stop(mode)
        self._datagrams.stop(mode)

    def serve_datagrams(self, sock: socket.socket, drops: int, on_drops: Callable[[int], None]) -> None:
        """Read a socket."""
        self._datagrams.serve_datagrams(sock, drops, on_drops)

    def problems(self) -> list[str]:
        """Return whether the kernel drops datagrams."""
        return self._datagrams.problems()


def message_connections(
    options: ServerOptions, context: BuildContext, framings: Framings, senders: frozenset[Sender], *, keep_alive: bool
) -> ConnectionsInput:
    """Return an input that reads messages on connections, with TLS or without.

    Args:
        options: Where to listen, and limits.
        context: Of the plugin, with the codec of the messages.
        framings: How senders separate messages, see ``Recognition``.
        senders: That the input is meant for.
        keep_alive: Whether the system probes idle connections.
    """
    if options.ssl_enabled:
        return tls_messages(options, context, framings, keep_alive=keep_alive)
    plain = tcp.Options(
        port=options.port,
        host=options.host,
        max_connections=options.max_connections,
        idle_timeout=options.idle_timeout,
        tcp_keep_alive=keep_alive,
        proxy_protocol=options.proxy_protocol,
    )
    proxies = {Sender.PROXY} if options.proxy_protocol else frozenset[Sender]()
    return tcp.TcpInput(plain, context, framings=framings, expected=senders | proxies)


def message_server(connections: ConnectionsInput | None, datagrams: DatagramServer | None, codec: Codec) -> Input:
    """Return an input of one or both parts.

    Raises:
        ValueError: There is none.
    """
    if connections is not None and datagrams is not None:
        return MessageServer(connections, datagrams)
    if connections is not None:
        return MessageConnections(connections, codec)
    if datagrams is None:
        raise ValueError("use_tcp and use_udp are both false, so nothing would be received: set one of them")
    return datagrams
