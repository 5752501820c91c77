"""The input ``tcp`` over real sockets, in a whole pipeline: every line comes out, once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.event.record import Batch
from ingestd.plugins.inputs.tcp import TcpInput
from ingestd.plugins.registry import BuildContext
from ingestd.runtime.pipeline import RunningPipeline
from ingestd.settings import Settings


class Memory:
    """An output that keeps the documents, and takes none while ``gate`` is cleared."""

    concurrency = 1
    batch_bytes = 1 << 16

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def open(self) -> None:
        pass

    def prepare(self, batch: Batch) -> list[bytes]:
        self.ids += batch.ids()
        return batch.documents()

    async def deliver(self, loads: Sequence[list[bytes]]) -> None:
        await self.gate.wait()
        self.documents += [json.loads(document) for load in loads for document in load]

    async def close(self) -> None:
        pass


class Letters:
    def __init__(self) -> None:
        self.letters: list[dict[str, Any]] = []

    def add(self, **letter: Any) -> None:
        self.letters.append(letter)


class Server:
    """A running pipeline with one tcp input and the output ``memory``."""

    def __init__(self, options: str, **settings: Any) -> None:
        config = f"input {{ tcp {{ host => '127.0.0.1' port => 0 {options} }} }} output {{ stdout {{ }} }}"
        self.letters, self.memory = Letters(), Memory()
        known = replace(Settings(), **settings)
        pipeline = compile_pipeline(parse(config, "test.conf", {}), BuildContext(settings=known))
        route = [replace(built, output=self.memory) for built in pipeline.routes[0]]
        self.running = RunningPipeline("main", replace(pipeline, routes=[route]), known, self.letters)
        self.stopped = False

    @property
    def address(self) -> tuple[str, int]:
        server = self.running.pipeline.inputs[0].input
        assert isinstance(server, TcpInput)
        return "127.0.0.1", server.port

    async def connect(self) -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection(*self.address)
        return writer

    async def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            self.running.stop()
            await self.running.drain()

    async def until(self, count: int) -> list[dict[str, Any]]:
        """Wait until ``count`` documents have come, return them all."""
        await eventually(lambda: len(self.memory.documents) >= count)
        return self.memory.documents


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 -- what is waited for happens in other modules
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def serving(options: str = "codec => json_lines", **settings: Any) -> AsyncIterator[Server]:
    server = Server(options, **settings)
    await server.running.start()
    try:
        yield server
    finally:
        server.memory.gate.set()
        await server.stop()


def numbers(documents: list[dict[str, Any]]) -> list[int]:
    return [document["n"] for document in documents]


def line(number: int, **more: Any) -> bytes:
    return json.dumps({"n": number, **more}).encode() + b"\n"


async def test_many_clients_each_in_order() -> None:
    async def client(server: Server, name: int) -> None:
        writer = await server.connect()
        for number in range(200):
            data = line(number, client=name)
            writer.write(data[:7])  # TCP may cut anywhere
            await writer.drain()
            writer.write(data[7:])
        writer.close()
        await writer.wait_closed()

    async with serving() as server:
        await asyncio.gather(*(client(server, name) for name in range(30)))
        documents = await server.until(30 * 200)
    assert len(documents) == 30 * 200
    for name in range(30):
        assert [one["n"] for one in documents if one["client"] == name] == list(range(200))


async def test_half_a_line_waits_for_the_rest() -> None:
    async with serving() as server:
        writer = await server.connect()
        writer.write(line(1) + b'{"n":')
        await server.until(1)
        await asyncio.sleep(0.05)
        assert numbers(server.memory.documents) == [1]
        writer.write(b" 2}\n")
        assert numbers(await server.until(2)) == [1, 2]
        writer.close()


async def test_last_line_without_end_counts_when_the_client_goes() -> None:
    async with serving() as server:
        writer = await server.connect()
        writer.write(line(1) + b'{"n":2}')
        writer.close()
        assert numbers(await server.until(2)) == [1, 2]


async def test_text_lines_get_host_and_port() -> None:
    async with serving("") as server:
        writer = await server.connect()
        port = writer.get_extra_info("sockname")[1]
        writer.write("서울\r\nbye\n".encode())
        documents = await server.until(2)
        assert [(one["message"], one["host"], one["port"]) for one in documents] == [
            ("서울", "127.0.0.1", port),
            ("bye", "127.0.0.1", port),
        ]
        writer.close()


async def test_a_bad_line_stops_nothing() -> None:
    async with serving() as server:
        writer = await server.connect()
        writer.write(line(1) + b"\xff\xfe not json\n\n[[[\n" + line(2))
        documents = await server.until(4)
        assert [one.get("n", one.get("tags")) for one in documents] == [
            1,
            ["_jsonparsefailure"],
            ["_jsonparsefailure"],
            2,
        ]
        writer.close()


async def test_a_line_too_long_becomes_a_dead_letter() -> None:
    async with serving(max_line_bytes=1000) as server:
        writer = await server.connect()
        writer.write(line(1) + b"x" * 5000 + b"\n" + line(2) + b"y" * 1001 + b"\n" + line(3) + b"z" * 2000)
        assert numbers(await server.until(3)) == [1, 2, 3]
        writer.close()
        await writer.wait_closed()
        await eventually(lambda: len(server.letters.letters) == 3)
    assert [(letter["stage"], letter["raw"][:1]) for letter in server.letters.letters] == [
        ("framing", b"x"),
        ("framing", b"y"),
        ("framing", b"z"),
    ]
    assert "5000 of 1000 bytes allowed" in server.letters.letters[0]["reason"]


async def test_idle_connections_are_closed() -> None:
    async with serving("codec => json_lines idle_timeout => 0.2") as server:
        reader, writer = await asyncio.open_connection(*server.address)
        busy = await server.connect()
        writer.write(b'{"n":1}')

        async def talk() -> None:
            for number in range(10):
                busy.write(line(number))
                await asyncio.sleep(0.06)

        talking = asyncio.ensure_future(talk())
        async with asyncio.timeout(5):
            assert await reader.read() == b""  # closed by the server
        await talking
        assert len(await server.until(11)) == 11
        for one in (busy, writer):
            one.close()


async def test_max_connections_lets_the_others_wait() -> None:
    async with serving("codec => json_lines max_connections => 2") as server:
        clients = [await server.connect() for _ in range(4)]  # the system takes them, the input does not yet
        for number, writer in enumerate(clients):
            writer.write(line(number))
        await server.until(2)
        await asyncio.sleep(0.1)
        assert sorted(numbers(server.memory.documents)) == [0, 1]
        for writer in clients[:2]:
            writer.close()
        assert sorted(numbers(await server.until(4))) == [0, 1, 2, 3]
        for writer in clients[2:]:
            writer.close()


async def test_stop_reads_what_the_kernel_holds() -> None:
    """What was sent before the stop comes out, also of clients that were not accepted yet."""
    async with serving() as server:
        writers = [await server.connect() for _ in range(5)]
        late = socket.create_connection(server.address)
        for writer in writers:
            writer.write(b"".join(line(number) for number in range(2000)) + b'{"n":2000}')
            await writer.drain()
        late.sendall(line(1) * 1000)
        await server.stop()
        late.close()
        for writer in writers:
            writer.close()
    assert len(server.memory.documents) == 5 * 2001 + 1000


async def test_a_slow_output_holds_up_the_senders_and_loses_nothing() -> None:
    async with serving(queue_bytes=50_000) as server:
        server.memory.gate.clear()
        writer = await server.connect()
        sent = 0
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while True:
                    writer.write(b"".join(line(sent + number, text="x" * 1000) for number in range(100)))
                    sent += 100
                    await writer.drain()
        # Less than it could have been sent: the kernel's buffers are full, the daemon's memory is not.
        assert server.running.flow.full
        assert server.running.flow.bytes < 50_000 + 2 * Settings().batch.max_bytes
        server.memory.gate.set()
        writer.close()
        await writer.wait_closed()
        documents = await server.until(sent)
    assert numbers(documents) == list(range(sent))


async def test_the_port_is_taken() -> None:
    async with serving() as server:
        config = f"input {{ tcp {{ host => '127.0.0.1' port => {server.address[1]} }} }} output {{ stdout {{ }} }}"
        built = compile_pipeline(parse(config, "test.conf", {}), BuildContext())
        with pytest.raises(OSError, match="is another program using the port"):
            await built.inputs[0].input.open()


async def test_a_client_that_resets_the_connection() -> None:
    async with serving() as server:
        sock = socket.create_connection(server.address)
        sock.sendall(line(1) + b'{"n":2}')
        await server.until(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        sock.close()  # sends RST
        other = await server.connect()
        other.write(line(3))
        assert 3 in numbers(await server.until(3))
        other.close()


async def test_ids_differ_between_connections() -> None:
    """Each connection is a stream of its own: the same bytes twice are two documents."""
    async with serving() as server:
        for _ in range(3):
            writer = await server.connect()
            writer.write(line(1) + line(1))
            writer.close()
        await server.until(6)
    assert len(set(server.memory.ids)) == 6
    assert {one.rsplit("-")[-1] for one in server.memory.ids} == {"000000000000", "000000000009"}
