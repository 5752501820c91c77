"""Requests that are JSON."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ingestd.protocols.otlp.records import (
    MAX_DEPTH,
    MAX_RECORDS,
    MODULUS,
    SEVERITIES,
    SIGN,
    LogRecord,
    OtlpError,
    ScopeLogs,
    counted,
    scope_of,
    too_many,
)

_MAX_OBJECTS = 10 * MAX_RECORDS
"""Of a body of JSON: records, attributes and values."""


def decode_json(request: Any) -> list[ScopeLogs]:
    """Return the logs of a request that came as JSON.

    Args:
        request: The value of the text.

    Raises:
        OtlpError: It is no such request, or has too many records.
    """
    return counted(
        ScopeLogs(
            _json_attributes(_object(logs.get("resource")), 1),
            _json_scope(_object(scope.get("scope"))),
            [_json_record(record) for record in _objects(scope, "logRecords")],
        )
        for logs in _objects(_object(request), "resourceLogs")
        for scope in _objects(logs, "scopeLogs")
    )


def check_size(body: bytes) -> None:
    """Check a body of JSON before it is decoded: ``{}`` takes 70 bytes of memory.

    Raises:
        OtlpTooLargeError: It has more objects than the most records that are allowed.
    """
    if body.count(b"{") > _MAX_OBJECTS:
        raise too_many()


def _object(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if type(value) is not dict:
        raise OtlpError(f"there should be an object, not {str(value)[:50]!r}")
    return value


def _objects(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = holder.get(name)
    if found is None:
        return []
    if type(found) is not list:
        raise OtlpError(f"{name} should be a list, not {str(found)[:50]!r}")
    return [_object(item) for item in found]


def _json_scope(given: dict[str, Any]) -> dict[str, Any]:
    found = {name: str(given[name]) for name in ("name", "version") if given.get(name)}
    return scope_of(found, _json_attributes(given, 1))


def _json_attributes(holder: dict[str, Any], depth: int, name: str = "attributes") -> dict[str, Any]:
    return {str(pair.get("key", "")): _json_any(pair.get("value"), depth) for pair in _objects(holder, name)}


def _json_any(given: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise OtlpError(f"a value is nested deeper than {MAX_DEPTH} levels")
    for kind, value in _object(given).items():
        if kind == "intValue":
            return _int(value)
        if kind == "doubleValue":
            return _float(value)
        if kind in ("stringValue", "boolValue", "bytesValue"):
            return value
        if kind == "arrayValue":
            return [_json_any(item, depth + 1) for item in _objects(_object(value), "values")]
        if kind == "kvlistValue":
            return _json_attributes(_object(value), depth + 1, "values")
    return None


def _json_record(given: dict[str, Any]) -> LogRecord:
    return LogRecord(
        time_ns=_int(given.get("timeUnixNano", 0)),
        observed_ns=_int(given.get("observedTimeUnixNano", 0)),
        severity_number=_severity(given.get("severityNumber", 0)),
        severity_text=str(given.get("severityText") or ""),
        body=_json_any(given.get("body"), 1),
        attributes=_json_attributes(given, 1),
        trace_id=_hex(given.get("traceId"), 16),
        span_id=_hex(given.get("spanId"), 8),
        flags=_int(given.get("flags", 0)),
        event_name=str(given.get("eventName") or ""),
    )


def _int(value: Any) -> int:
    """Return a number, which may be written as text: JSON of 64 bits."""
    try:
        number = int(value or 0)
    except (TypeError, ValueError, OverflowError):
        raise OtlpError(f"there should be a number, not {str(value)[:50]!r}") from None
    if not -SIGN <= number < MODULUS:
        raise OtlpError("a number has more than 64 bits")
    return number


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise OtlpError(f"there should be a number, not {str(value)[:50]!r}") from None


def _severity(value: Any) -> int:
    """Return a severity number: the number, or its name in the enumeration, such as ``SEVERITY_NUMBER_INFO2``."""
    if type(value) is not str or value.isdecimal():
        return _int(value)
    name = value.removeprefix("SEVERITY_NUMBER_")
    base = name.rstrip("234")
    return SEVERITIES.index(base) * 4 + int(name[len(base) :] or 1) if base in SEVERITIES else 0


def _hex(value: Any, size: int) -> str:
    """Return an id of ``size`` bytes as hexadecimal text: OTLP has that in JSON, protobuf's own mapping Base64."""
    text = str(value or "")
    if len(text) != 2 * size:
        try:
            return base64.b64decode(text, validate=True).hex()
        except (binascii.Error, ValueError):
            pass
    return text.lower()
