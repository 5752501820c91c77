"""The fields that the input ``syslog`` makes of messages."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.compiler.pipeline import BuiltInput, compile_pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.config.parser import parse
from ingestd.event.chunk import DATAGRAMS, Chunk
from ingestd.event.fields import Event
from ingestd.event.timestamp import normalise
from ingestd.plugins.registry import BuildContext
from ingestd.protocols.framing.datagrams import line_of

RECEIVED = int(datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC).timestamp()) * 10**9
BSD = "Nov 29 10:00:00"
STAMP = "2026-11-29T01:00:00.000Z"  # that in Seoul


def built(options: str = "") -> BuiltInput:
    config = f"input {{ syslog {{ timezone => 'Asia/Seoul' {options} }} }} output {{ null {{ }} }}"
    return compile_pipeline(parse(config, "t", {}), BuildContext()).inputs[0]


def decoded(options: str, *messages: str, sender: str = "10.0.0.9") -> list[Event]:
    data = b"".join(line_of(message.encode(), sender.encode()) for message in messages)
    chunk = Chunk("syslog_0", "s", {DATAGRAMS: True}, 0, RECEIVED, len(messages), data)
    table = built(options).codec.decode(chunk)
    return [table.whole(row) for row in table.rows]


def priority_fields(number: int, facility: str, severity: str) -> Event:
    code, level = divmod(number, 8)
    labels = {"facility_label": facility, "severity_label": severity}
    return {"priority": number, "facility": code, "severity": level} | labels


def ecs_priority(number: int, facility: str, severity: str) -> Event:
    code, level = divmod(number, 8)
    return {
        "priority": number,
        "facility": {"code": code, "name": facility},
        "severity": {"code": level, "name": severity},
    }


SU = f"<34>{BSD} web1 su[12]: failed"
ECS_OF_SU = {
    "log": {"syslog": ecs_priority(34, "security/authorization", "Critical")},
    "host": {"ip": "10.0.0.9", "hostname": "web1"},
    "process": {"name": "su", "pid": 12},
    "service": {"type": "system"},
    "event": {"original": SU},
    "message": "failed",
    "timestamp": BSD,
}
RFC_5424 = '<165>1 2026-11-29T01:00:00Z web1 app x7 ID47 [ex@1 a="1"] hello'
FAILED = {"tags": ["_grokparsefailure_sysloginput"]}
NOTICE = priority_fields(13, "user-level", "Notice")
RECEIVED_STAMP = "2026-11-29T12:00:00.000Z"

CASES: list[tuple[str, str, str, Event]] = [  # id, options, message, fields but those that all have
    (
        "bsd",
        "",
        SU,
        priority_fields(34, "security/authorization", "Critical")
        | {"message": "failed", "timestamp": BSD, "logsource": "web1", "program": "su", "pid": "12"},
    ),
    (
        "bsd_without_labels",
        "use_labels => false",
        SU,
        {"priority": 34, "facility": 4, "severity": 2, "message": "failed", "timestamp": BSD}
        | {"logsource": "web1", "program": "su", "pid": "12"},
    ),
    (
        "labels_of_the_config",
        "facility_labels => ['k'] severity_labels => ['a', 'b', 'c']",
        f"<34>{BSD} web1 x",
        {"priority": 34, "facility": 4, "severity": 2, "severity_label": "c", "message": "x", "timestamp": BSD}
        | {"logsource": "web1"},
    ),
    (
        "iso_time",
        "",
        "<13>2026-11-29T10:00:00+09:00 web1 x",
        NOTICE | {"message": "x", "timestamp": "2026-11-29T10:00:00+09:00", "logsource": "web1"},
    ),
    (
        "rfc_5424",
        "",
        RFC_5424,
        priority_fields(165, "local4", "Notice")
        | {"message": "hello", "timestamp": "2026-11-29T01:00:00Z", "logsource": "web1", "program": "app", "pid": "x7"}
        | {"msgid": "ID47", "syslog_version": 1, "structured_data": {"ex@1": {"a": "1"}}},
    ),
    ("no_syslog", "", "hello", NOTICE | FAILED | {"message": "hello", "@timestamp": RECEIVED_STAMP}),
    (
        "only_a_priority",
        "",
        "<14>hello",
        priority_fields(14, "user-level", "Informational")
        | FAILED
        | {"message": "<14>hello", "@timestamp": RECEIVED_STAMP},
    ),
    (
        "python_without_a_formatter",  # logging.handlers.SysLogHandler
        "",
        "<14>hello\0",
        priority_fields(14, "user-level", "Informational")
        | FAILED
        | {"message": "<14>hello", "@timestamp": RECEIVED_STAMP},
    ),
    (
        "python_without_a_formatter_ecs",
        "ecs_compatibility => v8",
        "<14>hello\0",
        {"log": {"syslog": ecs_priority(14, "user-level", "Informational")}, "host": {"ip": "10.0.0.9"}}
        | {"service": {"type": "system"}, "event": {"original": "<14>hello"}, "message": "<14>hello"}
        | FAILED
        | {"@timestamp": RECEIVED_STAMP},
    ),
    (
        "python_and_a_pattern_that_does_not_fit",
        "grok_pattern => '<%{POSINT:priority}>%{SYSLOGTIMESTAMP:timestamp} %{GREEDYDATA:message}'",
        "<14>hello\0",
        NOTICE | FAILED | {"message": "<14>hello", "@timestamp": RECEIVED_STAMP},
    ),
    ("priority_too_large", "", "<999>hello", NOTICE | FAILED | {"message": "<999>hello", "@timestamp": RECEIVED_STAMP}),
    (
        "no_time_in_it",
        "",
        "<13>1 - - - - - - x",
        NOTICE | {"message": "x", "syslog_version": 1, "@timestamp": RECEIVED_STAMP},
    ),
    (
        "no_such_time",
        "",
        "<13>Foo 29 10:00:00 web1 x",
        NOTICE
        | {"message": "x", "timestamp": "Foo 29 10:00:00", "logsource": "web1", "tags": ["_dateparsefailure"]}
        | {"@timestamp": RECEIVED_STAMP},
    ),
    (
        "ecs",
        "ecs_compatibility => v8",
        SU,
        ECS_OF_SU,
    ),
    (
        "ecs_rfc_5424",
        "ecs_compatibility => v8 service_type => web",
        RFC_5424,
        {
            "log": {
                "syslog": ecs_priority(165, "local4", "Notice")
                | {"version": "1", "msgid": "ID47", "structured_data": {"ex@1": {"a": "1"}}, "procid": "x7"}
            },
            "host": {"ip": "10.0.0.9", "hostname": "web1"},
            "process": {"name": "app"},
            "service": {"type": "web"},
            "event": {"original": RFC_5424},
            "message": "hello",
            "timestamp": "2026-11-29T01:00:00Z",
        },
    ),
    (
        "ecs_no_syslog",
        "ecs_compatibility => v8",
        "hello",
        {
            "log": {"syslog": ecs_priority(13, "user-level", "Notice")},
            "host": {"ip": "10.0.0.9"},
            "service": {"type": "system"},
            "event": {"original": "hello"},
            "message": "hello",
            "@timestamp": RECEIVED_STAMP,
        }
        | FAILED,
    ),
    (
        "grok",
        'grok_pattern => "<%{POSINT:priority}>%{SYSLOGTIMESTAMP:timestamp} APP=%{WORD:app} %{GREEDYDATA:message}"',
        f"<34>{BSD} APP=shop hello",
        priority_fields(34, "security/authorization", "Critical")
        | {"message": "hello", "timestamp": BSD, "app": "shop"},
    ),
    (
        "grok_of_logstash",
        'grok_pattern => "<%{POSINT:priority}>%{SYSLOGLINE}"',
        "<34>2026-11-29T10:00:00+09:00 web1 su[12]: failed",
        priority_fields(34, "security/authorization", "Critical")
        | {"message": "failed", "timestamp": "2026-11-29T10:00:00+09:00", "logsource": "web1", "program": "su"}
        | {"pid": "12", "timestamp8601": "2026-11-29T10:00:00+09:00"},
    ),
    (
        "grok_without_a_match",
        'grok_pattern => "<%{POSINT:priority}>%{SYSLOGLINE}"',
        "<34>hello",
        NOTICE | FAILED | {"message": "<34>hello", "@timestamp": RECEIVED_STAMP},
    ),
    (
        "grok_without_a_time",
        'grok_pattern => "<%{POSINT:priority}>%{GREEDYDATA:message}"',
        "<34>hello",
        priority_fields(34, "security/authorization", "Critical")
        | {"message": "hello", "tags": ["_dateparsefailure"], "@timestamp": RECEIVED_STAMP},
    ),
    (
        "grok_ecs",
        'ecs_compatibility => v1 grok_pattern => "<%{POSINT:[log][syslog][priority]:int}>%{SYSLOGLINE}"',
        SU,
        ECS_OF_SU,
    ),
    (
        "another_field",
        "codec => json syslog_field => raw",
        f'{{"raw":"{SU}","host":"h"}}',
        priority_fields(34, "security/authorization", "Critical")
        | {"raw": SU, "message": "failed", "timestamp": BSD, "logsource": "web1", "program": "su", "pid": "12"}
        | {"host": "h"},
    ),
    (
        "json_without_the_field",
        "codec => json",
        '{"n":1,"host":{"name":"h"}}',
        NOTICE | FAILED | {"n": 1, "host": {"name": "h"}, "@timestamp": RECEIVED_STAMP},
    ),
]


@pytest.mark.parametrize(
    ("options", "message", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_fields(options: str, message: str, expected: Event) -> None:
    usual: dict[str, Any] = {"@timestamp": STAMP, "@version": "1", "host": "10.0.0.9"}
    assert decoded(options, message) == [usual | expected]


def test_messages_of_every_kind_and_several_senders_in_one_chunk() -> None:
    lines = [
        line_of(text.encode(), b"10.0.0.%d" % n) for n, text in enumerate([SU, "hello", RFC_5424, SU]) for _ in "ab"
    ]
    table = built().codec.decode(Chunk("i", "s", {DATAGRAMS: True}, 100, RECEIVED, 8, b"".join(lines)))
    events = [table.whole(row) for row in table.rows]
    assert [event["host"] for event in events] == [f"10.0.0.{n}" for n in range(4) for _ in "ab"]
    assert [event["message"] for event in events] == [
        text for text in ("failed", "hello", "hello", "failed") for _ in "ab"
    ]
    assert len({*table.keys}) == 8


def test_lines_of_a_connection_have_its_address() -> None:
    chunk = Chunk("i", "s", {"host": "10.0.0.9", "port": 5}, 0, RECEIVED, 2, f"{SU}\r\n\0\0{SU}\0 more\n".encode())
    table = built().codec.decode(chunk)
    events = [table.whole(row) for row in table.rows]
    assert [(event["host"], event["message"]) for event in events] == [
        ("10.0.0.9", "failed"),
        ("10.0.0.9", "failed\n more"),
    ]
    assert "port" not in events[0]


@given(
    st.lists(st.text(st.sampled_from('<13>1 - Nov 29 10:00:00 a: [b]\n"\\=\0ä'), max_size=60), min_size=1, max_size=4)
)
def test_whatever_comes_is_an_event(messages: list[str]) -> None:
    for codec in _CODECS:
        data = b"".join(line_of(message.encode(), b"h") for message in messages)
        table = codec.decode(Chunk("i", "s", {DATAGRAMS: True}, 0, RECEIVED, len(messages), data))
        assert len(table) == len(messages)
        for row in table.rows:
            event = table.whole(row)
            assert normalise(event["@timestamp"]) is not None
            assert isinstance(event["message"], str)


_CODECS = [
    built(options).codec
    for options in ("", "ecs_compatibility => v8", 'grok_pattern => "<%{POSINT:priority}>%{SYSLOGLINE}"')
]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("port => 70000", "port 70000 is not possible"),
        ("use_tcp => false use_udp => false", "nothing would be received"),
        ("path => '/x' path_mode => '999'", 'path_mode "999" is not possible'),
        ("grok_pattern => '%{NOSUCH}'", "NOSUCH"),
        ("locale => 'xx'", "xx"),
    ],
)
def test_options_that_are_not_possible(options: str, message: str) -> None:
    with pytest.raises(ConfigErrors, match=message):
        built(options)


def test_a_time_zone_that_does_not_exist_is_an_error() -> None:
    config = "input { syslog { timezone => 'Asia/Nowhere' } } output { null { } }"
    with pytest.raises(ConfigErrors, match="Nowhere"):
        compile_pipeline(parse(config, "t", {}), BuildContext())
