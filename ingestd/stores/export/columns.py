"""Events as rows of a table, for CSV and Parquet: columns named ``a.b``, and their types."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ingestd.event.fields import Event, FieldError, parse_path
from ingestd.event.jsontext import dumps

FIRST = ("@timestamp", "level", "message")
"""The columns that come first if they exist; the others follow by name."""

_LONG = range(-(2**63), 2**63)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_MISSING = object()


def flat(event: Event, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the fields of an event, those of nested objects as ``a.b``; arrays and empty objects are values."""
    for name, value in event.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def getter(column: str) -> Callable[[Event], Any]:
    """Return a function from an event to its value in a column, ``None`` if it has none.

    ``a.b`` is the field of this name, else ``b`` in ``a``; ``[a][b]`` is ``b`` in ``a``. Names that only look like a
    field reference, such as ``[foo``, are taken as they are.
    """
    paths = _paths(column)

    def get(event: Event) -> Any:
        if column in event:
            return event[column]
        for path in paths:
            value: Any = event
            for name in path:
                value = value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
            if value is not _MISSING:
                return value
        return None

    return get


def _paths(column: str) -> list[tuple[str, ...]]:
    """Return where the values of a column may be, the first that exists counts."""
    dotted = tuple(column.split("."))
    if not column.startswith("["):
        return [dotted]
    try:
        return [parse_path(column), dotted]
    except FieldError:
        return [dotted]


def text(value: Any) -> str:
    """Return a value as text: strings unchanged, null as an empty string, anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else dumps(value).decode()


class Columns:
    """Collects the columns of events, and for each the type that fits all its values.

    Types are DuckDB's: ``BOOLEAN``, ``BIGINT``, ``DOUBLE``, ``TIMESTAMPTZ`` (only ``@timestamp``), else ``VARCHAR``.
    """

    def __init__(self) -> None:
        self._types: dict[str, str] = {}

    def learn(self, event: Event) -> None:
        """Add the fields of an event."""
        for name, value in flat(event):
            known = self._types.get(name, "")
            if known != "VARCHAR":
                self._types[name] = _common_type(known, _type_of(name, value))

    def names(self) -> list[str]:
        """Return the columns in order."""
        first = [name for name in FIRST if name in self._types]
        return first + sorted(self._types.keys() - set(first))

    def types(self, names: Sequence[str]) -> list[str]:
        """Return the type of each column; ``VARCHAR`` for one that no event has."""
        return [self._types.get(name) or "VARCHAR" for name in names]


def _type_of(name: str, value: Any) -> str:
    """Return the type of a value; empty for null, which fits every type."""
    match value:
        case None:
            return ""
        case bool():
            return "BOOLEAN"
        case int():
            return "BIGINT" if value in _LONG else "VARCHAR"
        case float():
            return "DOUBLE"
        case str() if name == "@timestamp" and _TIME.fullmatch(value):
            return "TIMESTAMPTZ"
    return "VARCHAR"


def _common_type(known: str, found: str) -> str:
    if not known or not found or known == found:
        return known or found
    return "VARCHAR"


def typed(value: Any, kind: str) -> Any:
    """Return a value as it is written to a column of type ``kind``."""
    return value if value is None or kind != "VARCHAR" else text(value)


def unique(names: Sequence[str]) -> list[str]:
    """Return names that differ even when case is ignored, as DuckDB does: ``level``, ``Level_1``; ``_`` for no name."""
    used: set[str] = set()
    result = []
    for name in names:
        base, number = name or "_", 0
        candidate = base
        while candidate.lower() in used:
            number += 1
            candidate = f"{base}_{number}"
        used.add(candidate.lower())
        result.append(candidate)
    return result
