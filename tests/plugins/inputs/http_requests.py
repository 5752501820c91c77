"""Sends requests to an input of HTTP over socket pairs, and decodes what it puts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import h11

from ingestd.compiler.pipeline import BuiltInput, compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.chunk import Chunk
from ingestd.event.table import Table
from ingestd.plugins.inputs._server import ServerInput
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from tests.plugins.inputs.conversations import Client, Serving, serving
from tests.waiting import WAIT_SECONDS

TIME_NS = 1_700_000_000 * 10**9


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: dict[str, str] = field(compare=False)
    body: bytes = b""


def built_input(config: str, settings: Settings | None = None) -> BuiltInput:
    """Return the input of a whole config."""
    context = BuildContext(settings=settings or Settings())
    return compile_pipeline(parse(config, "test.conf", {}), context).inputs[0]


class HttpServing:
    """A running input."""

    def __init__(self, built: BuiltInput, running: Serving) -> None:
        self.built, self.running, self.sink = built, running, running.sink

    def connect(self) -> HttpClient:
        """Return a new connection."""
        return HttpClient(self.running.connect())

    async def post(self, body: bytes = b"", headers: Mapping[str, str] = {}, **more: Any) -> Response:
        """Send one request on a connection of its own."""
        return await self.connect().request(body, headers, **more)

    def tables(self) -> list[tuple[Table, str]]:
        """Return everything that was put, decoded, with the id of its stream."""
        found: list[tuple[Table, str]] = []
        for (stream_id, offset), data in self.sink.put_at.items():
            frames = self.sink.frames.get((stream_id, offset), 0)
            fields = self.sink.fields[stream_id, offset]
            chunk = Chunk("http_0", stream_id, fields, offset, TIME_NS, frames, data)
            found.append((self.built.codec.decode(chunk), stream_id))
        return found

    def events(self) -> list[dict[str, Any]]:
        """Return the events of everything that was put."""
        return [table.whole(row) for table, _ in self.tables() for row in table.rows]


class HttpClient:
    """One connection, with h11 as the other side."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._state = h11.Connection(h11.CLIENT)

    async def request(
        self, body: bytes = b"", headers: Mapping[str, str] = {}, *, method: str = "POST", target: str = "/"
    ) -> Response:
        """Send a request and return its answer."""
        lines = [("Host", "test:80"), *headers.items()]
        if body and not {"content-length", "transfer-encoding"} & {name.lower() for name in headers}:
            lines.append(("Content-Length", str(len(body))))
        data = self._state.send(h11.Request(method=method, target=target, headers=lines)) or b""
        if body:
            data += self._state.send(h11.Data(body)) or b""
        data += self._state.send(h11.EndOfMessage()) or b""
        await self.client.send(data)
        return await self.response()

    async def response(self) -> Response:
        """Return the next answer."""
        status, found, text = 0, dict[str, str](), b""
        while True:
            event = self._state.next_event()
            if event is h11.NEED_DATA:
                self._state.receive_data(await self.client.receive())
            elif isinstance(event, h11.Response):
                status = event.status_code
                found = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                text += event.data
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                if self._state.our_state is h11.DONE and self._state.their_state is h11.DONE:
                    self._state.start_next_cycle()
                return Response(status, found, text)

    async def raw(self, data: bytes) -> bytes:
        """Send bytes and return all that comes until the input closes the connection."""
        with contextlib.suppress(ConnectionError):
            await self.client.send(data)
        found = b""
        while piece := await self.client.receive():
            found += piece
        return found


@contextlib.asynccontextmanager
async def serving_http(config: str, settings: Settings | None = None) -> AsyncIterator[HttpServing]:
    """Run the input of a config until the end of the block."""
    built = built_input(config, settings)
    assert isinstance(built.input, ServerInput)
    async with asyncio.timeout(WAIT_SECONDS), serving(built.input) as running:
        yield HttpServing(built, running)
