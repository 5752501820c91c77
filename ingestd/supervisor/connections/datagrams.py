"""The sockets for datagrams that inputs need: opening them, and telling whether one that is open can stay."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ingestd.logs import get_logger
from ingestd.plugins.interfaces import DatagramSocket
from ingestd.supervisor.connections.sockets import Connection, addresses_of, bind_to_path, listen_hint, path_hint

log = get_logger(__name__)

_RECEIVE_BYTES = 32 << 20
"""What the kernel is asked to keep of what was not read, as senders do not wait; it takes memory only if it is used."""

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h: more than net.core.rmem_max, with CAP_NET_ADMIN

_JOURNALD = "systemd-journald receives on /dev/log of most systems; let it forward to another path (ForwardToSyslog=)"


@dataclass(frozen=True, slots=True)
class DatagramListener:
    """A socket that an input of a pipeline needs."""

    pipeline: str
    input: str
    socket: DatagramSocket


@dataclass(slots=True)
class DatagramChanges:
    """What becomes of the open sockets when a config is loaded.

    Attributes:
        opened: Sockets that were not there before.
        leaving: Those that are not needed any more.
    """

    opened: list[tuple[DatagramListener, socket.socket]]
    leaving: list[Connection]

    @staticmethod
    def connection(
        connection_id: str, listener: DatagramListener, sock: socket.socket, worker: int, name: str
    ) -> Connection:
        """Return what the supervisor keeps of an opened socket, and log that it is open."""
        _log_opened(listener, sock)
        return Connection(connection_id, sock, listener.pipeline, listener.input, worker, "", 0, name, datagrams=True)

    def close(self) -> None:
        """Close what was opened: everything is as before."""
        for _, sock in self.opened:
            sock.close()


def open_missing(wanted: Sequence[DatagramListener], connections: Sequence[Connection]) -> DatagramChanges:
    """Open the sockets that are not among ``connections``.

    Raises:
        OSError: One cannot be opened; then nothing has changed.
    """
    left = [connection for connection in connections if connection.datagrams]
    missing: list[DatagramListener] = []
    for listener in wanted:
        found = next((connection for connection in left if _fits(connection, listener)), None)
        if found is None:
            missing.append(listener)
        else:
            left.remove(found)
    changes = DatagramChanges([], left)
    try:
        with _reusable([connection.sock for connection in left]):
            for listener in missing:
                changes.opened.append((listener, open_socket(listener.socket)))
    except OSError:
        changes.close()
        raise
    return changes


def _fits(connection: Connection, listener: DatagramListener) -> bool:
    same_input = (connection.pipeline, connection.input) == (listener.pipeline, listener.input)
    return same_input and receives_on(connection.sock, listener.socket)


def receives_on(sock: socket.socket, wanted: DatagramSocket) -> bool:
    """Return whether an open socket is one that ``open_socket`` would return."""
    address = sock.getsockname()
    if wanted.path or sock.family == socket.AF_UNIX:
        return bool(wanted.path) and address == wanted.path and Path(wanted.path).is_socket()
    return wanted.port in (0, address[1]) and address[0] in addresses_of(wanted.host)


@contextmanager
def _reusable(leaving: Sequence[socket.socket]) -> Iterator[None]:
    """Let sockets be opened meanwhile whose addresses overlap with those of sockets that are about to be closed."""
    of_network = [sock for sock in leaving if sock.family != socket.AF_UNIX]
    for sock in of_network:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        yield
    finally:
        for sock in of_network:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def open_socket(wanted: DatagramSocket) -> socket.socket:
    """Return a socket that receives datagrams.

    Raises:
        OSError: The address cannot be used; the text says what to do.
    """
    sock = _bound_to_path(wanted) if wanted.path else _bound_to_port(wanted)
    _enlarge_buffer(sock, wanted.receive_buffer_bytes or _RECEIVE_BYTES)
    sock.setblocking(False)
    return sock


def _bound_to_port(wanted: DatagramSocket) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in wanted.host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # works only if the other socket agrees
        sock.bind((wanted.host, wanted.port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError as error:
        sock.close()
        where = f"{wanted.host}:{wanted.port} (UDP)"
        raise OSError(f"cannot receive on {where}: {error.strerror}; {listen_hint(wanted.port, error)}") from error
    return sock


def _bound_to_path(wanted: DatagramSocket) -> socket.socket:
    """Return a socket bound to its path, with its permissions from the start."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    mask = os.umask(~wanted.mode & 0o777)
    try:
        bind_to_path(sock, wanted.path, replace=wanted.replace)
    except OSError as error:
        sock.close()
        hint = f"; {_JOURNALD}" if error.errno == errno.EADDRINUSE else ""
        raise OSError(f"cannot receive on {wanted.path}: {path_hint(error)}{hint}") from error
    finally:
        os.umask(mask)
    return sock


def _enlarge_buffer(sock: socket.socket, size: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
            return
    with suppress(OSError):  # other systems refuse what is more than they allow
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def _log_opened(listener: DatagramListener, sock: socket.socket) -> None:
    """Log that datagrams are received, and how much of them the kernel can keep."""
    size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    labels = {"pipeline": listener.pipeline, "input": listener.input}
    if listener.socket.path:
        log.info("receiving datagrams", **labels, path=listener.socket.path)
        return
    host, port = sock.getsockname()[:2]
    log.info("receiving datagrams", **labels, host=host, port=port, buffer_bytes=size)
    if size < listener.socket.receive_buffer_bytes:
        text = "the kernel keeps fewer bytes of datagrams than receive_buffer_bytes"
        log.warning(text, **labels, buffer_bytes=size, help="raise net.core.rmem_max (sysctl)")
