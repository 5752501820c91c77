"""Fields that accept only certain values: ``@timestamp`` and ``tags``.

Logstash rejects other values, and so must every filter here that sets a field by name: the day of an event, and with
it the index, depends on ``@timestamp``.
"""

from __future__ import annotations

from typing import Any

from ingestd.event.fields import Event, FieldError, FieldRef, legal_tags
from ingestd.event.timestamp import normalise


class _Timestamp(FieldRef):
    __slots__ = ()

    def set(self, event: Event, value: Any) -> None:
        canonical = normalise(value)
        if canonical is None:
            raise FieldError(f"@timestamp cannot be set to {value!r}, which is not a timestamp")
        event["@timestamp"] = canonical


class _Tags(FieldRef):
    __slots__ = ()

    def set(self, event: Event, value: Any) -> None:
        if not legal_tags(value):
            raise FieldError(f"tags cannot be set to {value!r}; they must be text or an array of texts")
        event["tags"] = value


_SPECIAL = {"@timestamp": _Timestamp, "tags": _Tags}


def target(ref: FieldRef | str) -> FieldRef:
    """Return a reference whose ``set`` raises FieldError if the field does not accept the value."""
    ref = FieldRef(ref) if isinstance(ref, str) else ref
    special = _SPECIAL.get(ref.top) if len(ref.path) == 1 else None
    return ref if special is None else special(ref.top)


def set_named(event: Event, name: str, value: Any) -> None:
    """Set the field that a text from data refers to.

    Raises:
        FieldError: It is not a field reference, or the field does not accept the value.
    """
    if name and "[" not in name and "]" not in name and name not in _SPECIAL:
        event[name] = value
    else:
        target(name).set(event, value)


def plain_name(ref: FieldRef) -> str | None:
    """Return the key of a top-level field that accepts any value, None for all other fields."""
    return ref.top if len(ref.path) == 1 and ref.top not in _SPECIAL else None
