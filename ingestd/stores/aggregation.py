"""Aggregations: numbers computed from the events that a query finds, by the values of fields and over time.

The terms are those of Elasticsearch's aggregations: metrics of a bucket, buckets of a ``terms`` aggregation, nested up
to `MAX_TERMS` levels, and of a ``date_histogram`` in the innermost of them. ``tests/stores/suite.py`` checks that all
stores give the same answers.

Values
    ``sum``, ``avg``, ``min``, ``max`` and percentiles take the numbers of a field: JSON numbers, texts that are
    numbers, and those in arrays, each of them. All else is left out. They are computed as doubles, so integers beyond
    2**53 are rounded. A sum of nothing is 0, all others are then None. The number of ``@timestamp`` is the event's time
    in milliseconds since 1970, so ``max:@timestamp`` is when something was last seen.

    ``distinct`` is the number of values that `LogStore.top` lists. ``count`` is the number of events, ``rate`` that
    number per second; ``rate:field`` is the sum of a field per second.

    Buckets of a field are those that `LogStore.top` counts: an event is in one for each distinct element of an array,
    and in none if it has no value.

Exactness
    The built-in store's answers are exact, its percentiles interpolated between the two nearest values. Elasticsearch
    and OpenSearch approximate percentiles (t-digest) and, above 40,000, the number of distinct values (HyperLogLog++);
    they compute from what the index has: a field that is mapped as an integer has no fractions, and one that is mapped
    as a keyword has no numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ingestd.event.timestamp import from_epoch_clamped
from ingestd.stores.base import StoreError, moment
from ingestd.stores.query import Query, check_field

PERCENTILES = {"p50": 50.0, "p75": 75.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
"""Names of metrics, and which percentile each is."""

METRICS = ("count", "rate", "sum", "avg", "min", "max", *PERCENTILES, "distinct")
_WITHOUT_FIELD = ("count", "rate")

TIME = "@timestamp"
"""The field with the time of an event."""

MAX_TERMS = 2
"""Levels of buckets by field."""

MAX_METRICS = 20

MAX_BUCKETS = 10_000
"""Buckets of an answer; the least limit that servers have (``search.max_buckets`` of Elasticsearch 7.0)."""

TOO_MANY_BUCKETS = f"that makes more than {MAX_BUCKETS:,} buckets; choose a wider interval, or fewer values"

_METRIC = re.compile(r"(?P<type>[a-z0-9]+)(:(?P<field>.+))?", re.DOTALL)

Value = str | int | float | bool


class AggregationError(StoreError):
    """What was asked for is not an aggregation, or not of this query; the text is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of each bucket: ``type``, one of `METRICS`, of the values of ``field``."""

    type: str
    field: str = ""

    @classmethod
    def parse(cls, text: str) -> Metric:
        """Parse ``count``, ``rate``, or a type and a field: ``avg:duration_ms``.

        Raises:
            AggregationError: It is none.
            FieldError: The field is malformed.
        """
        match = _METRIC.fullmatch(text)
        if match is None or match["type"] not in METRICS:
            raise AggregationError(f"{text[:80]!r} is not a metric: write one of {', '.join(METRICS)}")
        name, of = match["type"], match["field"] or ""
        if not of and name not in _WITHOUT_FIELD:
            raise AggregationError(f"{name} needs a field, as in {name}:duration_ms")
        if of and name == "count":
            raise AggregationError(f"count is the number of events and has no field; to count values: distinct:{of}")
        if of:
            check_field(of)
        return cls(name, of)

    def __str__(self) -> str:
        return f"{self.type}:{self.field}" if self.field else self.type


@dataclass(frozen=True, slots=True)
class Terms:
    """A bucket for each of the ``size`` most frequent values of a field, as `LogStore.top` counts them.

    ``known``: on the outer level, all values that the events of the query have, in order, so that a store need not
    find out.
    """

    field: str
    size: int = 10
    paths: bool = False
    known: tuple[Value, ...] = ()


Span = tuple[int | None, int | None, int]
"""From when until when, in seconds since 1970 (None: no bound), local time is ahead of UTC by how many seconds."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A bucket for each ``seconds`` of local time; those without events are left out.

    ``offsets``: since when (seconds since 1970; None: ever) local time is ahead of UTC by how many seconds, in order of
    time; the first has no start. See `LogStore.histogram` for where intervals start.
    """

    seconds: int
    offsets: tuple[tuple[int | None, int], ...] = ((None, 0),)

    def spans(self) -> Iterator[Span]:
        """Yield the times with the same offset."""
        ends = (*(start for start, _ in self.offsets[1:]), None)
        for (since, offset), end in zip(self.offsets, ends, strict=True):
            yield since, end, offset

    def start(self, local: int) -> int:
        """Return when local time is ``local``, in seconds since 1970; when the clocks first show more if they skip it.

        Of two such times, the first.
        """
        for since, end, offset in self.spans():
            time = local - offset
            if end is None or time < end:
                return time if since is None else max(time, since)
        raise AssertionError("the last offset has no end")

    def length(self, start: int) -> int:
        """Return how many seconds the interval lasts that starts at ``start``: more or less if clocks change in it."""
        ahead = next(offset for since, offset in reversed(self.offsets) if since is None or start >= since)
        local = (start + ahead) // self.seconds * self.seconds
        length = 0
        for since, end, offset in self.spans():
            time, until = local - offset, local + self.seconds - offset
            time = time if since is None else max(time, since)
            until = until if end is None else min(until, end)
            length += max(until - time, 0)
        return length

    def ranges(self, first: int, last: int) -> dict[int, list[tuple[int, int]]]:
        """Return the times, from and to, that each interval has between two times, by its start in local time.

        All are in seconds since 1970. An interval has several where clocks that are put back show its time twice.
        """
        found: dict[int, list[tuple[int, int]]] = {}
        for since, end, offset in self.spans():
            time = first if since is None else max(first, since)
            until = last + 1 if end is None else min(last + 1, end)
            while time < until:
                local = time + offset - (time + offset) % self.seconds
                after = min(local + self.seconds - offset, until)
                found.setdefault(local, []).append((time, after))
                time = after
        return found


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What to compute: ``metrics`` of each bucket by ``terms``, the outer level first, and over time.

    Raises:
        AggregationError: There are too many levels or metrics.
    """

    metrics: tuple[Metric, ...] = (Metric("count"),)
    terms: tuple[Terms, ...] = ()
    interval: Interval | None = None

    def __post_init__(self) -> None:
        if len(self.terms) > MAX_TERMS:
            raise AggregationError(f"an aggregation has at most {MAX_TERMS} fields to group by")
        if len({terms.field for terms in self.terms}) < len(self.terms):
            raise AggregationError(f"an aggregation cannot be by {self.terms[0].field} twice")
        if len(self.metrics) > MAX_METRICS:
            raise AggregationError(f"an aggregation has at most {MAX_METRICS} metrics")
        if math.prod(terms.size for terms in self.terms) > MAX_BUCKETS:
            raise AggregationError(TOO_MANY_BUCKETS)
        if self.interval is not None and self.interval.seconds < 1:
            raise AggregationError("an interval has at least 1 second")

    def fields(self, *types: str) -> tuple[str, ...]:
        """Return the fields of the metrics of some types, each once."""
        return tuple(dict.fromkeys(metric.field for metric in self.metrics if metric.field and metric.type in types))

    @property
    def all_fields(self) -> tuple[str, ...]:
        """The fields of the levels and of the metrics."""
        return tuple(dict.fromkeys([*(terms.field for terms in self.terms), *self.fields(*METRICS)]))

    @property
    def has_rate(self) -> bool:
        """Whether one of the metrics is a rate."""
        return any(metric.type == "rate" for metric in self.metrics)

    @property
    def number_fields(self) -> tuple[str, ...]:
        """The fields whose numbers are added up and compared."""
        return self.fields("rate", "sum", "avg", "min", "max")

    @property
    def percentile_fields(self) -> tuple[str, ...]:
        """The fields of percentiles."""
        return self.fields(*PERCENTILES)

    @property
    def distinct_fields(self) -> tuple[str, ...]:
        """The fields whose distinct values are counted."""
        return self.fields("distinct")


@dataclass(frozen=True, slots=True)
class MetricBucket:
    """The events that have ``key``, one value for each level, in the interval that starts at ``time``.

    ``values`` are those of the metrics in their order; ``time`` is written as in `Bucket`, None without an interval.
    """

    key: tuple[Value, ...]
    time: str | None
    values: tuple[int | float | None, ...]

    def document(self, aggregation: Aggregation) -> dict[str, Any]:
        """Return the bucket as JSON types: ``key`` by field, ``time`` if there is an interval, ``metrics`` by name."""
        names = [terms.field for terms in aggregation.terms]
        metrics = [str(metric) for metric in aggregation.metrics]
        time = {} if self.time is None else {"time": self.time}
        return (
            {"key": dict(zip(names, self.key, strict=True))}
            | time
            | {"metrics": dict(zip(metrics, self.values, strict=True))}
        )


@dataclass(slots=True)
class Statistics:
    """What a store computes of the numbers of a field in a bucket."""

    count: int = 0
    sum: float = 0.0
    min: float | None = None
    max: float | None = None

    def add(self, other: Statistics) -> None:
        """Add the numbers of other events."""
        self.count += other.count
        self.sum += other.sum
        self.min = min((value for value in (self.min, other.min) if value is not None), default=None)
        self.max = max((value for value in (self.max, other.max) if value is not None), default=None)


@dataclass(slots=True)
class Figures:
    """What a store computes of the events of a bucket; `MetricBucket.values` are made of it.

    ``percentiles`` has the field and the name of the metric as keys; what is missing there is None or 0.
    """

    events: int = 0
    statistics: dict[str, Statistics] = field(default_factory=dict)
    percentiles: dict[tuple[str, str], float | None] = field(default_factory=dict)
    distinct: dict[str, int] = field(default_factory=dict)

    def values(self, metrics: Sequence[Metric], seconds: float | None) -> tuple[int | float | None, ...]:
        """Return the values of metrics; ``seconds``: how long the bucket lasts, for rates.

        What is beyond the range of a double, such as the sum of two numbers near its end, is None.
        """
        values = (self._value(metric, seconds) for metric in metrics)
        return tuple(None if value is None or not math.isfinite(value) else value for value in values)

    def _value(self, metric: Metric, seconds: float | None) -> int | float | None:
        numbers = self.statistics.get(metric.field) or Statistics()
        match metric.type:
            case "count":
                return self.events
            case "rate":
                return (numbers.sum if metric.field else self.events) / seconds if seconds else None
            case "sum":
                return numbers.sum
            case "avg":
                return numbers.sum / numbers.count if numbers.count else None
            case "min" | "max":
                return numbers.min if metric.type == "min" else numbers.max
            case "distinct":
                return self.distinct.get(metric.field, 0)
        return self.percentiles.get((metric.field, metric.type))


Key = TypeVar("Key", bound=tuple[Any, ...])
"""Of a bucket, in the form that a store has it in: a value for each level."""


def metric_buckets(
    aggregation: Aggregation,
    seconds: float | None,
    keys: Sequence[Key],
    found: Mapping[tuple[Key, int], Figures],
    value: Callable[[Any], Value],
) -> list[MetricBucket]:
    """Return the buckets of an answer, in order.

    Args:
        aggregation: What was computed.
        seconds: What `query_seconds` returned.
        keys: The keys of the buckets, in their order.
        found: By key, and by the start of the interval in seconds since 1970; any number without an interval.
        value: Returns the value that a part of a key stands for.

    Raises:
        AggregationError: There are too many.
    """
    if len(found) > MAX_BUCKETS:
        raise AggregationError(TOO_MANY_BUCKETS)
    if not found and not aggregation.terms and aggregation.interval is None:
        return [MetricBucket((), None, Figures().values(aggregation.metrics, seconds))]
    order = {key: at for at, key in enumerate(keys)}
    answer: list[MetricBucket] = []
    for key, start in sorted(found, key=lambda bucket: (order[bucket[0]], bucket[1])):
        time = None
        if aggregation.interval is not None:
            time, seconds = from_epoch_clamped(start), aggregation.interval.length(start)
        values = found[key, start].values(aggregation.metrics, seconds)
        answer.append(MetricBucket(tuple(map(value, key)), time, values))
    return answer


def with_end(query: Query, aggregation: Aggregation, now: str) -> Query:
    """Return the query with an end, the current time, if a rate needs one and it has none."""
    if not aggregation.has_rate or aggregation.interval is not None or query.until is not None:
        return query
    return replace(query, until=now)


def query_seconds(aggregation: Aggregation, query: Query) -> float | None:
    """Return how long the time range of the query is, if there is a rate that needs it: without an interval.

    Raises:
        AggregationError: There is a rate, and neither an interval nor a time range.
    """
    if aggregation.interval is not None or not aggregation.has_rate:
        return None
    if query.since is None or query.until is None:
        raise AggregationError("a rate needs an interval, or a time range with a start")
    return max((moment(query.until) - moment(query.since)).total_seconds(), 0)
