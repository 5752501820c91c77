"""The codecs cef, csv, es_bulk, fluent, gzip_lines and msgpack, both ways where they have two."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import EventIds
from ingestd.event.jsontext import MAX_DEPTH
from ingestd.event.tally import Tally
from ingestd.plugins.interfaces import UndecodableError
from ingestd.protocols.framing.message_pack import VALUES, value_ends
from tests.conformance.running import NOW, RECEIVED_NS, build

GENERATED = {"@timestamp": NOW, "@version": "1"}
pack = msgspec.msgpack.encode


def decode(codec: str, data: bytes, *, kind: str = "stdin", offset: int = 0) -> list[dict[str, Any]]:
    """Return the events without what every new event gets."""
    built = build(f"input {{ {kind} {{ codec => {codec} }} }} output {{ stdout {{ }} }}").inputs[0].codec
    table = built.decode(Chunk("in", "o", {}, offset, RECEIVED_NS, 0, data))
    assert len(set(table.keys)) == len(table)
    events = [table.event(row) for row in table.rows]
    return [{key: value for key, value in event.items() if GENERATED.get(key) != value} for event in events]


def encode(codec: str, *events: dict[str, Any]) -> bytes:
    output = build(f"input {{ stdin {{ }} }} output {{ stdout {{ codec => {codec} }} }}").routes[0][0].output
    result: bytes = output.prepare(Batch.of_events(events, range(len(events)), "o", 0)).payload
    return result


def failed(tag: str, message: str) -> dict[str, Any]:
    return {"message": message, "tags": [tag]}


HEADER = {
    "cefVersion": "0",
    "deviceVendor": "security",
    "deviceProduct": "threatmanager",
    "deviceVersion": "1.0",
    "deviceEventClassId": "100",
    "name": "trojan successfully stopped",
    "severity": "10",
}
CEF = "CEF:0|security|threatmanager|1.0|100|trojan successfully stopped|10|"
ADDRESSES = {"sourceAddress": "10.0.0.192", "destinationAddress": "12.121.122.82", "sourcePort": "1232"}
CEF_CASES: list[tuple[str, str, dict[str, Any]]] = [  # id, line, event
    ("plain", CEF + "src=10.0.0.192 dst=12.121.122.82 spt=1232", HEADER | ADDRESSES),
    ("no_extension", CEF, HEADER),
    ("syslog", "Nov 29 host " + CEF, HEADER | {"syslog": "Nov 29 host"}),
    ("pipe_in_header", CEF.replace("trojan", r"a\|b \\"), HEADER | {"name": r"a|b \ successfully stopped"}),
    ("equals_and_backslash", CEF + r"msg=a\=b\\c d=e", HEADER | {"message": r"a=b\c", "d": "e"}),
    (
        "equals_in_value",
        CEF + "request=http://x/?a=b&c=d spt=1",
        HEADER | {"requestUrl": "http://x/?a=b&c=d", "sourcePort": "1"},
    ),
    ("line_feed", CEF + r"msg=a\nb", HEADER | {"message": "a\nb"}),
    ("blanks", CEF + "msg=two words  cs1=x  ", HEADER | {"message": "two words", "deviceCustomString1": "x"}),
    ("korean", CEF + "suser=김철수", HEADER | {"sourceUserName": "김철수"}),
    ("no_time", CEF + "rt=²", HEADER | {"deviceReceiptTime": "²"}),
    ("no_cef", "hello", failed("_cefparsefailure", "hello")),
    ("short_header", "CEF:0|a|b", failed("_cefparsefailure", "CEF:0|a|b")),
]


@pytest.mark.parametrize(("line", "expected"), [case[1:] for case in CEF_CASES], ids=[case[0] for case in CEF_CASES])
def test_cef(line: str, expected: dict[str, Any]) -> None:
    assert decode("cef", line.encode() + b"\n") == [expected]


def test_cef_with_ecs() -> None:
    [event] = decode("cef { ecs_compatibility => v8 }", (CEF + "src=10.0.0.1 rt=1763805600123 x=1").encode())
    assert event["source"] == {"ip": "10.0.0.1"}
    assert event["observer"] == {"vendor": "security", "product": "threatmanager", "version": "1.0"}
    assert event["event"] == {"code": "100", "severity": "10"}
    assert (event["@timestamp"], event["cef"]["x"]) == ("2025-11-22T10:00:00.123Z", "1")


def test_cef_time_that_is_none() -> None:
    [event] = decode("cef { ecs_compatibility => v8 }", (CEF + "rt=²").encode())
    assert event["observer"]["vendor"] == "security"


def test_cef_is_written() -> None:
    header = 'vendor => "a|b" name => "%{n}" severity => "%{s}"'
    options = f'cef {{ {header} fields => ["sourceAddress", "m"] reverse_mapping => true }}'
    events = [{"n": "x", "s": 3, "sourceAddress": "10.0.0.1", "m": "a=b\nc"}, {"n": "y", "s": 99}]
    assert encode(options, *events).decode().splitlines() == [
        r"CEF:0|a\|b|Logstash|1.0|Logstash|x|3|src=10.0.0.1 m=a\=b\nc",
        r"CEF:0|a\|b|Logstash|1.0|Logstash|y|6|",
    ]


keys = st.text(st.sampled_from("abc"), min_size=1, max_size=3)


@given(st.dictionaries(keys, st.text(st.sampled_from("x =\\|\n가"), max_size=6), max_size=3))
def test_cef_comes_back(fields: dict[str, str]) -> None:
    names = ", ".join(f'"{name}"' for name in fields)
    line = encode(f"cef {{ fields => [{names}] }}", fields)
    [event] = decode("cef", line)
    assert {name: event[name] for name in fields} == {name: value.strip(" ") for name, value in fields.items()}


CSV_CASES: list[tuple[str, str, str, list[dict[str, Any]]]] = [  # id, options, text, events
    ("columns", 'columns => ["a", "b"]', "1,2\n3,4,5\n", [{"a": "1", "b": "2"}, {"a": "3", "b": "4", "column3": "5"}]),
    ("header", "autodetect_column_names => true", "a,b\r\n1,2\r\n", [{"a": "1", "b": "2"}]),
    ("convert", 'columns => [n] convert => { n => "integer" }', "7\n", [{"n": 7}]),
    ("quotes", 'separator => ";" columns => [a, b]', '"x;y";"z"\n', [{"a": "x;y", "b": "z"}]),
    ("message_column", 'columns => ["message"]', "hello\n", [{"message": "hello"}]),
    ("target", "columns => [a] target => t", "1\n", [{"t": {"a": "1"}}]),
    ("cp949", 'columns => [a] charset => "CP949"', "한글\n", [{"a": "한글"}]),
    ("broken", "columns => [a]", '"x\n2\n', [failed("_csvparsefailure", '"x'), {"a": "2"}]),
]


@pytest.mark.parametrize(
    ("options", "text", "expected"), [case[1:] for case in CSV_CASES], ids=[case[0] for case in CSV_CASES]
)
def test_csv(options: str, text: str, expected: list[dict[str, Any]]) -> None:
    assert decode(f"csv {{ {options} }}", text.encode("cp949" if "CP949" in options else "utf-8")) == expected


def test_csv_that_goes_on_has_no_header() -> None:
    """Who reads a stream from its middle, after a restart, takes no row for the names of the columns."""
    assert decode("csv { autodetect_column_names => true }", b"1,2\n", offset=9) == [{"column1": "1", "column2": "2"}]


def test_csv_is_written() -> None:
    text = encode(
        'csv { columns => ["a", "[b][c]"] include_headers => true }', {"a": 'x,"y', "b": {"c": [1]}}, {"a": None}
    )
    assert text.decode() == 'a,[b][c]\n"x,""y",[1]\n,\n'


BULK = b'{"index":{"_index":"i","_id":"1"}}\n{"a":1}\n{"delete":{"_id":"2"}}\n{"create":{}}\n{"index":{}}\n'


def test_es_bulk() -> None:
    assert decode("es_bulk", BULK) == [
        {"a": 1, "@metadata": {"action": "index", "_index": "i", "_id": "1"}},
        {"@metadata": {"action": "delete", "_id": "2"}},
        {"index": {}, "@metadata": {"action": "create"}},
    ]
    ecs = decode("es_bulk { ecs_compatibility => v1 }", BULK)
    assert ecs[1]["@metadata"] == {"codec": {"es_bulk": {"action": "delete", "_id": "2"}}}
    assert decode("es_bulk", b"{x\n") == [failed("_jsonparsefailure", "{x")]


def test_es_bulk_is_cut_between_actions() -> None:
    grouping = build("input { stdin { codec => es_bulk } } output { stdout { } }").inputs[0].codec.grouping  # type: ignore[attr-defined]
    assert [len(piece.splitlines()) for piece in grouping.split(BULK)] == [2, 1, 2]


def test_gzip_lines() -> None:
    data = gzip.compress(b"a\nb\r\n") + gzip.compress("한글\n".encode())
    assert decode("gzip_lines", data, kind="generator") == [{"message": "a"}, {"message": "b"}, {"message": "한글"}]
    assert decode("gzip_lines", data) == decode("gzip_lines", data, kind="generator")
    without_ends = gzip.compress(b"a\nb") + gzip.compress(b"c\rd\r")
    assert decode("gzip_lines", without_ends) == [{"message": "a"}, {"message": "b"}, {"message": "c\rd"}]
    for wrong in (b"no", data[:-3], gzip.compress(b"a\n" * 300_000), gzip.compress(bytes(65 << 20))):
        with pytest.raises(UndecodableError):
            decode("gzip_lines", wrong, kind="generator")


def test_gzip_lines_of_files_are_lines_that_the_input_has_decompressed() -> None:
    pipeline = build('input { file { path => "/x" codec => gzip_lines } } output { stdout { } }')
    table = pipeline.inputs[0].codec.decode(Chunk("in", "o", {}, 0, RECEIVED_NS, 0, b"a\nb\n"))
    assert [table.whole(row)["message"] for row in table.rows] == ["a", "b"]


def test_msgpack() -> None:
    events = [{"a": 1, "b": [1.5, None, {"c": "한글"}]}, {"@timestamp": "2026-11-22T10:00:00.000Z"}]
    assert decode("msgpack", b"".join(map(pack, events))) == events
    assert decode("msgpack { target => t }", pack({"a": 1})) == [{"t": {"a": 1}}]
    [good, bad] = decode("msgpack", pack({"a": 1}) + b"\x01")
    assert (good, bad["tags"]) == ({"a": 1}, ["_msgpackparsefailure"])


def test_msgpack_times_are_text() -> None:
    moment = datetime(2026, 11, 22, 10, tzinfo=UTC)
    stamp = "2026-11-22T10:00:00.000Z"
    assert decode("msgpack", pack({"@timestamp": moment, "a": [moment]})) == [{"@timestamp": stamp, "a": [stamp]}]


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 900, 100_000])
@pytest.mark.parametrize(("codec", "start"), [("msgpack", b""), ("fluent", b"\x93\xa1t\x01")])
def test_deep_values(codec: str, start: bytes, depth: int) -> None:
    [event] = decode(codec, start + b"\x81\xa1a" * depth + b"\x01")
    assert event["tags"] == [f"_{codec}parsefailure"]


def test_msgpack_is_written() -> None:
    event = {"@timestamp": "2026-11-22T10:00:00.000Z", "n": 2**70, "@metadata": {"x": 1}, "m": "a"}
    written = msgspec.msgpack.decode(encode("msgpack", event))
    assert (written["@timestamp"], written["m"], "@metadata" in written) == (event["@timestamp"], "a", False)
    assert decode("msgpack", encode("msgpack", {"a": [1], "b": "x"})) == [{"a": [1], "b": "x"}]
    assert msgspec.msgpack.decode(encode('msgpack { format => "%{a}" }', {"a": "x"})) == "x"


STAMP = 1763805600
AT: dict[str, Any] = {"@timestamp": "2025-11-22T10:00:00.000Z", "tags": ["app.log"]}
ROWS = [
    [STAMP, {"a": 1}],
    [msgspec.msgpack.Ext(0, STAMP.to_bytes(4, "big") + (600_000_000).to_bytes(4, "big")), {"b": "x"}],
]
EVENTS: list[dict[str, Any]] = [AT | {"a": 1}, AT | {"b": "x", "@timestamp": "2025-11-22T10:00:00.600Z"}]
PACKED = b"".join(map(pack, ROWS))
FLUENT: list[tuple[str, Any, list[dict[str, Any]]]] = [  # id, message, events
    ("message", ["app.log", STAMP, {"a": 1}], EVENTS[:1]),
    ("with_options", ["app.log", STAMP, {"a": 1}, {"chunk": "x"}], EVENTS[:1]),
    ("forward", ["app.log", ROWS], EVENTS),
    ("packed_forward", ["app.log", PACKED], EVENTS),
    ("compressed", ["app.log", gzip.compress(PACKED), {"compressed": "gzip"}], EVENTS),
    ("compressed_twice", ["app.log", gzip.compress(PACKED) * 2, {"compressed": "gzip"}], EVENTS * 2),
]


@pytest.mark.parametrize(("message", "expected"), [case[1:] for case in FLUENT], ids=[case[0] for case in FLUENT])
def test_fluent(message: Any, expected: list[dict[str, Any]]) -> None:
    assert decode("fluent", pack(message)) == expected


MESSAGES: list[tuple[str, str, bytes]] = [  # codec, input, message of two events or more
    ("gzip_lines", "generator", gzip.compress(b"a\nb\nc\n")),
    ("fluent", "stdin", pack(["t", [[STAMP, {"message": "a"}], [STAMP, {"message": "b"}], [STAMP, {"message": "c"}]]])),
    ("msgpack", "stdin", pack({"message": "a"}) + b"\x01"),
]


@pytest.mark.parametrize(("codec", "kind", "message"), MESSAGES, ids=[case[0] for case in MESSAGES])
def test_copies_of_an_event_have_ids_of_their_own(codec: str, kind: str, message: bytes) -> None:
    pipeline = build(
        f"input {{ {kind} {{ codec => {codec} }} }} filter {{ clone {{ clones => [x, y] }} }} output {{ stdout {{ }} }}"
    )
    table = pipeline.inputs[0].codec.decode(Chunk("in", "o", {}, 0, RECEIVED_NS, 0, message))
    received = len(table)
    [rows] = pipeline.process(table, None, RECEIVED_NS, Tally())
    ids = EventIds("o", [table.keys[row] for row in rows])
    assert len(set(ids)) == len(ids) == 3 * received


@pytest.mark.parametrize(
    "message", [5, ["a"], ["a", "b"], ["a", STAMP], ["a", STAMP, 5], ["a", [5]], ["a", [[{}, {}]]], ["a", b"\xc1"]]
)
def test_what_is_no_message_of_fluentd(message: Any) -> None:
    [event] = decode("fluent", pack(message))
    assert event["tags"] == ["_fluentparsefailure"]


def test_fluent_is_written() -> None:
    event = {"@timestamp": "2025-11-22T10:00:00.000Z", "tags": ["app", "log"], "a": 1}
    assert msgspec.msgpack.decode(encode("fluent", event)) == ["app.log", STAMP, event]
    assert decode("fluent", encode("fluent", event | {"tags": "app.log"})) == [AT | {"a": 1}]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=30,
)


@given(st.lists(values, min_size=1, max_size=4), st.data())
def test_where_values_end(items: list[Any], data: st.DataObject) -> None:
    texts = [pack(item) for item in items]
    ends = [sum(map(len, texts[: number + 1])) for number in range(len(texts))]
    stream = b"".join(texts)
    assert value_ends(stream) == ends
    cut = data.draw(st.integers(0, len(stream)))
    assert value_ends(stream, cut) == [end for end in ends if end <= cut]
    assert b"".join(VALUES.split(stream[:cut])) == stream[:cut]


@given(st.binary(max_size=60))
def test_any_bytes_end_somewhere(data: bytes) -> None:
    for codec in ("msgpack", "fluent", "cef", "csv", "es_bulk"):
        json.dumps(decode(codec, data))
