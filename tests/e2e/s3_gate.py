"""A relay in front of an S3 server that can be shut, slow, or of the opinion that we may not enter."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from tests.e2e.gate import Gate

_FORBIDDEN = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
_REFUSAL = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_FORBIDDEN), _FORBIDDEN)
)


class S3Gate(Gate):
    """Relays; ``bytes_per_second`` bounds each direction of each connection, 0: nothing does.

    ``sent`` counts the bytes that went to the server. While ``forbids``, new connections are answered with 403.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.bytes_per_second = 0
        self.forbids = False
        self.sent = 0

    def forbid(self) -> None:
        """Break the connections that are open, and answer new ones with 403."""
        self.shut()
        self.forbids = True
        self.open()

    def allow(self) -> None:
        """Be as at the beginning: open and fast."""
        self.shut()
        self.forbids, self.bytes_per_second = False, 0
        self.open()

    def _accept(self, listener: socket.socket) -> None:
        if not self.forbids:
            super()._accept(listener)
            return
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._refuse, args=(client,), daemon=True).start()

    def _refuse(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.recv(1 << 16)
            client.sendall(_REFUSAL)
            client.shutdown(socket.SHUT_WR)
            while client.recv(1 << 16):
                pass

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        upwards = sink.getpeername() == self._target
        super()._relay(_Paced(self, source, upwards=upwards), sink)  # type: ignore[arg-type]


class _Paced:
    """A socket that is read no faster than the gate allows."""

    def __init__(self, gate: S3Gate, sock: socket.socket, *, upwards: bool) -> None:
        self._gate, self._sock, self._upwards = gate, sock, upwards

    def recv(self, size: int) -> bytes:
        data = self._sock.recv(size)
        if self._gate.bytes_per_second:
            time.sleep(len(data) / self._gate.bytes_per_second)
        if self._upwards:
            self._gate.sent += len(data)
        return data

    def shutdown(self, how: int) -> None:
        self._sock.shutdown(how)

    def close(self) -> None:
        self._sock.close()
