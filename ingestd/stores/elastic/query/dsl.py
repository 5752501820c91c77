"""Conditions in the query DSL of Elasticsearch and OpenSearch; ``stores.query`` defines what they mean.

A value that a server would reject for a field (``abc`` for a number) matches nothing. All clauses are filters:
nothing is scored.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ingestd.stores.base import StoreError
from ingestd.stores.elastic.query import keyword_words
from ingestd.stores.elastic.query.mapping import FieldMapping, Fields, FieldType
from ingestd.stores.known_fields import LEVEL_FIELDS
from ingestd.stores.query import (
    DECODED_FIELDS,
    INDEX_FIELD,
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
    index_matches,
    level_spellings,
)
from ingestd.stores.words import words

Clause = dict[str, Any]

ALL: Clause = {"match_all": {}}
NONE: Clause = {"match_none": {}}

_MANY_TERMS = 16
"""More values of one field are one clause: servers allow about 1,000."""

_DIGITS = re.compile(r"-?(0|[1-9][0-9]{0,19})?")


def fields_of(condition: Condition | None) -> Iterator[str]:
    """Yield the names of the fields that a condition looks at."""
    match condition:
        case And(parts) | Or(parts):
            for part in parts:
                yield from fields_of(part)
        case Not(part):
            yield from fields_of(part)
        case Text() | Word():
            yield from condition.fields
        case Equal() | Like() | Range() | Exists():
            yield condition.field


def query_clause(query: Query, fields: Fields) -> Clause:
    """Return the clause of a whole query."""
    parts = []
    if query.since is not None or query.until is not None:
        parts.append(_time_range(query.since, query.until, True, False))
    if query.condition is not None:
        parts.append(clause(query.condition, fields))
    if fields.scope.left_out:
        parts.append(_not(_in_indices(fields.scope.left_out)))
    return _all(parts)


def clause(condition: Condition, fields: Fields) -> Clause:  # noqa: PLR0911 - one return for each kind
    """Return the clause of a condition.

    Raises:
        StoreError: The servers cannot answer it.
    """
    match condition:
        case And(parts):
            return _all([clause(part, fields) for part in parts])
        case Or(parts):
            return _any(_with_joined_terms([clause(part, fields) for part in parts]))
        case Not(part):
            return _not(clause(part, fields))
        case Text(value, names):
            wanted = words(value)
            return _any(_text(mapping, wanted, path=path) for mapping, path in _text_mappings(names, fields))
        case Word(pattern, names):
            return _any(_word(mapping, pattern, path=path) for mapping, path in _text_mappings(names, fields))
        case Equal() | Like() | Range() | Exists() if condition.field == INDEX_FIELD:
            return _in_indices([name for name in fields.scope.names if index_matches(condition, name)])
        case Exists(field):
            all_names = [*(mapping.name for mapping in fields.direct(field)), *fields.inside(field)]
            return _any({"exists": {"field": name}} for name in dict.fromkeys(all_names))
        case Range(field="@timestamp"):
            return _time_range(condition.low, condition.high, condition.low_inclusive, condition.high_inclusive)
    return _any(_in_its_indices(mapping, _value(condition, mapping)) for mapping in fields.values(condition.field))


def _all(clauses: Iterable[Clause]) -> Clause:
    return _joined(clauses, ALL, NONE, lambda parts: {"filter": parts})


def _any(clauses: Iterable[Clause]) -> Clause:
    return _joined(clauses, NONE, ALL, lambda parts: {"should": parts, "minimum_should_match": 1})


def _with_joined_terms(clauses: Sequence[Clause]) -> Iterator[Clause]:
    """Yield clauses, the terms of a field as one if they are many."""
    values: dict[str, list[Any]] = {}
    for part in clauses:
        if part.keys() == {"term"}:
            ((name, value),) = part["term"].items()
            values.setdefault(name, []).append(value)
    many = {name: found for name, found in values.items() if len(found) > _MANY_TERMS}
    yield from (part for part in clauses if part.keys() != {"term"} or not part["term"].keys() <= many.keys())
    yield from ({"terms": {name: found}} for name, found in many.items())


def _joined(
    clauses: Iterable[Clause], neutral: Clause, deciding: Clause, join: Callable[[list[Clause]], dict[str, Any]]
) -> Clause:
    """Return clauses joined by AND or OR: ``neutral`` ones are left out, a single ``deciding`` one is the result."""
    parts = [part for part in clauses if part != neutral]
    if deciding in parts:
        return deciding
    if len(parts) < 2:
        return parts[0] if parts else neutral
    return {"bool": join(parts)}


def _not(part: Clause) -> Clause:
    if part in (ALL, NONE):
        return NONE if part == ALL else ALL
    return {"bool": {"must_not": [part]}}


def _in_indices(names: Sequence[str]) -> Clause:
    return {"terms": {INDEX_FIELD: list(names)}} if names else NONE


def _in_its_indices(mapping: FieldMapping, part: Clause) -> Clause:
    """Restrict a clause to the indices that have this mapping."""
    return part if mapping.indices is None else _all([_in_indices(mapping.indices), part])


def _text_mappings(names: Iterable[str], fields: Fields) -> Iterator[tuple[FieldMapping, bool]]:
    """Yield the mappings that hold words, and whether it is a percent-encoded path: words are searched encoded there.

    Keywords are searched by `keyword_words`.
    """
    for name in names:
        path = name in DECODED_FIELDS
        for mapping in fields.values(name) if path else fields.direct(name):
            if mapping.type in {FieldType.TEXT, FieldType.KEYWORD}:
                yield mapping, path


def _word(mapping: FieldMapping, pattern: Sequence[str | Gap], *, path: bool) -> Clause:
    if mapping.type is FieldType.KEYWORD:
        return keyword_words.pattern(mapping.name, pattern, path=path)
    return _wildcard(mapping.name, _around(pattern))


def _text(mapping: FieldMapping, wanted: Sequence[str], *, path: bool) -> Clause:
    if not wanted:
        return NONE
    if mapping.type is FieldType.KEYWORD:
        return keyword_words.text(mapping.name, wanted, path=path)
    if len(wanted) == 1:
        return _wildcard(mapping.name, f"*{_escaped(wanted[0])}*")
    first, *middle, last = wanted
    clauses = [
        {"span_multi": {"match": _wildcard(mapping.name, f"*{_escaped(first)}")}},
        *({"span_term": {mapping.name: word}} for word in middle),
        {"span_multi": {"match": {"prefix": {mapping.name: {"value": last}}}}},
    ]
    return {"span_near": {"clauses": clauses, "slop": 0, "in_order": True}}


def _around(pattern: Sequence[str | Gap]) -> str:
    return f"*{_pattern(pattern).lower()}*"


def _wildcard(field: str, pattern: str) -> Clause:
    return {"wildcard": {field: {"value": pattern}}}


def _pattern(pattern: Sequence[str | Gap]) -> str:
    return "".join(piece.value if isinstance(piece, Gap) else _escaped(piece) for piece in pattern)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def _value(condition: Condition, mapping: FieldMapping) -> Clause:
    if isinstance(condition, Equal):
        return _equal(condition, mapping)
    if isinstance(condition, Like):
        return _like(condition, mapping)
    assert isinstance(condition, Range)  # noqa: S101  # the last of the three
    return _range(condition, mapping)


def _equal(condition: Equal, mapping: FieldMapping) -> Clause:
    value = condition.value
    if condition.field in LEVEL_FIELDS and mapping.type is FieldType.KEYWORD:
        return {"terms": {mapping.name: list(level_spellings(value))}}
    match mapping.type:
        case FieldType.KEYWORD:
            return {"term": {mapping.name: value}}
        case FieldType.TEXT:
            return {"match_phrase": {mapping.name: value}}
        case FieldType.INTEGER | FieldType.FLOAT:
            number = _number(value, mapping)
            return NONE if number is None else {"term": {mapping.name: number}}
        case FieldType.BOOLEAN:
            return {"term": {mapping.name: value}} if value in {"true", "false"} else NONE
        case FieldType.IP:
            return {"term": {mapping.name: value}} if _is_address(value) else NONE
        case FieldType.DATE:
            return {"match": {mapping.name: {"query": value, "lenient": True}}}
        case FieldType.OTHER:
            return NONE


def _like(condition: Like, mapping: FieldMapping) -> Clause:
    match mapping.type:
        case FieldType.KEYWORD:
            ignore_case = {"case_insensitive": True} if condition.field in LEVEL_FIELDS else {}
            return {"wildcard": {mapping.name: {"value": _pattern(condition.pattern)} | ignore_case}}
        case FieldType.TEXT:
            return {"wildcard": {mapping.name: {"value": _pattern(condition.pattern), "case_insensitive": True}}}
        case FieldType.INTEGER:
            return _any(_digits(mapping, condition.pattern))
        case FieldType.BOOLEAN | FieldType.OTHER:
            return NONE
    raise StoreError(f"{condition.field} is indexed as {mapping.type.value}: it has no wildcards here, use a range")


def _digits(mapping: FieldMapping, pattern: Sequence[str | Gap]) -> Iterator[Clause]:
    """Yield the ranges of integers that start with some digits: ``4*`` is 4, 40 to 49, 400 to 499 and so on."""
    head = pattern[0] if isinstance(pattern[0], str) else ""
    gaps = pattern[1:] if head else pattern
    if not set("".join(part for part in pattern if isinstance(part, str))) <= set("-0123456789"):
        return
    if not all(isinstance(gap, Gap) for gap in gaps):
        raise StoreError(f"{mapping.name} is a number: a wildcard must be at its end here, as in 4* or 4??")
    if not _DIGITS.fullmatch(head):
        return
    minimum = sum(gap is Gap.ONE for gap in gaps)
    maximum = len(str(int(min(mapping.limits[1], 1 << 64)))) if Gap.MANY in gaps else minimum
    for more in range(minimum, maximum + 1):
        for low, high in _integers(head, more):
            yield _number_range(mapping, Range(mapping.name, str(low), str(high)))


def _integers(head: str, more: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of integers that are written as ``head`` followed by ``more`` characters."""
    if head.startswith("-"):
        yield from ((-high, -max(low, 1)) for low, high in _integers(head[1:], more) if low >= 0)
    elif head == "0":
        yield from [(0, 0)][more:]
    elif head:
        yield int(head) * 10**more, (int(head) + 1) * 10**more - 1
    elif more:
        yield 10 ** (more - 1) if more > 1 else 0, 10**more - 1
        yield from _integers("-", more - 1)


def _range(condition: Range, mapping: FieldMapping) -> Clause:
    match mapping.type:
        case FieldType.INTEGER | FieldType.FLOAT:
            return _number_range(mapping, condition)
        case FieldType.IP if all(bound is None or _is_address(bound) for bound in (condition.low, condition.high)):
            return _limited(mapping, condition, condition.low, condition.high)
        case FieldType.KEYWORD | FieldType.DATE:
            return _limited(mapping, condition, condition.low, condition.high)
    return NONE


def _number_range(mapping: FieldMapping, condition: Range) -> Clause:
    """Bounds outside of what the field can hold are left out, or leave nothing."""
    low, high = (None if bound is None else as_number(bound) for bound in (condition.low, condition.high))
    if (low is None) != (condition.low is None) or (high is None) != (condition.high is None):
        return NONE
    minimum, maximum = mapping.limits
    if (low is not None and low > maximum) or (high is not None and high < minimum):
        return NONE
    low = None if low is not None and low < minimum else low
    high = None if high is not None and high > maximum else high
    return _limited(mapping, condition, low, high)


def _limited(mapping: FieldMapping, condition: Range, low: Any, high: Any) -> Clause:
    limits: dict[str, Any] = {}
    if low is not None:
        limits["gte" if condition.low_inclusive else "gt"] = low
    if high is not None:
        limits["lte" if condition.high_inclusive else "lt"] = high
    return {"range": {mapping.name: limits}} if limits else {"exists": {"field": mapping.name}}


def _time_range(low: str | None, high: str | None, low_inclusive: bool, high_inclusive: bool) -> Clause:
    limits = {"format": "strict_date_optional_time"}
    if low is not None:
        limits["gte" if low_inclusive else "gt"] = low
    if high is not None:
        limits["lte" if high_inclusive else "lt"] = high
    return {"range": {"@timestamp": limits}}


def _number(value: str, mapping: FieldMapping) -> int | float | None:
    """Return a value as a number that the field may hold."""
    number = as_number(value)
    if number is None or not mapping.limits[0] <= number <= mapping.limits[1]:
        return None
    if mapping.type is FieldType.INTEGER and isinstance(number, float):
        return int(number) if number.is_integer() else None
    return number


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
