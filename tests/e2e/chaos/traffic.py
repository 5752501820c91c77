"""A client that sends as fast as it is let, and waits for as long as it is held up."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from tests.threads import Background

LINE_BYTES = 300


def events_to_fill(disk_bytes: int, line_bytes: int = LINE_BYTES) -> int:
    """Return how many events hold up their sender when a disk is full: more than it and the kernel's buffers take."""
    limits = [Path(f"/proc/sys/net/ipv4/tcp_{side}mem").read_text().split()[2] for side in "rw"]
    return (2 * disk_bytes + sum(map(int, limits))) // line_bytes // 2 * 2


def lines(events: int, line_bytes: int = LINE_BYTES) -> Iterator[bytes]:
    """Return so many events in pieces of 1,000."""
    for first in range(0, events, 1000):
        rows = [
            json.dumps({"@timestamp": "2026-11-22T10:00:00.000Z", "n": number, "message": "x" * (line_bytes - 70)})
            for number in range(first, min(first + 1000, events))
        ]
        yield "".join(row + "\n" for row in rows).encode()


class Sender(Background):
    """Sends events as fast as they are taken, from the start of the ``with`` block. ``sent``: bytes that were taken."""

    def __init__(self, port: int, events: int, line_bytes: int = LINE_BYTES) -> None:
        super().__init__(self._send, self._break)
        self._lines, self.sent = lines(events, line_bytes), 0
        self._client = socket.create_connection(("127.0.0.1", port))

    def _send(self) -> None:
        with self._client:
            for piece in self._lines:
                self._client.sendall(piece)
                self.sent += len(piece)

    def _break(self) -> None:
        """End the connection if the test fails before everything is sent."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def stuck(self) -> bool:
        """Return whether nothing was taken for a second."""
        before = self.sent
        time.sleep(1)
        return self.running and self.sent == before
