"""A client that sends as fast as it is let, and waits for as long as it is held up."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

LINE_BYTES = 300


def lines(events: int) -> Iterator[bytes]:
    """Return so many events in pieces of 1,000."""
    for first in range(0, events, 1000):
        rows = [
            json.dumps({"@timestamp": "2026-11-22T10:00:00.000Z", "n": number, "message": "x" * (LINE_BYTES - 70)})
            for number in range(first, min(first + 1000, events))
        ]
        yield "".join(row + "\n" for row in rows).encode()


class Sender(threading.Thread):
    """Sends events as fast as they are taken. ``sent``: bytes that the socket took."""

    def __init__(self, port: int, events: int) -> None:
        super().__init__(daemon=True)
        self._port, self._events, self.sent = port, events, 0
        self.start()

    def run(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as client:
            for piece in lines(self._events):
                client.sendall(piece)
                self.sent += len(piece)

    def stuck(self) -> bool:
        """Return whether nothing was taken for a second."""
        before = self.sent
        time.sleep(1)
        return self.is_alive() and self.sent == before
