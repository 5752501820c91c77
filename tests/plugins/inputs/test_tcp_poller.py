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
from ingestd.plugins.inputs._tcp_poller import Gathering, OtherPoll, Poller
from ingestd.plugins.interfaces import Piece
from ingestd.tasks import BackgroundTasks
from tests.sinks import UnusedSink
from tests.waiting import WAIT_SECONDS, eventually

STREAM = Stream("s", {})
LINE = b'{"n":1}\n'


class Sink(UnusedSink):
    """Keeps what is put together; ``joins_streams`` and ``room`` as the test says."""

    def __init__(self, *, joins_streams: bool = True, room: bool = True) -> None:
        self.joins_streams, self.room = joins_streams, room
        self.puts: list[list[bytes]] = []
        self.rests: list[float] = []

    def put_all(self, pieces: Sequence[Piece]) -> bool:
        assert all(data.count(b"\n") == lines for data, _, _, lines in pieces)
        self.puts.append([piece[0] for piece in pieces])
        return self.room

    def goes_on(self, seconds: float) -> None:
        self.rests.append(seconds)


class Stored:
    """Notes what is stored."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, bool]] = []

    def stored(self, size: int, *, done: bool) -> None:
        self.calls.append((size, done))


@pytest.fixture(autouse=True, params=["epoll", "others"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll as Linux does, and as other systems."""
    if request.param == "others":
        monkeypatch.setattr(module, "_Poll", OtherPoll)


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
        (LINE * 256, True, True),
        (LINE * 257, True, False),
        (LINE, False, False),
        (b"x" * 600 + b"\n", True, False),
        (b"GET / HTTP/1.1\n", True, False),
        (LINE + b"{\n", True, False),
    ],
    ids=["a_line", "some_lines", "many_lines", "codec_of_text", "a_long_line", "text", "half_an_object"],
)
def test_what_goes_together(data: bytes, joins_streams: bool, taken: bool) -> None:
    gathering = Gathering(Sink(joins_streams=joins_streams), 1200 if len(data) > 200 and b"x" in data else 1 << 16)
    assert (gathering.takes(len(data)) and gathering.add(data, STREAM, 0, Stored())) == taken


@pytest.mark.parametrize(("size", "puts"), [(40, [5, 5, 2]), (1 << 16, [12])], ids=["of_40_bytes", "at_once"])
@pytest.mark.parametrize("room", [True, False])
def test_together_up_to_a_size(size: int, puts: list[int], room: bool) -> None:
    sink, reader = Sink(room=room), Stored()
    gathering = Gathering(sink, size)
    for _ in range(12):
        assert gathering.add(LINE, STREAM, 0, reader)
    gathering.flush()
    gathering.flush()
    assert [len(pieces) for pieces in sink.puts] == puts
    assert reader.calls == [(len(LINE), room)] * 12
    assert gathering.paused is not room
    gathering.start()
    assert not gathering.paused


def test_together_up_to_a_number_of_lines() -> None:
    sink = Sink()
    gathering = Gathering(sink, 1 << 20)
    for _ in range(5):
        gathering.add(LINE * 200, STREAM, 0, Stored())
    gathering.flush()
    assert [sum(map(len, pieces)) // len(LINE) for pieces in sink.puts] == [400, 400, 200]


class Reader:
    """Reads one line at a time and gathers it, as a connection does."""

    def __init__(self, sock: socket.socket, poller: Poller) -> None:
        self.sock, self.poller = sock, poller
        poller.add(sock.fileno(), self.readable)

    def readable(self) -> None:
        with suppress(BlockingIOError):
            data = self.sock.recv(len(LINE), socket.MSG_PEEK)
            self.poller.gathering.add(data, STREAM, 0, self)

    def stored(self, size: int, *, done: bool) -> None:
        self.sock.recv(size)


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
    assert sink.rests == [WAIT_SECONDS], "outputs learn of it"
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


async def test_a_descriptor_that_is_watched_again_waits_for_the_next_round(
    sockets: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be another connection by now, or the same one after a rest: nothing is known of what it has to read."""
    monkeypatch.setattr(module, "_ROUND_SECONDS", -1.0)
    poller = Poller(Gathering(Sink(), 1 << 16), BackgroundTasks("input"))
    (first, sender), (second, other), *_ = sockets
    read: list[str] = []

    def readable() -> None:
        read.append("again")
        second.recv(100)

    def take() -> None:
        first.recv(100)
        read.append("first")
        poller.add(second.fileno(), readable)
        other.send(LINE)

    poller.add(first.fileno(), take)
    poller.add(second.fileno(), readable)
    poller._ready.extend(poller._watched.values())  # both are ready
    sender.send(LINE)
    poller._round()
    assert (read, len(poller._ready)) == (["first"], 1)
    poller._read_ready(0.0)
    assert read == ["first"]
    await eventually(lambda: read == ["first", "again"])
    poller.close()


async def test_a_batch_is_not_cut_short_by_the_end_of_a_turn(
    sockets: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the time of a round is over, it ends with the next batch, or when that takes long as well."""
    monkeypatch.setattr(module, "_ROUND_SECONDS", -WAIT_SECONDS)
    monkeypatch.setattr(module, "_EXTRA_SECONDS", 2 * WAIT_SECONDS)
    sink = Sink()
    poller = Poller(Gathering(sink, 5 * len(LINE)), BackgroundTasks("input"))
    for reader, sender in sockets:
        Reader(reader, poller)
        sender.send(LINE)
    await eventually(lambda: sum(map(len, sink.puts)) == 20)
    assert list(map(len, sink.puts)) == [5, 5, 5, 5]
    assert sink.rests[:3] == [0.0, 0.0, 0.0], "the round goes on"
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
        (0.02, 0.05, 500, 0.12),
        (0.17, 0.17, 500, -0.03),
        (0.002, 0.02, 256 << 10, 0.01),
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
