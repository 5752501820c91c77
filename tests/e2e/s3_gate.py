"""A relay in front of an S3 server that can be shut, slow, or of the opinion that we may not enter."""

from __future__ import annotations

import socket
import threading

from tests.e2e.gate import Gate

_FORBIDDEN = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
_REFUSAL = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_FORBIDDEN), _FORBIDDEN)
)


class S3Gate(Gate):
    """Relays; ``bytes_per_second`` bounds each direction of each connection, 0: nothing does.

    ``sent`` counts the bytes that went to the server; from ``hold_at`` of them on (0: never) no more go there. While
    ``forbids``, new connections are answered with 403.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.bytes_per_second = 0
        self.forbids = False
        self.sent = self.hold_at = 0
        self._shutting = threading.Event()

    def open(self) -> None:
        """Let connections in."""
        self._shutting.clear()
        super().open()

    def shut(self) -> None:
        """Refuse new connections and break those that are open, also those that are slow."""
        self._shutting.set()
        super().shut()

    def forbid(self) -> None:
        """Break the connections that are open, and answer new ones with 403."""
        self.shut()
        self.forbids = True
        self.open()

    def allow(self) -> None:
        """Be as at the beginning: open and fast."""
        self.shut()
        self.forbids, self.bytes_per_second, self.hold_at = False, 0, 0
        self.open()

    def reset(self) -> None:
        """Be as at the beginning, if it is not; connections that nothing holds up stay."""
        if not self.is_open or self.forbids or self.bytes_per_second or self.hold_at:
            self.allow()

    def _serve(self, client: socket.socket) -> None:
        if self.forbids:
            self._start(lambda: _refuse(client))
        else:
            super()._serve(client)

    def _pass(self, data: bytes, *, upwards: bool) -> None:
        if self.bytes_per_second:
            self._shutting.wait(len(data) / self.bytes_per_second)
        if upwards:
            self.sent += len(data)
            if 0 < self.hold_at < self.sent:
                self._shutting.wait()


def _refuse(client: socket.socket) -> None:
    client.recv(1 << 16)
    client.sendall(_REFUSAL)
    client.shutdown(socket.SHUT_WR)
    while client.recv(1 << 16):
        pass
