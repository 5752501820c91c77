"""One stock python-logstash client: ``python -m tests.e2e.chaos.client PORT NUMBER EVENTS PER_SECOND``.

Logs EVENTS access lines, each with a number of its own in ``n``, and prints what it noticed as JSON.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import time
from typing import Any

import logstash

STRIDE = 10_000_000
"""The event ``i`` of client ``k`` has ``n`` = k * STRIDE + i."""

LINE = '"GET /search?q=%%EC%%84%%9C%%EC%%9A%%B8&page=%d HTTP/1.1" 200 5316'
_BURST = 10


class _Handler(logstash.TCPLogstashHandler):  # type: ignore[misc]
    """The stock handler, which hides that it loses events: this one counts."""

    failures = 0
    connections = 0

    def makeSocket(self, timeout: float = 1) -> socket.socket:
        self.connections += 1
        made: socket.socket = super().makeSocket(timeout)
        return made

    def send(self, data: bytes) -> None:
        super().send(data)
        if self.sock is None:  # the stock handler closes on any error, and drops the event
            self.failures += 1

    def handleError(self, record: logging.LogRecord) -> None:
        self.failures += 1


def run(port: int, number: int, events: int, per_second: float) -> dict[str, Any]:
    """Log all events and return what a site would have noticed."""
    handler = _Handler("127.0.0.1", port, version=1)
    logger = logging.getLogger("site")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    begin, longest = time.monotonic(), 0.0
    for i in range(events):
        before = time.monotonic()
        logger.info(LINE, i, extra={"n": number * STRIDE + i, "status_code": 200})
        after = time.monotonic()
        longest = max(longest, after - before)
        if i % _BURST == 0:
            time.sleep(max(begin + i / per_second - after, 0))
    seconds = time.monotonic() - begin
    handler.close()
    failures, connections = handler.failures, handler.connections
    return {"longest": longest, "failures": failures, "connections": connections, "seconds": seconds}


if __name__ == "__main__":
    port, number, events, per_second = sys.argv[1:]
    print(json.dumps(run(int(port), int(number), int(events), float(per_second))))  # noqa: T201 -- its answer
