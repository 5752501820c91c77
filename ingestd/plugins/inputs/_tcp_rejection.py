"""Closing connections of clients whose protocol the input ``tcp`` cannot read, with an answer that they understand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from ingestd.tasks import BackgroundTasks

_SECONDS = 2.0


class RejectedConnections:
    """Connections that get an answer, and are then closed.

    Args:
        tasks: Of the input.
    """

    def __init__(self, tasks: BackgroundTasks) -> None:
        self._tasks = tasks
        self._open: dict[socket.socket, tuple[asyncio.Task[None], Callable[[], None]]] = {}

    def add(self, sock: socket.socket, answer: bytes, closed: Callable[[], None]) -> None:
        """Answer and close a connection; ``closed`` is called then."""
        self._open[sock] = self._tasks.start("rejected connection", self._reject(sock, answer)), closed

    async def _reject(self, sock: socket.socket, answer: bytes) -> None:
        await say_goodbye(sock, answer)
        self._close(sock)

    def _close(self, sock: socket.socket) -> None:
        _, closed = self._open.pop(sock)
        sock.close()
        closed()

    def close_all(self) -> None:
        """Close those that still wait for their clients."""
        for sock in list(self._open):
            self._tasks.cancel(self._open[sock][0])
            self._close(sock)


async def say_goodbye(sock: socket.socket, answer: bytes) -> None:
    """Send ``answer``, then drop what the client still sends until it closes, for at most two seconds.

    A socket that is closed with unread bytes is reset, and the client may never see the answer.
    """
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            await loop.sock_sendall(sock, answer)
            sock.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(sock, 1 << 16):
                pass
