"""The records of Django's handlers: version 0 and 1 on one port, keys by place, raw bytes where possible."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logstash.formatter import LogstashFormatterVersion0, LogstashFormatterVersion1

from ingestd.compiler.projection import ALWAYS
from ingestd.event.chunk import Chunk
from ingestd.event.fields import FieldRef
from ingestd.event.jsontext import MAX_DEPTH
from ingestd.event.table import Table
from ingestd.plugins.codecs._events import convert_version_0
from ingestd.plugins.codecs._json import JsonDecoder

RECEIVED_NS = 1_763_805_600_500_000_000
NOW = "2025-11-22T10:00:00.500Z"
STAMP = b'"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1"'


def decoder(*fields: str, full: bool = False, charset: str = "UTF-8", **options: Any) -> JsonDecoder:
    return JsonDecoder(None if full else ALWAYS | set(fields), charset, **options)


def lines(data: bytes, *fields: str, offset: int = 0, **options: Any) -> Table:
    return decoder(*fields, **options).lines(Chunk("in", "o", {}, offset, RECEIVED_NS, 0, data))


def events_of(table: Table) -> list[dict[str, Any]]:
    return [table.event(row) for row in table.rows]


extras = st.dictionaries(
    st.sampled_from(["request", "status_code", "server_time", "user", "level", "host", "한글"]),
    st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.none(), st.dictionaries(st.text(), st.text())),
)


@given(st.text(max_size=20), extras, st.booleans(), st.lists(st.sampled_from(["a", "b"]), max_size=2))
def test_both_versions_give_the_same_event(text: str, extra: dict[str, Any], failed: bool, tags: list[str]) -> None:
    info = (ValueError, ValueError("boom"), None) if failed else None
    record = logging.LogRecord("django.server", logging.WARNING, "/app/views.py", 7, text, None, info)
    record.__dict__.update(extra)
    old = json.loads(LogstashFormatterVersion0("web", tags).format(record))
    new = json.loads(LogstashFormatterVersion1("web", tags).format(record))
    assert convert_version_0(old) == new


def test_versions_are_detected_record_by_record() -> None:
    old = b'{"@timestamp":"2026-11-22T10:00:00.000Z","@message":"m","@fields":{"levelname":"INFO"}}'
    new = b"{" + STAMP + b',"message":"n","level":"INFO"}'
    decoded = lines(old + b"\n" + new + b"\n", "level", "message")
    assert decoded.raws == [None, new[:-1]]
    assert [(event["message"], event["level"]) for event in events_of(decoded)] == [("m", "INFO"), ("n", "INFO")]


def test_lines_that_are_no_objects_leave_the_others_as_they_came() -> None:
    record = b"{" + STAMP + b',"message":"m"}'
    data = b"\n".join([b"text\r", record, b" ", b'[{"a":1},{"a":2}]', b"caf\xe9", record + b" ", b'{"half', b"5", b""])
    decoded = lines(data, "message", "a", offset=7)
    assert decoded.raws == [None, record[:-1], None, None, None, record[:-1], None, None]
    assert decoded.keys == [7 + data.index(line) for line in (b"text", record)] + [
        *(7 + data.index(b"[") + number for number in range(2)),
        *(7 + place for place in (data.index(b"caf"), data.rindex(record), data.index(b'{"half'), data.index(b"5\n"))),
    ]
    messages = ["text", "m", None, None, "caf\\xE9", "m", '{"half', "5"]
    assert [event.get("message") for event in events_of(decoded)] == messages
    assert [event.get("a") for event in events_of(decoded)] == [None, None, 1, 2, None, None, None, None]


LIFTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "own_timestamp_wins",
        {"@timestamp": "t", "@message": "m", "@fields": {"@timestamp": "x", "a": 1}},
        {"@timestamp": "t", "@version": "1", "message": "m", "a": 1},
    ),
    ("least", {"@message": "m", "@fields": {}}, {"@timestamp": None, "@version": "1", "message": "m"}),
    (
        "fields_are_no_hash",
        {"@message": "m", "@fields": 5},
        {"@timestamp": None, "@version": "1", "message": "m", "fields": 5},
    ),
    (
        "unknown_names_stay",
        {"@message": "m", "@fields": {"x": 1}, "@new": 2, "y": 3, "@metadata": {"z": 4}},
        {"@timestamp": None, "@version": "1", "message": "m", "x": 1, "new": 2, "y": 3, "@metadata": {"z": 4}},
    ),
]


@pytest.mark.parametrize(("old", "new"), [case[1:] for case in LIFTED], ids=[case[0] for case in LIFTED])
def test_convert_version_0(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert convert_version_0(old) == new


def test_a_record_that_has_only_one_of_the_marks_is_no_version_0() -> None:
    decoded = lines(b'{"@fields":{"a":1}}\n{"@message":"m"}\n')
    assert events_of(decoded) == [
        {"@fields": {"a": 1}, "@timestamp": NOW, "@version": "1"},
        {"@message": "m", "@timestamp": NOW, "@version": "1"},
    ]


RAW = [  # id, line, whether it stays raw
    ("complete", b"{" + STAMP + b"}", True),
    ("more", b"{" + STAMP + b',"other":[1,2]}', True),
    ("another_second", b'{"@timestamp":"2026-11-22T10:00:01.999Z","@version":"1"}', True),
    ("blanks", b"  {" + STAMP + b"}\t", True),
    ("crlf", b"{" + STAMP + b"}\r", True),
    ("timestamp_is_a_list", b'{"@timestamp":["2026-11-22T10:00:00.000Z"],"@version":"1"}', False),
    ("timestamp_is_a_number", b'{"@timestamp":1763805600,"@version":"1"}', False),
    ("microseconds", b'{"@timestamp":"2026-11-22T10:00:00.123456Z","@version":"1"}', True),
    ("tags", b"{" + STAMP + b',"tags":["a"]}', True),
    ("odd_tags", b"{" + STAMP + b',"tags":[1]}', False),
    ("no_version", b'{"@timestamp":"2026-11-22T10:00:00.000Z"}', False),
    ("no_timestamp", b'{"@version":"1"}', False),
    ("no_fraction", b'{"@timestamp":"2026-11-22T10:00:00Z","@version":"1"}', False),
    ("offset", b'{"@timestamp":"2026-11-22T10:00:00.000+09:00","@version":"1"}', False),
    ("no_such_day", b'{"@timestamp":"2026-02-30T10:00:00.000Z","@version":"1"}', False),
    ("twice", b'{"@timestamp":"2026-11-22T10:00:00.000Z2026-11-22T10:00:00.000Z","@version":"1"}', False),
    ("no_such_hour", b'{"@timestamp":"2026-11-22T25:00:00.000Z","@version":"1"}', False),
    ("metadata", b"{" + STAMP + b',"@metadata":{}}', False),
    ("metadata_is_null", b"{" + STAMP + b',"@metadata":null}', False),
    ("metadata_is_a_number", b"{" + STAMP + b',"@metadata":1}', False),
    ("fields_alone", b"{" + STAMP + b',"@fields":{}}', False),
    ("version_is_null", b'{"@timestamp":"2026-11-22T10:00:00.000Z","@version":null}', True),
    ("timestamp_is_null", b'{"@timestamp":null,"@version":"1"}', False),
    ("not_utf8", b"{" + STAMP + b',"other":"\xff"}', False),
    ("surrogate", b"{" + STAMP + b',"other":"\\ud800"}', False),
    ("nan", b"{" + STAMP + b',"other":NaN}', False),
    ("array", b"[{" + STAMP + b"}]", False),
]


@pytest.mark.parametrize(("line", "raw"), [case[1:] for case in RAW], ids=[case[0] for case in RAW])
@pytest.mark.parametrize("neighbours", [0, 2])
def test_what_stays_raw(line: bytes, raw: bool, neighbours: int) -> None:
    """A line that needs more than its projected fields does not make its neighbours cost more events or lose any."""
    other = b"{" + STAMP + b"}"
    decoded = lines(b"\n".join([other] * neighbours + [line, other]) + b"\n")
    assert len(decoded.raws) == neighbours + 2
    assert (decoded.raws[neighbours] == line.strip()[:-1]) is raw
    assert decoded.raws[-1] == other[:-1]


def test_records_and_text_that_are_not_utf8() -> None:
    """Servers write what a client sent: its bytes need not be those of the log."""
    record = b"{" + STAMP + ',"path":"/?q=서울","a":1}'.encode("cp949")
    data = record + b"\n" + "손님 책".encode("cp949") + b"\n" + b"{" + STAMP + b',"path":"/"}\n'
    decoded = lines(data, "path", "message", fallback_charset="CP949")
    assert [event.get("path", event.get("message")) for event in events_of(decoded)] == ["/?q=서울", "손님 책", "/"]
    assert decoded.raws[0] == record.decode("cp949").encode()[:-1]
    [bad, *_] = events_of(lines(record + b"\n", "path", "message"))
    assert (bad["tags"], "path" in bad) == (["_jsonparsefailure"], False)


def test_only_the_touched_fields_are_decoded() -> None:
    [event] = events_of(lines(b"{" + STAMP + b',"a":1,"b":2}\n', "a"))
    assert set(event) == {"@timestamp", "@version", "a"}
    [event] = events_of(lines(b"{" + STAMP + b',"a":1,"b":2}\n', full=True))
    assert set(event) == {"@timestamp", "@version", "a", "b"}


ONE = b"{" + STAMP + b"}"
ODD = [  # id, data whose lines and records are as many, but not one on each
    ("two_and_a_blank_line", ONE + ONE + b"\n\n"),
    ("two_and_one_over_two_lines", ONE + ONE + b"\n{\n" + ONE[1:] + b"\n"),
    ("one_begins_behind_another", ONE + b"{\n" + ONE[1:] + b"\n"),
    ("carriage_return_between", ONE + b"\r" + ONE + b"\n\n"),
]


@pytest.mark.parametrize("data", [case[1] for case in ODD], ids=[case[0] for case in ODD])
def test_a_record_is_a_line(data: bytes) -> None:
    alone = [lines(line) for line in data.split(b"\n") if line]
    together = lines(data)
    assert together.raws == [raw for single in alone for raw in single.raws]
    assert events_of(together) == [event for single in alone for event in events_of(single)]


KEYS = [  # id, data, the places of its records
    ("two", b'{"a":1}\n{"b":2}\n', [0, 8]),
    ("no_end", b'{"a":1}\n{"b":2}', [0, 8]),
    ("blank_between", b'\n{"a":1}\n\n {"b":2}\n', [1, 10]),
    ("crlf", b'{"a":1}\r\n{"b":2}\r\n', [0, 9]),
    ("bad_between", b'{"a":1}\nno\n{"b":2}\n', [0, 8, 11]),
    ("wide", '{"a":"서"}\n{"b":2}\n'.encode(), [0, 12]),
    ("array", b'[{"a":1},{"b":2}]\n{"c":3}\n', [0, 1, 18]),
]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("data", "places"), [case[1:] for case in KEYS], ids=[case[0] for case in KEYS])
def test_keys_are_places_in_the_stream(data: bytes, places: list[int], full: bool) -> None:
    assert lines(data, full=full).keys == places
    assert lines(data, offset=1000, full=full).keys == [1000 + place for place in places]


def test_target_and_original() -> None:
    [event] = events_of(lines(b'{"a":1}\n', target=FieldRef("[x][y]"), ecs=True))
    assert event == {
        "x": {"y": {"a": 1}},
        "event": {"original": '{"a":1}'},
        "@timestamp": NOW,
        "@version": "1",
    }


def test_original_does_not_fit() -> None:
    [event] = events_of(lines(b'{"event":"text"}\n', ecs=True))
    assert event["event"] == "text"


def test_charset() -> None:
    [event] = events_of(lines('{"a":"서울"}\n'.encode("euc-kr"), charset="EUC-KR"))
    assert event["a"] == "서울"


DEEP = b'"deep":' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)
IN_FULL: list[tuple[str, bytes]] = [
    ("complete", b'"a":1'),
    ("version_0", b'"@message":"m","@fields":{"levelname":"INFO"}'),
    ("tags", b'"tags":{"a":1}'),
    ("later_timestamp", b'"@timestamp":"2026-11-22T19:00:00+09:00"'),
    ("too_deep", DEEP),
    ("many_brackets", b'"a":[' + b"[]," * MAX_DEPTH + b"[]]"),
]


@pytest.mark.parametrize("members", [case[1] for case in IN_FULL], ids=[case[0] for case in IN_FULL])
def test_records_in_full_all_at_once(members: bytes) -> None:
    """A record is the same alone and among others that need nothing, with the same key."""
    usual, line = b"{" + STAMP + b',"b":2}', b"{" + STAMP + b"," + members + b"}"
    together = lines(b"\n".join([usual, line, usual, b""]), full=True, offset=5)
    alone = [lines(single + b"\n", full=True) for single in (usual, line, usual)]
    assert events_of(together) == [event for table in alone for event in events_of(table)]
    assert together.keys == [5, 6 + len(usual), 7 + len(usual) + len(line)]
