"""The input ``tcp`` over real sockets, in a whole pipeline: every line comes out, once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingestd.event.chunk import Stream
from ingestd.plugins.inputs._streams import StreamIds
from ingestd.plugins.inputs._tcp_connection import TcpConnection
from ingestd.plugins.inputs._tcp_poller import Poller
from ingestd.plugins.inputs._tcp_position import position, unread
from ingestd.plugins.interfaces import StopMode
from ingestd.settings import Settings
from ingestd.tasks import TaskEndedError
from tests.e2e.daemon import Daemon
from tests.e2e.in_memory import MemoryPipeline
from tests.waiting import PROMPT_SECONDS, WAIT_SECONDS, eventually, wait_until


class Server(MemoryPipeline):
    """One with a tcp input; accepts, as the supervisor does."""

    def __init__(self, options: str, journal_bytes: int = 1 << 30, **settings: Any) -> None:
        config = f"input {{ tcp {{ host => '127.0.0.1' port => 0 {options} }} }} output {{ stdout {{ }} }}"
        super().__init__(config, journal_bytes, **settings)
        self.accepted, self.closed = 0, list[str]()
        self._stream_ids = StreamIds()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._writers: list[asyncio.StreamWriter] = []
        self.address: tuple[str, int] = self._listener.getsockname()

    async def start(self) -> None:
        await self.running.start()
        asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        reader = self.running.socket_input("tcp_0")
        assert reader is not None
        with contextlib.suppress(BlockingIOError):
            while True:
                sock, (host, port) = self._listener.accept()
                self.accepted += 1
                stream = self._stream_ids.new({"host": host, "port": port})
                reader.serve(sock, stream, 0, self.closed.append)

    async def connect(self) -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection(*self.address)
        self._writers.append(writer)
        return writer

    async def close_clients(self) -> None:
        """Close what `connect` opened, also if the test failed before it did."""
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def stop(self, mode: StopMode = "drain") -> None:
        if not self.stopped:
            self._accept()
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._listener.close()
        await super().stop(mode)


@contextlib.asynccontextmanager
async def serving(options: str = "codec => json_lines", **settings: Any) -> AsyncIterator[Server]:
    server = Server(options, **settings)
    await server.start()
    try:
        yield server
    finally:
        server.memory.gate.set()
        await server.stop()
        await server.close_clients()


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
        assert [document["n"] for document in documents if document["client"] == name] == list(range(200))


@pytest.mark.parametrize("text", ["", "x" * 1500], ids=["few_lines_of_a_turn", "a_turn"])
async def test_a_connection_with_more_than_a_turn_is_read_without_a_rest(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client would wait for a process that has nothing to do. The turns of one that sends little grow as well."""
    rests, rest = list[float](), Poller._rest

    def noted(poller: Poller) -> float:
        rests.append(rest(poller))
        return rests[-1]

    monkeypatch.setattr(Poller, "_rest", noted)
    data = [line(number, text=text) for number in range(1000 if not text else 20)]
    chunk = replace(Settings().batch, max_bytes=4096)
    async with serving(batch=chunk) as server:
        ours, theirs = tcp_pair()
        ours.sendall(b"".join(data))
        reader: Any = server.running.socket_input("tcp_0")
        reader.serve(theirs.dup(), StreamIds().new(), 0, server.closed.append)
        [connection] = reader._connections
        connection._turns.bytes = 64
        assert numbers(await server.until(len(data))) == [*range(len(data))]
        assert connection._turns.bytes == 4096
        ours.close()
        theirs.close()
    assert len(rests) >= len(b"".join(data)) // 4096
    assert not any(rests[: len(b"".join(data)) // 4096])


async def settled(server: Server, writer: asyncio.StreamWriter, number: int) -> None:
    """Send two lines, and return once both are read and the connection is read in the short way."""
    reader: Any = server.running.socket_input("tcp_0")
    for more in (0, 1):
        writer.write(line(number + more))
        await eventually(lambda more=more: len(server.memory.documents) > number + more)  # type: ignore[misc]
    assert [connection._plain for connection in reader._connections] == [True]


@pytest.mark.parametrize(
    ("pieces", "expected", "dead"),
    [
        ([line(2) + b'{"n"', b":3}\n"], 4, 0),
        ([line(2, text="x" * 9000)], 3, 0),
        ([line(2, text="x" * 40_000)], 3, 0),
        ([b"".join(line(number) for number in range(2, 900))], 900, 0),
        ([line(2, text="x" * 60_000), line(2)], 3, 1),
        ([line(2) + b'{"n":3}'], 4, 0),
        ([b"\n\n" + line(2)], 3, 0),
    ],
    ids=["half_a_line", "a_longer_line", "half_a_chunk", "many", "too_long", "no_line_end", "empty_lines"],
)
async def test_whatever_comes_after_a_few_lines(pieces: list[bytes], expected: int, dead: int) -> None:
    """Most reads find a few whole lines, and are made in a shorter way: any other must leave it, and may come back."""
    async with serving(max_line_bytes=50_000) as server:
        writer = await server.connect()
        await settled(server, writer, 0)
        [connection] = connections(server)
        for piece in pieces:
            before = connection._seen
            writer.write(piece)
            await eventually(lambda before=before, piece=piece: connection._seen >= before + len(piece))  # type: ignore[misc]
        if pieces[-1].endswith(b"\n"):
            await server.until(expected)
            await settled(server, writer, expected)
        writer.close()
        await eventually(lambda: server.closed == ["end"])
    assert numbers(server.memory.documents) == [*range(expected + 2 * pieces[-1].endswith(b"\n"))]
    assert len(server.letters.letters) == dead


def connections(server: Server) -> list[Any]:
    reader: Any = server.running.socket_input("tcp_0")
    return [*reader._connections]


async def test_few_lines_wait_for_room() -> None:
    """They stay in the kernel while the journal is full, and are read once it is not."""
    async with serving(queue_bytes=1, journal_bytes=3000) as server:
        writer = await server.connect()
        await settled(server, writer, 0)
        [connection] = connections(server)
        server.memory.gate.clear()
        for number in range(2, 60):
            writer.write(line(number, text="x" * 100))
            offset = connection._offset
            await eventually(lambda offset=offset: connection._offset > offset or connection._wakeups.paused)  # type: ignore[misc]
        assert connection._wakeups.paused
        assert unread(connection._sock)
        server.memory.gate.set()
        assert numbers(await server.until(60)) == [*range(60)]


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
        assert [(document["message"], document["host"], document["port"]) for document in documents] == [
            ("서울", "127.0.0.1", port),
            ("bye", "127.0.0.1", port),
        ]
        writer.close()


async def test_a_bad_line_stops_nothing() -> None:
    async with serving() as server:
        writer = await server.connect()
        writer.write(line(1) + b"\xff\xfe not json\n\n[[[\n" + line(2))
        documents = await server.until(4)
        assert [document.get("n", document.get("tags")) for document in documents] == [
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
    async with serving("codec => json_lines idle_timeout => 4") as server:
        reader, writer = await asyncio.open_connection(*server.address)
        busy, sent = await server.connect(), itertools.count()
        writer.write(b'{"n":1}')
        closing = asyncio.ensure_future(reader.read())
        while not closing.done():
            busy.write(line(next(sent)))
            await asyncio.wait({closing}, timeout=0.05)
        assert await closing == b""  # closed by the server
        busy.write(line(next(sent)))
        count = next(sent) + 1
        assert len(await server.until(count)) == count
        for connection in (busy, writer):
            connection.close()


async def test_a_connection_is_not_idle_while_what_came_waits_to_be_read() -> None:
    """The process was busy with other work for longer than the timeout."""
    async with serving() as server:
        ours, theirs = await accepted(server)
        ours.sendall(line(1))
        await server.until(1)
        reader: Any = server.running.socket_input("tcp_0")
        [connection] = reader._connections
        ours.sendall(line(2))
        wait_until(lambda: unread(theirs), "the line", PROMPT_SECONDS)  # the event loop stands still
        time.sleep(0.1)  # noqa: ASYNC251
        connection.close_if_idle(0.05)
        assert server.closed == []
        ours.sendall(line(3))
        assert numbers(await server.until(3)) == [1, 2, 3]
        time.sleep(0.1)  # noqa: ASYNC251
        connection.close_if_idle(0.05)
        assert server.closed == ["idle"]
        ours.close()
        theirs.close()


async def test_a_connection_that_is_being_rejected_is_not_closed_as_idle() -> None:
    """Its client still reads the answer when the timeout is over."""
    async with serving() as server:
        ours, theirs = await accepted(server)
        reader: Any = server.running.socket_input("tcp_0")
        [connection] = reader._connections
        ours.sendall(b"GET / HTTP/1.1\r\n\r\n")
        await eventually(lambda: connection._sock.fileno() < 0)
        time.sleep(0.1)  # noqa: ASYNC251
        connection.close_if_idle(0.05)
        assert server.closed == []
        ours.close()
        theirs.close()
        await eventually(lambda: server.closed == ["rejected"])


def test_max_connections_lets_the_others_wait(tmp_path: Path) -> None:
    tcp = "tcp { host => '127.0.0.1' port => 0 codec => json_lines max_connections => 2 }"
    with Daemon(tmp_path, config=f"input {{ {tcp} }} output {{ store {{ }} }}", workers="2") as daemon:
        clients = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(4)]
        for number, client in enumerate(clients):
            client.sendall(line(number))  # the system takes all of them, the daemon two
        daemon.wait_for("no more connections are accepted")
        daemon.wait_for_metric("ingestd_received_events_total", 2)
        time.sleep(0.1)
        assert daemon.metric("ingestd_received_events_total") == 2
        assert daemon.metric("ingestd_open_connections") == 2
        for client in clients[:2]:
            client.close()
        daemon.wait_for_metric("ingestd_received_events_total", 4)
        for client in clients[2:]:
            client.close()
        wait_until(lambda: daemon.metric("ingestd_open_connections") == 0, "the end of the connections")
        assert daemon.metric("ingestd_accepted_connections_total") == 4


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


@pytest.mark.parametrize("looks", [1, 5])
async def test_a_stop_does_not_cut_a_line_whose_end_is_on_its_way(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """It comes when the stop has looked at the start of the line, also more than once."""
    read, ends = TcpConnection._read, list[bytes]()

    def read_and_send(connection: TcpConnection, *, woken: bool = True, last: bool = False) -> None:
        nonlocal looks
        read(connection, woken=woken, last=last)
        if ends and not woken and (looks := looks - 1) == 0:
            ours.sendall(ends.pop())

    monkeypatch.setattr(TcpConnection, "_read", read_and_send)
    for limit in ("_REST_SECONDS", "_SENDING_SECONDS"):
        monkeypatch.setattr(f"ingestd.plugins.inputs._tcp_connection.{limit}", WAIT_SECONDS)
    async with serving() as server:
        ours, theirs = await accepted(server)
        ours.sendall(line(1))
        await server.until(1)
        ours.sendall(b'{"n":')
        ends.append(b"2}\n")
        await server.stop()
        ours.close()
        theirs.close()
    assert numbers(server.memory.documents) == [1, 2]


async def test_a_stop_that_leaves_half_lines() -> None:
    """Whoever reads the connection next finds them in it."""
    async with serving() as server:
        ours, theirs = await accepted(server)
        ours.sendall(line(1) + b'{"n":2')
        await server.until(1)
        await server.stop("leave")
        assert theirs.recv(100) == b'{"n":2'
        ours.close()
        theirs.close()
    assert numbers(server.memory.documents) == [1]
    assert server.closed == ["shutdown"]


async def test_a_handover_takes_in_nothing_more() -> None:
    async with serving() as server:
        ours, theirs = await accepted(server)
        server.memory.gate.clear()
        ours.sendall(line(1))
        server.running.stop_inputs("handover")
        await server.running.inputs_ended()
        ours.sendall(line(2))
        await eventually(lambda: bool(unread(theirs)) and theirs.recv(100, socket.MSG_PEEK).endswith(line(2)))
        ours.close()
        theirs.close()


async def accepted(server: Server) -> tuple[socket.socket, socket.socket]:
    """Return a client's socket, and a duplicate of the server's, as the supervisor has one."""
    ours, theirs = tcp_pair()
    reader = server.running.socket_input("tcp_0")
    assert reader is not None
    reader.serve(theirs.dup(), StreamIds().new(), 0, server.closed.append)
    return ours, theirs


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        return ours, theirs


KEPT = [  # id, bytes consumed by the reader before, bytes of the stream that are kept, numbers that come now
    ("nothing", 0, 0, [1, 2, 3]),
    ("consumed_what_was_kept", 9, 9, [2, 3]),
    ("killed_before_consuming", 0, 9, [2, 3]),
    ("killed_before_consuming_the_second", 9, 18, [3]),
    ("everything", 0, 27, []),
]


@pytest.mark.parametrize(("consumed", "kept", "expected"), [case[1:] for case in KEPT], ids=[case[0] for case in KEPT])
async def test_who_reads_on_goes_on_where_it_is_right(consumed: int, kept: int, expected: list[int]) -> None:
    """Bytes that are kept already come no second time; a line has the same id whoever reads it."""
    ours, theirs = tcp_pair()
    ours.sendall(line(1) + line(2) + line(3))
    await eventually(lambda: len(theirs.recv(100, socket.MSG_PEEK)) == 27)
    theirs.recv(consumed) if consumed else b""
    async with serving() as server:
        reader = server.running.socket_input("tcp_0")
        assert reader is not None
        reader.serve(theirs, Stream("c1", {}), kept, server.closed.append)
        ours.sendall(line(4))
        assert numbers(await server.until(len(expected) + 1)) == [*expected, 4]
        ours.close()
        await eventually(lambda: server.closed == ["end"])
    assert server.memory.ids == [f"c1-{9 * (number - 1):012x}" for number in [*expected, 4]]


async def test_the_next_reader_is_woken_for_short_lines() -> None:
    """A reader waits for more than the half line that it has seen; that mark must not outlive it."""
    text = "x" * 5000
    async with serving() as first:
        ours, theirs = await accepted(first)
        ours.sendall(b'{"n":1,"text":"' + text.encode())
        await asyncio.sleep(0.1)
        await first.stop("leave")
    async with serving() as second:
        reader = second.running.socket_input("tcp_0")
        assert reader is not None
        reader.serve(theirs, Stream("c1", {}), 0, second.closed.append)
        ours.sendall(b'"}\n')
        await second.until(1)
        ours.sendall(line(2))
        documents = await second.until(2)
        ours.close()
    assert first.memory.documents == []
    assert [(document["n"], document.get("text")) for document in documents] == [(1, text), (2, None)]


async def test_who_is_not_read_is_not_idle() -> None:
    """While there is no room nobody is sent away: what is in the kernel would be lost."""
    async with serving("codec => json_lines idle_timeout => 0.5", queue_bytes=1, journal_bytes=10_000) as server:
        server.memory.gate.clear()
        writer = await server.connect()
        for number in range(20):
            writer.write(line(number, text="x" * 1000))
            await writer.drain()
            await asyncio.sleep(0.001)
        await eventually(lambda: server.running.paused)
        await asyncio.sleep(1)
        assert server.closed == []
        server.memory.gate.set()
        assert numbers(await server.until(20)) == list(range(20))
        writer.close()


async def test_a_stop_waits_for_room() -> None:
    """What the kernel holds comes out, though the journal is full when the stop comes."""
    async with serving(queue_bytes=1, journal_bytes=10_000) as server:
        server.memory.gate.clear()
        writer = await server.connect()
        for number in range(50):
            writer.write(line(number, text="x" * 1000))
            await writer.drain()
            await asyncio.sleep(0.002)
        await eventually(lambda: server.running.paused)
        asyncio.get_running_loop().call_later(0.3, server.memory.gate.set)
        await server.stop()
        writer.close()
    assert numbers(server.memory.documents) == list(range(50))


async def test_a_stop_says_what_it_could_not_take_in(caplog: pytest.LogCaptureFixture) -> None:
    """The journal is full and stays so: all connections share one deadline, and what is lost is logged."""
    text = "x" * 980
    async with serving(queue_bytes=1, journal_bytes=10_000, shutdown_timeout=1.0) as server:
        server.memory.gate.clear()
        writers = [await server.connect() for _ in range(100)]  # 96 kB may come in at once
        for number, writer in enumerate(writers):
            writer.write(line(number, text=text) * 5)
            await writer.drain()
        await eventually(lambda: server.running.paused)
        await asyncio.sleep(0.05)
        server.running.stop_inputs("drain")
        async with asyncio.timeout(PROMPT_SECONDS):  # one after the other they would take 80 s
            await server.running.inputs_ended()
        server.memory.gate.set()
        await server.stop()
        assert server.running.lost
        for writer in writers:
            writer.close()
    taken = server.memory.documents
    lost = [number for number in range(100) for _ in range(5 - numbers(taken).count(number))]
    [record] = [entry for entry in caplog.records if entry.levelname == "ERROR"]
    logged: dict[str, Any] = record.__dict__["fields"]
    assert "the rest is lost" in record.message
    assert logged["connections"] == len(set(lost)) > 1
    assert logged["bytes"] == sum(len(line(number, text=text)) for number in lost)


async def test_what_was_lost_before_is_not_the_stops() -> None:
    async with serving() as server:
        [sink] = server.running._sinks.values()
        sink.note_loss()
        await server.stop()
        assert not server.running.lost
        sink.note_loss()
        assert server.running.lost


async def test_one_that_costs_much_leaves_the_others_their_turn() -> None:
    """A chunk may hold 50,000 lines that are no JSON; an event of another client does not wait for all of them."""
    async with serving() as server:
        writer, other = await server.connect(), await server.connect()
        writer.write(b"x\n" * 30_000)
        async with asyncio.timeout(WAIT_SECONDS):
            await server.memory.first.wait()
        other.write(line(1))
        documents = await server.until(30_001)
        [place] = [place for place, document in enumerate(documents) if "n" in document]
        assert place < 25_000
        assert sum(document.get("message") == "x" for document in documents) == 30_000
        for connection in (writer, other):
            connection.close()


async def test_a_slow_output_holds_up_the_senders_and_loses_nothing() -> None:
    async with serving(queue_bytes=50_000, journal_bytes=2_000_000) as server:
        server.memory.gate.clear()
        writer = await server.connect()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        await eventually(lambda: bool(connections(server)))
        connections(server)[0]._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # it grows no further
        stop, sent = asyncio.Event(), 0

        async def send() -> None:
            nonlocal sent
            while not stop.is_set():
                writer.write(b"".join(line(sent + number, text="x" * 1000) for number in range(100)))
                sent += 100
                await writer.drain()

        sending = asyncio.create_task(send())
        try:
            await eventually(lambda: server.running.paused)
            before = -1
            async with asyncio.timeout(WAIT_SECONDS):  # until the kernel is full as well, and the sender held up
                while sent > before or not server.running.paused:  # it goes on and off while the disk is slow
                    before = sent
                    await asyncio.sleep(0.3)
            waiting = server.journal.pending("stdout_0")
            assert 1_000_000 < waiting.bytes <= 2_000_000
            assert server.memory.documents == []
        finally:
            stop.set()
            server.memory.gate.set()
            await sending
            writer.close()
            await writer.wait_closed()
        documents = await server.until(sent)
    assert numbers(documents) == list(range(sent))


LONG = [  # id, max_line_bytes, sizes of the lines; the buffer takes 64 KiB at a time
    ("longer_than_the_buffer", 1 << 20, [10, 300_000, 10, 70_000, 10]),
    ("as_long_as_the_buffer", 1 << 20, [65_535, 65_536, 65_537, 65_534]),
    ("as_long_as_allowed", 200_000, [200_000, 200_001, 200_000, 5, 199_999]),
    ("too_long_in_one_buffer", 1000, [1000, 1001, 1000, 60_000, 999]),
    ("too_long_for_everything", 1000, [500_000, 10, 1_000_000, 10]),
]


@pytest.mark.parametrize("crlf", [False, True], ids=["lf", "crlf"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "half"])
@pytest.mark.parametrize(("limit", "sizes"), [case[1:] for case in LONG], ids=[case[0] for case in LONG])
async def test_long_lines(limit: int, sizes: list[int], last: bool, crlf: bool) -> None:
    """Those within the limit come whole and in order, the others are dead letters; the same at any cut."""
    end = b"\r\n" if crlf else b"\n"
    data = end.join(b"%d" % number + b"x" * (size - 1) for number, size in enumerate(sizes)) + end * last
    batch = replace(Settings().batch, max_bytes=1 << 16)
    async with serving("", max_line_bytes=limit, batch=batch) as server:
        writer = await server.connect()
        for begin in range(0, len(data), 100_003):
            writer.write(data[begin : begin + 100_003])
            await writer.drain()
            await asyncio.sleep(0.001)
        writer.close()
        await writer.wait_closed()
        await eventually(lambda: server.closed == ["end"])
    found = [(int(document["message"][0]), len(document["message"])) for document in server.memory.documents]
    assert found == [(number, size) for number, size in enumerate(sizes) if size <= limit]
    letters = [(int(letter["raw"][:1]), letter["reason"]) for letter in server.letters.letters]
    assert [number for number, _ in letters] == [number for number, size in enumerate(sizes) if size > limit]


async def test_a_line_that_fits_into_no_buffer_ends_with_the_daemon() -> None:
    """The begin of such a line is out of the kernel's buffer already: a stop puts what there is."""
    batch = replace(Settings().batch, max_bytes=1 << 16)
    async with serving("", batch=batch) as server:
        ours, theirs = await accepted(server)
        await asyncio.to_thread(ours.sendall, b"x" * 200_000)
        await eventually(lambda: (position(theirs) or 0) + unread(theirs) == 200_000)
        await server.stop()
        ours.close()
        theirs.close()
    assert [len(document["message"]) for document in server.memory.documents] == [200_000]


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
    assert {event_id.rsplit("-")[-1] for event_id in server.memory.ids} == {"000000000000", "000000000009"}


async def test_a_connection_that_waits_for_room_does_not_wait_in_vain() -> None:
    """Should its task die, the pipeline fails with it: the next process reads the connection."""
    server = Server("codec => json_lines", queue_bytes=1, journal_bytes=10_000)
    await server.start()
    server.memory.gate.clear()
    writer = await server.connect()
    reader: Any = server.running.socket_input("tcp_0")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT_SECONDS):
            while not (waiting := reader.tasks.find("wait for room")):
                writer.write(line(1, text="x" * 500) * 10)
                await asyncio.sleep(0.01)
    [task] = waiting
    task.cancel()
    with pytest.raises(TaskEndedError, match="wait for room was cancelled"):
        await asyncio.wait_for(server.running.failed(), WAIT_SECONDS)
    await server.running.close()
    for connection in list(reader._connections):
        connection.close("error")
    asyncio.get_running_loop().remove_reader(server._listener.fileno())
    server._listener.close()
    writer.close()
