"""A server that answers ``_bulk`` as Elasticsearch would, and keeps the bodies in a file for checking.

As cheap as an HTTP server in Python can be, in a process of its own: the benchmark measures the sender.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import multiprocessing
import struct
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO, Self, cast

import uvloop

_HEADER = struct.Struct("<QQ")
"""Before each body in the file: when it came, in nanoseconds of the monotonic clock, and its length."""

_STAMPED = b'"sent_ns":'


class _State:
    """What all connections have taken. ``kept``: where the bodies go, or None."""

    def __init__(self, kept: BinaryIO | None) -> None:
        self.total = self.stamped = 0
        self.transports: set[asyncio.Transport] = set()
        self._kept = kept

    def take(self, body: bytes) -> bytes:
        """Keep a bulk body, and return the answer to it."""
        count = body.count(b"\n") // 2
        self.total += count
        self.stamped += body.count(_STAMPED)
        if self._kept is not None:
            self._kept.write(_HEADER.pack(time.monotonic_ns(), len(body)) + body)
        item = b'{"create":{"status":201}}'
        return b'{"errors":false,"items":[' + b",".join([item] * count) + b"]}"

    def flush(self) -> None:
        if self._kept is not None:
            self._kept.flush()


class _Protocol(asyncio.Protocol):
    """One connection: requests with Content-Length, one after the other."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._state.transports.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end])
            headers = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
            length = int(headers.get(b"content-length", 0))
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            if headers.get(b"content-encoding") == b"gzip":
                body = gzip.decompress(body)
            self._answer(head.split(b" ")[1], head.split(b" ")[0], body)

    def _answer(self, path: bytes, method: bytes, body: bytes) -> None:
        if b"/_bulk" in path:
            answer = self._state.take(body)
        elif path == b"/":
            answer = b'{"version":{"number":"9.5.3"}}'
        elif method == b"GET" and b"_index_template" in path:
            self._send(b'{"error":"missing","status":404}', b"404 Not Found")
            return
        elif method == b"GET":  # no repositories, no indices: backup and retention have nothing to do
            answer = b"[]" if b"/_cat/" in path else b"{}"
        else:
            answer = b'{"acknowledged":true}'
        self._send(answer, b"200 OK")

    def _send(self, answer: bytes, status: bytes) -> None:
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nX-Elastic-Product: Elasticsearch\r\n" % status
        self._transport.write(head + b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer))


class _Sink:
    """The server and the orders that its owner sends: ``count``, ``leave`` and ``return``, until the pipe closes."""

    def __init__(self, pipe: Connection, state: _State) -> None:
        self._pipe, self._state = pipe, state
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        self._port = 0

    async def run(self) -> None:
        await self._listen()
        self._pipe.send(self._port)
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._read_order)
        while (order := await self._orders.get()) != "end":
            if order == "leave":
                self._leave()
            elif order == "return":
                await self._listen()
            self._state.flush()
            self._pipe.send((self._state.total, self._state.stamped))

    def _read_order(self) -> None:
        try:
            self._orders.put_nowait(self._pipe.recv())
        except EOFError:
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            self._orders.put_nowait("end")

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Protocol(self._state), "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def _leave(self) -> None:
        """Refuse connections, and reset those that are open."""
        self._server.close()
        for transport in list(self._state.transports):
            transport.abort()


def _run(pipe: Connection, path: Path | None) -> None:
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(path.open("wb")) if path else None
        uvloop.run(_Sink(pipe, _State(kept)).run())


class SinkProcess:
    """The sink in a process of its own. ``path``: the file for the bodies; None: they are only counted."""

    def __init__(self, path: Path | None) -> None:
        self._pipe, self._theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_run, args=(self._theirs, path), daemon=True)

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
