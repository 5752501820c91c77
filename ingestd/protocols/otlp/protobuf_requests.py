"""Requests that are protobuf. The reader knows the fields of the messages; unknown fields are skipped."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from typing import Any

from ingestd.protocols.otlp.protobuf import BYTES, FIXED32, FIXED64, VARINT, fields, tag_of
from ingestd.protocols.otlp.records import (
    MAX_DEPTH,
    MAX_RECORDS,
    MODULUS,
    SIGN,
    LogRecord,
    OtlpError,
    ScopeLogs,
    counted,
    scope_of,
    too_many,
)

_double = struct.Struct("<d").unpack


def decode_protobuf(body: bytes) -> list[ScopeLogs]:
    """Return the logs of an ``ExportLogsServiceRequest``.

    Raises:
        OtlpError: The body is none, or has too many records.
    """
    try:
        resources = (value for tag, value in fields(body) if tag == tag_of(1, BYTES))
        return counted(logs for value in resources for logs in _resource_logs(value))
    except (IndexError, TypeError, struct.error):
        raise OtlpError("the body is not a message of protobuf: its end is missing") from None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _resource_logs(data: bytes) -> Iterator[ScopeLogs]:
    resource: dict[str, Any] = {}
    scopes: list[bytes] = []
    for tag, value in fields(data):
        if tag == tag_of(1, BYTES):
            resource |= _attributes(value, 1)
        elif tag == tag_of(2, BYTES):
            scopes.append(value)
            if len(scopes) > MAX_RECORDS:
                raise too_many()
    for scope in scopes:
        yield _scope_logs(scope, resource)


def _scope_logs(data: bytes, resource: dict[str, Any]) -> ScopeLogs:
    scope: dict[str, Any] = {}
    records: list[LogRecord] = []
    for tag, value in fields(data):
        if tag == tag_of(1, BYTES):
            scope |= _scope(value)
        elif tag == tag_of(2, BYTES):
            records.append(_record(value))
            if len(records) > MAX_RECORDS:
                raise too_many()
    return ScopeLogs(resource, scope, records)


def _scope(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for tag, value in fields(data):
        if tag == tag_of(1, BYTES):
            found["name"] = _text(value)
        elif tag == tag_of(2, BYTES):
            found["version"] = _text(value)
    return scope_of(found, _attributes(data, 3))


def _attributes(data: bytes, number: int) -> dict[str, Any]:
    """Return the attributes of a message, which are its fields with this number."""
    return dict([_pair(value, 1) for tag, value in fields(data) if tag == tag_of(number, BYTES)])


def _pair(data: bytes, depth: int) -> tuple[str, Any]:
    key, found = "", None
    if (end := _end_of_key(data)) != 0:
        return data[2:end].decode("utf-8", "replace"), _any(data[end + 2 :], depth)
    for tag, value in fields(data):
        if tag == 0x0A:
            key = _text(value)
        elif tag == 0x12:
            found = _any(value, depth)
    return key, found


def _end_of_key(data: bytes) -> int:
    """Return where the key ends if key and value have less than 128 bytes, as most have; 0: read it as a message."""
    size = len(data)
    if size < 4 or data[0] != 0x0A or (end := 2 + data[1]) + 2 > size or data[1] > 127:
        return 0
    return end if data[end] == 0x12 and data[end + 1] == size - end - 2 < 128 else 0


def _any(data: bytes, depth: int) -> Any:
    """Return an ``AnyValue``; bytes as text in Base64, as in JSON."""
    if depth > MAX_DEPTH:
        raise OtlpError(f"a value is nested deeper than {MAX_DEPTH} levels")
    if (start := _start_of_text(data)) != 0:
        return data[start:].decode("utf-8", "replace")
    found: Any = None
    for tag, value in fields(data):
        if tag == 0x0A:
            found = _text(value)
        elif tag == 0x10:
            found = value != 0
        elif tag == 0x18:
            found = value - MODULUS if value >= SIGN else value
        elif tag == 0x21:
            [found] = _double(value)
        elif tag == 0x2A:
            found = [_any(item, depth + 1) for inner, item in fields(value) if inner == 0x0A]
        elif tag == 0x32:
            found = dict([_pair(item, depth + 1) for inner, item in fields(value) if inner == 0x0A])
        elif tag == 0x3A:
            found = base64.b64encode(value).decode()
    return found


def _start_of_text(data: bytes) -> int:
    """Return where the text of a value begins that is nothing but a text, as most are; 0: read it as a message."""
    size = len(data)
    if size > 1 and data[0] == 0x0A:
        if data[1] == size - 2 < 128:
            return 2
        if size > 2 and data[1] > 127 and data[2] < 128 and (data[1] & 127 | data[2] << 7) == size - 3:
            return 3
    return 0


def _record(data: bytes) -> LogRecord:
    found: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for tag, value in fields(data):
        if tag == 0x32:
            key, held = _pair(value, 1)
            attributes[key] = held
        elif tag == 0x2A:
            found["body"] = _any(value, 1)
        elif (known := _RECORD.get(tag)) is not None:
            name, convert = known
            found[name] = convert(value)
    return LogRecord(**found, attributes=attributes)


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


_RECORD: dict[int, tuple[str, Callable[[Any], Any]]] = {
    tag_of(1, FIXED64): ("time_ns", _little),
    tag_of(2, VARINT): ("severity_number", int),
    tag_of(3, BYTES): ("severity_text", _text),
    tag_of(8, FIXED32): ("flags", _little),
    tag_of(9, BYTES): ("trace_id", bytes.hex),
    tag_of(10, BYTES): ("span_id", bytes.hex),
    tag_of(11, FIXED64): ("observed_ns", _little),
    tag_of(12, BYTES): ("event_name", _text),
}
