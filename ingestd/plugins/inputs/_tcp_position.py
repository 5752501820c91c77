"""How far a TCP connection has been read, according to the kernel.

Only this survives a process that was killed between storing bytes and consuming them: bytes
received (``tcpi_bytes_received`` of ``struct tcp_info``, tcp(7)) less bytes not yet read (``FIONREAD``). For sockets of
the file system, see ``_unix_position``.
"""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
import termios

from ingestd.plugins.inputs import _unix_position as unix_position

_BYTES_RECEIVED = struct.Struct("Q")
_OFFSET = 128  # of tcpi_bytes_received in struct tcp_info, linux/tcp.h, since Linux 4.1
_CLOSE = 7  # net/tcp_states.h: reset, or timed out
_FIN_RECEIVED = {6, 8, 9, 11}  # TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING


def unread(sock: socket.socket) -> int:
    """Return how many bytes wait to be read."""
    size = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, size)
    return size[0]


def peer_has_closed(sock: socket.socket) -> bool:
    """Return whether no more will come: the peer has closed the connection, or it was reset."""
    if sock.family == socket.AF_UNIX:
        return unix_position.peer_has_closed(sock)
    state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state == _CLOSE or state in _FIN_RECEIVED


def ends_after(sock: socket.socket, size: int) -> bool:
    """Return whether the stream ends after the ``size`` bytes that wait to be read."""
    return peer_has_closed(sock) and unread(sock) == size


def _fin_received(sock: socket.socket, state: int) -> bool:
    """Return whether a FIN came, which counts as a byte received; a reset does not.

    A reset after a FIN is the error EPIPE, any other ECONNRESET. Reading the error clears it: then reads of a socket
    that was reset see the end of the stream.
    """
    if state == _CLOSE:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EPIPE
    return state in _FIN_RECEIVED


def position(sock: socket.socket) -> int | None:
    """Return how many bytes of the stream have been consumed; None: the system does not know."""
    if sock.family == socket.AF_UNIX:
        return unix_position.position(sock)
    if not hasattr(socket, "TCP_INFO"):
        return None
    while True:
        before = unread(sock)
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        if unread(sock) != before:  # more arrived in between
            continue
        if len(info) < _OFFSET + _BYTES_RECEIVED.size:
            return None
        received: int = _BYTES_RECEIVED.unpack_from(info, _OFFSET)[0]
        return max(received - before - _fin_received(sock, info[0]), 0)
