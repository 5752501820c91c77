"""Conversations with clients: acknowledged after the sync, finished at a stop, ended if the client is silent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ingestd.plugins.inputs._connection import Connection
from ingestd.plugins.inputs._server import ProtocolError, ServerInput, ServerOptions
from ingestd.plugins.interfaces import StopMode
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from tests.plugins.inputs.conversations import Client, Serving, serving
from tests.waiting import WAIT_SECONDS, eventually


async def acknowledge(connection: Connection) -> None:
    """A request is a line, which is answered with its length once it is on the disk."""
    offset = 0
    while await connection.more():
        line = await connection.reader.readuntil(b"\n")
        if line == b"bad\n":
            raise ProtocolError("bad is no request")
        if line == b"bug\n":
            raise KeyError("bug")
        await connection.put(line, offset)
        offset += len(line)
        await connection.sink.synced()
        await connection.send(b"%d\n" % len(line))


async def swallow(connection: Connection) -> None:
    """Everything is an event; nothing is answered."""
    offset = 0
    while data := await connection.read(idle=True):
        await connection.put(data, offset)
        offset += len(data)


def make(converse: Any = acknowledge, *, shutdown_timeout: float = WAIT_SECONDS, **options: Any) -> ServerInput:
    given = {name: options.pop(name) for name in ("acknowledges", "read_bytes") if name in options}
    context = BuildContext(plugin_id="toy_0", settings=Settings(shutdown_timeout=shutdown_timeout))
    return ServerInput(ServerOptions(port=0, **options), context, converse, **given)


@asynccontextmanager
async def toy(*arguments: Any, **options: Any) -> AsyncIterator[Serving]:
    async with serving(make(*arguments, **options)) as running:
        yield running


async def test_acknowledged_after_the_sync() -> None:
    async with toy() as running:
        client = running.connect()
        await client.send(b"one\n")
        assert await client.receive() == b"4\n"
        assert (running.sink.data, running.sink.syncs) == ([b"one\n"], 1)
        assert running.sink.streams["s0"].fields == {"host": "192.0.2.1", "port": 0}
        await client.send(b"two\n")
        assert await client.receive() == b"4\n"
        client.sock.close()
        await eventually(lambda: client.reason == "end")
        assert [*running.sink.put_at] == [("s0", 0), ("s0", 4)]


async def test_what_is_not_on_the_disk_is_not_acknowledged() -> None:
    async with toy() as running:
        running.sink.disk_error = OSError("no disk")
        client = running.connect()
        await client.send(b"one\n")
        assert await client.receive() == b""
        await eventually(lambda: client.reason == "error")


@pytest.mark.parametrize(
    ("sent", "reason", "message"),
    [
        (b"bad\n", "rejected", "a client violates the protocol; it was disconnected"),
        (b"x" * 3000, "rejected", "a client violates the protocol; it was disconnected"),
        (b"bug\n", "error", "a connection is closed: what it sent cannot be handled"),
    ],
    ids=["protocol", "limit", "defect"],
)
async def test_one_bad_client_costs_no_other(
    sent: bytes, reason: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with toy(read_bytes=1000) as running:
        good, client = running.connect(), running.connect()
        await client.send(sent)
        assert await client.receive() == b""
        client.sock.close()
        await eventually(lambda: client.reason == reason)
        assert caplog.messages == [message]
        await good.send(b"good\n")
        assert await good.receive() == b"5\n"


@pytest.mark.parametrize("mode", ["drain", "leave", "handover"])
async def test_stop_finishes_a_request_that_has_begun(mode: StopMode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestd.plugins.inputs._connection.SENDING_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr("ingestd.plugins.inputs._server._HANDOVER_SECONDS", WAIT_SECONDS)
    async with toy() as running:
        begun, idle = running.connect(), running.connect()
        await begun.send(b"be")
        await idle.send(b"done\n")
        await idle.receive()
        stopping = asyncio.create_task(running.stop(mode))
        await eventually(lambda: idle.reason)
        assert idle.reason == "shutdown"
        await begun.send(b"gun\n")
        assert await begun.receive() == b"6\n"
        await begun.receive()  # the end
        await stopping
        assert running.sink.data == [b"done\n", b"begun\n"]


async def test_stop_answers_requests_that_have_arrived() -> None:
    """A connection that was handed over just before the stop."""
    async with toy() as running:
        client = running.connect()
        await client.send(b"one\n")
        await running.stop()
        assert await client.receive() == b"4\n"


async def test_stop_does_not_wait_for_silent_clients_and_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestd.plugins.inputs._connection.SENDING_SECONDS", 0.1)
    async with toy() as running:
        half, waits = running.connect(), running.connect()
        await half.send(b"half")
        await asyncio.sleep(0.05)
        running.sink.pause()
        await waits.send(b"waits\n")
        await running.stop()
        assert (half.reason, waits.reason, running.sink.data) == ("shutdown", "shutdown", [])
        assert not running.sink.lost, "they have no acknowledgement, and send it again"


async def test_stop_ends_in_its_time_although_there_is_no_room(caplog: pytest.LogCaptureFixture) -> None:
    async with toy(swallow, acknowledges=False, shutdown_timeout=0.5) as running:
        client = running.connect()
        await client.send(b"lost")
        await asyncio.sleep(0.05)
        running.sink.pause()
        await client.send(b"lost")
        await running.stop()
        assert client.reason == "shutdown"
        assert running.sink.lost
    assert caplog.messages == ["the stop could not wait for everything that clients had sent: the rest is lost"]


def fill(client: Client) -> int:
    """Send until nobody takes more; returns how many bytes that are."""
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += client.sock.send(b"x" * 500)
    return sent


async def test_stop_takes_in_everything_of_clients_without_an_answer() -> None:
    async with toy(swallow, acknowledges=False, read_bytes=1000) as running:
        client = running.connect()
        running.sink.pause()
        sent = fill(client)
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0.3)
        running.sink.resume()
        await stopping
        assert sum(map(len, running.sink.data)) == sent


async def test_silent_clients_are_disconnected() -> None:
    async with toy(idle_timeout=0.1) as running:
        idle, half = running.connect(), running.connect()
        await half.send(b"half")
        await eventually(lambda: idle.reason and half.reason)
        assert (idle.reason, half.reason, running.sink.data) == ("idle", "idle", [])


async def test_clients_are_not_idle_while_they_wait() -> None:
    async with toy(idle_timeout=1000) as running:
        client = running.connect()
        await client.send(b"one\n")
        assert await client.receive() == b"4\n"
        [served] = running.input._served
        connection = served.connection
        assert connection is not None
        running.sink.pause()
        await client.send(b"two\n")
        await eventually(lambda: not connection.reader.waiting)
        connection.reader.last_at -= 2000
        connection._silent_since -= 2000
        running.input._tick()
        running.sink.resume()
        assert await client.receive() == b"4\n"


async def test_memory_of_a_connection_is_bounded() -> None:
    async with toy(swallow, acknowledges=False, read_bytes=1000) as running:
        client = running.connect()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        running.sink.pause()
        sent = 0
        for _ in range(200):
            sent += fill(client)
            await asyncio.sleep(0)
        assert sent < 4 << 20  # 80 kB a round or more, if nothing kept it from reading


async def test_what_came_before_a_reset_is_read() -> None:
    async with toy(swallow, acknowledges=False) as running:
        client = running.connect()
        await client.send(b"last words")
        client.sock.close()
        await eventually(lambda: client.reason)
        assert running.sink.data == [b"last words"]
