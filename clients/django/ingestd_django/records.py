"""Log records as JSON, with the field names of python-logstash's version 1."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from ingestd_django.client import client_of

_OWN = frozenset(
    (
        *("args", "asctime", "created", "exc_info", "exc_text", "filename", "funcName", "id", "levelname", "levelno"),
        *("lineno", "module", "msecs", "message", "msg", "name", "pathname", "process", "processName"),
        *("relativeCreated", "thread", "threadName", "taskName", "extra", "auth_token", "password", "stack_info"),
    )
)
"""Attributes of a record that are not fields of the user; the last but one are left out as python-logstash does."""

_PLAIN = (str, bool, dict, float, int, list, type(None))
_MAX_DEPTH = 20


class RecordFormatter:
    """Makes fields of log records.

    Args:
        message_type: The field ``type``.
        tags: The field ``tags``.
        fqdn: Whether ``host`` is the full name of this machine.
    """

    def __init__(
        self, message_type: str = "logstash", tags: Sequence[str] | None = None, *, fqdn: bool = False
    ) -> None:
        self._constant = {
            "host": socket.getfqdn() if fqdn else socket.gethostname(),
            "type": message_type,
            "tags": list(tags or ()),
        }

    def fields(self, record: logging.LogRecord, message: str | None = None) -> dict[str, Any]:
        """Return the fields of a record; ``message``: its text, if the caller has formatted it."""
        fields: dict[str, Any] = {
            "message": message_of(record) if message is None else message,
            **self._constant,
            "path": record.pathname,
            "level": record.levelname,
            "logger_name": record.name,
        }
        for name, value in record.__dict__.items():
            if name not in _OWN:
                fields[name] = value if isinstance(value, _PLAIN) else _repr(value)
        if "request" in fields and "client_ip" not in fields and (address := _client_ip(record)):
            fields["client_ip"] = address
        if record.stack_info:
            fields["stack_info"] = record.stack_info
        if record.exc_info or record.exc_text:
            fields["stack_trace"] = _stack_trace(record)
            fields |= {"lineno": record.lineno, "process": record.process, "thread_name": record.threadName}
            fields |= {"funcName": record.funcName, "processName": record.processName}
        return fields


def timestamp(seconds: float) -> str:
    """Return a time since the epoch in UTC, in milliseconds: ``2026-03-01T09:00:00.123Z``."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")[:-6] + "Z"


def message_of(record: logging.LogRecord) -> str:
    """Return the text of a record; one whose arguments do not fit its format is not lost."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 -- of a user's ``__str__`` or a wrong format
        return f"{record.msg!r} % {_repr(record.args)} ({type(error).__name__}: {error})"


def encode(timestamp: str, event_id: str, fields: dict[str, Any]) -> bytes:
    """Return an event as JSON, in the order of Beats; fields of these names are replaced."""
    event = {"@timestamp": timestamp, "@metadata": {"_id": event_id}}
    event.update((name, value) for name, value in fields.items() if name not in event)
    try:
        return _dumps(event)
    except (TypeError, ValueError, RecursionError):
        return _dumps(_plain(event, 0))


def _dumps(event: dict[str, Any]) -> bytes:
    # NaN is not JSON; a lone surrogate can only be written as an escape.
    text = json.dumps(event, ensure_ascii=False, allow_nan=False, default=_repr, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(event, allow_nan=False, default=_repr, separators=(",", ":")).encode()


def _plain(value: Any, depth: int) -> Any:
    """Return what JSON can hold of a value: it may contain itself, NaN, or keys that are not text."""
    if depth > _MAX_DEPTH:
        return "..."
    if isinstance(value, dict):
        return {name if isinstance(name, str) else _repr(name): _plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, float):
        return value if value - value == 0 else repr(value)
    return value if value is None or isinstance(value, (str, int, bool)) else _repr(value)


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 -- of a user's ``__repr__``
        return f"<{type(value).__name__}: {type(error).__name__} in repr()>"


def _client_ip(record: logging.LogRecord) -> str:
    try:
        return client_of(record.__dict__["request"])
    except Exception:  # noqa: BLE001 -- of a request or settings that are not as Django's; the record matters more
        return ""


def _stack_trace(record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[0] is not None:
        return "".join(traceback.format_exception(*record.exc_info))
    return record.exc_text or ""
