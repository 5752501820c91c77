"""A client of the Lumberjack protocol that sends until everything is acknowledged, as Filebeat does."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from tests.lumberjack_writer import AckDecoder, encode_window
from tests.waiting import WAIT_SECONDS

_RETRY_SECONDS = 0.05


def filebeat_event(number: int, *, agent: str = "agent-1", path: str = "/var/log/app.log", **fields: Any) -> bytes:
    """Return what Filebeat sends of line ``number`` of a file, which is in ``n``, too."""
    event = {
        "@timestamp": "2026-11-22T10:00:00.000Z",
        "@metadata": {"beat": "filebeat", "type": "_doc", "version": "8.15.0"},
        "log": {"offset": 100 * number, "file": {"path": path, "device_id": "2049", "inode": "77"}},
        "message": f'"GET /search?q=%EC%84%9C&page={number} HTTP/1.1" 200 5316',
        "agent": {"id": agent, "type": "filebeat", "name": "web1", "version": "8.15.0"},
        "n": number,
    }
    return json.dumps(event | fields, separators=(",", ":")).encode()


class LumberjackConnection:
    """One connection; ``tls``: with this."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, seconds: float = WAIT_SECONDS) -> None:
        self.sock: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        try:
            if tls is not None:
                self.sock = tls.wrap_socket(self.sock, server_hostname="127.0.0.1")
        except BaseException:
            self.sock.close()
            raise
        self._acks = AckDecoder()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def acknowledgements(self) -> list[int]:
        """Return the next acknowledgements, at least one; none: the other side has closed the connection."""
        while data := self.sock.recv(4096):
            if numbers := self._acks.feed(data):
                return numbers
        return []

    def await_acknowledgement(self, last: int) -> list[int]:
        """Return all acknowledgements up to ``last``. Raises ConnectionError if the other side closes before."""
        numbers: list[int] = []
        while last not in numbers:
            new = self.acknowledgements()
            if not new:
                raise ConnectionError("closed before the acknowledgement")
            numbers += new
        return numbers


def send_all(
    port: int,
    documents: Sequence[bytes],
    *,
    window: int = 2048,
    level: int = 3,
    tls: ssl.SSLContext | None = None,
    on_window: Callable[[], object] = lambda: None,
) -> int:
    """Send documents until all are acknowledged; return how often a window was sent again.

    Args:
        port: On this machine.
        documents: In windows of ``window``.
        window: The size of a window.
        level: Of the compression; 0: none.
        tls: With this.
        on_window: Called after each window.
    """
    connection: LumberjackConnection | None = None
    again, deadline = 0, time.monotonic() + WAIT_SECONDS
    for at in range(0, len(documents), window):
        part = documents[at : at + window]
        data = encode_window(part, level)
        while True:
            try:
                connection = connection or LumberjackConnection(port, tls)
                connection.send(data)
                connection.await_acknowledgement(len(part))
                break
            except OSError:
                if connection is not None:
                    connection.sock.close()
                connection = None
                again += 1
                if time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
        deadline = time.monotonic() + WAIT_SECONDS
        on_window()
    if connection is not None:
        connection.sock.close()
    return again
