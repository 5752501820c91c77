"""Runs an input that converses with its clients, over socket pairs, with a sink in memory."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

from ingestd.event.chunk import Stream
from ingestd.event.fields import Event
from ingestd.plugins.inputs._server import ServerInput
from ingestd.plugins.interfaces import Piece, StopMode


class MemorySink:
    """Keeps what is put, in ``put_at`` by stream and offset. While ``paused`` is set, nothing is taken.

    ``frames`` and ``fields``: how many frames that was, if the input counts them, and the stream's fields.
    """

    joins_streams = False

    def __init__(self) -> None:
        self.put_at: dict[tuple[str, int], bytes] = {}
        self.frames: dict[tuple[str, int], int] = {}
        self.fields: dict[tuple[str, int], Event] = {}
        self.streams: dict[str, Stream] = {}
        self.rejected: list[tuple[bytes, str]] = []
        self.syncs = 0
        self.disk_error: OSError | None = None
        self.lost = False
        self._resumed = asyncio.Event()
        self._resumed.set()

    @property
    def data(self) -> list[bytes]:
        """Everything that was put, in that order."""
        return [*self.put_at.values()]

    @property
    def paused(self) -> bool:
        return not self._resumed.is_set()

    def pause(self) -> None:
        self._resumed.clear()

    def resume(self) -> None:
        self._resumed.set()

    def put(self, data: bytes, stream: Stream, offset: int) -> bool:
        if self.paused:
            return False
        self.fields[stream.id, offset] = stream.fields
        self.put_at[stream.id, offset], self.streams[stream.id] = data, stream
        return True

    def put_all(self, pieces: Sequence[Piece]) -> bool:
        for data, stream, offset, frames in pieces:
            self.frames[stream.id, offset] = frames
            self.put(data, stream, offset)
        return not self.paused

    def goes_on(self, seconds: float) -> None:
        """Nothing waits for more."""

    def reject(
        self, raw: bytes, reason: str, stream: Stream, offset: int, end: int, *, size: int | None = None
    ) -> bool:
        if not self.paused:
            self.rejected.append((raw, reason))
        return not self.paused

    def note_loss(self) -> None:
        self.lost = True

    async def wait_until_resumed(self) -> None:
        await self._resumed.wait()

    async def synced(self) -> None:
        self.syncs += 1
        if self.disk_error is not None:
            raise self.disk_error


class Client:
    """One end of a socket pair; the input serves the other one. ``reason``: why the input has closed it."""

    def __init__(self, served: ServerInput, number: int) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.setblocking(False)
        self.reason = ""
        served.serve(theirs, Stream(f"s{number}", {"host": "192.0.2.1", "port": number}), 0, self._closed)

    def _closed(self, reason: str) -> None:
        self.reason = reason

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def receive(self) -> bytes:
        """Return what the input has sent, at least a byte; empty: it has closed the connection."""
        return await asyncio.get_running_loop().sock_recv(self.sock, 1 << 16)


class Serving:
    """A running input and its clients."""

    def __init__(self, served: ServerInput) -> None:
        self.input, self.sink = served, MemorySink()
        self._clients: list[Client] = []
        self._task = asyncio.create_task(served.run(self.sink))

    def connect(self) -> Client:
        self._clients.append(Client(self.input, len(self._clients)))
        return self._clients[-1]

    async def stop(self, mode: StopMode = "drain") -> None:
        self.input.stop(mode)
        await self._task

    async def close(self) -> None:
        self.sink.resume()
        for client in self._clients:
            client.sock.close()
        with contextlib.suppress(asyncio.CancelledError):
            await self.stop()


@contextlib.asynccontextmanager
async def serving(served: ServerInput) -> AsyncIterator[Serving]:
    """Run an input until the end of the block."""
    running = Serving(served)
    await asyncio.sleep(0)
    try:
        yield running
    finally:
        await running.close()
