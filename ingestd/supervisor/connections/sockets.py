"""The sockets of the supervisor, listening and accepted ones, and how they outlive it.

A descriptor that is passed to systemd or through ``exec`` has a name: ``l.<pipeline>.<input>``, both quoted, if it
listens, and a short one if it is a connection; ``ingestd.supervisor.connections.manifest`` says which connection that
is. Version 0.1.0 named connections ``c.<id>.<worker>.<pipeline>.<input>``.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ingestd.supervisor.connections.manifest import Entry

_RECEIVE_BYTES = 4 << 20
"""What clients can send while no worker reads; limited by the system."""

_BACKLOG = 4096
"""How many clients wait to be accepted; limited by net.core.somaxconn, which has this value by default: listen(2)."""

_FIRST_FREE_PORT = 1024  # below it, Linux asks for CAP_NET_BIND_SERVICE: capabilities(7)


@dataclass(frozen=True, slots=True)
class Listener:
    """What one input listens on.

    ``host``: with a leading slash, the path of a socket of the file system. ``max_connections`` 0: no
    limit. ``outlives_reader``: whether its connections can be read on by another process.
    """

    pipeline: str
    input: str
    host: str
    port: int
    max_connections: int = 0
    outlives_reader: bool = True

    @property
    def name(self) -> str:
        """The name of its descriptor."""
        return f"l.{_quoted(self.pipeline)}.{_quoted(self.input)}"


@dataclass(slots=True)
class Connection:
    """An accepted connection and the worker that reads it.

    Attributes:
        name: That of its descriptor.
        client: Host and port of the client, if ``host`` and ``port`` are a proxy's.
        outlives_reader: Whether another worker can read it on; else it ends with the process that reads it.
        read: Whether it was handed to a worker.
        datagrams: It is not a connection, but a socket for datagrams.
        drops: How many datagrams that the kernel had no room for were counted.
    """

    id: str
    sock: socket.socket
    pipeline: str
    input: str
    worker: int
    host: str
    port: int
    name: str = ""
    new: bool = True
    client: list[Any] | None = None
    outlives_reader: bool = True
    read: bool = False
    datagrams: bool = False
    drops: int = 0

    def entry(self) -> Entry:
        """Return its entry in the manifest."""
        names = ("name", "id", "worker", "pipeline", "input")
        client: Entry = {} if self.client is None else {"client": self.client}
        datagrams: Entry = {"datagrams": True, "drops": self.drops} if self.datagrams else {}
        entry: Entry = {name: getattr(self, name) for name in names}
        return entry | client | datagrams

    def message(self) -> dict[str, object]:
        """Return the message that hands it to a worker; a second one says that it is not new."""
        message: dict[str, object] = {
            "type": "datagrams" if self.datagrams else "connection",
            "id": self.id,
            "pipeline": self.pipeline,
            "input": self.input,
            "host": self.host,
            "port": self.port,
            "new": self.new,
        }
        self.new, self.read = False, True
        if self.datagrams:
            message["drops"] = self.drops
        return message if self.client is None else message | {"client": self.client}


def listen(listener: Listener) -> socket.socket:
    """Return a listening socket.

    Raises:
        OSError: The address cannot be used; the text says what to do.
    """
    if is_path(listener.host):
        return _listen_on_path(listener.host)
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listener.host, listener.port))
    except OSError as error:
        sock.close()
        where = f"{listener.host}:{listener.port}"
        raise OSError(f"cannot listen on {where}: {error.strerror}; {listen_hint(listener.port, error)}") from error
    sock.listen(_BACKLOG)
    sock.setblocking(False)
    return sock


def is_path(host: str) -> bool:
    """Return whether a host is the path of a socket of the file system."""
    return host.startswith("/")


def _listen_on_path(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bind_to_path(sock, path)
    except OSError as error:
        sock.close()
        raise OSError(f"cannot listen on {path}: {path_hint(error)}") from error
    sock.listen(_BACKLOG)
    sock.setblocking(False)
    return sock


def bind_to_path(sock: socket.socket, path: str, *, replace: bool = False) -> None:
    """Bind a socket to a path; the file of a program that has gone is replaced.

    ``replace``: so is that of one that uses it.

    Raises:
        OSError: It cannot be bound.
    """
    try:
        sock.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not (_is_stale(path, sock.type) or (replace and Path(path).is_socket())):
            raise
        Path(path).unlink()
        sock.bind(path)


def _is_stale(path: str, kind: int) -> bool:
    """Return whether a path is a socket of a program that has gone, or a link to nothing."""
    if not Path(path).exists():
        return True
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return Path(path).is_socket()
        except OSError:
            return False
    return False


def path_hint(error: OSError) -> str:
    """Return what is wrong with the path of a socket, and what to do about it."""
    if error.errno == errno.EADDRINUSE:
        return "another program uses it, or it is not a socket"
    return f"{error.strerror or error}; does its folder exist, and may this user write to it?"


def address_of(sock: socket.socket) -> tuple[str, int]:
    """Return host and port that a socket is bound to; of a socket of the file system its path, and 0."""
    address = sock.getsockname()
    return (address, 0) if isinstance(address, str) else (str(address[0]), int(address[1]))


def listen_hint(port: int, error: OSError) -> str:
    """Return what to do about a port that cannot be listened on."""
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have that address; 0.0.0.0 listens on all that it has"
    if error.errno != errno.EACCES or port >= _FIRST_FREE_PORT:
        return "is another program using the port?"
    python = os.path.realpath(sys.executable)
    return (
        f"ports below {_FIRST_FREE_PORT} need a privilege: AmbientCapabilities=CAP_NET_BIND_SERVICE and the same in "
        f"CapabilityBoundingSet= in the systemd unit, or setcap cap_net_bind_service=+ep {python}, "
        f"or sysctl net.ipv4.ip_unprivileged_port_start={port}"
    )


def widen(sock: socket.socket) -> None:
    """Let the kernel buffer as much of a connection as it can while nobody reads.

    Linux makes room for the low-water mark, up to the third figure of ``net.ipv4.tcp_rmem`` (6 MB by default), and
    keeps the room when the mark is lowered again; SO_RCVBUF would stop at ``net.core.rmem_max``, which is 0.2 MB. See
    tcp(7) and tcp_set_rcvlowat() in net/ipv4/tcp.c.
    """
    if sys.platform == "linux":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, _RECEIVE_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)


def listener_key(name: str) -> tuple[str, str] | None:
    """Return pipeline and input of the name of a listening descriptor, None if it is not one of ours."""
    parts = name.split(".")
    return (unquote(parts[1]), unquote(parts[2])) if len(parts) == 3 and parts[0] == "l" else None


def stored_connection(name: str, fd: int, entries: Mapping[str, Entry]) -> Connection | None:
    """Return the connection of a stored descriptor, None if it is not one of ours.

    ``entries``: those of the manifest. A connection that an earlier version has stored has no name yet.
    """
    entry = entries.get(name) or _entry_of_long_name(name)
    if entry is None:
        return None
    sock = socket.socket(fileno=fd)
    try:
        address = sock.getpeername()
        host, port = ("", 0) if isinstance(address, str) else address[:2]
    except OSError:  # reset meanwhile; what was sent before can still be read
        host, port = "", 0
    sock.setblocking(False)
    return Connection(**entry, sock=sock, host=host, port=port, new=False)


def _entry_of_long_name(name: str) -> Entry | None:
    parts = name.split(".")
    if len(parts) != 5 or parts[0] != "c" or not parts[2].isdigit():
        return None
    return {"id": parts[1], "worker": int(parts[2]), "pipeline": unquote(parts[3]), "input": unquote(parts[4])}


def listens_on(sock: socket.socket, listener: Listener) -> bool:
    """Return whether a listening socket is one that ``listen`` would return."""
    host, port = address_of(sock)
    if is_path(host) or is_path(listener.host):
        return host == listener.host and Path(host).is_socket()
    return listener.port in (0, port) and host in addresses_of(listener.host)


def addresses_of(host: str) -> set[str]:
    """Return the addresses that a host name stands for, none if it is not known."""
    try:
        found = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return set()
    return {str(address[0]) for *_, address in found}


def suspend(sock: socket.socket) -> tuple[object, ...]:
    """Stop listening, although other processes have duplicates of the socket; return its address, for ``resume``.

    Other sockets can be bound to the address then. Clients that wait to be accepted are disconnected: shutdown(2),
    and tcp_disconnect() in net/ipv4/tcp.c. A socket of the file system is left as it is: it could not listen again.
    """
    address: tuple[object, ...] = address_of(sock)
    if sock.family != socket.AF_UNIX:
        sock.shutdown(socket.SHUT_RDWR)
    return address


def resume(sock: socket.socket, address: tuple[object, ...]) -> None:
    """Listen again."""
    if sock.family == socket.AF_UNIX:
        return
    with suppress(OSError):  # only a port that the system chose is given back by shutdown(2)
        sock.bind(address)
    sock.listen(_BACKLOG)


def _quoted(text: str) -> str:
    return quote(text, safe="").replace(".", "%2E")
