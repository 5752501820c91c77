"""A threaded HTTP server for tests: nothing of it outlives its ``with`` block, and no failure in it stays unseen."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.threads import Background


class HttpServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1; serves from the start of the ``with`` block.

    At its end all connections are broken and all threads joined. What a handler raised, but for broken connections, is
    raised there.
    """

    daemon_threads = False  # so that server_close joins them
    allow_reuse_address = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []
        self._serving = Background(lambda: self.serve_forever(0.02), self.shutdown)

    def __enter__(self) -> Self:
        self._serving.__enter__()
        return self

    def __exit__(self, kind: object, *raised: object) -> None:
        self._serving.__exit__(kind, *raised)
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self.server_close()
        if self._errors and kind is None:
            raise self._errors[0]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Keep the connection in mind, and serve it on a thread of its own."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what was raised; connections break on purpose."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self._errors.append(error)
