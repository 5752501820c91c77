"""Runs an aggregation on the built-in store: the buckets of each level first, then the metrics of the innermost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ingestd.stores.aggregation import (
    MAX_BUCKETS,
    PERCENTILES,
    TOO_MANY_BUCKETS,
    Aggregation,
    AggregationError,
    Figures,
    MetricBucket,
    Statistics,
    metric_buckets,
    query_seconds,
)
from ingestd.stores.local.duckdb.sql import PLAIN
from ingestd.stores.local.query import aggregation_sql
from ingestd.stores.local.query.aggregation_sql import Buckets, Key
from ingestd.stores.local.query.sql import FileGroup
from ingestd.stores.query import Query

Run = Callable[[Callable[[list[FileGroup]], str]], list[Any]]
"""Returns the rows of the query that a function makes for groups of files."""

Found = dict[tuple[Key, int], Figures]
"""By the key of a bucket and the start of its interval in local time."""


def aggregate(run: Run, query: Query, aggregation: Aggregation) -> list[MetricBucket]:
    """Return the buckets of an aggregation.

    Raises:
        AggregationError: There are too many, or a rate has no time.
    """
    seconds = query_seconds(aggregation, query)
    events, interval = _keys(run, query, aggregation), aggregation.interval
    found: Found = {}
    if events:
        buckets = Buckets(aggregation.terms, tuple(events), interval)
        found = _counted(events, aggregation) or _statistics(run, query, aggregation, buckets)
        _add_values(run, query, aggregation, buckets, found)
    if interval is not None:
        found = {(key, interval.start(local)): figures for (key, local), figures in found.items()}
    return metric_buckets(aggregation, seconds, [*events], found, json.loads)


def _keys(run: Run, query: Query, aggregation: Aggregation) -> dict[Key, int]:
    """Return the keys of the buckets by field, in order: those of a parent together; and how many events each has.

    That is 0 without a level, and on one whose values are known.
    """
    terms = aggregation.terms
    keys: dict[Key, int] = {(): 0}
    first = 1
    if terms and terms[0].known and all(isinstance(value, str) and PLAIN.fullmatch(value) for value in terms[0].known):
        keys, first = {(f'"{value}"',): 0 for value in terms[0].known}, 2
    for size in range(first, len(terms) + 1):
        parents = [*keys]
        rows = run(partial(aggregation_sql.level, query=query, terms=terms[:size], parents=parents))
        children: dict[Key, dict[Key, int]] = {parent: {} for parent in parents}
        for *key, count in rows:
            children[tuple(key[:-1])][tuple(key)] = count
        keys = {key: count for parent in parents for key, count in children[parent].items()}
        if not keys:
            break
    return keys


def _counted(events: dict[Key, int], aggregation: Aggregation) -> Found:
    """Return the buckets with their numbers of events, nothing if these are not known or there are other numbers."""
    if aggregation.interval is not None or aggregation.number_fields or not all(events.values()):
        return {}
    return {(key, 0): Figures(count) for key, count in events.items()}


def _statistics(run: Run, query: Query, aggregation: Aggregation, buckets: Buckets) -> Found:
    """Return the buckets with the numbers of events, and with what is computed of all numbers at once."""
    fields, size = aggregation.number_fields, len(buckets.terms)
    found: Found = {}
    for row in run(partial(aggregation_sql.statistics, query=query, buckets=buckets, fields=fields)):
        figures = found[tuple(row[:size]), row[size]] = Figures(row[size + 1])
        for at, field in enumerate(fields):
            count, total, low, high = row[size + 2 + 4 * at : size + 6 + 4 * at]
            figures.statistics[field] = Statistics(count, total or 0.0, low, high)
    return found


def _add_values(run: Run, query: Query, aggregation: Aggregation, buckets: Buckets, found: Found) -> None:
    if len(found) > MAX_BUCKETS:
        raise AggregationError(TOO_MANY_BUCKETS)
    for field in aggregation.percentile_fields:
        _add_percentiles(run, query, buckets, field, found)
    for field in aggregation.distinct_fields:
        for *key, local, count in run(partial(aggregation_sql.distinct, query=query, buckets=buckets, field=field)):
            _of(found, key, local).distinct[field] = count


def _add_percentiles(run: Run, query: Query, buckets: Buckets, field: str, found: Found) -> None:
    size, names = len(buckets.terms), list(PERCENTILES)
    for row in run(partial(aggregation_sql.percentiles, query=query, buckets=buckets, field=field, names=names)):
        percentiles = _of(found, row[:size], row[size]).percentiles
        percentiles |= {(field, name): value for name, value in zip(names, row[size + 1 :], strict=True)}


def _of(found: Found, key: Sequence[str], local: int) -> Figures:
    """Return the figures of a bucket; of one that did not exist a moment ago, others that are not in the answer."""
    return found.get((tuple(key), local)) or Figures()
