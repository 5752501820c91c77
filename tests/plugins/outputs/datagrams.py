"""A socket that receives what an output sends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"


class Receiver:
    """Keeps datagrams, in order of arrival."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.port: int = sock.getsockname()[1]
        self._datagrams: list[bytes] = []

    def datagrams(self) -> list[bytes]:
        """Return what has arrived so far."""
        while True:
            try:
                self._datagrams.append(self._sock.recv(1 << 16))
            except BlockingIOError:
                return self._datagrams


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """A receiver at a port, 0: a free one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind((HOST, port))
        sock.setblocking(False)
        yield Receiver(sock)
