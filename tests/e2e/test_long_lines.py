"""Lines longer than a chunk: they stay in the kernel until they are whole, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestd.plugins.inputs._streams import StreamIds
from ingestd.plugins.inputs._tcp_mark import PartialLine, mark, marked
from ingestd.plugins.inputs._tcp_position import unread
from ingestd.supervisor.connections.sockets import widen
from tests.e2e.chaos.tools import is_worker
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.test_tcp import Server, accepted, line, serving, tcp_pair
from tests.processes import children, send_signal
from tests.waiting import WAIT_SECONDS, eventually, wait_until

LONG = 800_000
STAMP = "2026-11-22T10:00:00.000Z"
TCP = 'input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } } output { store { } }'


def long_line(number: int, size: int = LONG) -> bytes:
    return line(number, text="x" * size, **{"@timestamp": STAMP})


def found(server: Server) -> list[tuple[int, int]]:
    """Return number and length of every event."""
    return [(document["n"], len(document.get("text", ""))) for document in server.memory.documents]


async def send(writer: asyncio.StreamWriter, data: bytes, steps: Callable[[], int]) -> None:
    """Send in pieces, each in a segment of its own."""
    begin = 0
    while begin < len(data):
        end = begin + steps()
        writer.write(data[begin:end])
        await writer.drain()
        await asyncio.sleep(0.002)
        begin = end


@pytest.mark.parametrize("least", [1000, 50_000, 2_000_000], ids=["small_pieces", "large_pieces", "one_piece"])
async def test_in_pieces(least: int) -> None:
    rnd = random.Random(1)
    async with serving() as server:
        writer = await server.connect()
        data = line(1) + long_line(2) + line(3) + long_line(4, 200_000) + long_line(5, 1 << 20) + line(6)
        await send(writer, data, lambda: rnd.randint(least, 3 * least))
        await server.until(5)
        await eventually(lambda: len(server.letters.letters) == 1)
        assert found(server) == [(1, 0), (2, LONG), (3, 0), (4, 200_000), (6, 0)]
        assert server.letters.letters[0]["raw"].startswith(b'{"n": 5')
        writer.close()


ENDS = [("with_line_end", b'"}\n'), ("without_line_end", b'"}')]


@pytest.mark.parametrize("end", [case[1] for case in ENDS], ids=[case[0] for case in ENDS])
async def test_the_client_goes_right_behind_it(end: bytes) -> None:
    async with serving() as server:
        for number in range(5):
            writer = await server.connect()
            writer.write(long_line(number).removesuffix(b'"}\n') + end if number else line(0))
            writer.close()
            await server.until(number + 1)
    assert found(server) == [(0, 0), *((number, LONG) for number in range(1, 5))]


async def test_it_stays_in_the_kernel_until_it_is_whole() -> None:
    data = long_line(1)
    async with serving() as server:
        ours, theirs = await accepted(server)
        await asyncio.to_thread(ours.sendall, data[:-1])
        await eventually(lambda: unread(theirs) == len(data) - 1)
        await asyncio.sleep(0.1)
        assert unread(theirs) == len(data) - 1
        ours.sendall(b"\n")
        await server.until(1)
        assert unread(theirs) == 0
        ours.close()
        theirs.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give what SO_RCVBUF may have")
def test_what_the_kernel_holds_while_nobody_reads() -> None:
    ours, theirs = tcp_pair()
    with ours, theirs:
        widen(theirs)
        ours.settimeout(WAIT_SECONDS)
        ours.sendall(b"x" * 3_000_000)
        wait_until(lambda: unread(theirs) == 3_000_000, "the bytes")


def narrow(server: Server) -> tuple[socket.socket, socket.socket]:
    """Return a client and a duplicate of the server's end, whose kernel buffer holds less than a long line."""
    ours, theirs = tcp_pair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
    reader = server.running.socket_input("tcp_0")
    assert reader is not None
    reader.serve(theirs.dup(), StreamIds().new(), 0, server.closed.append)
    return ours, theirs


async def test_one_that_the_kernel_cannot_hold_is_collected(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        ours, theirs = narrow(server)
        await asyncio.to_thread(ours.sendall, line(1) + long_line(2) + line(3))
        await server.until(3)
        assert found(server) == [(1, 0), (2, LONG), (3, 0)]
        assert "longer than the kernel buffers" in caplog.text
        ours.close()
        theirs.close()


async def test_a_handover_waits_for_a_line_that_is_collected(caplog: pytest.LogCaptureFixture) -> None:
    data = long_line(1)
    async with serving() as server:
        ours, theirs = narrow(server)
        await asyncio.to_thread(ours.sendall, data[:-10])
        await eventually(lambda: "longer than the kernel buffers" in caplog.text)
        server.running.stop_inputs("handover")
        await asyncio.sleep(0.05)
        await asyncio.to_thread(ours.sendall, data[-10:])
        await server.running.inputs_ended()
        await server.until(1)
        assert found(server) == [(1, LONG)]
        ours.close()
        theirs.close()


LIMIT = 1 << 20
PERMITTED = long_line(1, LIMIT - len(long_line(1, 0)) + 1).removesuffix(b"\n")


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr_and_end_of_stream"])
@pytest.mark.parametrize("collected", [0, 1, 2], ids=["before_line_end", "within_line_end", "all"])
async def test_the_longest_permitted_line_may_end_in_a_carriage_return(
    line_end: bytes, collected: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever the bytes that were collected end."""
    assert len(PERMITTED) == LIMIT
    data = PERMITTED + line_end
    split = min(LIMIT + collected, len(data))
    async with serving() as server:
        ours, theirs = narrow(server)
        await asyncio.to_thread(ours.sendall, data[: LIMIT - 10])
        await eventually(lambda: "longer than the kernel buffers" in caplog.text)
        server.running.stop_inputs("handover")
        await asyncio.sleep(0.05)
        await asyncio.to_thread(ours.sendall, data[LIMIT - 10 : split])
        await eventually(lambda: unread(theirs) == 0)
        ours.sendall(data[split:])
        ours.close()
        await server.running.inputs_ended()
        await eventually(lambda: bool(server.memory.documents or server.letters.letters))
        assert server.letters.letters == []
        assert found(server) == [(1, len(PERMITTED) - len(long_line(1, 0)) + 1)]
        theirs.close()


def kill_worker(daemon: Daemon) -> None:
    before = children(daemon.process.pid)
    victims = [pid for pid in before if is_worker(daemon, pid)]
    for pid in victims:
        send_signal(pid)
    wait_until(lambda: not set(victims) & set(children(daemon.process.pid)), "the worker's end")


def reload(daemon: Daemon) -> None:
    before = len(daemon.said("every process runs the new config"))
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(daemon.said("every process runs the new config")) > before, "the reload")


def upgrade(daemon: Daemon) -> None:
    before = len(daemon.said("connections were taken over"))
    daemon.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: len(daemon.said("connections were taken over")) > before, "the upgrade")


DISTURBANCES = [kill_worker, reload, upgrade]


@pytest.mark.parametrize("disturb", DISTURBANCES)
def test_the_rest_of_a_line_that_is_too_long_is_no_line(tmp_path: Path, disturb: Callable[[Daemon], None]) -> None:
    """Its start is a dead letter when the daemon is disturbed, twice; the rest is dropped by whoever reads it."""
    too_long = long_line(1, 3 << 20)
    with (
        Daemon(tmp_path, config=TCP, workers="1") as daemon,
        socket.create_connection(("127.0.0.1", daemon.port)) as client,
    ):
        client.sendall(line(0) + too_long[: 3 << 19])
        wait_until(lambda: len(daemon.dead_letters()) == 1, "the dead letter")
        for piece in (too_long[3 << 19 : 5 << 19], too_long[5 << 19 :] + line(2)):
            disturb(daemon)
            client.sendall(piece)
        client.close()
        daemon.stop()
    [letter] = daemon.dead_letters()
    assert (letter["stage"], letter["offset"]) == ("framing", len(line(0)))
    account = json.loads(ingestd(daemon.data_dir, "audit", "--json"))
    assert [account[name] for name in ("received", "delivered", "dead", "balanced")] == [3, 2, 1, True]


START = b'xx"}'
LOST = "the start of the line was lost"
RESUMED = [  # id, mark, delimiter, bytes that are in the journal, what waits, events, excerpts of dead letters
    ("rejected", PartialLine.REJECTED, b"\n", 0, START + b"\n" + line(7), [7], []),
    ("rejected_up_to_its_end", PartialLine.REJECTED, b"\n", 0, b"\n" + line(7), [7], []),
    ("rejected_but_not_consumed", PartialLine.REJECTED, b"\n", 2, START + b"\n" + line(7), [7], []),
    ("rejected_with_nul", PartialLine.REJECTED, b"\0", 0, b"a\nb\0" + line(7), [7], []),
    ("before_its_trace", PartialLine.REJECTING, b"\n", 0, line(6) + line(7), [6, 7], []),
    ("after_its_trace", PartialLine.REJECTING, b"\n", 2, START + b"\n" + line(7), [7], []),
    ("collected", PartialLine.COLLECTED, b"\n", 0, START + b"\n" + line(7), [7], [START]),
    ("collected_up_to_its_end", PartialLine.COLLECTED, b"\n", 0, b"\n" + line(7), [7], [b""]),
    ("collected_and_stored", PartialLine.COLLECTED, b"\n", 5, START + b"\n" + line(7), [7], []),
    ("collected_and_rejected", PartialLine.COLLECTED, b"\n", 2, START + b"\n" + line(7), [7], []),
]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no mark")
@pytest.mark.parametrize(
    ("state", "delimiter", "kept", "data", "events", "dead"),
    [row[1:] for row in RESUMED],
    ids=[row[0] for row in RESUMED],
)
async def test_the_next_reader(
    state: PartialLine, delimiter: bytes, kept: int, data: bytes, events: list[int], dead: list[bytes]
) -> None:
    """Wherever the one before it was killed; both the piece and the rest may come late."""
    async with serving() as server:
        reader = server.running.socket_input("tcp_0")
        assert reader is not None
        for cut in (len(data), 0, 1, data.find(delimiter) + 1):
            server.memory.documents.clear()
            server.letters.letters.clear()
            ours, theirs = tcp_pair()
            mark(theirs, state, delimiter)
            assert marked(theirs) == (state, delimiter)
            ours.sendall(data[: max(cut, kept)])
            reader.serve(theirs.dup(), StreamIds().new(), kept, server.closed.append)
            await asyncio.sleep(0.01)
            ours.sendall(data[max(cut, kept) :])
            await eventually(lambda: found(server) == [(number, 0) for number in events])
            assert [letter["reason"].partition(" with")[0] for letter in server.letters.letters] == [LOST] * len(dead)
            assert all(letter["raw"] in START for letter in server.letters.letters)
            if cut == len(data):
                assert [letter["raw"] for letter in server.letters.letters] == dead
            assert marked(theirs)[0] is PartialLine.NONE
            ours.close()
            theirs.close()


@pytest.mark.parametrize("disturb", DISTURBANCES)
def test_the_daemon_is_disturbed_in_the_middle(tmp_path: Path, disturb: Callable[[Daemon], None]) -> None:
    data = line(0, **{"@timestamp": STAMP}) + long_line(1) + long_line(2)
    rnd = random.Random(3)
    with (
        Daemon(tmp_path, config=TCP, workers="1") as daemon,
        socket.create_connection(("127.0.0.1", daemon.port)) as client,
    ):
        begin = 0
        for end in [*sorted(rnd.randrange(len(data)) for _ in range(4)), len(data)]:
            client.sendall(data[begin:end])
            begin = end
            if end < len(data):
                disturb(daemon)
        client.close()
        daemon.stop()
    output = ingestd(daemon.data_dir, "search", "--json", "--limit", "100").splitlines()
    events = [json.loads(text) for text in output]
    assert sorted((event["n"], len(event.get("text", ""))) for event in events) == [(0, 0), (1, LONG), (2, LONG)]
    assert daemon.dead_letters() == []
    assert [entry for entry in daemon.problems() if "longer than the kernel buffers" in entry["message"]] == []
