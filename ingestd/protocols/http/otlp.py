"""Logs of OpenTelemetry's protocol, OTLP, as protobuf and as JSON: requests in, answers out.

Follows https://opentelemetry.io/docs/specs/otlp/ and the messages of opentelemetry-proto 1.x
(``opentelemetry/proto/logs/v1/logs.proto``). The reader of protobuf knows the wire format
(https://protobuf.dev/programming-guides/encoding/) and the fields of these messages; unknown fields are skipped.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import orjson

_MAX_DEPTH = 100
"""Nesting of values: lists and maps may hold each other."""

_SIGN, _MODULUS = 1 << 63, 1 << 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_double = struct.Struct("<d").unpack

SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""Names of the severity numbers 1 to 24, four each."""


MAX_RECORDS = 500_000
"""Of a request. An empty record is two bytes of the body, and takes 200 of memory."""

_MAX_OBJECTS = 10 * MAX_RECORDS
"""Of a body of JSON: records, attributes and values."""


class OtlpError(ValueError):
    """The body is no request for logs; the text says why."""


class OtlpTooLargeError(OtlpError):
    """The request would take too much memory; the text says why."""


def _too_many() -> OtlpTooLargeError:
    return OtlpTooLargeError(f"the request has too many records: at most {MAX_RECORDS:,} are allowed; send it in parts")


class LogRecord(NamedTuple):
    """One record; times are nanoseconds since the epoch, 0: unknown, ids are hexadecimal."""

    time_ns: int = 0
    observed_ns: int = 0
    severity_number: int = 0
    severity_text: str = ""
    body: Any = None
    attributes: dict[str, Any] = {}  # noqa: RUF012 -- never changed
    trace_id: str = ""
    span_id: str = ""
    flags: int = 0
    event_name: str = ""


class ScopeLogs(NamedTuple):
    """The records of one scope, such as a logger, of one resource, such as a service."""

    resource: dict[str, Any]
    """Its attributes."""
    scope: dict[str, Any]
    """``name``, ``version`` and ``attributes``, as far as they are given."""
    records: list[LogRecord]


def severity_name(number: int) -> str:
    """Return the name of a severity number, empty if it has none."""
    return SEVERITIES[(number - 1) // 4] if 1 <= number <= 24 else ""


# Protobuf


def decode_protobuf(body: bytes) -> list[ScopeLogs]:
    """Return the logs of an ``ExportLogsServiceRequest``.

    Raises:
        OtlpError: The body is none, or has too many records.
    """
    try:
        resources = (value for tag, value in _fields(body) if tag == _tag(1, _BYTES))
        return _counted(logs for value in resources for logs in _resource_logs(value))
    except (IndexError, TypeError, struct.error):
        raise OtlpError("the body is no message of protobuf: its end is missing") from None


def _counted(found: Iterable[ScopeLogs]) -> list[ScopeLogs]:
    """Return logs, unless there are too many; each scope counts as a record."""
    logs, count = [], 0
    for scope in found:
        count += 1 + len(scope.records)
        if count > MAX_RECORDS:
            raise _too_many()
        logs.append(scope)
    return logs


def _tag(number: int, wire_type: int) -> int:
    return number << 3 | wire_type


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a message: number and wire type as on the wire, and the value, an int or bytes."""
    at, end = 0, len(data)
    while at < end:
        tag, at = data[at], at + 1
        if tag > 127:
            tag, at = _varint(data, at - 1)
        kind = tag & 7
        if kind == _BYTES:
            size, at = data[at], at + 1
            if size > 127:
                size, at = _varint(data, at - 1)
            start, at = at, at + size
        elif kind == _VARINT:
            value, at = _varint(data, at)
            yield tag, value
            continue
        elif kind in (_FIXED64, _FIXED32):
            start, at = at, at + (8 if kind == _FIXED64 else 4)
        else:
            raise OtlpError(f"the body is no message of protobuf: there is no wire type {kind}")
        if at > end:
            raise IndexError
        yield tag, data[start:at]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number, and where the data goes on."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value % _MODULUS, at
        shift += 7
        if shift > 63:
            raise OtlpError("the body is no message of protobuf: a number has more than 64 bits")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _resource_logs(data: bytes) -> Iterator[ScopeLogs]:
    resource: dict[str, Any] = {}
    scopes: list[bytes] = []
    for tag, value in _fields(data):
        if tag == _tag(1, _BYTES):
            resource |= _attributes(value, 1)
        elif tag == _tag(2, _BYTES):
            scopes.append(value)
            if len(scopes) > MAX_RECORDS:
                raise _too_many()
    for scope in scopes:
        yield _scope_logs(scope, resource)


def _scope_logs(data: bytes, resource: dict[str, Any]) -> ScopeLogs:
    scope: dict[str, Any] = {}
    records: list[LogRecord] = []
    for tag, value in _fields(data):
        if tag == _tag(1, _BYTES):
            scope |= _scope(value)
        elif tag == _tag(2, _BYTES):
            records.append(_record(value))
            if len(records) > MAX_RECORDS:
                raise _too_many()
    return ScopeLogs(resource, scope, records)


def _scope(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for tag, value in _fields(data):
        if tag == _tag(1, _BYTES):
            found["name"] = _text(value)
        elif tag == _tag(2, _BYTES):
            found["version"] = _text(value)
    return _scope_of(found, _attributes(data, 3))


def _scope_of(found: dict[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in found.items() if value}
    return kept | {"attributes": attributes} if attributes else kept


def _attributes(data: bytes, number: int) -> dict[str, Any]:
    """Return the attributes of a message, which are its fields with this number."""
    return dict([_pair(value, 1) for tag, value in _fields(data) if tag == _tag(number, _BYTES)])


def _pair(data: bytes, depth: int) -> tuple[str, Any]:
    key, found = "", None
    if (end := _end_of_key(data)) != 0:
        return data[2:end].decode("utf-8", "replace"), _any(data[end + 2 :], depth)
    for tag, value in _fields(data):
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
    if depth > _MAX_DEPTH:
        raise OtlpError(f"a value is nested deeper than {_MAX_DEPTH} levels")
    if (start := _start_of_text(data)) != 0:
        return data[start:].decode("utf-8", "replace")
    found: Any = None
    for tag, value in _fields(data):
        if tag == 0x0A:
            found = _text(value)
        elif tag == 0x10:
            found = value != 0
        elif tag == 0x18:
            found = value - _MODULUS if value >= _SIGN else value
        elif tag == 0x21:
            [found] = _double(value)
        elif tag == 0x2A:
            found = [_any(item, depth + 1) for inner, item in _fields(value) if inner == 0x0A]
        elif tag == 0x32:
            found = dict([_pair(item, depth + 1) for inner, item in _fields(value) if inner == 0x0A])
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
    for tag, value in _fields(data):
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
    _tag(1, _FIXED64): ("time_ns", _little),
    _tag(2, _VARINT): ("severity_number", int),
    _tag(3, _BYTES): ("severity_text", _text),
    _tag(8, _FIXED32): ("flags", _little),
    _tag(9, _BYTES): ("trace_id", bytes.hex),
    _tag(10, _BYTES): ("span_id", bytes.hex),
    _tag(11, _FIXED64): ("observed_ns", _little),
    _tag(12, _BYTES): ("event_name", _text),
}


# JSON


def decode_json(request: Any) -> list[ScopeLogs]:
    """Return the logs of a request that came as JSON.

    Args:
        request: The value of the text.

    Raises:
        OtlpError: It is no such request, or has too many records.
    """
    return _counted(
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
        raise _too_many()


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
    return _scope_of(found, _json_attributes(given, 1))


def _json_attributes(holder: dict[str, Any], depth: int, name: str = "attributes") -> dict[str, Any]:
    return {str(pair.get("key", "")): _json_any(pair.get("value"), depth) for pair in _objects(holder, name)}


def _json_any(given: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise OtlpError(f"a value is nested deeper than {_MAX_DEPTH} levels")
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
    if not -_SIGN <= number < _MODULUS:
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


# Answers


def answer_body(rejected: int, message: str, *, as_json: bool) -> bytes:
    """Return an ``ExportLogsServiceResponse``.

    Args:
        rejected: How many records were not accepted.
        message: Why.
        as_json: Whether the request was JSON, else protobuf.
    """
    if as_json:
        partial = {"rejectedLogRecords": str(rejected), "errorMessage": message}
        return orjson.dumps({"partialSuccess": partial} if rejected else {})
    if not rejected:
        return b""
    return _encoded_bytes(1, b"\x08" + _encoded_varint(rejected) + _encoded_bytes(2, message.encode()))


def status_body(message: str, *, as_json: bool) -> bytes:
    """Return a ``google.rpc.Status`` with a message."""
    return orjson.dumps({"message": message}) if as_json else _encoded_bytes(2, message.encode())


def _encoded_bytes(number: int, data: bytes) -> bytes:
    return bytes([_tag(number, _BYTES)]) + _encoded_varint(len(data)) + data


def _encoded_varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
