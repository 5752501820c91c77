"""Fields that say the same under several names: Django's handler has its own, the Elastic Common Schema others.

``web/static/known_fields.js`` has the same names for the dashboard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ingestd.event.fields import Event

LEVEL_FIELDS = ("level", "log.level")
"""The level of a record: the second counts only if the first is missing, null, an empty text or an empty array."""

PATH_FIELDS = ("request_path", "url.path")
"""The path of a request, with or without its query string."""

HOST_FIELDS = ("host.name", "host.hostname", "host", "hostname")
"""The machine that a record is from. ``host`` is not the first: an object exists if one of its fields does."""

ADDRESS_FIELDS = ("client_ip", "geoip.ip", "clientip", "client.ip", "source.ip", "client.address", "source.address")
"""The address of a visitor."""

TRACE_FIELDS = ("stack_trace", "error.stack_trace")
"""The trace of an exception."""

LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "WARN": 30, "ERROR": 40, "CRITICAL": 50, "FATAL": 50}
"""The severities of Python's logging, with its aliases ``WARN`` and ``FATAL``."""


def text_getter(fields: Sequence[str]) -> Callable[[Event], str]:
    """Return a function from an event to the first text that one of some fields has, empty if none has any.

    ``a.b`` is the field of this name, else ``b`` in ``a``.
    """
    paths = [(field, field.split(".")) for field in fields]

    def get(event: Event) -> str:
        values = (event[field] if field in event else _nested(event, path) for field, path in paths)
        return next((value for value in values if isinstance(value, str) and value), "")

    return get


def level_of(event: Event) -> str:
    """Return the level of an event as text, empty if it has none; of an array, the most severe element."""
    values = (event[field] if field in event else _nested(event, field.split(".")) for field in LEVEL_FIELDS)
    level = next((value for value in values if value not in (None, "", [])), "")
    if isinstance(level, list):
        texts = [text for part in level if (text := _level_text(part))]
        return max(texts, key=lambda text: LEVELS.get(text.upper(), 0), default="")
    return _level_text(level)


def _level_text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _nested(event: Event, path: Sequence[str]) -> Any:
    value: Any = event
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
