"""The metrics of a bucket and its intervals: what is asked of the servers, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ingestd.stores.aggregation import (
    MAX_BUCKETS,
    PERCENTILES,
    TOO_MANY_BUCKETS,
    Aggregation,
    AggregationError,
    Figures,
    Interval,
    Statistics,
)
from ingestd.stores.elastic.query.aggregation_parts import IndexPart
from ingestd.stores.elastic.query.dsl import NONE, Clause
from ingestd.stores.elastic.query.mapping import FieldType, dotted

_PRECISION = 40_000
"""Up to here the number of distinct values is nearly exact; the servers' greatest."""


def metrics(part: IndexPart, aggregation: Aggregation) -> dict[str, Any]:
    """Return what is asked of each bucket."""
    aggs: dict[str, Any] = {}
    for at, name in enumerate(aggregation.number_fields):
        if name in part.numbers:
            aggs[f"statistics{at}"] = {"stats": {"field": dotted(name)}}
    for at, name in enumerate(aggregation.percentile_fields):
        if name in part.numbers:
            percents = list(PERCENTILES.values())
            aggs[f"percentiles{at}"] = {"percentiles": {"field": dotted(name), "percents": percents, "keyed": False}}
    for at, name in enumerate(aggregation.distinct_fields):
        if mapping := part.mappings.get(name):
            aggs[f"distinct{at}"] = {"cardinality": {"field": mapping.name, "precision_threshold": _PRECISION}}
            if mapping.type is FieldType.KEYWORD:
                aggs[f"empty{at}"] = {"filter": {"term": {mapping.name: ""}}}
    return aggs


def read(aggregation: Aggregation, bucket: Any) -> Iterator[tuple[int, Figures]]:
    """Yield the figures of a bucket, or of those over time in it, and when each starts, in seconds since 1970."""
    if bucket is None:
        return
    if aggregation.interval is None:
        yield 0, _read_figures(aggregation, bucket)
        return
    buckets = bucket["time"]["buckets"]
    if isinstance(buckets, dict):
        parts = [(aggregation.interval.start(int(local)), part) for local, part in buckets.items()]
    else:
        parts = [(int(part["key"]) // 1000, part) for part in buckets]
    for start, part in parts:
        if part["doc_count"]:
            yield start, _read_figures(aggregation, part)


def _read_figures(aggregation: Aggregation, bucket: Any) -> Figures:
    figures = Figures(bucket["doc_count"])
    for at, name in enumerate(aggregation.number_fields):
        found = bucket.get(f"statistics{at}")
        if found is not None and found["count"]:
            total, low, high = (float(found[of]) for of in ("sum", "min", "max"))  # a text if it is infinite
            figures.statistics[name] = Statistics(found["count"], total, low, high)
    for at, name in enumerate(aggregation.percentile_fields):
        values = bucket.get(f"percentiles{at}", {}).get("values", ())
        for percentile, found in zip(PERCENTILES, values, strict=False):
            if isinstance(found["value"], int | float) and found["value"] == found["value"]:  # NaN: no numbers
                figures.percentiles[name, percentile] = found["value"]
    for at, name in enumerate(aggregation.distinct_fields):
        if f"distinct{at}" in bucket:
            empty = bucket.get(f"empty{at}", {}).get("doc_count", 0)
            figures.distinct[name] = bucket[f"distinct{at}"]["value"] - bool(empty)
    return figures


def over_time(interval: Interval | None, search: Callable[[dict[str, Any]], Any]) -> dict[str, Any] | None:
    """Return the aggregation over time: a histogram, or filters if the clocks change."""
    if interval is None:
        return None
    if len(interval.offsets) == 1:
        return {"date_histogram": date_histogram(interval.seconds, interval.offsets[0][1])}
    found = search({name: {name: {"field": "@timestamp"}} for name in ("min", "max")}).get("aggregations", {})
    first, last = (found.get(name, {}).get("value") for name in ("min", "max"))
    ranges = {} if first is None or last is None else interval.ranges(int(first) // 1000, int(last) // 1000)
    if len(ranges) > MAX_BUCKETS:
        raise AggregationError(TOO_MANY_BUCKETS)
    return {"filters": {"filters": {str(local): _within(times) for local, times in ranges.items()} or {"0": NONE}}}


def _within(times: Sequence[tuple[int, int]]) -> Clause:
    ranges = [
        {"range": {"@timestamp": {"gte": start * 1000, "lt": end * 1000, "format": "epoch_millis"}}}
        for start, end in times
    ]
    return {"bool": {"should": ranges}} if len(ranges) > 1 else ranges[0]


def date_histogram(seconds: int, offset: int) -> dict[str, Any]:
    """Return the options of a histogram over time; ``offset`` as in `LogStore.histogram`."""
    return {
        "field": "@timestamp",
        "fixed_interval": f"{seconds}s",
        "offset": f"{-(offset % seconds)}s",
        "min_doc_count": 1,
        "format": "epoch_millis",
    }
