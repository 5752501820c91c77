"""The input otlp: events of log records, and the answers that OTLP asks for."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from ingestd.plugins.inputs import _http_server
from ingestd.plugins.inputs._otlp_events import lines_of
from ingestd.protocols.otlp import protobuf_requests, records
from ingestd.protocols.otlp.records import LogRecord, ScopeLogs
from ingestd.settings import Settings
from tests.plugins.inputs.http_requests import HttpServing, Response, serving_http
from tests.protocols.otlp.test_otlp import as_json, encode

CONFIG = "input { otlp { %s } } output { stdout { } }"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
NS = 1_764_410_400_000_000_000
STAMP = "2025-11-29T10:00:00.000Z"

RESOURCE = {"service.name": "shop", "service.version": "1.2", "host.name": "web1", "process.pid": 7}
SCOPE = {"name": "shop.views", "version": "3", "attributes": {"a": 1}}
RECORD = LogRecord(
    time_ns=NS,
    observed_ns=NS + 1,
    severity_number=17,
    severity_text="ERROR",
    body="it failed",
    attributes={"code.line.number": 12, "exception.type": "KeyError", "exception.stacktrace": "Traceback"},
    trace_id="ab" * 16,
    span_id="cd" * 8,
    flags=1,
    event_name="order.failed",
)
SHARED = {"@version": "1", "resource": RESOURCE, "scope": SCOPE}
FLAT = {
    **SHARED,
    "@timestamp": STAMP,
    "message": "it failed",
    "level": "ERROR",
    "severity_number": 17,
    "logger_name": "shop.views",
    "host": "web1",
    "trace_id": "ab" * 16,
    "span_id": "cd" * 8,
    "trace_flags": 1,
    "event_name": "order.failed",
    "stack_trace": "Traceback",
    "attributes": {"code.line.number": 12, "exception.type": "KeyError"},
}
ECS = {
    **SHARED,
    "@timestamp": STAMP,
    "message": "it failed",
    "log": {"level": "ERROR", "logger": "shop.views"},
    "event": {"severity": 17},
    "host": {"name": "web1"},
    "service": {"name": "shop", "version": "1.2"},
    "trace": {"id": "ab" * 16},
    "span": {"id": "cd" * 8},
    "trace_flags": 1,
    "event_name": "order.failed",
    "error": {"type": "KeyError", "stack_trace": "Traceback"},
    "attributes": {"code.line.number": 12},
}


async def send(
    served: HttpServing, logs: list[ScopeLogs], *, in_json: bool = False, headers: dict[str, str] | None = None
) -> Response:
    request = encode(logs)
    body = as_json(request) if in_json else request.SerializeToString()
    if headers:
        body = gzip.compress(body)
    return await served.post(body, (JSON if in_json else PROTOBUF) | (headers or {}), target="/v1/logs")


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}], ids=["", "gzip"])
@pytest.mark.parametrize("in_json", [False, True], ids=["protobuf", "json"])
@pytest.mark.parametrize(("options", "event"), [("", FLAT), ("ecs_compatibility => v8", ECS)], ids=["flat", "ecs"])
async def test_events_of_records(options: str, event: dict[str, Any], in_json: bool, headers: dict[str, str]) -> None:
    async with serving_http(CONFIG % options) as served:
        response = await send(served, [ScopeLogs(RESOURCE, SCOPE, [RECORD] * 2)], in_json=in_json, headers=headers)
        assert (response.status, response.body) == (200, b"{}" if in_json else b"")
        assert response.headers["content-type"] == (JSON if in_json else PROTOBUF)["Content-Type"]
        assert served.events() == [event] * 2
        assert served.sink.syncs == 1


RECORDS: list[tuple[str, LogRecord, dict[str, Any]]] = [
    ("empty", LogRecord(time_ns=NS), {}),
    ("observed", LogRecord(observed_ns=NS, body="a"), {"message": "a"}),
    ("nanoseconds", LogRecord(time_ns=NS + 1), {"@timestamp": "2025-11-29T10:00:00.000000001Z"}),
    ("severity", LogRecord(time_ns=NS, severity_number=10), {"level": "INFO", "severity_number": 10}),
    ("number", LogRecord(time_ns=NS, body=1.5), {"message": "1.5"}),
    ("truth", LogRecord(time_ns=NS, body=False), {"message": "false"}),
    ("map", LogRecord(time_ns=NS, body={"a": ["b"]}), {"body": {"a": ["b"]}}),
    ("attributes", LogRecord(time_ns=NS, attributes={"a.b": {"c": None}}), {"attributes": {"a.b": {"c": None}}}),
]


@pytest.mark.parametrize(("record", "event"), [case[1:] for case in RECORDS], ids=[case[0] for case in RECORDS])
async def test_parts_of_records(record: LogRecord, event: dict[str, Any]) -> None:
    async with serving_http(CONFIG % "") as served:
        await send(served, [ScopeLogs({}, {}, [record])])
        assert served.events() == [{"@timestamp": STAMP, "@version": "1"} | event]


async def test_a_record_without_a_time_gets_that_of_receipt() -> None:
    async with serving_http(CONFIG % "") as served:
        await send(served, [ScopeLogs({}, {}, [LogRecord(body="a")])])
        [event] = served.events()
        assert event["@timestamp"] == "2023-11-14T22:13:20.000Z"


@pytest.mark.parametrize("in_json", [False, True], ids=["protobuf", "json"])
async def test_partial_success(in_json: bool) -> None:
    async with serving_http(CONFIG % "", Settings(max_line_bytes=2000)) as served:
        records = [LogRecord(body=body) for body in ("a", "x" * 3000, "b")]
        response = await send(served, [ScopeLogs({}, {}, records)], in_json=in_json)
        assert response.status == 200
        if in_json:
            partial = json.loads(response.body)["partialSuccess"]
            rejected, message = int(partial["rejectedLogRecords"]), partial["errorMessage"]
        else:
            found = ExportLogsServiceResponse.FromString(response.body).partial_success
            rejected, message = found.rejected_log_records, found.error_message
        assert (rejected, "max_line_bytes" in message) == (1, True)
        assert [event["message"] for event in served.events()] == ["a", "b"]
        assert len(served.sink.rejected) == 1


@pytest.mark.parametrize(
    ("headers", "target", "body", "status"),
    [
        (PROTOBUF, "/v1/logs", b"no protobuf", 400),
        (JSON, "/v1/logs", b"no json", 400),
        ({"Content-Type": "text/plain"}, "/v1/logs", b"x", 415),
        (PROTOBUF, "/v1/traces", b"x", 404),
        ({**PROTOBUF, "Content-Encoding": "gzip"}, "/v1/logs", b"x", 400),
    ],
    ids=["protobuf", "json", "type", "traces", "gzip"],
)
async def test_what_is_refused(headers: dict[str, str], target: str, body: bytes, status: int) -> None:
    """A body that should be logs and cannot be read is a dead letter: clients drop it after status 400."""
    async with serving_http(CONFIG % "") as served:
        client = served.connect()
        response = await client.request(body, headers, target=target)
        assert response.status == status
        assert not served.sink.put_at
        unreadable = status == 400
        assert [raw for raw, _ in served.sink.rejected] == ([body] if unreadable else [])
        assert served.sink.syncs == unreadable


@pytest.mark.parametrize("in_json", [False, True], ids=["protobuf", "json"])
async def test_a_request_of_too_many_records_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch, in_json: bool) -> None:
    for module in (records, protobuf_requests):
        monkeypatch.setattr(module, "MAX_RECORDS", 4)
    async with serving_http(CONFIG % "") as served:
        for counts in ([5], [2, 2], [0] * 5):
            logs = [ScopeLogs({}, {}, [RECORD] * count) for count in counts]
            response = await send(served, logs, in_json=in_json)
            assert (response.status, b"at most 4 are allowed" in response.body) == (413, True)
        assert (len(served.sink.rejected), served.events()) == (3, [])
        assert (await send(served, [ScopeLogs({}, {}, [RECORD] * 3)], in_json=in_json)).status == 200
        assert len(served.events()) == 3


async def test_a_request_whose_events_are_too_long_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event has the attributes of its resource, so a small body may stand for many gigabytes."""
    monkeypatch.setattr(_http_server, "_MIN_ROOM_BYTES", 20_000)
    async with serving_http(CONFIG % "max_content_length => 5000") as served:
        resource = {"a": "x" * 1000}
        assert (await send(served, [ScopeLogs(resource, {}, [LogRecord(body="b")] * 25)])).status == 413
        assert (len(served.sink.rejected), served.events()) == (1, [])
        assert (await send(served, [ScopeLogs(resource, {}, [LogRecord(body="b")] * 5)])).status == 200
        assert len(served.events()) == 5


async def test_no_room() -> None:
    async with serving_http(CONFIG % "") as served:
        served.sink.pause()
        response = await send(served, [ScopeLogs({}, {}, [RECORD])])
        assert (response.status, response.headers["retry-after"]) == (429, "2")


async def test_other_requests() -> None:
    async with serving_http(CONFIG % "") as served:
        assert (await served.post(method="GET")).status == 200
        assert (await served.post(method="GET", target="/v1/logs")).status == 405
        assert (await served.post(b"", PROTOBUF, target="/v1/logs")).status == 200, "no records"
        assert not served.sink.put_at


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_of_many_short_records() -> None:
    logs = ScopeLogs({}, {}, [LogRecord(body="x")] * 20_000)
    before = resident_bytes()
    lines = list(lines_of(logs, ecs=False))
    assert len(lines) == 20_000
    assert resident_bytes() - before < 20_000 * 1000
