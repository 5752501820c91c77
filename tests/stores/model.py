"""The meaning of conditions in plain Python, with which the stores are compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingestd.event.fields import parse_path
from ingestd.stores.known_fields import LEVEL_FIELDS
from ingestd.stores.query import (
    DECODED_FIELDS,
    And,
    Condition,
    Equal,
    Exists,
    Gap,
    Like,
    Not,
    Or,
    Query,
    Range,
    Text,
    Word,
    as_number,
    decoded,
)
from ingestd.stores.words import holds, words

Event = dict[str, Any]


def matches(query: Query, event: Event) -> bool:
    """Return whether a document matches a query."""
    if query.since is not None or query.until is not None:
        time_range = Range("@timestamp", query.since, query.until, True, False)
        if not fulfils(time_range, event):
            return False
    return query.condition is None or fulfils(query.condition, event)


def fulfils(condition: Condition, event: Event) -> bool:
    match condition:
        case And(parts):
            return all(fulfils(part, event) for part in parts)
        case Or(parts):
            return any(fulfils(part, event) for part in parts)
        case Not(part):
            return not fulfils(part, event)
        case Text(value, fields):
            return any(holds(text, words(value)) for name in fields for text in _texts(event, name))
        case Word(pattern, fields):
            there = [word for name in fields for text in _texts(event, name) for word in words(text)]
            return any(_regex(pattern, re.IGNORECASE).search(word) for word in there)
        case Exists(field):
            return any(True for _ in _leaves(_look_up(event, field)))
    return any(_holds(condition, value) for value in values(event, condition.field))


def values(event: Event, field: str) -> list[Any]:
    """Return the values of a field: those of an array one by one, no nulls, no objects."""
    return [value for value in _elements(_look_up(event, field)) if value is not None and not isinstance(value, dict)]


def _holds(condition: Equal | Like | Range, value: Any) -> bool:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)
    if isinstance(condition, Equal):
        if condition.field in LEVEL_FIELDS:
            return text in {condition.value, condition.value.upper(), condition.value.lower(), condition.value.title()}
        wanted = as_number(condition.value)
        return text == condition.value or (number is not None and wanted is not None and number == wanted)
    if isinstance(condition, Like):
        flags = re.IGNORECASE if condition.field in LEVEL_FIELDS else 0
        return _regex(condition.pattern, flags).fullmatch(text) is not None
    low, high = condition.low, condition.high
    if condition.field == "@timestamp":
        return _between(_moment(text), condition, low and _moment(low), high and _moment(high))
    bounds = [as_number(bound) for bound in (low, high) if bound is not None]
    if None not in bounds:
        number = as_number(text) if isinstance(value, str) else number
        return number is not None and _between(number, condition, low and as_number(low), high and as_number(high))
    return isinstance(value, str) and _between(value, condition, low, high)


def _between(value: Any, condition: Range, low: Any, high: Any) -> bool:
    if low is not None and not (value > low or (value == low and condition.low_inclusive)):
        return False
    return high is None or value < high or (value == high and condition.high_inclusive)


def _moment(time: str) -> str:
    """Return a text that sorts like the time."""
    whole, _, fraction = time.removesuffix("Z").partition(".")
    return f"{whole}.{fraction:0<9}"


def _regex(pattern: tuple[str | Gap, ...], flags: int) -> re.Pattern[str]:
    gaps = {Gap.ONE: ".", Gap.MANY: ".*"}
    text = "".join(gaps[piece] if isinstance(piece, Gap) else re.escape(piece) for piece in pattern)
    return re.compile(text, flags | re.DOTALL)


def _texts(event: Event, field: str) -> Iterator[str]:
    for value in values(event, field):
        if isinstance(value, str):
            yield decoded(value) if field in DECODED_FIELDS else value


def _look_up(event: Event, field: str) -> Any:
    if field.startswith("["):
        return _walk(event, list(parse_path(field)))
    return [_walk(event, path) for path in _paths(field.split("."))]


def _paths(parts: list[str]) -> Iterator[list[str]]:
    """Yield the paths that a dotted name may be: each dot is part of a name or not."""
    for size in range(1, len(parts)):
        yield from ([".".join(parts[:size]), *path] for path in _paths(parts[size:]))
    yield [".".join(parts)]


def _walk(node: Any, parts: list[str]) -> Any:
    """Yield the values below a path; of an array, those of each of its objects, as the servers do."""
    if not parts:
        return node
    if isinstance(node, list):
        return [_walk(item, parts) for item in node]
    return _walk(node.get(parts[0]), parts[1:]) if isinstance(node, dict) else None


def _elements(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _elements(item)
    else:
        yield value


def _leaves(value: Any) -> Iterator[Any]:
    for item in _elements(value):
        if isinstance(item, dict):
            for inner in item.values():
                yield from _leaves(inner)
        elif item is not None:
            yield item
