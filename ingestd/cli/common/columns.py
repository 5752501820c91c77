"""Events as rows of a table: columns named ``a.b``, and their types. For CSV and Parquet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ingestd.event.fields import Event, parse_path
from ingestd.event.jsontext import dumps

FIRST = ("@timestamp", "level", "message")
"""The columns that come first if they are there; the others follow in the order of their names."""

_LONG = range(-(2**63), 2**63)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_MISSING = object()


def flat(event: Event, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return the fields of an event, those of objects in it as ``a.b``; arrays and empty objects are values."""
    for name, value in event.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def getter(column: str) -> Callable[[Event], Any]:
    """Return what takes the value of a column out of an event, None if it has none.

    ``a.b`` is the field of this name, or ``b`` in ``a``; ``[a][b]`` is ``b`` in ``a``.
    """
    path = tuple(parse_path(column)) if column.startswith("[") else tuple(column.split("."))

    def get(event: Event) -> Any:
        if column in event:
            return event[column]
        value: Any = event
        for name in path:
            value = value.get(name, _MISSING) if isinstance(value, dict) else _MISSING
        return None if value is _MISSING else value

    return get


def text(value: Any) -> str:
    """Return a value as text: texts as they are, nothing for null, others as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else dumps(value).decode()


class Columns:
    """Learns the columns of events and the type that all values of a column have.

    A type is one of DuckDB's: ``BOOLEAN``, ``BIGINT``, ``DOUBLE``, ``TIMESTAMPTZ`` (``@timestamp`` alone), else
    ``VARCHAR``.
    """

    def __init__(self) -> None:
        self._types: dict[str, str] = {}

    def learn(self, event: Event) -> None:
        """Take in the fields of an event."""
        for name, value in flat(event):
            known = self._types.get(name, "")
            if known != "VARCHAR":
                self._types[name] = _wider(known, _type_of(name, value))

    def names(self) -> list[str]:
        """Return the columns."""
        first = [name for name in FIRST if name in self._types]
        return first + sorted(self._types.keys() - set(first))

    def types(self, names: Sequence[str]) -> list[str]:
        """Return the type of each column; of one that no event has, text."""
        return [self._types.get(name) or "VARCHAR" for name in names]


def _type_of(name: str, value: Any) -> str:
    """Return the type of a value, empty for null, which fits all."""
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


def _wider(known: str, found: str) -> str:
    if not known or not found or known == found:
        return known or found
    return "VARCHAR"


def typed(value: Any, kind: str) -> Any:
    """Return a value as it is put into a column of type ``kind``."""
    return value if value is None or kind != "VARCHAR" else text(value)


def unique(names: Sequence[str]) -> list[str]:
    """Return names that differ even where case does not count, as in DuckDB: ``level``, ``Level_1``."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 0
        while candidate.lower() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.lower())
        result.append(candidate)
    return result
