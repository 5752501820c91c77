"""Records of logs as OTLP has them, and how many a request may have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

MAX_DEPTH = 100
"""Nesting of values: lists and maps may hold each other."""

SIGN, MODULUS = 1 << 63, 1 << 64
"""Of the integers of 64 bits."""

SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""Names of the severity numbers 1 to 24, four each."""

MAX_RECORDS = 500_000
"""Of a request. An empty record is two bytes of the body, and takes 200 of memory."""


class OtlpError(ValueError):
    """The body is not a request for logs; the text says why."""


class OtlpTooLargeError(OtlpError):
    """The request would take too much memory; the text says why."""


def too_many() -> OtlpTooLargeError:
    """Return the error of a request with more than ``MAX_RECORDS``."""
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


def counted(found: Iterable[ScopeLogs]) -> list[ScopeLogs]:
    """Return logs, unless there are too many; each scope counts as a record."""
    logs, count = [], 0
    for scope in found:
        count += 1 + len(scope.records)
        if count > MAX_RECORDS:
            raise too_many()
        logs.append(scope)
    return logs


def scope_of(found: dict[str, Any], attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the ``scope`` of `ScopeLogs`, without what is empty."""
    kept = {name: value for name, value in found.items() if value}
    return kept | {"attributes": attributes} if attributes else kept
