"""Requests for logs as OpenTelemetry's own encoder writes them, in protobuf and JSON; damaged ones are refused."""

from __future__ import annotations

import base64
import contextlib
import json
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from ingestd.protocols.otlp import json_requests
from ingestd.protocols.otlp.answers import answer_body, status_body
from ingestd.protocols.otlp.json_requests import check_size, decode_json
from ingestd.protocols.otlp.protobuf_requests import decode_protobuf
from ingestd.protocols.otlp.records import LogRecord, OtlpError, OtlpTooLargeError, ScopeLogs, severity_name


def any_value(value: Any) -> AnyValue:
    """Return a value as OTLP has it."""
    if value is None:
        return AnyValue()
    if isinstance(value, dict):
        pairs = [KeyValue(key=key, value=any_value(item)) for key, item in value.items()]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
    names = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value", bytes: "bytes_value"}
    return AnyValue(**{names[type(value)]: value})


def pairs(values: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def encode(logs: list[ScopeLogs]) -> ExportLogsServiceRequest:
    """Return a request with OpenTelemetry's own classes; each scope in a resource of its own."""
    request = ExportLogsServiceRequest()
    for resource, scope, records in logs:
        group = request.resource_logs.add()
        group.resource.attributes.extend(pairs(resource))
        inner = group.scope_logs.add()
        inner.scope.name, inner.scope.version = scope.get("name", ""), scope.get("version", "")
        inner.scope.attributes.extend(pairs(scope.get("attributes", {})))
        for record in records:
            inner.log_records.add(
                time_unix_nano=record.time_ns,
                observed_time_unix_nano=record.observed_ns,
                severity_number=record.severity_number,
                severity_text=record.severity_text,
                body=any_value(record.body),
                attributes=pairs(record.attributes),
                trace_id=bytes.fromhex(record.trace_id),
                span_id=bytes.fromhex(record.span_id),
                flags=record.flags,
                event_name=record.event_name,
            )
    return request


def as_json(request: ExportLogsServiceRequest) -> bytes:
    """Return the JSON of OTLP: as protobuf's, but severities are numbers and ids hexadecimal."""
    found = MessageToDict(request, use_integers_for_enums=True)
    for group in found.get("resourceLogs", []):
        for scope in group["scopeLogs"]:
            for record in scope.get("logRecords", []):
                for name in ("traceId", "spanId"):
                    if name in record:
                        record[name] = base64.b64decode(record[name]).hex().upper()
    return json.dumps(found).encode()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.text("a", min_size=120, max_size=140),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(TEXT, VALUES, max_size=3)
RECORDS = st.builds(
    LogRecord,
    time_ns=st.integers(0, 2**64 - 1),
    observed_ns=st.integers(0, 2**64 - 1),
    severity_number=st.integers(0, 24),
    severity_text=TEXT,
    body=VALUES,
    attributes=ATTRIBUTES,
    trace_id=st.just("") | st.binary(min_size=16, max_size=16).map(bytes.hex),
    span_id=st.just("") | st.binary(min_size=8, max_size=8).map(bytes.hex),
    flags=st.integers(0, 2**32 - 1),
    event_name=TEXT,
)
SCOPES = st.fixed_dictionaries(
    {}, optional={"name": TEXT.filter(bool), "version": TEXT.filter(bool), "attributes": ATTRIBUTES.filter(bool)}
)
REQUESTS = st.lists(st.builds(ScopeLogs, ATTRIBUTES, SCOPES, st.lists(RECORDS, max_size=3)), max_size=3)


@settings(max_examples=40)
@given(logs=REQUESTS)
def test_protobuf_of_the_official_encoder(logs: list[ScopeLogs]) -> None:
    assert decode_protobuf(encode(logs).SerializeToString()) == logs


@settings(max_examples=40)
@given(logs=REQUESTS)
def test_json_has_the_same_logs(logs: list[ScopeLogs]) -> None:
    assert decode_json(json.loads(as_json(encode(logs)))) == logs


@settings(max_examples=40)
@given(logs=REQUESTS, cut=st.integers(1, 50), place=st.integers(0, 200), byte=st.integers(0, 255))
def test_damaged_protobuf_is_refused_or_read_as_something_else(
    logs: list[ScopeLogs], cut: int, place: int, byte: int
) -> None:
    """It never raises anything else, and never hangs."""
    data = bytearray(encode(logs).SerializeToString())
    if data:
        data[place % len(data)] = byte
    for text in (bytes(data), bytes(data[:-cut])):
        with contextlib.suppress(OtlpError):
            decode_protobuf(text)


DAMAGED: list[tuple[str, bytes]] = [
    ("cut", b"\x0a\x05ab"),
    ("cut_size", b"\x0a"),
    ("long_varint", b"\x0a" + b"\xff" * 12),
    ("group", b"\x0b"),
    ("text", b"hello"),
    ("number", b"\x09\0"),
]


@pytest.mark.parametrize("data", [case[1] for case in DAMAGED], ids=[case[0] for case in DAMAGED])
def test_no_protobuf(data: bytes) -> None:
    with pytest.raises(OtlpError):
        decode_protobuf(data)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"resourceLogs":{}}',
        '{"resourceLogs":[1]}',
        '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"x"}]}]}]}',
        '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":1}]}]}]}',
        '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"99999999999999999999"}]}]}]}',
        '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"doubleValue":"x"}}]}]}]}',
    ],
)
def test_no_json(text: str) -> None:
    with pytest.raises(OtlpError):
        decode_json(json.loads(text))


def length(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + length(len(data)) + data


def nested(depth: int) -> tuple[bytes, bytes]:
    """Return a request whose record has a body of lists in lists, in protobuf (upb, which the classes use, has its own
    limit) and in JSON."""
    data, text = b"\x18\x01", '{"intValue":1}'
    for _ in range(depth):
        data, text = field(5, field(1, data)), f'{{"arrayValue":{{"values":[{text}]}}}}'
    body = f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{text}}}]}}]}}]}}'
    return field(1, field(2, field(2, field(5, data)))), body.encode()


def test_values_that_are_nested_too_deeply() -> None:
    data, text = nested(50)
    assert decode_protobuf(data) == decode_json(json.loads(text))
    data, _ = nested(200)
    with pytest.raises(OtlpError, match="deeper than 100"):
        decode_protobuf(data)
    with pytest.raises(OtlpError, match="deeper than 100"):
        decode_json(json.loads(nested(120)[1]))


def test_special_values() -> None:
    values = {"bytes": b"\x00\xff", "nan": math.nan, "inf": math.inf}
    request = encode([])
    request.resource_logs.add().scope_logs.add().log_records.add(attributes=pairs(values))
    for [logs] in (decode_protobuf(request.SerializeToString()), decode_json(json.loads(as_json(request)))):
        found = logs.records[0].attributes
        assert (found["bytes"], found["inf"]) == ("AP8=", math.inf)
        assert math.isnan(found["nan"])


@pytest.mark.parametrize(
    ("given_", "number"),
    [(9, 9), ("9", 9), ("SEVERITY_NUMBER_INFO", 9), ("SEVERITY_NUMBER_WARN3", 15), ("SEVERITY_NUMBER_UNSPECIFIED", 0)],
)
def test_severities_in_json(given_: Any, number: int) -> None:
    text = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityNumber": given_}]}]}]})
    assert decode_json(json.loads(text))[0].records[0].severity_number == number


def test_ids_in_json_may_be_in_base64() -> None:
    """As protobuf's own mapping to JSON has them."""
    request = encode([ScopeLogs({}, {}, [LogRecord(trace_id="ab" * 16, span_id="cd" * 8)])])
    [record] = decode_json(MessageToDict(request))[0].records
    assert (record.trace_id, record.span_id) == ("ab" * 16, "cd" * 8)


@pytest.mark.parametrize(
    ("number", "name"), [(0, ""), (1, "TRACE"), (4, "TRACE"), (5, "DEBUG"), (17, "ERROR"), (24, "FATAL"), (25, "")]
)
def test_severity_name(number: int, name: str) -> None:
    assert severity_name(number) == name


@pytest.mark.parametrize(("rejected", "message"), [(0, ""), (1, "x"), (300, "é" * 200)])
def test_answers(rejected: int, message: str) -> None:
    response = ExportLogsServiceResponse.FromString(answer_body(rejected, message, as_json=False))
    assert (response.partial_success.rejected_log_records, response.partial_success.error_message) == (
        rejected,
        message,
    )
    found = json.loads(answer_body(rejected, message, as_json=True)).get("partialSuccess", {})
    assert found == ({"rejectedLogRecords": str(rejected), "errorMessage": message} if rejected else {})


def test_status() -> None:
    assert json.loads(status_body("x", as_json=True)) == {"message": "x"}
    assert status_body("x", as_json=False) == b"\x12\x01x"


def test_objects_of_json_are_counted_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_requests, "_MAX_OBJECTS", 3)
    check_size(b'{"resourceLogs":[{},{}]}')
    with pytest.raises(OtlpTooLargeError, match="too many records"):
        check_size(b'{"resourceLogs":[{},{},{}]}')
