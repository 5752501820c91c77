"""A server of the Lumberjack protocol on a thread, that can be away, silent, or cut its connections."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

from tests.e2e.daemon import free_port

WAIT_SECONDS = 300.0


def wait_until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        time.sleep(0.01)


class Server:
    """Keeps the events that it acknowledges.

    Attributes:
        lose_acknowledgements: How many windows are kept, but their connection is cut instead of acknowledged.
        silent: Whether nothing is acknowledged, and connections stay open.
        held: What came meanwhile.
        tls: For connections with TLS; None: without.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.events: list[dict[str, Any]] = []
        self.windows = 0
        self.lose_acknowledgements = 0
        self.silent = False
        self.held: list[tuple[socket.socket, list[dict[str, Any]]]] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.port = free_port()  # which nobody else gets while the server is away
        self.start()

    def start(self) -> None:
        self._listener = listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Be away: connections end, new ones are refused."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            _close(connection)

    def speak(self) -> None:
        """Acknowledge what came while it was silent."""
        with self._lock:
            self.silent = False
            for connection, events in self.held:
                self.events += events
                _acknowledge(connection, events)
            self.held.clear()

    def messages(self) -> list[str]:
        """Return the texts, each once."""
        return [event["message"] for event in {event["@metadata"]["_id"]: event for event in self.events}.values()]

    def wait_for(self, count: int) -> list[str]:
        wait_until(lambda: len(self.messages()) >= count, f"{count} events")
        return self.messages()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls is not None:
                with self._lock:
                    self._connections.remove(connection)
                connection = self.tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._connections.add(connection)
            while True:
                events = _window(connection)
                with self._lock:
                    if connection not in self._connections:
                        return
                    if self.silent:
                        self.held.append((connection, events))
                        continue
                    self.events += events
                    self.windows += 1
                    if self.lose_acknowledgements:
                        self.lose_acknowledgements -= 1
                        return
                _acknowledge(connection, events)
        except (OSError, EOFError):
            pass
        finally:
            _close(connection)


def _acknowledge(connection: socket.socket, events: list[dict[str, Any]]) -> None:
    connection.sendall(b"2A" + struct.pack(">I", 0) + b"2A" + struct.pack(">I", len(events)))


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _window(connection: socket.socket) -> list[dict[str, Any]]:
    assert _exactly(connection, 2) == b"2W"
    size = _number(connection)
    kind = _exactly(connection, 2)
    if kind == b"2C":
        data = zlib.decompress(_exactly(connection, _number(connection)))
    else:
        assert kind == b"2J"
        data = kind
        for count in range(size):
            data += (head := _exactly(connection, 8 if not count else 10))
            data += _exactly(connection, struct.unpack(">I", head[-4:])[0])
    events = []
    for number in range(1, size + 1):
        kind, sequence, length = data[:2], *struct.unpack(">II", data[2:10])
        assert (kind, sequence) == (b"2J", number)
        events.append(json.loads(data[10 : 10 + length]))
        data = data[10 + length :]
    assert not data
    return events


def _number(connection: socket.socket) -> int:
    number: int = struct.unpack(">I", _exactly(connection, 4))[0]
    return number


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        if not (more := connection.recv(size - len(data))):
            raise EOFError
        data += more
    return data
