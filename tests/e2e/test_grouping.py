"""Codecs whose messages are not single lines, on connections: each event once, whoever reads on."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingestd.event.chunk import Stream
from ingestd.plugins.inputs._streams import StreamIds
from ingestd.plugins.inputs._tcp_position import unread
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.test_long_lines import DISTURBANCES
from tests.e2e.test_tcp import Server, accepted, serving, tcp_pair
from tests.waiting import eventually

CODEC = 'codec => multiline { pattern => "^\\s" what => previous %s }'
TRACES = [f"error {number}\n  at a{number}\n  at b{number}\n" for number in range(40)]


def texts(server: Server) -> list[Any]:
    return [document["message"] for document in server.memory.documents]


def expected(*traces: str) -> list[str]:
    return [trace.removesuffix("\n") for trace in traces]


@pytest.mark.parametrize("seed", range(3))
async def test_in_pieces(seed: int) -> None:
    """However the bytes come, the events are the same, and so are their ids."""
    rnd, data = random.Random(seed), "".join(TRACES).encode()
    async with serving(CODEC % "") as server:
        writer = await server.connect()
        start = 0
        while start < len(data):
            end = start + rnd.randint(1, 200)
            writer.write(data[start:end])
            await writer.drain()
            await asyncio.sleep(0.001)
            start = end
        await server.until(len(TRACES) - 1)
        writer.close()
        await server.until(len(TRACES))
    assert texts(server) == expected(*TRACES)
    assert {document["tags"][0] for document in server.memory.documents} == {"multiline"}
    offsets = [int(event_id.rpartition("-")[2], 16) for event_id in server.memory.ids]
    assert offsets == [sum(map(len, TRACES[:number])) for number in range(len(TRACES))]


async def test_lines_wait_in_the_kernel_for_the_end_of_their_event() -> None:
    first, second = (trace.encode() for trace in TRACES[:2])
    async with serving(CODEC % "") as server:
        ours, theirs = await accepted(server)
        ours.sendall(first)
        await eventually(lambda: unread(theirs) == len(first))
        ours.sendall(second[:7])
        await asyncio.sleep(0.1)
        assert unread(theirs) == len(first) + 7
        ours.sendall(second[7:])
        await server.until(1)
        await eventually(lambda: unread(theirs) == len(second))
        await server.stop("leave")
        assert texts(server) == expected(TRACES[0])
        assert unread(theirs) == len(second)
    async with serving(CODEC % "") as following:
        reader = following.running.socket_input("tcp_0")
        assert reader is not None
        reader.serve(theirs, StreamIds().new(), 0, following.closed.append)
        ours.sendall(b"  at c1\nend\n")
        await following.until(1)
        ours.close()
        await following.until(2)
    assert texts(following) == [*expected(TRACES[1] + "  at c1\n"), "end"]


@pytest.mark.parametrize("kept", [0, len(TRACES[0]), len(TRACES[0]) + len(TRACES[1])])
async def test_who_reads_on_after_a_kill_goes_on_at_an_event(kept: int) -> None:
    """Events that are in the journal already come no second time."""
    ours, theirs = tcp_pair()
    ours.sendall("".join(TRACES[:3]).encode())
    ours.close()
    async with serving(CODEC % "") as server:
        reader = server.running.socket_input("tcp_0")
        assert reader is not None
        reader.serve(theirs, Stream("c1", {}), kept, server.closed.append)
        await eventually(lambda: server.closed == ["end"])
    first = kept // len(TRACES[0])
    assert texts(server) == expected(*TRACES[first:3])
    assert server.memory.ids[0] == f"c1-{kept:012x}"


async def test_the_last_event_ends_after_a_while() -> None:
    async with serving(CODEC % "auto_flush_interval => 0.2") as server:
        writer = await server.connect()
        writer.write(TRACES[0].encode() + b"half")
        assert texts(server) == []
        await server.until(1)
        writer.write(b" a line\n  more\n")
        await server.until(2)
        writer.close()
    assert texts(server) == [*expected(TRACES[0]), "half a line\n  more"]


async def test_the_last_event_waits_for_room() -> None:
    """While the disk is full nothing is stored; the last event ends once there is room, though nothing follows."""
    async with serving(CODEC % "auto_flush_interval => 0.5") as server:
        ours, theirs = await accepted(server)
        ours.sendall(TRACES[0].encode())
        await eventually(lambda: unread(theirs) == len(TRACES[0]))
        await asyncio.sleep(0.1)  # the lines are read, and wait
        server.running.pause_for_disk()
        await server.until(1)
        ours.close()
        theirs.close()
    assert texts(server) == expected(TRACES[0])


async def test_limits() -> None:
    """What is too long for an event is more than one, and a line that is too long is a dead letter."""
    data = b"a\n" + b"  b\n" * 9 + b"c" * 3000 + b"\n  d\n" + b"e\n" + b"  f\n" * 400 + b"g\n"
    async with serving(CODEC % "max_lines => 4 multiline_tag => m", max_line_bytes=1000) as server:
        writer = await server.connect()
        writer.write(data)
        writer.close()
        await eventually(lambda: server.closed == ["end"])
    tags = ["m", "multiline_codec_max_lines_reached"]
    sizes = [(document["message"].count("\n") + 1, document.get("tags")) for document in server.memory.documents]
    assert sizes == [(5, tags), (5, tags), (1, None), *[(5, tags)] * 80, (1, None), (1, None)]
    lines = [line for document in server.memory.documents for line in document["message"].split("\n")]
    assert lines == ["a", *["  b"] * 9, "  d", "e", *["  f"] * 400, "g"]
    [letter] = server.letters.letters
    assert letter["raw"].startswith(b"ccc")


async def test_a_stop_takes_in_the_last_event() -> None:
    async with serving(CODEC % "") as server:
        writer = await server.connect()
        writer.write("".join(TRACES[:2]).encode())
        await server.until(1)
        await server.stop("drain")
        assert texts(server) == expected(*TRACES[:2])


@pytest.mark.parametrize("seed", range(2))
async def test_messages_of_fluentd_in_pieces(seed: int) -> None:
    """Values of MessagePack have no line ends; they too wait in the kernel until they are whole."""
    rnd = random.Random(seed)
    records = [[1763805600 + number, {"n": number, "text": "x\n" * rnd.randint(0, 300)}] for number in range(60)]
    messages = [["app", *records[0]], ["app", records[1:20]], *(["app", *record] for record in records[20:])]
    data = b"".join(msgspec.msgpack.encode(message) for message in messages)
    async with serving("codec => fluent") as server:
        writer = await server.connect()
        start = 0
        while start < len(data):
            end = start + rnd.randint(1, 3000)
            writer.write(data[start:end])
            await writer.drain()
            await asyncio.sleep(0.001)
            start = end
        await server.until(60)
        writer.close()
    assert [document["n"] for document in server.memory.documents] == list(range(60))
    assert len(set(server.memory.ids)) == 60
    assert server.letters.letters == []


CONFIG = """
input { tcp { port => 0 host => "127.0.0.1" codec => multiline { pattern => "^\\s" what => previous } } }
output { store { } }
"""


def test_the_daemon_is_disturbed_within_events(tmp_path: Path) -> None:
    """Killed, reloaded and upgraded while events are half there: each is stored whole, once."""
    data, rnd = "".join(TRACES).encode(), random.Random(5)
    cuts = sorted(rnd.randrange(1, len(data)) for _ in range(3))
    with (
        Daemon(tmp_path, config=CONFIG, workers="1") as daemon,
        socket.create_connection(("127.0.0.1", daemon.port)) as client,
    ):
        for number, (start, end) in enumerate(itertools.pairwise([0, *cuts, len(data)])):
            if number:
                DISTURBANCES[number % len(DISTURBANCES)](daemon)
            client.sendall(data[start:end])
        client.close()
        daemon.stop()
    found = [json.loads(line) for line in ingestd(daemon.data_dir, "search", "--json", "--limit", "100").splitlines()]
    assert sorted(event["message"] for event in found) == sorted(expected(*TRACES))
    account = json.loads(ingestd(daemon.data_dir, "audit", "--json"))
    assert [account[name] for name in ("received", "delivered", "dead", "balanced")] == [40, 40, 0, True]
