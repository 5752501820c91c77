"""A server that answers ``_bulk`` as Elasticsearch would, and keeps what it was sent for checking.

As cheap as an HTTP server in Python can be, in a process of its own: the benchmark measures the sender.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import multiprocessing
import os
from multiprocessing.connection import Connection

import uvloop

SAMPLE = 997
"""Every document whose running number is divisible by this is kept whole."""


class Sink(asyncio.Protocol):
    """One connection: requests with Content-Length, one after the other."""

    def __init__(self, shared: State) -> None:
        self._shared = shared
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

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
            answer = self._shared.take(body)
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
        self._transport.write(head + b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer))  # type: ignore[attr-defined]


class State:
    """What all connections have taken."""

    def __init__(self) -> None:
        self.total = 0
        self.ids: set[bytes] = set()
        self.samples: list[tuple[str, bytes]] = []

    def take(self, body: bytes) -> bytes:
        lines = body.split(b"\n")
        actions, documents = lines[:-1:2], lines[1::2]
        self.ids.update(actions)
        for number in range(-self.total % SAMPLE, len(documents), SAMPLE):
            self.samples.append((json.loads(actions[number])["create"]["_index"], documents[number]))
        self.total += len(documents)
        item = b'{"create":{"status":201}}'
        return b'{"errors":false,"items":[' + b",".join([item] * len(documents)) + b"]}"


def serve(pipe: Connection) -> None:
    """Run the sink; sends its port, then answers ``count`` and ``all`` until the pipe closes."""

    async def main() -> None:
        shared = State()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Sink(shared), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        closed = asyncio.Event()

        def asked() -> None:
            try:
                question = pipe.recv()
            except EOFError:
                loop.remove_reader(pipe.fileno())
                closed.set()
                return
            os.set_blocking(pipe.fileno(), True)  # the loop made it not block; a large answer must fit all the same
            pipe.send(shared.total if question == "count" else (shared.total, len(shared.ids), shared.samples))

        loop.add_reader(pipe.fileno(), asked)
        await closed.wait()

    uvloop.run(main())


class SinkProcess:
    """The sink in a process of its own."""

    def __enter__(self) -> SinkProcess:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.port: int = self._pipe.recv()
        return self

    def count(self) -> int:
        """Return how many documents came."""
        self._pipe.send("count")
        count: int = self._pipe.recv()
        return count

    def result(self) -> tuple[int, int, list[tuple[str, bytes]]]:
        """Return the count, the number of different ids, and pairs of index and document for the samples."""
        self._pipe.send("all")
        result: tuple[int, int, list[tuple[str, bytes]]] = self._pipe.recv()
        return result

    def __exit__(self, *exc: object) -> None:
        self._pipe.close()
        self._process.join(5)
