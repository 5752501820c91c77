"""Connections are read in rounds, and few lines of many connections are stored together."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress

import pytest

from ingestd.event.chunk import Stream
from ingestd.plugins.inputs import _tcp_poller as module
from ingestd.plugins.inputs._tcp_poller import Gathering, Poller
from ingestd.tasks import BackgroundTasks
from tests.waiting import WAIT_SECONDS, eventually

STREAM = Stream("s", {})
LINE = b'{"n":1}\n'


class Sink:
    """Keeps what is put together; ``joins_streams`` and ``room`` as the test says."""

    paused = False

    def __init__(self, *, joins_streams: bool = True, room: bool = True) -> None:
        self.joins_streams, self.room = joins_streams, room
        self.puts: list[list[bytes]] = []

    def put(self, data: bytes, stream: Stream, offset: int) -> bool:
        raise AssertionError("not in a gathering")

    def put_all(self, pieces: Sequence[tuple[bytes, Stream, int]]) -> bool:
        self.puts.append([data for data, _, _ in pieces])
        return self.room

    def reject(
        self, raw: bytes, reason: str, stream: Stream, offset: int, end: int, *, size: int | None = None
    ) -> bool:
        raise AssertionError("not in a gathering")

    async def wait_until_resumed(self) -> None:
        raise AssertionError("not in a gathering")


@pytest.fixture
def sockets() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    with ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(20)]
        for sock in (sock for pair in pairs for sock in pair):
            stack.callback(sock.close)
            sock.setblocking(False)
        yield pairs


@pytest.mark.parametrize(
    ("data", "joins_streams", "taken"),
    [
        (LINE, True, True),
        (LINE * 128, True, True),
        (LINE * 129, True, False),
        (LINE, False, False),
        (b"x" * 600 + b"\n", True, False),
        (b"GET / HTTP/1.1\n", True, False),
        (LINE + b"{\n", True, False),
    ],
    ids=["a_line", "some_lines", "many_lines", "codec_of_text", "a_long_line", "text", "half_an_object"],
)
def test_what_goes_together(data: bytes, joins_streams: bool, taken: bool) -> None:
    gathering = Gathering(Sink(joins_streams=joins_streams), 1200 if len(data) > 200 and b"x" in data else 1 << 16)
    assert (gathering.takes(len(data)) and gathering.add(data, STREAM, 0, lambda done: None)) == taken


@pytest.mark.parametrize(("size", "puts"), [(40, [5, 5, 2]), (1 << 16, [12])], ids=["of_40_bytes", "at_once"])
@pytest.mark.parametrize("room", [True, False])
def test_together_up_to_a_size(size: int, puts: list[int], room: bool) -> None:
    sink, stored = Sink(room=room), list[bool]()
    gathering = Gathering(sink, size)
    for _ in range(12):
        assert gathering.takes(len(LINE))
        assert gathering.add(LINE, STREAM, 0, stored.append)
    gathering.flush()
    gathering.flush()
    assert [len(pieces) for pieces in sink.puts] == puts
    assert stored == [room] * 12


def test_together_up_to_a_number_of_lines() -> None:
    sink = Sink()
    gathering = Gathering(sink, 1 << 20)
    for _ in range(5):
        gathering.add(LINE * 100, STREAM, 0, lambda done: None)
    gathering.flush()
    assert [sum(map(len, pieces)) // len(LINE) for pieces in sink.puts] == [200, 200, 100]


class Reader:
    """Reads one line at a time and gathers it, as a connection does."""

    def __init__(self, sock: socket.socket, poller: Poller) -> None:
        self.sock, self.poller = sock, poller
        poller.add(sock.fileno(), self.readable)

    def readable(self) -> None:
        with suppress(BlockingIOError):
            data = self.sock.recv(len(LINE), socket.MSG_PEEK)
            self.poller.gathering.add(data, STREAM, 0, self.stored)

    def stored(self, done: bool) -> None:
        self.sock.recv(len(LINE))


async def test_what_comes_during_a_round_is_stored_together(
    sockets: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROUND_SECONDS", WAIT_SECONDS)
    sink = Sink()
    poller = Poller(Gathering(sink, 1 << 16), BackgroundTasks("input"))
    for reader, sender in sockets:
        Reader(reader, poller)
        sender.send(2 * LINE)
    await eventually(lambda: sum(map(len, sink.puts)) == 40)
    assert list(map(len, sink.puts)) == [20, 20]
    poller.close()


async def test_after_a_round_it_rests_and_then_waits(
    sockets: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is as long as the test lasts: what comes meanwhile stays in the kernel."""
    rests = [WAIT_SECONDS]
    monkeypatch.setattr(Poller, "_rest", lambda self: rests.pop() if rests else 0.0)
    sink = Sink()
    poller = Poller(Gathering(sink, 1 << 16), BackgroundTasks("input"))
    (reader, sender), (other, _), *_ = sockets
    Reader(reader, poller)
    Reader(other, poller)
    sender.send(LINE)
    await eventually(lambda: len(sink.puts) == 1)
    sender.send(LINE)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(sink.puts) == 1
    assert poller._next is not None
    poller._next.cancel()
    poller._round()
    assert len(sink.puts) == 2
    await eventually(lambda: poller._next is None)  # nothing came: it waits
    sender.send(LINE)
    await eventually(lambda: len(sink.puts) == 3)
    poller.remove(reader.fileno())
    poller.remove(reader.fileno())
    poller.close()


async def test_a_round_that_takes_long_leaves_the_rest_for_the_next_one(
    sockets: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROUND_SECONDS", -1.0)
    read: list[int] = []
    poller = Poller(Gathering(Sink(), 1 << 16), BackgroundTasks("input"))

    def take(number: int, sock: socket.socket) -> None:
        sock.recv(100)
        read.append(number)
        if number == 0:  # this one closes the last
            poller.remove(sockets[-1][0].fileno())

    for number, (reader, sender) in enumerate(sockets):
        poller.add(reader.fileno(), lambda number=number, reader=reader: take(number, reader))  # type: ignore[misc]
        sender.send(LINE)
    await eventually(lambda: len(read) == 19)
    assert sorted(read) == list(range(19))
    poller.close()


async def test_a_defect_ends_the_input(sockets: list[tuple[socket.socket, socket.socket]]) -> None:
    tasks = BackgroundTasks("input")
    poller = Poller(Gathering(Sink(), 1 << 16), tasks)

    def fails() -> None:
        raise KeyError("a defect")

    poller.add(sockets[0][0].fileno(), fails)
    sockets[0][1].send(LINE)
    with pytest.raises(KeyError):
        await asyncio.wait_for(tasks.failure(), WAIT_SECONDS)
    poller.close()


@pytest.mark.parametrize(
    ("took", "period", "most", "rest"),
    [
        (0.0001, 1.0, 500, 0.0009),
        (0.001, 0.01, 500, 0.009),
        (0.02, 0.05, 500, 0.03),
        (0.06, 0.06, 500, -0.01),
        (0.002, 0.02, 64 << 10, 0.01),
        (0.002, 0.02, 0, 0.018),
        (0.002, 0.02, math.inf, 0),
    ],
    ids=["quiet", "some", "much", "all_the_time", "large_reads", "no_line", "more_than_was_read"],
)
async def test_how_long_it_rests(took: float, period: float, most: float, rest: float) -> None:
    """The more there is to do, the longer, so that more is read at once; not at all when there is no time left."""
    poller = Poller(Gathering(Sink(), 1 << 16), BackgroundTasks("input"))
    poller._took, poller._period = took, period
    for size in (most, min(most, 1)):
        poller.found(size)
    assert poller._rest() == pytest.approx(rest)
    poller.close()
