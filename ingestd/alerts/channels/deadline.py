"""A time limit for a whole exchange: timeouts of sockets start again with each byte that comes."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType


class Deadline:
    """Shuts a socket down when the time is over; whoever waits for it sees its end.

    Attributes:
        passed: Whether the time is over.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True

    def watch(self, connection: socket.socket | None) -> None:
        """Shut down this socket instead of the one before: the one that TLS has made of it."""
        self._socket = connection
        if self.passed:
            self._shut_down()

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def _pass(self) -> None:
        self.passed = True
        self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is closed
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not that of TLS, which is not for two threads
