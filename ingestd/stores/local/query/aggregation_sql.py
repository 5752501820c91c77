# ruff: noqa: S608 - building SQL is what this module is for
"""The SQL of aggregations (``stores.aggregation``): one query for each level of buckets and each kind of metric.

So each query reads only the columns that it needs, groups and sorts only what it counts, and can spill to disk: DuckDB
keeps all values of a percentile in memory, and the window that is used instead does not.

A row (``values``) has ``bucket``, the start of its interval in local time in seconds since 1970; 0 without an interval.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingestd.stores.aggregation import MAX_BUCKETS, PERCENTILES, TIME, Interval, Terms
from ingestd.stores.local.duckdb.sql import literal
from ingestd.stores.local.query.columns import NUMBERS
from ingestd.stores.local.query.conditions import NUMBER
from ingestd.stores.local.query.sql import TIME_COLUMN, FileGroup
from ingestd.stores.local.query.value_counts import (
    elements,
    interval_start,
    most_frequent,
    value_order,
    without_query_string,
)
from ingestd.stores.local.query.values import Values, texts, value_rows
from ingestd.stores.query import Query

_ELEMENT, _NO_TEXT = "(e->>'$')", "NOT starts_with(e, '\"')"
"""An element ``e`` of an array as text, and whether it is not a string."""

Key = tuple[str, ...]
"""Of a bucket: the values of its levels as JSON text."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets that are computed: ``keys`` of the levels ``terms``, in order; each over time."""

    terms: tuple[Terms, ...]
    keys: tuple[Key, ...]
    interval: Interval | None


def level(groups: Sequence[FileGroup], query: Query, terms: Sequence[Terms], parents: Sequence[Key]) -> str:
    """Return the query for ``(values as JSON text..., count)`` of the innermost of some levels, for each parent.

    ``parents`` are the keys of the levels above it, of which there is at least one unless it is the first level.
    """
    *above, last = terms
    names = [f"k{number}" for number in range(len(terms))]
    rows = _of_keys(_rows(groups, query, terms, (), None), parents if above else ())
    counted = f"SELECT {_texts_of(terms)}, count(*) AS n FROM ({rows}) GROUP BY ALL"
    wanted = f"WHERE {_is_one_of(names[:-1], parents)}" if above else ""
    order = f"n DESC, {value_order(names[-1])}"
    partition = f"PARTITION BY {', '.join(names[:-1])} " if above else ""
    keys = ", ".join(names)
    sums = f"SELECT {keys}, sum(n)::BIGINT AS n FROM ({_by_value(counted, terms)}) {wanted} GROUP BY {keys}"
    sums = most_frequent(sums, last.size, ", ".join(names[:-1]))
    return (
        f"SELECT {keys}, n FROM ({sums}) QUALIFY row_number() OVER ({partition}ORDER BY {order}) <= {last.size:d} "
        f"ORDER BY {order}"
    )


def statistics(groups: Sequence[FileGroup], query: Query, buckets: Buckets, fields: Sequence[str]) -> str:
    """Return the query for ``(key..., bucket, events, (count, sum, min, max) of each field...)``."""
    if not fields:
        return _counts(groups, query, buckets)
    columns = "".join(f", d{at}, l{at}" for at in _of(buckets, fields))
    rows = _in_buckets(groups, query, buckets, fields, columns, _numbers)
    figures = ["count(*)"]
    for at in _of(buckets, fields):
        count = f"sum(CASE WHEN d{at} IS NOT NULL THEN 1 ELSE len(l{at}) END)"
        figures += [f"coalesce({count}, 0)::BIGINT"]
        figures += [f"{name}(coalesce(d{at}, list_{of}(l{at})))" for name, of in _FUNCTIONS]
    return f"SELECT {_group(buckets)}, {', '.join(figures)} FROM ({rows}) GROUP BY {_group(buckets)} {_limit(buckets)}"


def _counts(groups: Sequence[FileGroup], query: Query, buckets: Buckets) -> str:
    """Return the query for ``(key..., bucket, events)``: equal values are counted before they are made JSON."""
    rows = _of_keys(_rows(groups, query, buckets.terms, (), buckets.interval), buckets.keys)
    names = ", ".join(filter(None, [_texts_of(buckets.terms), "bucket"]))
    counted = _by_value(f"SELECT {names}, count(*) AS n FROM ({rows}) GROUP BY ALL", buckets.terms)
    sums = f"SELECT {_group(buckets)}, sum(n)::BIGINT FROM ({counted}) WHERE {_wanted(buckets)}"
    return f"{sums} GROUP BY {_group(buckets)} {_limit(buckets)}"


_FUNCTIONS = (("fsum", "sum"), ("min", "min"), ("max", "max"))
"""Of a group of rows, and of the numbers of a row with an array; ``fsum`` loses no digits of small numbers."""


def percentiles(groups: Sequence[FileGroup], query: Query, buckets: Buckets, field: str, names: Sequence[str]) -> str:
    """Return the query for ``(key..., bucket, percentile...)``: those of `PERCENTILES` with these names."""
    (at,) = _of(buckets, [field])
    rows = _in_buckets(groups, query, buckets, [field], f", unnest(coalesce(l{at}, [d{at}])) AS v", _numbers)
    group = _group(buckets)
    counted = f"SELECT {group}, v, count(*) AS n FROM ({rows}) WHERE v IS NOT NULL GROUP BY {group}, v"
    ranked = (
        f"SELECT {group}, v, sum(n) OVER (PARTITION BY {group} ORDER BY v) AS upto, "
        f"sum(n) OVER (PARTITION BY {group}) - 1 AS last FROM ({counted})"
    )
    found = ", ".join(_percentile(PERCENTILES[name] / 100) for name in names)
    return f"SELECT {group}, {found} FROM ({ranked}) GROUP BY {group}"


def distinct(groups: Sequence[FileGroup], query: Query, buckets: Buckets, field: str) -> str:
    """Return the query for ``(key..., bucket, number of distinct values of a field)``."""
    (at,) = _of(buckets, [field])
    value = f"k{at}"
    rows = _in_buckets(groups, query, buckets, [field], f", {_single(at, paths=False)} AS {value}")
    group = _group(buckets)
    values = f"SELECT DISTINCT {group}, {value} FROM ({rows}) WHERE is_value({value})"
    return f"SELECT {group}, count(*) FROM ({values}) GROUP BY {group}"


def _percentile(share: float) -> str:
    """Return a percentile of ranked values, interpolated between the two that are nearest."""
    rank = f"({share!r} * any_value(last))"

    def at(position: str) -> str:
        return f"min(v) FILTER (upto > {position})"

    # An aggregate cannot stand in the filter of another, but `last` is the same in all rows of a group.
    low, high = at(f"floor({share!r} * last)"), at(f"ceil({share!r} * last)")
    return f"{low} + ({high} - {low}) * ({rank} - floor({rank}))"


def _of(buckets: Buckets, fields: Sequence[str]) -> range:
    """Return the numbers of the fields of metrics: they follow those of the levels."""
    return range(len(buckets.terms), len(buckets.terms) + len(fields))


def _group(buckets: Buckets) -> str:
    return ", ".join([*(f"k{number}" for number in range(len(buckets.terms))), "bucket"])


def _limit(buckets: Buckets) -> str:
    return f"LIMIT {MAX_BUCKETS + 1}" if buckets.interval is not None else ""


def _in_buckets(
    groups: Sequence[FileGroup],
    query: Query,
    buckets: Buckets,
    fields: Sequence[str],
    select: str,
    of_fields: Values = texts,
) -> str:
    """Return the query for the rows in buckets: ``key..., bucket`` and what ``select`` makes of the ``fields``."""
    rows = _of_keys(_rows(groups, query, buckets.terms, fields, buckets.interval, of_fields), buckets.keys)
    of_values = _by_value(rows, buckets.terms)
    return f"SELECT {_group(buckets)}{select} FROM ({of_values}) WHERE {_wanted(buckets)}"


def _wanted(buckets: Buckets) -> str:
    """Return the test that a row with ``k`` for each level is in one of the buckets."""
    if not buckets.terms:
        return "bucket IS NOT NULL"
    names = [f"k{number}" for number in range(len(buckets.terms))]
    return f"bucket IS NOT NULL AND {_is_one_of(names, buckets.keys)}"


def _of_keys(rows: str, keys: Sequence[Key]) -> str:
    """Return those of some rows that may have the values of keys: a cheap test of texts, which most values are."""
    tests = []
    for number, values in enumerate(zip(*keys, strict=True)):
        texts = [json.loads(value) for value in dict.fromkeys(values) if value.startswith('"')]
        tests.append(f"(o{number} OR t{number} IN ({', '.join(map(literal, texts))}))" if texts else f"o{number}")
    return f"SELECT * FROM ({rows}) WHERE {' AND '.join(tests)}" if tests else rows


def _is_one_of(names: Sequence[str], keys: Sequence[Key]) -> str:
    if len(names) == 1:
        return f"{names[0]} IN ({', '.join(literal(key[0]) for key in keys)})"
    rows = ", ".join("(" + ", ".join(map(literal, key)) + ")" for key in keys)
    return f"({', '.join(names)}) IN (VALUES {rows})"


def _by_value(rows: str, terms: Sequence[Terms]) -> str:
    """Return rows with ``k`` for each level, numbered: a row for each distinct value of its field."""
    for number, term in enumerate(terms):
        name = f"k{number}"
        unnested = f"SELECT *, {_single(number, paths=term.paths)} AS {name} FROM ({rows})"
        rows = f"SELECT * FROM ({unnested}) WHERE is_value({name})"
    return rows


def _single(number: int, *, paths: bool) -> str:
    """Return the expression that makes a row for each distinct value of a field: its JSON text."""
    text, other = f"t{number}", f"o{number}"
    json = f"(CASE WHEN {other} THEN {text} ELSE to_json({text})::VARCHAR END)"
    return f"unnest({elements(json, paths=paths)})"


def _numbers(number: int, type_name: str) -> dict[str, str]:
    """Return the numbers of a field: ``d``, a DOUBLE, or of an array ``l``, a list; NULL if it has none."""
    if type_name in NUMBERS:
        return {f"d{number}": f"c{number}::DOUBLE", f"l{number}": "NULL::DOUBLE[]"}
    text, other = f"t{number}", f"o{number}"
    elements = f"list_transform(array_elements({text}), lambda e: {_number(_ELEMENT, _NO_TEXT)})"
    numbers = f"list_filter({elements}, lambda n: n IS NOT NULL)"
    of_array = f"CASE WHEN {other} AND starts_with({text}, '[') THEN {numbers} END"
    return {f"d{number}": _number(text, other), f"l{number}": of_array}


def _time_numbers(number: int) -> dict[str, str]:
    """Return what `_numbers` does, of the event's time."""
    return {f"d{number}": "ms::DOUBLE", f"l{number}": "NULL::DOUBLE[]"}


def _number(text: str, other: str) -> str:
    """Return the expression for a value as a DOUBLE, NULL if it is not a number."""
    number = f"TRY_CAST({text} AS DOUBLE)"
    is_number = f"({other} OR regexp_full_match({text}, '{NUMBER}'))"
    return f"(CASE WHEN {is_number} AND isfinite({number}) THEN {number} END)"


def _texts_of(terms: Sequence[Terms]) -> str:
    return ", ".join(f"t{number}, o{number}" for number in range(len(terms)))


def _rows(
    groups: Sequence[FileGroup],
    query: Query,
    terms: Sequence[Terms],
    fields: Sequence[str],
    interval: Interval | None,
    of_fields: Values = texts,
) -> str:
    """Return the query for the matching events: ``t`` and ``o`` of levels, what is made of the fields, ``bucket``."""

    def values(number: int, type_name: str) -> Mapping[str, str]:
        if number >= len(terms):
            is_time = of_fields is _numbers and fields[number - len(terms)] == TIME
            return _time_numbers(number) if is_time else of_fields(number, type_name)
        made = texts(number, type_name)
        if terms[number].paths:
            path = without_query_string(f"t{number}")
            made[f"t{number}"] = (
                path if type_name == "VARCHAR" else f"CASE WHEN o{number} THEN t{number} ELSE {path} END"
            )
        return made

    more = {"bucket": "0" if interval is None else interval_start(interval)}
    if TIME in fields:
        more["ms"] = f"epoch_ms({TIME_COLUMN})"
    return value_rows(groups, query, [*(term.field for term in terms), *fields], lambda _: more, values)
