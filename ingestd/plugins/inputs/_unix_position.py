"""How far a connection over a socket of the file system has been read, kept in the kernel.

The kernel does not count what such a socket has received, so a process that is killed while it consumes bytes could not
leave behind how many. But the kernel lowers the offset for peeking (``SO_PEEK_OFF``, socket(7)) with each byte that is
consumed: it is set to the number of bytes to consume, and shows how many of these are left. The position after them
waits in the time-out for reads, which sockets that do not block never use: its seconds are the position, and half a
second says that the offset counts.
"""

from __future__ import annotations

import select
import socket
import struct
import sys

_PEEK_OFF = 42  # SO_PEEK_OFF of asm-generic/socket.h; the module socket does not have it
_NO_OFFSET = -1
_TIMEVAL = struct.Struct("@ll")
_COUNTS = 500_000  # microseconds
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP


def position(sock: socket.socket) -> int | None:
    """Return how many bytes of the stream have been consumed; None: the system does not know."""
    if sys.platform != "linux":
        return None
    after, counts = _TIMEVAL.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.size))
    left: int = sock.getsockopt(socket.SOL_SOCKET, _PEEK_OFF) if counts else 0
    return int(after) - left


def peer_has_closed(sock: socket.socket) -> bool:
    """Return whether no more will come."""
    poll = select.poll()
    poll.register(sock, _HUNG_UP)
    return any(events & _HUNG_UP for _, events in poll.poll(0))


class Consumption:
    """Lets the kernel note what is consumed of one socket, for the next reader. Peeks start at the next byte.

    Args:
        sock: Another process may have been killed while it read it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._position = position(sock)
        self._note()

    def start(self, size: int) -> None:
        """Note what is consumed of the next ``size`` bytes, until `end`."""
        if self._position is not None:
            self._sock.setsockopt(socket.SOL_SOCKET, _PEEK_OFF, size)
            self._set(self._position + size, counts=True)

    def end(self) -> None:
        """Note that bytes are only peeked at from now on."""
        self._position = position(self._sock)
        self._note()

    def _note(self) -> None:
        if self._position is not None:
            self._set(self._position, counts=False)
            self._sock.setsockopt(socket.SOL_SOCKET, _PEEK_OFF, _NO_OFFSET)

    def _set(self, after: int, *, counts: bool) -> None:
        value = _TIMEVAL.pack(after, _COUNTS if counts else 0)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
