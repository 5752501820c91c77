"""Aggregations of the built-in store are exact, whatever the values and however the events are stored."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.stores import aggregation as aggregations
from ingestd.stores.aggregation import (
    PERCENTILES,
    Aggregation,
    AggregationError,
    Figures,
    Interval,
    Metric,
    Statistics,
    Terms,
)
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.query import aggregate
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import Query
from tests.random_cases import random_cases

pytestmark = pytest.mark.usefixtures("shared_duckdb")

INDEX = "logstash-2026.11.22"
_NAMES = ("sum", "avg", "min", "max", *PERCENTILES)
METRICS = (Metric("count"), *(Metric(name, "x") for name in _NAMES))

_numbers = st.one_of(st.integers(-(2**63), 2**63), st.floats(-1e18, 1e18, allow_nan=False), st.integers(-9, 9).map(str))
_others = st.sampled_from(
    [True, None, "", "fast", "nan", "1_000", " 7", {"x": 1}, [], [[5]], [1, [[2], "3"]], "0x10", "١"]
)
_values = st.one_of(_numbers, st.lists(_numbers, max_size=3), _others)
_events = st.lists(st.fixed_dictionaries({"k": st.sampled_from(["a", "b", ["a", "b"], None])}, optional={"x": _values}))


@contextmanager
def stored(events: list[dict[str, Any]], *, sealed: bool = False) -> Iterator[LocalStore]:
    """A store of events of a day, one each second."""
    with tempfile.TemporaryDirectory() as folder:
        writer = LocalWriter(Path(folder), "w0")
        for second, event in enumerate(events):
            time = {"@timestamp": f"2026-11-22T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"}
            writer.append(INDEX, [json.dumps(time | event).encode()], [str(second)])
        writer.close()
        if sealed:
            seal_once(Path(folder), Policy(idle_s=0))
        with closing(LocalStore(Path(folder), threads=1)) as store:
            yield store


def numbers(value: Any) -> list[float]:
    """Return the numbers in a value: as doubles, also those of texts and arrays."""
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    if isinstance(value, str):
        try:
            return [float(value)] if value.isascii() and not set(value) - set("-.0123456789") else []
        except ValueError:
            return []
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def percentile(values: list[float], percent: float) -> float:
    """Return a percentile of sorted values, interpolated."""
    rank = percent / 100 * (len(values) - 1)
    low, high = values[math.floor(rank)], values[math.ceil(rank)]
    return low + (high - low) * (rank - math.floor(rank))


def expected(events: list[dict[str, Any]]) -> tuple[float | None, ...]:
    found = sorted(number for event in events for number in numbers(event.get("x")))
    if not found:
        return len(events), 0.0, *[None] * 8
    total = math.fsum(found)
    ranks = [percentile(found, percent) for percent in PERCENTILES.values()]
    return len(events), total, total / len(found), found[0], found[-1], *ranks


def close(one: tuple[float | None, ...], other: tuple[float | None, ...], events: list[dict[str, Any]]) -> bool:
    """Return whether values are equal but for rounding, of large numbers that cancel each other out as well."""
    rounding = 1e-12 * sum(abs(number) for event in events for number in numbers(event.get("x")))
    return all(
        a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=rounding))
        for a, b in zip(one, other, strict=True)
    )


@random_cases(10)
@given(events=_events, sealed=st.booleans())
def test_any_values(events: list[dict[str, Any]], sealed: bool) -> None:
    with stored(events, sealed=sealed) as store:
        (whole,) = store.aggregate(Query(), Aggregation(METRICS))
        by_key = store.aggregate(Query(), Aggregation(METRICS, (Terms("k"),)))
    assert close(whole.values, expected(events), events), (whole.values, expected(events))
    for key in ("a", "b"):
        of_key = [event for event in events if key in (event["k"] or "")]
        found = [bucket.values for bucket in by_key if bucket.key == (key,)]
        assert len(found) == bool(of_key)
        assert not found or close(found[0], expected(of_key), of_key)


def test_sums_lose_no_digits() -> None:
    with stored([{"x": 0.1}] * 10) as store:
        (bucket,) = store.aggregate(Query(), Aggregation((Metric("sum", "x"),)))
    assert bucket.values == (1.0,)


@pytest.mark.parametrize("sealed", [False, True])
def test_distinct_is_what_top_lists(sealed: bool) -> None:
    values = [1, 1.0, "1", True, "", None, ["a", "a", "b"], {"c": 1}, 2**53, 2**53 + 1, -0.0]
    with stored([{"x": value} for value in values], sealed=sealed) as store:
        (bucket,) = store.aggregate(Query(), Aggregation((Metric("distinct", "x"),)))
        assert bucket.values == (len(store.top("x", Query(), 100)),)


def test_too_many_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregate, "MAX_BUCKETS", 9)
    with stored([{} for _ in range(10)]) as store:
        assert len(store.aggregate(Query(until="2026-11-22T00:00:09Z"), Aggregation(interval=Interval(1)))) == 9
        with pytest.raises(AggregationError, match="choose a wider interval"):
            store.aggregate(Query(), Aggregation(interval=Interval(1)))


def test_numbers_of_what_is_not_sealed_yet() -> None:
    with stored([{"x": 1}]) as store:
        assert store.aggregate(Query(), Aggregation((Metric("sum", "[x]"),)))[0].values == (1.0,)


WRONG: list[tuple[str, Any, str]] = [
    ("type", lambda: Metric.parse("median:x"), "'median:x' is not a metric"),
    ("case", lambda: Metric.parse("AVG:x"), "is not a metric: write one of count, rate, sum"),
    ("no_field", lambda: Metric.parse("avg"), "avg needs a field, as in avg:duration_ms"),
    ("empty_field", lambda: Metric.parse("avg:"), "is not a metric"),
    ("count_of_a_field", lambda: Metric.parse("count:x"), "count is the number of events"),
    ("levels", lambda: Aggregation(terms=(Terms("a"), Terms("b"), Terms("c"))), "at most 2 fields"),
    ("twice", lambda: Aggregation(terms=(Terms("a"), Terms("a"))), "by a twice"),
    ("metrics", lambda: Aggregation((Metric("count"),) * 21), "at most 20 metrics"),
    ("values", lambda: Aggregation(terms=(Terms("a", 101), Terms("b", 100))), "more than 10,000 buckets"),
    ("interval", lambda: Aggregation(interval=Interval(0)), "at least 1 second"),
    ("rate", lambda: aggregations.query_seconds(Aggregation((Metric("rate"),)), Query()), "a rate needs an interval"),
]


@pytest.mark.parametrize(("make", "text"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_no_aggregation(make: Any, text: str) -> None:
    with pytest.raises(AggregationError, match=text):
        make()


CHANGE = 1_000_000
FORWARD, BACK = ((None, 0), (CHANGE, 3600)), ((None, 3600), (CHANGE, 0))


_AHEAD = {CHANGE - 50: [(CHANGE - 9, CHANGE)], CHANGE + 3600: [(CHANGE, CHANGE + 10)]}
_HOUR = {CHANGE + at: [(CHANGE - 3600 + at, CHANGE - 3550 + at)] for at in range(50, 3600, 50)}
RANGES: list[tuple[str, Any, int, int, dict[int, list[tuple[int, int]]]]] = [
    ("utc", ((None, 0),), 10, 99, {0: [(10, 50)], 50: [(50, 100)]}),
    ("offset", ((None, 7),), 10, 50, {0: [(10, 43)], 50: [(43, 51)]}),
    ("forward", FORWARD, CHANGE - 9, CHANGE + 9, _AHEAD),
    ("back", BACK, CHANGE - 9, CHANGE + 9, {CHANGE + 3550: [(CHANGE - 9, CHANGE)], CHANGE: [(CHANGE, CHANGE + 10)]}),
    ("twice", BACK, CHANGE - 3600, CHANGE, {**_HOUR, CHANGE: [(CHANGE - 3600, CHANGE - 3550), (CHANGE, CHANGE + 1)]}),
]


@pytest.mark.parametrize(("offsets", "first", "last", "ranges"), [c[1:] for c in RANGES], ids=[c[0] for c in RANGES])
def test_ranges(offsets: Any, first: int, last: int, ranges: dict[int, list[tuple[int, int]]]) -> None:
    assert Interval(50, offsets).ranges(first, last) == ranges


def test_a_time_that_the_clocks_skip_is_when_they_are_changed() -> None:
    assert Interval(50, FORWARD).start(CHANGE + 100) == CHANGE
    assert Interval(50, FORWARD).start(CHANGE + 3700) == CHANGE + 100
    assert Interval(50, BACK).start(CHANGE + 100) == CHANGE - 3500


@pytest.mark.parametrize(
    ("offsets", "start", "length"),
    [
        (((None, 32400),), 54_000, 86_400),
        (FORWARD, CHANGE - CHANGE % 86_400, 82_800),
        (BACK, CHANGE - CHANGE % 86_400 - 3600, 90_000),
        (FORWARD, CHANGE - CHANGE % 86_400 + 82_800, 86_400),
        (FORWARD, CHANGE - CHANGE % 86_400 - 86_400, 86_400),
    ],
    ids=["offset", "forward", "back", "after", "before"],
)
def test_a_day_on_which_clocks_are_changed_has_another_length(offsets: Any, start: int, length: int) -> None:
    assert Interval(86_400, offsets).length(start) == length


def test_what_is_beyond_doubles_has_no_value() -> None:
    figures = Figures(2, {"n": Statistics(2, math.inf, -1e308, 1e308)})
    metrics = [Metric("sum", "n"), Metric("avg", "n"), Metric("rate", "n"), Metric("max", "n")]
    assert figures.values(metrics, 10) == (None, None, None, 1e308)


KNOWN = [  # id, values, metrics, inner level, interval
    ("counts", ("b", "a"), ("count",), (), None),
    ("numbers", ("b", "a"), ("count", "sum:x", "p50:x", "distinct:x"), (), None),
    ("inner", ("b", "a"), ("count", "distinct:x"), (Terms("x", 2),), None),
    ("interval", ("b", "a"), ("count",), (), Interval(2)),
    ("others", ("b", "a", "z"), ("count",), (), None),
    ("odd", ('a"', "한\\"), ("count",), (), None),
]


@pytest.mark.parametrize(
    ("values", "metrics", "inner", "interval"), [row[1:] for row in KNOWN], ids=[row[0] for row in KNOWN]
)
def test_known_values_give_the_same(
    values: tuple[str, ...], metrics: tuple[str, ...], inner: tuple[Terms, ...], interval: Interval | None
) -> None:
    events = [{"k": values[number % 2], "x": number % 3} for number in range(7)]
    wanted = [
        Aggregation(tuple(map(Metric.parse, metrics)), (terms, *inner), interval)
        for terms in (Terms("k", 3), Terms("k", 3, known=values))
    ]
    with stored(events) as store:
        found, known = ({(bucket.key, bucket.time): bucket for bucket in store.aggregate(Query(), by)} for by in wanted)
    assert known == found
