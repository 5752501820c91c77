"""Events of the records of OpenTelemetry, as lines of JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from ingestd.event.fields import Event
from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import from_epoch_ns
from ingestd.protocols.otlp.records import LogRecord, ScopeLogs, severity_name

_STACK_TRACE, _ERROR_TYPE, _ERROR_MESSAGE = "exception.stacktrace", "exception.type", "exception.message"
_SERVICE = {
    "service.name": "name",
    "service.version": "version",
    "deployment.environment.name": "environment",
    "deployment.environment": "environment",
}


def lines_of(logs: ScopeLogs, *, ecs: bool) -> Iterator[bytes]:
    """Yield a line for each record, without its end.

    Args:
        logs: Records with the resource and the scope that they share, which are written once.
        ecs: Whether fields that the Elastic Common Schema has get its names.
    """
    shared: Event = {}
    if logs.resource:
        shared["resource"] = _fragment(logs.resource)
    if logs.scope:
        shared["scope"] = _fragment(logs.scope)
    shared |= _ecs_of_resource(logs.resource) if ecs else _flat_of_resource(logs)
    logger = str(logs.scope.get("name", ""))
    for record in logs.records:
        event = _common(record)
        event |= _ecs(record, logger) if ecs else _flat(record)
        yield bytes(memoryview(dumps(event | shared)))  # a copy: what orjson returns occupies 4 KB, however short


def _fragment(value: Any) -> Any:
    """Return a value that is written as JSON only once."""
    return orjson.Fragment(dumps(value))


def _common(record: LogRecord) -> Event:
    """Return the fields that have the same names in both schemas."""
    event: Event = {"@version": "1"}
    if stamp := record.time_ns or record.observed_ns:
        event["@timestamp"] = from_epoch_ns(stamp)
    body = record.body
    if isinstance(body, dict | list):
        event["body"] = body
    elif body is not None:
        event["message"] = body if isinstance(body, str) else dumps(body).decode()
    if record.event_name:
        event["event_name"] = record.event_name
    if record.flags:
        event["trace_flags"] = record.flags & 255
    return event


def _flat_of_resource(logs: ScopeLogs) -> Event:
    event: Event = {}
    if host := logs.resource.get("host.name"):
        event["host"] = host
    if name := logs.scope.get("name"):
        event["logger_name"] = name
    return event


def _flat(record: LogRecord) -> Event:
    event: Event = {}
    if level := record.severity_text or severity_name(record.severity_number):
        event["level"] = level
    if record.severity_number:
        event["severity_number"] = record.severity_number
    if record.trace_id:
        event["trace_id"] = record.trace_id
    if record.span_id:
        event["span_id"] = record.span_id
    attributes = record.attributes
    if _STACK_TRACE in attributes:
        event["stack_trace"] = attributes[_STACK_TRACE]
        attributes = {key: value for key, value in attributes.items() if key != _STACK_TRACE}
    if attributes:
        event["attributes"] = attributes
    return event


def _ecs_of_resource(resource: Event) -> Event:
    event: Event = {}
    if host := resource.get("host.name"):
        event["host"] = {"name": host}
    if service := {name: resource[key] for key, name in _SERVICE.items() if key in resource}:
        event["service"] = service
    return event


def _ecs(record: LogRecord, logger: str) -> Event:
    event: Event = {}
    log = {"level": record.severity_text or severity_name(record.severity_number), "logger": logger}
    if found := {name: value for name, value in log.items() if value}:
        event["log"] = found
    if record.severity_number:
        event["event"] = {"severity": record.severity_number}
    if record.trace_id:
        event["trace"] = {"id": record.trace_id}
    if record.span_id:
        event["span"] = {"id": record.span_id}
    attributes = record.attributes
    names = {_STACK_TRACE: "stack_trace", _ERROR_TYPE: "type", _ERROR_MESSAGE: "message"}
    if error := {name: attributes[key] for key, name in names.items() if key in attributes}:
        event["error"] = error
        attributes = {key: value for key, value in attributes.items() if key not in names}
    if attributes:
        event["attributes"] = attributes
    return event
