"""Codecs, as Logstash's own specs of json, json_lines, line, plain and rubydebug take them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.config.parser import parse
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.plugins.registry import BuildContext
from tests.conformance.running import NOW, RECEIVED_NS

GENERATED = {"@timestamp": NOW, "@version": "1"}


def pipeline(codec: str, output_codec: str = "json_lines", kind: str = "generator") -> Any:
    config = f"input {{ {kind} {{ codec => {codec} }} }} output {{ stdout {{ codec => {output_codec} }} }}"
    return compile_pipeline(parse(config, "test.conf", {}), BuildContext())


def decode(codec: str, data: bytes, kind: str = "generator") -> list[dict[str, Any]]:
    """Return the documents without what every new event gets."""
    built = pipeline(codec, kind=kind)
    table = built.inputs[0].codec.decode(Chunk("in", "o", {}, 0, RECEIVED_NS, 0, data))
    [rows] = built.process(table, None, RECEIVED_NS, Tally())
    documents = [json.loads(document) for document in Batch(table, rows, "o", RECEIVED_NS).documents()]
    return [{key: value for key, value in document.items() if GENERATED.get(key) != value} for document in documents]


def encode(codec: str, *events: dict[str, Any]) -> bytes:
    built = pipeline("json_lines", codec)
    batch = Batch.of_events(events, range(len(events)), "o", 0)
    result: bytes = built.routes[0][0].output.prepare(batch).payload
    return result


def failed(message: str) -> dict[str, Any]:
    return {"message": message, "tags": ["_jsonparsefailure"]}


RECORD = {"foo": "bar", "baz": {"bah": ["a", "b", "c"]}}
BLOB = bytes(range(128, 256))
ESCAPED = "".join(f"\\x{byte:02X}" for byte in BLOB)
DECODED: list[tuple[str, str, bytes, list[dict[str, Any]]]] = [  # id, codec, bytes, documents
    ("json", "json", json.dumps(RECORD).encode(), [RECORD]),
    ("json_pretty", "json", json.dumps(RECORD, indent=2).encode(), [RECORD]),
    ("json_blanks", "json", b" \t\r\n{}\n ", [{}]),
    ("json_array", "json", b'[{"a":1}, {"a":2}]', [{"a": 1}, {"a": 2}]),
    ("json_array_empty", "json", b"[]", []),
    ("json_empty", "json", b"", []),
    ("json_blank", "json", b"  \n", []),
    ("json_text", "json", b"something that isn't json", [failed("something that isn't json")]),
    ("json_scalar", "json", b"42", [failed("42")]),
    ("json_string", "json", b'"gabeutch"', [failed('"gabeutch"')]),
    ("json_null", "json", b"null", [failed("null")]),
    ("json_array_of_scalars", "json", b"[1,2]", [failed("[1,2]")]),
    ("json_array_mixed", "json", b'[{"foo":"bar"}, 1]', [failed('[{"foo":"bar"}, 1]')]),
    ("json_blob", "json", BLOB, [failed(ESCAPED)]),
    ("json_target", "json { target => doc }", b'{"a":1}', [{"doc": {"a": 1}}]),
    ("json_target_deep", 'json { target => "[x][y]" }', b'{"a":1}', [{"x": {"y": {"a": 1}}}]),
    ("json_target_array", "json { target => doc }", b'[{"a":1},{"a":2}]', [{"doc": {"a": 1}}, {"doc": {"a": 2}}]),
    ("json_target_fails", "json { target => doc }", b"no", [failed("no")]),
    ("json_ecs", "json { ecs_compatibility => v1 }", b'{"a":1}', [{"a": 1, "event": {"original": '{"a":1}'}}]),
    ("json_ecs_kept", "json { ecs_compatibility => v8 }", b'{"event":{"original":1}}', [{"event": {"original": 1}}]),
    ("json_latin", 'json { charset => "ISO-8859-1" }', b'{"a":"Montr\xe9al"}', [{"a": "Montréal"}]),
    ("json_cp949", 'json { charset => "CP949" }', '{"a":"서울 맛집"}'.encode("cp949"), [{"a": "서울 맛집"}]),
    ("lines", "json_lines", b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
    ("lines_no_end", "json_lines", b'{"a":1}\n{"a":2}', [{"a": 1}, {"a": 2}]),
    ("lines_blank", "json_lines", b"\n\n", []),
    ("lines_blank_between", "json_lines", b'\n{"a":1}\n\n{"b":2}\n\n', [{"a": 1}, {"b": 2}]),
    ("lines_text", "json_lines", b"something that isn't json\n", [failed("something that isn't json")]),
    ("lines_text_between", "json_lines", b'{"a":1}\nno\n{"b":2}\n', [{"a": 1}, failed("no"), {"b": 2}]),
    ("lines_text_blanks_stay", "json_lines", b"  no \n", [failed("  no ")]),
    ("lines_blob", "json_lines", BLOB + b"\n", [failed(ESCAPED)]),
    ("lines_array", "json_lines", b'[{"a":1},{"a":2}]\n{"b":1}\n', [{"a": 1}, {"a": 2}, {"b": 1}]),
    ("lines_target", "json_lines { target => doc }", b'{"a":1}\n', [{"doc": {"a": 1}}]),
    ("lines_crlf", "json_lines", b'{"a":1}\r\n{"a":2}\r\n', [{"a": 1}, {"a": 2}]),
    ("lines_utf8", "json_lines", '{"a":"서울"}\n'.encode(), [{"a": "서울"}]),
    ("timestamp", "json", b'{"@timestamp":"2015-05-28T23:02:05.350Z"}', [{"@timestamp": "2015-05-28T23:02:05.350Z"}]),
    (
        "timestamp_offset",
        "json",
        b'{"@timestamp":"2015-05-28T23:02:05+09:00"}',
        [{"@timestamp": "2015-05-28T14:02:05.000Z"}],
    ),
    (
        "timestamp_bad",
        "json",
        b'{"@timestamp":"yesterday","tags":["a"]}',
        [{"_@timestamp": "yesterday", "tags": ["a", "_timestampparsefailure"]}],
    ),
    ("timestamp_number", "json", b'{"@timestamp":5}', [{"_@timestamp": 5, "tags": ["_timestampparsefailure"]}]),
    ("timestamp_null", "json", b'{"@timestamp":null}', [{}]),
    ("version", "json", b'{"@version":"2"}', [{"@version": "2"}]),
    ("version_number", "json", b'{"@version":1}', [{"@version": 1}]),
    ("tags_hash", "json", b'{"tags":{"poison":1}}', [{"_tags": [{"poison": 1}], "tags": ["_tagsparsefailure"]}]),
    ("tags_number", "json", b'{"tags":123}', [{"_tags": [123], "tags": ["_tagsparsefailure"]}]),
    ("tags_text", "json", b'{"tags":"bar"}', [{"tags": "bar"}]),
    ("metadata", "json", b'{"@metadata":{"a":1},"b":2}', [{"b": 2}]),
    ("odd_names", "json", b'{"this[key]":1,"[deeply][nested]":2}', [{"this[key]": 1, "[deeply][nested]": 2}]),
    ("plain", "plain", b"Testing decoding.", [{"message": "Testing decoding."}]),
    ("plain_utf8", "plain", "κόσμε".encode(), [{"message": "κόσμε"}]),
    ("plain_lines", "plain", b"one\ntwo", [{"message": "one\ntwo"}]),
    ("plain_invalid", "plain", b"foo \xed\xb9\x81\xc3", [{"message": "foo \\xED\\xB9\\x81\\xC3"}]),
    ("plain_invalid_end", "plain", b"bar \xad", [{"message": "bar \\xAD"}]),
    ("plain_latin", 'plain { charset => "ISO-8859-1" }', b"\xe0 Montr\xe9al", [{"message": "à Montréal"}]),
    ("plain_binary", 'plain { charset => "ASCII-8BIT" }', b"\xe0 Montr\xe9al", [{"message": "� Montr�al"}]),
    ("plain_ecs", "plain { ecs_compatibility => v1 }", b"a", [{"message": "a", "event": {"original": "a"}}]),
    ("line", "line", b"hello world\n", [{"message": "hello world"}]),
    ("line_two", "line", "München\nSeoul".encode(), [{"message": "München"}, {"message": "Seoul"}]),
    ("line_garbage", "line", b"\xd0", [{"message": "\\xD0"}]),
    ("line_ecs", "line { ecs_compatibility => v8 }", b"a\n", [{"message": "a", "event": {"original": "a"}}]),
]


@pytest.mark.parametrize(
    ("codec", "data", "expected"), [case[1:] for case in DECODED], ids=[case[0] for case in DECODED]
)
def test_decode(codec: str, data: bytes, expected: list[dict[str, Any]]) -> None:
    assert decode(codec, data) == expected


@pytest.mark.parametrize("codec", ["json", "plain"])
def test_streams_take_the_codec_for_lines(codec: str) -> None:
    assert len(decode(codec, b'{"a":1}\n{"a":2}\n', kind="stdin")) == 2


EVENT = {"@timestamp": "2015-12-07T11:37:00.000Z", "@version": "1", **RECORD, "@metadata": {"secret": 1}}
TEXT = {"@timestamp": "2015-12-07T11:37:00.000Z", "message": "hello world", "host": "test", "something": {"fancy": 123}}
ENCODED: list[tuple[str, str, list[dict[str, Any]], bytes]] = [  # id, codec, events, bytes
    ("json", "json", [{**RECORD, "@metadata": {"secret": 1}}], b'{"foo":"bar","baz":{"bah":["a","b","c"]}}'),
    ("json_two", "json", [{"a": 1}, {"b": "서울"}], '{"a":1}{"b":"서울"}'.encode()),
    ("json_lines", "json_lines", [{"a": 1}, {"b": None}], b'{"a":1}\n{"b":null}\n'),
    ("json_lines_numbers", "json_lines", [{"a": 1.0, "b": 2**64}], b'{"a":1.0,"b":18446744073709551616}\n'),
    ("line", "line", [TEXT], b"2015-12-07T11:37:00.000Z test hello world\n"),
    ("line_without_host", "line", [{"message": "m"}], b"%{@timestamp} %{host} m\n"),
    ("line_format", 'line { format => "%{host}" }', [TEXT, TEXT], b"test\ntest\n"),
    ("plain", "plain", [TEXT], b"2015-12-07T11:37:00.000Z test hello world"),
    ("plain_format", 'plain { format => "%{[message]} %{[something][fancy]}" }', [TEXT], b"hello world 123"),
    ("plain_format_date", 'plain { format => "%{+YYYY} %{[@metadata][secret]}" }', [EVENT], b"2015 1"),
]


@pytest.mark.parametrize(
    ("codec", "events", "expected"), [case[1:] for case in ENCODED], ids=[case[0] for case in ENCODED]
)
def test_encode(codec: str, events: list[dict[str, Any]], expected: bytes) -> None:
    assert encode(codec, *events) == expected


SHOWN = """\
{
    "@timestamp" => 2015-12-07T11:37:00.000Z,
          "what" => "o\\"k",
           "who" => 2,
         "rates" => [
        [0] 1.5,
        [1] nil,
        [2] true
    ],
          "none" => []
}
"""


def test_rubydebug() -> None:
    event = {"@timestamp": "2015-12-07T11:37:00.000Z", "what": 'o"k', "who": 2, "rates": [1.5, None, True], "none": []}
    assert encode("rubydebug", {**event, "@metadata": {"x": 1}}).decode() == SHOWN


def test_rubydebug_with_metadata() -> None:
    assert encode("rubydebug { metadata => true }", {"a": 1, "@metadata": {"x": {"y": "z"}}}).decode() == (
        "{\n"
        '            "a" => 1,\n'
        '    "@metadata" => {\n'
        '        "x" => {\n'
        '            "y" => "z"\n'
        "        }\n"
        "    }\n"
        "}\n"
    )


def test_rubydebug_cannot_decode() -> None:
    with pytest.raises(ConfigErrors, match="cannot decode"):
        decode("rubydebug", b"data")


pieces = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"{", b"}", b"[", b"]", b'"', b":", b",", b"\n", b"\r", b'"@timestamp"', b'"tags"', b"1e999"]),
    st.sampled_from([b'{"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1",', b"\\ud800", b'"a":']),
)


@pytest.mark.parametrize("codec", ["json", "json_lines", "line", "plain"])
@given(st.lists(pieces, max_size=12).map(b"".join))
def test_no_bytes_stop_a_stream(codec: str, data: bytes) -> None:
    """Whatever comes, it becomes events that can be written again, each with a time and a version."""
    built = CODECS[codec]
    table = built.inputs[0].codec.decode(Chunk("in", "o", {}, 0, RECEIVED_NS, 0, data))
    assert len(table.raws) == len(table.events) == len(table.keys)
    [rows] = built.process(table, None, RECEIVED_NS, Tally())
    for document in Batch(table, rows, "o", RECEIVED_NS).documents():
        assert {"@timestamp", "@version"} <= json.loads(document).keys()
        assert b"\n" not in document


CODECS = {codec: pipeline(codec) for codec in ("json", "json_lines", "line", "plain")}


def test_dots() -> None:
    assert encode("dots", {"a": 1}, {"b": 2}, {}) == b"..."
    with pytest.raises(ConfigErrors, match="the codec 'dots' cannot decode"):
        decode("dots", b".")
