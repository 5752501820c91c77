"""Windows of events: acknowledged once they are on the disk, whole or not, and kept if the client goes away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ingestd.compiler.pipeline import compile_pipeline, inspect
from ingestd.config.parser import parse
from ingestd.plugins.inputs import beats
from ingestd.plugins.inputs._beats_events import Enrichment
from ingestd.plugins.inputs.beats import BeatsInput, Options
from ingestd.plugins.registry import BuildContext, find
from ingestd.protocols.framing.lumberjack import ack_frame
from ingestd.settings import Settings
from tests.lumberjack_writer import AckDecoder, compressed_frame, data_frame, encode_window, json_frame, window_frame
from tests.plugins.inputs.conversations import Client, Serving, serving
from tests.waiting import eventually

A, B = b'{"a":1}', b'{"b":2}'


def make(*, max_line_bytes: int = 100, **options: Any) -> BeatsInput:
    spec = find("codec", "plain")
    assert spec is not None
    codec = spec.build(spec.options(), BuildContext())
    context = BuildContext(plugin_id="beats_0", codec=codec, settings=Settings(max_line_bytes=max_line_bytes))
    return BeatsInput(Options(port=0, **options), context)


@asynccontextmanager
async def running_beats(**options: Any) -> AsyncIterator[Serving]:
    async with serving(make(**options)) as running:
        yield running


def received(running: Serving) -> bytes:
    return b"".join(running.sink.data)


async def acknowledged(client: Client, last: int) -> list[int]:
    """Return what the client receives, up to the acknowledgement ``last``."""
    reader, numbers = AckDecoder(), list[int]()
    while last not in numbers:
        data = await client.receive()
        assert data, numbers
        numbers += reader.feed(data)
    return numbers


WINDOWS: dict[str, tuple[bytes, bytes, bytes]] = {  # id: (sent, put, answer)
    "window": (encode_window([A, B], level=0), A + b"\n" + B + b"\n", ack_frame(2)),
    "compressed": (encode_window([A, B]), A + b"\n" + B + b"\n", ack_frame(2)),
    "two_windows": (
        encode_window([A]) + encode_window([B, B]),
        A + b"\n" + B + b"\n" + B + b"\n",
        ack_frame(1) + ack_frame(2),
    ),
    "empty_window": (window_frame(0), b"", ack_frame(0)),
    "early_window": (
        window_frame(5) + json_frame(1, A) + encode_window([B, B]),
        A + b"\n" + B + b"\n" + B + b"\n",
        ack_frame(1) + ack_frame(2),
    ),
    "pretty_json": (encode_window([b'{\n "a": 1,\n "b": 2\n}']), b'{  "a": 1,  "b": 2 }\n', ack_frame(1)),
    "version_1": (window_frame(1, 1) + data_frame(7, [(b"line", b"x")]), b'{"line": "x"}\n', ack_frame(7, 1)),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "put", "answer"), WINDOWS.values(), ids=WINDOWS.keys())
async def test_windows(sent: bytes, put: bytes, answer: bytes) -> None:
    async with running_beats() as running:
        client = running.connect()
        await client.send(sent)
        got = b""
        while len(got) < len(answer):
            got += await client.receive()
        assert got == answer
        assert received(running) == put
        assert running.sink.syncs == 1


async def test_places_in_the_stream_do_not_overlap() -> None:
    async with running_beats() as running:
        client = running.connect()
        for number in range(3):
            await client.send(encode_window([A, b'{"n":%d}' % number]))
            await acknowledged(client, 2)
        ends = [(at, at + len(data)) for (_, at), data in running.sink.put_at.items()]
        assert [start for start, _ in ends] == [0, *(end for _, end in ends[:-1])]


async def test_an_unfinished_window_is_kept_and_not_acknowledged() -> None:
    async with running_beats() as running:
        client = running.connect()
        await client.send(window_frame(3) + json_frame(1, A) + json_frame(2, B)[:-1])
        await eventually(lambda: running.sink.data == [A + b"\n"])
        client.sock.close()
        await eventually(lambda: client.reason in ("end", "error"))
        assert received(running) == A + b"\n"
        assert running.sink.syncs == 0


async def test_nothing_is_acknowledged_that_the_disk_refuses() -> None:
    async with running_beats() as running:
        running.sink.disk_error = OSError("no disk")
        client = running.connect()
        await client.send(encode_window([A]))
        assert await client.receive() == b""
        await eventually(lambda: client.reason == "error")


async def test_windows_before_an_error_are_acknowledged(caplog: pytest.LogCaptureFixture) -> None:
    async with running_beats() as running:
        client = running.connect()
        await client.send(encode_window([A]) + window_frame(2) + json_frame(1, B) + b"GET / HTTP/1.1")
        assert await acknowledged(client, 1) == [1]
        assert await client.receive() == b""
        client.sock.close()
        await eventually(lambda: client.reason == "rejected")
        assert received(running) == A + b"\n" + B + b"\n"
        assert caplog.messages == ["a client violates the protocol; it was disconnected"]
        [fields] = [record.__dict__ for record in caplog.records]
        assert "its version, 1 or 2, and its type, W, J, D or C; b'GET / HTTP/1.1' came, HTTP" in str(fields)


async def test_events_that_are_too_long_become_dead_letters() -> None:
    long = b'{"text":"%b"}' % (b"x" * 100)
    async with running_beats() as running:
        client = running.connect()
        await client.send(window_frame(3) + compressed_frame(json_frame(1, A) + json_frame(2, long) + json_frame(3, B)))
        assert await acknowledged(client, 3) == [3]
        assert received(running) == A + b"\n" + B + b"\n"
        assert [*running.sink.put_at] == [("s0", 0), ("s0", len(A) + 1 + len(long) + 1)]
        reason = f"the event is longer than max_line_bytes: {len(long)} of 100 bytes allowed"
        assert running.sink.rejected == [(long, reason)]


async def test_a_client_that_has_to_wait_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "KEEP_ALIVE_SECONDS", 0.01)
    async with running_beats() as running:
        running.sink.pause()
        client, old = running.connect(), running.connect()
        await client.send(encode_window([A, B]))
        await old.send(window_frame(1, 1) + data_frame(1, [(b"line", b"x")]))
        assert {*await acknowledged(client, 0)} == {0}
        assert running.sink.data == []
        running.sink.resume()
        numbers = await acknowledged(client, 2)
        assert {*numbers[:-1]} <= {0}
        assert await old.receive() == ack_frame(1, 1)  # readers of version 1 take any answer for an acknowledgement


@pytest.mark.parametrize("mode", ["drain", "leave", "handover"])
async def test_a_stop_does_not_wait_for_room(mode: Any) -> None:
    async with running_beats() as running:
        running.sink.pause()
        client = running.connect()
        await client.send(encode_window([A, B]))
        await eventually(lambda: any(served.connection is not None for served in running.input._served))
        await running.stop(mode)
        assert running.sink.data == []
        assert await client.receive() == b""


@pytest.mark.parametrize("mode", ["drain", "leave", "handover"])
async def test_a_stop_finishes_the_window(mode: Any) -> None:
    async with running_beats() as running:
        client, idle = running.connect(), running.connect()
        await idle.send(encode_window([B]))
        await acknowledged(idle, 1)
        await client.send(window_frame(2) + json_frame(1, A))
        await eventually(lambda: len(running.sink.data) == 2)
        running.input.stop(mode)
        await eventually(lambda: idle.reason == "shutdown")
        await client.send(json_frame(2, B))
        assert await acknowledged(client, 2) == [2]
        await running.stop(mode)
        assert received(running) == B + b"\n" + A + b"\n" + B + b"\n"


async def test_a_large_window_is_put_in_chunks() -> None:
    sent = [json.dumps({"n": n, "text": "x" * 90}).encode() for n in range(20_000)]
    async with running_beats(max_line_bytes=1000) as running:
        client = running.connect()
        await client.send(encode_window(sent))
        await acknowledged(client, len(sent))
        assert received(running).splitlines() == sent
        assert max(map(len, running.sink.data)) < 600_000


ENRICHMENTS: dict[str, tuple[dict[str, Any], Enrichment]] = {
    "default": ({}, Enrichment()),
    "no_tag": ({"include_codec_tag": False}, Enrichment(codec_tag=False)),
    "none": ({"enrich": ["none"]}, Enrichment(codec_tag=False, address=False)),
    "all": ({"enrich": ["all"]}, Enrichment()),
    "address": ({"enrich": ["source_metadata"]}, Enrichment(codec_tag=False)),
    "ecs": ({"ecs_compatibility": "v8", "add_hostname": True}, Enrichment(host_name=True, ecs=True)),
}


@pytest.mark.parametrize(("options", "expected"), ENRICHMENTS.values(), ids=ENRICHMENTS.keys())
def test_what_is_added(options: dict[str, Any], expected: Enrichment) -> None:
    assert Options(port=0, **options).enrichment() == expected


def config_of(options: str) -> Any:
    return parse(f"input {{ beats {{ {options} }} }} output {{ stdout {{ }} }}", "test.conf", {})


def test_options_of_logstash_are_accepted() -> None:
    options = """port => 5044 host => "127.0.0.1" add_hostname => true client_inactivity_timeout => 120
        ecs_compatibility => v8 enrich => [source_metadata] event_loop_threads => 2 executor_threads => 4
        include_codec_tag => false ssl_handshake_timeout => 10000 ssl_peer_metadata => true
        congestion_threshold => 5 type => "beat" codec => json ssl => false ssl_verify_mode => none
        cipher_suites => [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256] tls_min_version => 1.2 tls_max_version => 1.3
        ssl_client_authentication => none ssl_supported_protocols => ["TLSv1.2"]"""
    errors = inspect(config_of(options))
    assert [error.message for error in errors if error.severity == "error"] == []
    pipeline = compile_pipeline(config_of(options), BuildContext())
    assert isinstance(pipeline.inputs[0].input, BeatsInput)
    assert pipeline.inputs[0].codec is pipeline.inputs[0].input.codec


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('port => 5044 codec => multiline { pattern => "^ " what => previous }', "let Filebeat join lines"),
        ("port => 70000", "port 70000 is not possible"),
        ("port => 5044 enrich => [everything]", "everything"),
        ('port => 5044 target_field_for_codec => "text"', "the codec is applied to message"),
    ],
    ids=["multiline", "port", "enrich", "target"],
)
def test_options_that_cannot_work(options: str, message: str) -> None:
    errors = inspect(config_of(options))
    assert message in "".join(error.message + error.hint for error in errors if error.severity == "error")
