"""The fields that the input ``gelf`` makes of records."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.config.parser import parse
from ingestd.event.chunk import DATAGRAMS, Chunk, Stream
from ingestd.event.fields import Event
from ingestd.plugins.inputs._gelf_datagrams import GelfDatagrams
from ingestd.plugins.interfaces import DatagramInput, Input, SocketInput
from ingestd.plugins.registry import BuildContext
from ingestd.protocols.framing.datagrams import line_of
from tests.plugins.inputs.conversations import MemorySink

RECEIVED = 1_796_000_000 * 10**9
RECEIVED_STAMP = "2026-11-30T00:53:20.000Z"


def built(options: str = "") -> Input:
    config = f"input {{ gelf {{ {options} }} }} output {{ null {{ }} }}"
    return compile_pipeline(parse(config, "t", {}), BuildContext()).inputs[0].input


def decoded(options: str, *messages: str) -> list[Event]:
    config = f"input {{ gelf {{ {options} }} }} output {{ null {{ }} }}"
    codec = compile_pipeline(parse(config, "t", {}), BuildContext()).inputs[0].codec
    data = b"".join(line_of(message.encode(), b"10.0.0.9") for message in messages)
    table = codec.decode(Chunk("gelf_0", "s", {DATAGRAMS: True}, 0, RECEIVED, len(messages), data))
    return [table.whole(row) for row in table.rows]


CASES: list[tuple[str, str, Any, Event]] = [  # id, options, record, fields but those that all have
    (
        "usual",
        "",
        {"version": "1.1", "host": "web1", "short_message": "hi", "timestamp": 1796000000.25, "level": 4, "_order": 5},
        {"version": "1.1", "host": "web1", "message": "hi", "level": 4, "order": 5}
        | {"@timestamp": "2026-11-30T00:53:20.250Z"},
    ),
    ("full", "", {"short_message": "a", "full_message": "a\nb"}, {"short_message": "a", "message": "a\nb"}),
    ("full_is_short", "", {"short_message": "a", "full_message": "a"}, {"message": "a"}),
    ("full_is_empty", "", {"short_message": "a", "full_message": ""}, {"message": "a", "full_message": ""}),
    (
        "no_remap",
        "remap => false",
        {"short_message": "a", "full_message": "b"},
        {"short_message": "a", "full_message": "b"},
    ),
    ("underscores", "strip_leading_underscore => false", {"short_message": "a", "_b": 1}, {"message": "a", "_b": 1}),
    (
        "odd_names",
        "",
        {"short_message": "a", "_": 1, "__c": 2, "_@timestamp": 3},
        {"message": "a", "_": 1, "_c": 2, "_@timestamp": 3},
    ),
    ("time_as_text", "", {"short_message": "a", "timestamp": "1"}, {"message": "a", "timestamp": "1"}),
    ("no_such_time", "", {"short_message": "a", "timestamp": 1e300}, {"message": "a", "timestamp": 1e300}),
    ("source_host", "", {"short_message": "a", "source_host": "x"}, {"message": "a"}),
    ("tags", "", {"short_message": "a", "_tags": 5}, {"message": "a", "_tags": [5], "tags": ["_tagsparsefailure"]}),
]


@pytest.mark.parametrize(
    ("options", "record", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_fields(options: str, record: Any, expected: Event) -> None:
    usual = {"@timestamp": RECEIVED_STAMP, "@version": "1", "source_host": "10.0.0.9"}
    assert decoded(options, json.dumps(record)) == [usual | expected]


@pytest.mark.parametrize("text", ["hello", "[1]", "{", "5"])
def test_what_is_no_record(text: str) -> None:
    [event] = decoded("", text)
    assert (event["message"], event["tags"]) == (text, ["_jsonparsefailure"])


def test_several_at_once_and_blanks() -> None:
    events = decoded("", '{"short_message":"a"}\n\0', "", '{"short_message":\n"b"}')
    assert [event["message"] for event in events] == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "tcp", "udp"),
    [
        ("", None, 12201),
        ("use_tcp => true", 12201, 12201),
        ("use_tcp => true port => 1 port_tcp => 2 port_udp => 3", 2, 3),
        ("use_tcp => true use_udp => false port_tcp => 0", 0, None),
    ],
)
def test_ports(options: str, tcp: int | None, udp: int | None) -> None:
    found = built(options)
    assert (found.address[1] if isinstance(found, SocketInput) else None) == tcp
    assert (found.datagram_sockets[0].port if isinstance(found, DatagramInput) else None) == udp


def test_neither_is_an_error() -> None:
    with pytest.raises(ConfigErrors, match="nothing would be received"):
        built("use_udp => false")


def chunk(number: int, count: int, data: bytes) -> bytes:
    return b"\x1e\x0f12345678" + bytes([number, count]) + data


class Sink(MemorySink):
    """Keeps dead letters; refuses them while ``full``."""

    full = False

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[tuple[bytes, str, str]] = []
        self.places: set[tuple[str, int]] = set()

    def reject(
        self, raw: bytes, reason: str, stream: Stream, offset: int, end: int, *, size: int | None = None
    ) -> bool:
        if not self.full:
            self.letters.append((raw, reason, stream.fields["host"]))
            self.places.add((stream.id, offset))
        return not self.full


def test_what_cannot_be_used_is_a_dead_letter_even_if_that_has_to_wait() -> None:
    sink, now = Sink(), 0.0
    datagrams = GelfDatagrams(sink, 100, lambda: now)
    sink.full = True
    assert datagrams.accept(chunk(5, 2, b"x"), "a") is None
    assert datagrams.accept(b"\x1f\x8bbroken", "b") is None
    assert datagrams.accept(b"x" * 101, "c") is None
    assert datagrams.accept(chunk(0, 2, b"late"), "d") is None
    sink.full, now = False, 6.0
    datagrams.tick()
    assert datagrams.accept(chunk(0, 3, b"never"), "e") is None
    datagrams.end()
    assert not sink.lost
    assert [(raw, host) for raw, _, host in sink.letters] == [
        (chunk(5, 2, b"x"), "a"),
        (b"\x1f\x8bbroken", "b"),
        (b"x" * 101, "c"),
        (b"late", "d"),
        (b"never", "e"),
    ]
    assert len(sink.places) == 5
    assert datagrams.accept(b"{}", "a") == b"{}"


def test_dead_letters_that_cannot_be_written_until_the_stop(caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink()
    datagrams = GelfDatagrams(sink, 100)
    datagrams.accept(chunk(0, 2, b"half"), "a")
    sink.full = True
    datagrams.end()
    assert sink.lost
    assert caplog.messages == [
        "messages that cannot be used are lost: their dead letters could not be written until the stop"
    ]
