"""What a rule would have done over the last days: one evaluation for each window, in one or two queries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ingestd.alerts.evaluation import PROBLEM, Measured, advance, change, seen_before
from ingestd.alerts.rules import Rule
from ingestd.alerts.state import RuleState
from ingestd.event.timestamp import from_epoch
from ingestd.stores.aggregation import Aggregation, Interval, Metric, Terms
from ingestd.stores.base import LogStore, moment
from ingestd.stores.query import Query

MAX_WINDOWS = 2000
"""Windows that are looked at; shorter windows shorten the time."""

_PROBLEMS = 100


@dataclass(slots=True)
class _Firing:
    since: float
    until: float | None
    value: float | None


def preview(store: LogStore, rule: Rule, now: float, days: float) -> dict[str, Any]:
    """Return what a rule would have done, as JSON types: ``points`` are windows with their values, oldest first.

    Raises:
        StoreError: The store does not respond, or there are too many problems.
    """
    step = max(math.ceil(rule.window_s), 1)
    windows = max(min(round(days * 86_400 / step), MAX_WINDOWS), 1)
    end = math.floor(now)
    start = end - windows * step
    measured = _new_problems if rule.type == "new_problem" else _values
    values = measured(store, rule, start, end, step)
    state, firings = RuleState(since=start), list[_Firing]()
    points = []
    for at, value in values.items():
        changed = advance(rule, state, Measured(value), at + step)
        if changed and state.firing:
            firings.append(_Firing(at + step, None, value))
        elif changed and firings:
            firings[-1].until = at + step
        points.append({"time": from_epoch(at), "value": value, "firing": state.firing})
    return {
        "since": from_epoch(start),
        "until": from_epoch(end),
        "window_s": step,
        "points": points,
        "firings": [
            {
                "since": from_epoch(firing.since),
                "until": None if firing.until is None else from_epoch(firing.until),
                "value": firing.value,
            }
            for firing in firings
        ],
    }


def _windows(step: int, end: int) -> Interval:
    """Return the windows of which one ends at ``end``."""
    return Interval(step, ((None, -end % step),))


def _values(store: LogStore, rule: Rule, start: int, end: int, step: int) -> dict[int, float | None]:
    """Return the value of each window by its start."""
    metric = rule.metric or Metric("count")
    first = start - step if rule.type == "change" else start
    query = Query(from_epoch(first), from_epoch(end), rule.condition)
    buckets = store.aggregate(query, Aggregation((metric,), (), _windows(step, end)))
    found = {round(moment(bucket.time or "").timestamp()): bucket.values[0] for bucket in buckets}
    if rule.type == "metric":
        return {at: found.get(at) for at in range(start, end, step)}
    counts = {at: int(found.get(at) or 0) for at in range(first, end, step)}
    if rule.type == "change":
        return {at: change(rule, counts[at], counts[at - step]) for at in range(start, end, step)}
    return {at: count / step if rule.type == "rate" else count for at, count in counts.items()}


def _new_problems(store: LogStore, rule: Rule, start: int, end: int, step: int) -> dict[int, float | None]:
    """Return how many problems each window has that were never seen before it, by its start."""
    query = Query(from_epoch(start), from_epoch(end), rule.condition)
    buckets = store.aggregate(query, Aggregation((Metric("count"),), (Terms(PROBLEM, _PROBLEMS),), _windows(step, end)))
    first: dict[str, int] = {}
    for bucket in buckets:
        at, problem = round(moment(bucket.time or "").timestamp()), str(bucket.key[0])
        first[problem] = min(first.get(problem, at), at)
    old = seen_before(store, list(first), start)
    values: dict[int, float | None] = dict.fromkeys(range(start, end, step), 0)
    for problem, at in first.items():
        if problem not in old:
            values[at] = (values.get(at) or 0) + 1
    return values
