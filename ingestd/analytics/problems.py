"""The problems of a site: errors of the same cause, as the filter ``problem`` groups them, the most frequent first.

A store is asked a fixed number of questions, however many problems there are: how often each was seen in the period,
when it was first and last seen in all that is kept, and which titles, levels, paths and hosts its events have.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingestd.analytics.problem_marks import Mark, State, load_marks, valid_text
from ingestd.event.timestamp import from_datetime
from ingestd.stores.aggregation import TIME, Aggregation, Interval, Metric, MetricBucket, Terms
from ingestd.stores.base import LogStore, moment
from ingestd.stores.known_fields import ADDRESS_FIELDS, HOST_FIELDS, LEVEL_FIELDS, PATH_FIELDS
from ingestd.stores.query import WITHOUT_LEVEL, And, Condition, Equal, Exists, Not, Or, Query, as_number

PROBLEM, TITLE = "problem", "problem_title"
"""The fields that the filter ``problem`` sets."""

MAX_PROBLEMS = 200
BARS = 30
"""Bars of a sparkline, about; it shows the whole period."""

_TITLES = (TITLE,)
_DETAILS = {_TITLES: (1, 1), LEVEL_FIELDS: (5, 5), PATH_FIELDS: (20, 3), HOST_FIELDS: (3, 3)}
"""What is shown, by its fields: of how many values of each problem, the most frequent, and how many are shown.

Paths have their query strings, which no server cuts off without a script, so many of them may be one.
"""
_FIRST, _LAST = Metric("min", TIME), Metric("max", TIME)
_COUNTS = (Metric("count"), *(Metric("distinct", field) for field in ADDRESS_FIELDS))
_OPEN = Mark("open", "")

MAX_SHOWN_CHARS = 300
"""Of a title, level, path or host; a longer one, as a client may send it, is cut."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem in a period. Times are in UTC; ``first_seen`` and ``last_seen`` are those in all that the store keeps.

    ``visitors``: addresses of clients that it was seen with, in that of `ADDRESS_FIELDS` which has the most.
    ``sparkline``: how often it was seen in each interval of the period. ``is_new``: it was not seen before the period;
    ``is_regressed``: seen after it was resolved.
    """

    problem: str
    title: str
    count: int
    first_seen: str
    last_seen: str
    levels: tuple[str, ...]
    paths: tuple[str, ...]
    hosts: tuple[str, ...]
    visitors: int
    sparkline: tuple[int, ...]
    is_new: bool
    mark: Mark = _OPEN

    @property
    def is_regressed(self) -> bool:
        """Whether it was seen after it was resolved."""
        return self.mark.state == "resolved" and moment(self.last_seen) > moment(self.mark.at)

    @property
    def state(self) -> State:
        """``open``, ``resolved`` or ``muted``; a problem that came back is open."""
        return "open" if self.is_regressed else self.mark.state

    def document(self) -> dict[str, Any]:
        """Return the problem as JSON types."""
        return {
            "problem": self.problem,
            "title": self.title,
            "count": self.count,
            "first_seen": self.first_seen,
            "last_seen": self.last_seen,
            "state": self.state,
            "new": self.is_new,
            "regressed": self.is_regressed,
            "levels": list(self.levels),
            "paths": list(self.paths),
            "hosts": list(self.hosts),
            "visitors": self.visitors,
            "sparkline": list(self.sparkline),
            "mark": {"state": self.mark.state, "at": self.mark.at, "by": self.mark.by, "note": self.mark.note}
            if self.mark.at
            else None,
        }


def list_problems(
    store: LogStore, query: Query, marks: Mapping[str, Mark], *, problem: str = "", limit: int = 50, now: str
) -> list[Problem]:
    """Return the most frequent problems of a period, at most ``limit`` and `MAX_PROBLEMS`.

    Args:
        store: Where the events are.
        query: The period, and what the events must match besides.
        marks: What was decided about problems.
        problem: The id of the only one that is wanted; empty: all.
        limit: How many problems there may be in the answer.
        now: The end of a period without one, in UTC.
    """
    most = Terms(PROBLEM, min(limit, MAX_PROBLEMS))
    any_of_them = Equal(PROBLEM, problem) if problem else Exists(PROBLEM)
    found = _by_problem(store, replace(query, condition=_and(query.condition, any_of_them)), _COUNTS, most)
    counts = [bucket for bucket in found if problem in ("", str(bucket.key[0]))]
    if not counts:
        return []
    totals = {bucket.key[0]: int(bucket.values[0] or 0) for bucket in counts}
    listed = Terms(PROBLEM, most.size, known=tuple(totals))  # an event may have several
    these = Or(tuple(Equal(PROBLEM, str(name)) for name in totals))
    times = _by_problem(store, Query(None, None, these), (_FIRST, _LAST), listed)
    seen = {bucket.key[0]: bucket.values for bucket in times}
    query = replace(query, condition=_and(query.condition, these))
    details = [_values(store, query, listed, totals, fields) for fields in _DETAILS]
    first = min((times[0] for times in seen.values() if times[0] is not None), default=None)
    sparklines = _sparklines(store, query, listed, query.since or _time(first or 0), query.until or now)
    since = None if query.since is None else moment(query.since)
    return [
        _problem(bucket, seen.get(bucket.key[0], (None, None)), details, sparklines, marks, since) for bucket in counts
    ]


def is_known(data_dir: Path, store: LogStore, problem: str) -> bool:
    """Return whether a problem was marked before, so that its events may have been deleted, or has an event in a store.

    Raises:
        OSError: The data folder cannot be read.
    """
    problem = valid_text(problem)
    if problem in load_marks(data_dir):
        return True
    equal = Query(None, None, Equal(PROBLEM, problem))
    if as_number(problem) is None:
        return any(True for _ in store.search(equal, 1))
    return any(str(found.value) == problem for found in store.top(PROBLEM, equal, MAX_PROBLEMS))  # 5 equals 5.0


def _by_problem(store: LogStore, query: Query, metrics: tuple[Metric, ...], terms: Terms) -> list[MetricBucket]:
    return store.aggregate(query, Aggregation(metrics, (terms,)))


def _values(
    store: LogStore, query: Query, listed: Terms, totals: Mapping[Any, int], fields: tuple[str, ...]
) -> dict[Any, tuple[str, ...]]:
    """Return the most frequent values of a field for each problem; of events that lack it, those of the next one.

    ``totals``: how many events each problem has, so that no more fields are asked for than have any.
    """
    counted, shown = _DETAILS[fields]
    found: dict[Any, Counter[str]] = {}
    for field in fields:
        for bucket in store.aggregate(query, Aggregation(terms=(listed, Terms(field, counted)))):
            problem, text = bucket.key[0], str(bucket.key[1])
            if not text:
                continue
            found.setdefault(problem, Counter())[_value(fields, text)] += int(bucket.values[0] or 0)
        if all(problem in found and found[problem].total() >= total for problem, total in totals.items()):
            break
        lacking = WITHOUT_LEVEL if fields is LEVEL_FIELDS else Not(Exists(field))
        query = replace(query, condition=_and(query.condition, lacking))
    return {problem: tuple(value for value, _ in counts.most_common(shown)) for problem, counts in found.items()}


def _value(fields: tuple[str, ...], text: str) -> str:
    """Return a value as it is shown: paths without their query strings, levels in upper case, none of any length."""
    if fields is PATH_FIELDS:
        text = text.partition("?")[0]
    elif fields is LEVEL_FIELDS:
        text = text.upper()
    return text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…"


def _sparklines(store: LogStore, query: Query, listed: Terms, since: str, until: str) -> dict[Any, tuple[int, ...]]:
    """Return how often each problem was seen in each interval from ``since`` to ``until``."""
    start, end = (int(moment(time).timestamp()) for time in (since, until))
    width = max(math.ceil((end - start) / BARS), 60)
    first = start // width
    bars = max((end - 1) // width - first, 0) + 1
    found: dict[Any, list[int]] = {}
    interval = Interval(width)
    for bucket in store.aggregate(query, Aggregation(terms=(listed,), interval=interval)):
        at = int(moment(bucket.time or since).timestamp()) // width - first
        if 0 <= at < bars:
            found.setdefault(bucket.key[0], [0] * bars)[at] += int(bucket.values[0] or 0)
    return {problem: tuple(counts) for problem, counts in found.items()}


def _problem(
    bucket: MetricBucket,
    seen: Sequence[float | None],
    details: Sequence[Mapping[Any, tuple[str, ...]]],
    sparklines: Mapping[Any, tuple[int, ...]],
    marks: Mapping[str, Mark],
    since: datetime | None,
) -> Problem:
    (key,), (count, *visitors) = bucket.key, bucket.values
    titles, levels, paths, hosts = (found.get(key, ()) for found in details)
    first, last = (_time(value or 0) for value in seen)
    return Problem(
        problem=str(key),
        title=titles[0] if titles else str(key),
        count=int(count or 0),
        first_seen=first,
        last_seen=last,
        levels=levels,
        paths=paths,
        hosts=hosts,
        visitors=max(int(number or 0) for number in visitors),
        sparkline=sparklines.get(key, ()),
        is_new=since is not None and moment(first) >= since,
        mark=marks.get(str(key), _OPEN),
    )


def _time(ms: float) -> str:
    return from_datetime(datetime.fromtimestamp(ms / 1000, UTC))


def _and(condition: Condition | None, more: Condition) -> Condition:
    return more if condition is None else And((condition, more))
