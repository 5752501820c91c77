"""A server that answers ``_bulk`` as Elasticsearch would, and keeps the bodies in a file for checking.

As cheap as an HTTP server in Python can be, in a process of its own: the benchmark measures the sender. A body is read
into one buffer in few system calls, its lines are counted, and it is written to the file as it is.
"""

from __future__ import annotations

import contextlib
import gzip
import multiprocessing
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from ingestd.protocols.framing.lines import count_line_ends

_HEADER = struct.Struct("<QQ")
"""Before each body in the file: when it came, in nanoseconds of the monotonic clock, and its length."""

_STAMPED = b'"sent_ns":'
_HEAD_BYTES = 16 << 10
_WAKE_BYTES = 256 << 10
"""How much of a body must have come before the kernel wakes this process, unless it is the rest."""

_ITEM = b'{"create":{"status":201}},'
_OK, _MISSING = b"200 OK", b"404 Not Found"


class _State:
    """What all connections have taken.

    Args:
        path: The file for the bodies, or None.
        stamps: Whether to count documents with ``sent_ns``, which takes longer than all else.
    """

    def __init__(self, path: Path | None, *, stamps: bool) -> None:
        self.total = self.stamped = 0
        self._stamps = stamps
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def take(self, body: bytes) -> bytes:
        """Keep a bulk body, and return the answer to it."""
        count = count_line_ends(body) // 2
        self.total += count
        if self._stamps:
            self.stamped += body.count(_STAMPED)
        if self._file is not None:
            header = _HEADER.pack(time.monotonic_ns(), len(body))
            assert os.writev(self._file, (header, body)) == len(header) + len(body), "the disk is full"
        return b'{"errors":false,"items":[%b]}' % (_ITEM * count)[:-1]


class _HttpConnection:
    """One connection: requests with Content-Length, one after the other."""

    def __init__(self, sock: socket.socket, state: _State) -> None:
        self.sock, self._state = sock, state
        self._buffer = bytearray(_HEAD_BYTES)
        self._headers: dict[bytes, bytes] = {}
        self._size = self._end = self._length = 0  # bytes in the buffer; of the head, 0: not all is there; of the body

    def read(self) -> bool:
        """Read what has come, and answer if it is a whole request; return whether the client is still there."""
        size = self.sock.recv_into(memoryview(self._buffer)[self._size :])
        self._size += size
        if not self._end and (end := self._buffer.find(b"\r\n\r\n", 0, self._size)) >= 0:
            self._end = end + 4
            self._headers = dict(line.split(b": ", 1) for line in bytes(self._buffer[:end]).lower().split(b"\r\n")[1:])
            self._length = int(self._headers.get(b"content-length", 0))
            if len(self._buffer) < self._end + self._length:
                self._buffer.extend(bytes(self._end + self._length - len(self._buffer)))
        if self._end and self._size == self._end + self._length:
            self._answer()
        left = max(self._end + self._length - self._size, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(left, _WAKE_BYTES))
        return size > 0

    def _answer(self) -> None:
        method, path, _ = bytes(self._buffer[: self._buffer.find(b"\r\n")]).split(b" ", 2)
        with memoryview(self._buffer) as view:
            body = bytes(view[self._end : self._size])
        self._size = self._end = self._length = 0
        if b"/_bulk" in path:
            body = gzip.decompress(body) if self._headers.get(b"content-encoding") == b"gzip" else body
            self._send(self._state.take(body))
        elif path == b"/":
            self._send(b'{"version":{"number":"9.5.3"}}')
        elif method == b"GET" and b"_index_template" in path:
            self._send(b'{"error":"missing","status":404}', _MISSING)
        elif method == b"GET":  # no repositories, no indices: backup and retention have nothing to do
            self._send(b"[]" if b"/_cat/" in path else b"{}")
        else:
            self._send(b'{"acknowledged":true}')

    def _send(self, answer: bytes, status: bytes = _OK) -> None:
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nX-Elastic-Product: Elasticsearch\r\n" % status
        self.sock.sendall(head + b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer))


class _Sink:
    """The server and the orders that its owner sends: ``count``, ``leave`` and ``return``, until the pipe closes."""

    def __init__(self, pipe: Connection, state: _State) -> None:
        self._pipe, self._state = pipe, state
        self._selector = selectors.DefaultSelector()
        self._connections: set[_HttpConnection] = set()
        self._port = 0

    def run(self) -> None:
        """Serve until the pipe closes."""
        self._listen()
        self._pipe.send(self._port)
        self._watch(self._pipe.fileno(), self._obey)
        with contextlib.suppress(EOFError):
            while True:
                for key, _ in self._selector.select():
                    key.data()

    def _watch(self, fd: int, callback: Callable[[], None]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def _obey(self) -> None:
        order = self._pipe.recv()
        if order == "leave":
            self._leave()
        elif order == "return":
            self._listen()
        self._pipe.send((self._state.total, self._state.stamped))

    def _listen(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self._port))
        self._port = self._server.getsockname()[1]
        self._watch(self._server.fileno(), self._accept)

    def _accept(self) -> None:
        connection = _HttpConnection(self._server.accept()[0], self._state)
        self._connections.add(connection)
        self._watch(connection.sock.fileno(), lambda: self._read(connection))

    def _read(self, connection: _HttpConnection) -> None:
        if connection not in self._connections:  # closed in this round
            return
        try:
            alive = connection.read()
        except ConnectionError:
            alive = False
        if not alive:
            self._close(connection)

    def _close(self, connection: _HttpConnection) -> None:
        self._connections.remove(connection)
        self._selector.unregister(connection.sock)
        connection.sock.close()

    def _leave(self) -> None:
        """Refuse connections, and reset those that are open."""
        self._selector.unregister(self._server)
        self._server.close()
        for connection in list(self._connections):
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._close(connection)


def _run(pipe: Connection, path: Path | None, stamps: bool) -> None:
    _Sink(pipe, _State(path, stamps=stamps)).run()


class SinkProcess:
    """The sink in a process of its own.

    Args:
        path: The file for the bodies; None: they are only counted.
        stamps: Whether to count documents with ``sent_ns``.
    """

    def __init__(self, path: Path | None, *, stamps: bool = False) -> None:
        self._pipe, self._theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_run, args=(self._theirs, path, stamps), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        self.url = f"http://127.0.0.1:{self._pipe.recv()}"
        return self

    def count(self) -> int:
        """Return how many documents came."""
        return self._order("count")[0]

    def stamped(self) -> int:
        """Return how many documents with ``sent_ns`` came."""
        return self._order("count")[1]

    def leave(self) -> None:
        """Be away: connections are refused."""
        self._order("leave")

    def come_back(self) -> None:
        """Listen again, at the same port."""
        self._order("return")

    def _order(self, order: str) -> tuple[int, int]:
        self._pipe.send(order)
        counts: tuple[int, int] = self._pipe.recv()
        return counts

    def __exit__(self, *raised: object) -> None:
        self._pipe.close()
        self._process.join(5)
        self._process.kill()


def bodies(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield pairs of the time when a body came, in nanoseconds of the monotonic clock, and the body."""
    with path.open("rb") as file:
        while header := file.read(_HEADER.size):
            came_ns, length = _HEADER.unpack(header)
            yield came_ns, file.read(length)
