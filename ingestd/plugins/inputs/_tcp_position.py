"""How far a TCP connection has been read, as the kernel knows it.

The one witness that outlives a process that was killed between keeping bytes and consuming them: bytes
received (``tcpi_bytes_received`` of ``struct tcp_info``, tcp(7)) less bytes not yet read (``FIONREAD``).
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
import termios

_BYTES_RECEIVED = struct.Struct("Q")
_OFFSET = 128  # of tcpi_bytes_received in struct tcp_info, linux/tcp.h, since Linux 4.1
_PEER_HAS_CLOSED = {6, 7, 8, 9, 11}  # TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, CLOSING: the FIN counts as a byte


def unread(sock: socket.socket) -> int:
    """Return how many bytes wait to be read."""
    size = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, size)
    return size[0]


def peer_has_closed(sock: socket.socket) -> bool:
    """Return whether the other side has said that it will send no more."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _PEER_HAS_CLOSED


def position(sock: socket.socket) -> int | None:
    """Return how many bytes of the stream have been consumed, None where the system cannot tell."""
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
        return max(received - before - (info[0] in _PEER_HAS_CLOSED), 0)
