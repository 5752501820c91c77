"""How far a TCP connection has been read, according to the kernel, and whether that is amid a line.

Only this survives a process that was killed between storing bytes and consuming them: bytes
received (``tcpi_bytes_received`` of ``struct tcp_info``, tcp(7)) less bytes not yet read (``FIONREAD``).

What the next reader must know of a line whose start has left the kernel is kept there too, as the priority of the
socket (``SO_PRIORITY``, socket(7)): 1 to 6 are free to everyone, and we send nothing that it could hurry or delay.
"""

from __future__ import annotations

import array
import contextlib
import enum
import errno
import fcntl
import socket
import struct
import termios

_BYTES_RECEIVED = struct.Struct("Q")
_OFFSET = 128  # of tcpi_bytes_received in struct tcp_info, linux/tcp.h, since Linux 4.1
_CLOSE = 7  # net/tcp_states.h: reset, or timed out
_FIN_RECEIVED = {6, 8, 9, 11}  # TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING


class Amid(enum.IntEnum):
    """What the next reader of a connection must know of a line whose start is no longer in the kernel."""

    NOTHING = 0
    COLLECTED = 1
    """A process has collected the start, and loses it if it is killed."""
    REJECTING = 2
    """The start is in the kernel; it becomes a dead letter as soon as the journal has its trace."""
    REJECTED = 3
    """The start is a dead letter, the rest is to be dropped."""


_PRIORITY = getattr(socket, "SO_PRIORITY", None)  # not on all systems
_STATES = len(Amid) - 1


def mark(sock: socket.socket, amid: Amid, delimiter: bytes) -> None:
    """Note for the next reader what it must know of a line; ``delimiter`` ends it: a line feed or NUL."""
    if _PRIORITY is not None:
        with contextlib.suppress(OSError):  # a system that does not have it: then the rest is a line of its own
            value = amid + _STATES * (delimiter == b"\0") if amid else 0
            sock.setsockopt(socket.SOL_SOCKET, _PRIORITY, value)


def marked(sock: socket.socket) -> tuple[Amid, bytes]:
    """Return what an earlier reader has noted with ``mark``."""
    value = 0
    if _PRIORITY is not None:
        with contextlib.suppress(OSError):
            value = sock.getsockopt(socket.SOL_SOCKET, _PRIORITY)
    if not 0 < value <= 2 * _STATES:
        return Amid.NOTHING, b"\n"
    nul, state = divmod(value - 1, _STATES)
    return Amid(state + 1), b"\0" if nul else b"\n"


def unread(sock: socket.socket) -> int:
    """Return how many bytes wait to be read."""
    size = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, size)
    return size[0]


def peer_has_closed(sock: socket.socket) -> bool:
    """Return whether no more will come: the peer has closed the connection, or it was reset."""
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
