"""Codecs of lines that end with something else than a line feed: the same events at the same places, with all bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.compiler.pipeline import BuiltInput, compile_pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.config.parser import parse
from ingestd.diagnosis.trace import Tracing
from ingestd.event.batch import Batch
from ingestd.event.chunk import DATAGRAMS, Chunk
from ingestd.event.table import Table
from ingestd.plugins.inputs._kafka_codec import RecordPosition, line_of_record
from ingestd.plugins.inputs.http import frames
from ingestd.plugins.interfaces import delimiter_of
from ingestd.plugins.registry import BuildContext
from ingestd.protocols.framing.datagrams import line_of

DELIMITERS = ["|", "\\0", "\\r\\n", "|END|", "\\x1e", "\\xff", "가"]


def built_input(text: str, filters: str = "") -> BuiltInput:
    config = f"input {{ {text} }} filter {{ {filters} }} output {{ stdout {{ }} }}"
    return compile_pipeline(parse(config, "test.conf", {}), BuildContext()).inputs[0]


def events(built: BuiltInput, data: bytes, offset: int = 0) -> list[tuple[Any, dict[str, Any]]]:
    """Return key and event of what is in ``data``, but for fields that every event has."""
    table = built.codec.decode(Chunk("tcp_0", "s", {}, offset, 0, 0, data))
    wholes = [table.whole(row) for row in table.rows]
    kept = [{k: v for k, v in event.items() if k not in ("@timestamp", "@version")} for event in wholes]
    return [*zip(table.keys, kept, strict=True)]


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_lines_of_text(delimiter: str) -> None:
    built = built_input(f'tcp {{ port => 0 codec => line {{ delimiter => "{delimiter}" }} }}')
    end = delimiter_of(built.codec)
    records = [b"one", b"two\nlines\n", "서울".encode(), b"\r\nx\r", b"last"]
    data = end.join(records)
    if end == b"\r\n":  # then the fourth record is two, the first of them empty
        records[3] = b"x\r"
    assert [event["message"].encode() for _, event in events(built, data, 100)] == records
    assert [
        data[key - 100 :].startswith(record) for (key, _), record in zip(events(built, data, 100), records, strict=True)
    ]


@pytest.mark.parametrize("delimiter", [*DELIMITERS, "||", "a|a", "END", "}|", "\u2028", "😀"])
def test_text_that_has_the_delimiter_is_still_one_record(delimiter: str) -> None:
    built = built_input(f'tcp {{ port => 0 codec => json_lines {{ delimiter => "{delimiter}" }} }}')
    end = delimiter_of(built.codec)
    text = end.decode("utf-8", "replace")
    messages = [text, text + text, f"x{text[:1]}{text}{text[-1:]}y", f'\\"{text}\\', "plain"]
    whole = [{"@timestamp": "2026-11-22T10:00:00.000Z", "message": message, text: "x"} for message in messages]
    data = built.codec.encode(Batch.of_events(whole, range(len(whole)), "o", 0))
    assert data.count(end) == len(messages)
    found = [event for _, event in events(built, data)]
    assert [event["message"] for event in found] == messages
    assert all(event[text] == "x" for event in found)


@pytest.mark.parametrize("filters", ["", 'mutate { add_field => { "a" => "%{n}" } }'], ids=["whole", "columns"])
@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_records_of_json(delimiter: str, filters: str) -> None:
    built = built_input(f'tcp {{ port => 0 codec => json_lines {{ delimiter => "{delimiter}" }} }}', filters)
    end = delimiter_of(built.codec)
    lines = [b'{"n":1}', b'{"n":2}', b'[{"n":3},{"n":4}]', b"no JSON"]
    with_ends = [b'{"n":1}', b'{\n "n":2\n}\n', b'[{"n":3},\n{"n":4}]', b"no\nJSON"]
    for records in (lines, with_ends):
        data = end.join([*records, b""])
        found = events(built, data, 50)
        assert [event.get("n", event.get("message")) for _, event in found] == [1, 2, 3, 4, records[3].decode()]
        starts = [50 + data.index(record) for record in records]
        assert [key for key, _ in found] == [*starts[:3], starts[2] + 1, starts[3]]
        assert found[-1][1]["tags"] == ["_jsonparsefailure"]


@given(st.lists(st.sampled_from(["", "a", '{"n":1}', "[]", " ", '[{"a":1},{"b":2}]', "{", "\t"]), max_size=8))
def test_records_of_json_are_the_same_as_lines(texts: list[str]) -> None:
    usual, other = built_input(_JSON % "\\n"), built_input(_JSON % "|")
    data = "\n".join([*texts, ""]).encode()
    assert events(other, data.replace(b"\n", b"|"), 7) == events(usual, data, 7)


_JSON = 'tcp { port => 0 codec => json_lines { delimiter => "%s" } }'


def test_records_of_cef_and_rows() -> None:
    built = built_input('tcp { port => 0 codec => cef { delimiter => "\\0" } }')
    record = b"CEF:0|a|b|1|2|name|3|msg=two\nlines"
    assert [key for key, _ in events(built, record + b"\0" + record + b"\0")] == [0, len(record) + 1]
    assert events(built, record + b"\0")[0][1]["name"] == "name"
    rows = built_input('file { path => "/x" delimiter => ";" codec => csv { columns => ["a", "b"] } }')
    assert [event for _, event in events(rows, b"1,2;3,4;")] == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_the_delimiter_of_a_file_comes_first() -> None:
    for codec in (
        "line",
        'line { delimiter => "|" }',
        "plain",
        "json",
        'multiline { pattern => "^ " what => previous }',
    ):
        built = built_input(f'file {{ path => "/x" delimiter => "<e>" codec => {codec} }}')
        assert delimiter_of(built.codec) == b"<e>"
    assert delimiter_of(built_input('file { path => "/x" codec => line { delimiter => "|" } }').codec) == b"|"


def test_messages_of_lines_that_end_otherwise() -> None:
    built = built_input(
        'file { path => "/x" delimiter => "\\r" codec => multiline { pattern => "^ " what => previous } }'
    )
    assert events(built, b"a\r b\n\r")[0][1] == {"message": "a\n b\n", "tags": ["multiline"]}


@pytest.mark.parametrize("text", ["", "x" * 257], ids=["empty", "too_long"])
def test_a_delimiter_that_cannot_be(text: str) -> None:
    with pytest.raises(ConfigErrors) as raised:
        built_input(f'tcp {{ port => 0 codec => line {{ delimiter => "{text}" }} }}')
    assert "delimiter has to have 1 to 256 bytes" in str(raised.value)


LINE = 'codec => line { delimiter => "||" }'


def test_messages_in_datagrams() -> None:
    built = built_input(f"udp {{ port => 0 {LINE} }}")
    data = b"".join(line_of(message, b"192.0.2.1") for message in (b"a\nb||c", b"d||", b"e"))
    table = built.codec.decode(Chunk("udp_0", "s", {DATAGRAMS: True}, 0, 0, 3, data))
    assert [table.whole(row)["message"] for row in table.rows] == ["a\nb", "c", "d", "e"]
    assert len(set(table.keys)) == 4


def test_bodies_of_requests() -> None:
    codec = built_input(f"tcp {{ port => 0 {LINE} }}").codec
    assert frames(codec, b"a\nb||c||d") == [(b"a\nb||", 1), (b"c||", 1), (b"d", 1)]


def test_messages_of_kafka() -> None:
    pytest.importorskip("confluent_kafka")
    built = built_input(f"kafka {{ {LINE} }}")
    values = (b"a\nb||c||", b"d")
    lines = [line_of_record(value, RecordPosition("t", 0, number), None) for number, value in enumerate(values)]
    table = built.codec.decode(Chunk("kafka_0", "s", {}, 0, 0, 2, b"".join(lines)))
    assert [table.whole(row)["message"] for row in table.rows] == ["a\nb", "c", "d"]
    assert len(set(table.keys)) == 3


def test_what_outputs_write() -> None:
    written = {
        'line { format => "%{message}" delimiter => "||" }': b"a\nb||c||",
        'json_lines { delimiter => "\\0" }': b'{"message":"a\\nb"}\0{"message":"c"}\0',
    }
    for codec, expected in written.items():
        config = f"output {{ stdout {{ codec => {codec} }} }}"
        output = compile_pipeline(parse(config, "test.conf", {}), BuildContext()).routes[0][0].output
        table = Table.of_events([{"message": "a\nb"}, {"message": "c"}], [0, 1])
        assert output.prepare(Batch(table, [0, 1], "s", 0)).payload == expected


def test_a_trace_has_the_same_events() -> None:
    config = f"input {{ tcp {{ port => 0 {LINE} }} }} output {{ stdout {{ }} }}"
    tracing = Tracing(parse(config, "test.conf", {}), BuildContext())
    traces = tracing.records("tcp", b"a\nb||c||d")
    assert [trace.received["message"] for trace in traces] == ["a\nb", "c", "d"]
