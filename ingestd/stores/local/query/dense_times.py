"""Cutting a range of time into slices that each have few enough events to be sorted in memory.

The size of documents does not show how many rows DuckDB sorts: ten million tiny events may be of a single minute.
Events are counted by ever shorter intervals, but only where there are too many. Those of one microsecond stay together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from ingestd.event.timestamp import from_epoch_ns
from ingestd.stores.local.query.sql import bound
from ingestd.stores.query import Query

ROW_BYTES = 400
"""Memory for a row that is sorted, besides what spills to the disk: with a third of that DuckDB gives up."""

_STEPS_US = (3_600_000_000, 60_000_000, 1_000_000, 10_000, 100, 1)

Count = Callable[[Query, int], list[tuple[int, int]]]
"""Returns how many events of a query are in intervals of some microseconds: pairs of interval number and events."""


def dense_slices(query: Query, max_rows: int, count: Count) -> Iterator[Query]:
    """Yield the query for consecutive ranges of time, newest first, that have at most ``max_rows`` events each."""
    yield from _slices(query, max_rows, count, _STEPS_US)


def _slices(query: Query, max_rows: int, count: Count, steps_us: tuple[int, ...]) -> Iterator[Query]:
    """Cut at the starts of intervals; one with too many events is cut on its own, by the next step."""
    if not steps_us:
        yield query
        return
    step_us, end, rows, start = steps_us[0], query.until, 0, query.since
    for number, events in sorted(count(query, step_us), reverse=True):
        first = _time(number * step_us)
        if rows and rows + events > max_rows:
            yield from _between(query, start, end)
            end, rows = start, 0
        if events > max_rows:
            after = _time((number + 1) * step_us)
            yield from _between(query, after, end)
            for part in _between(query, first, _earlier(after, end)):
                yield from _slices(part, max_rows, count, steps_us[1:])
            end = first
        else:
            rows += events
        start = first
    yield from _between(query, query.since, end)


def _between(query: Query, since: str | None, until: str | None) -> Iterator[Query]:
    """Yield the query for the part of its range from ``since`` to ``until``, nothing if that is empty."""
    if since is None or (query.since is not None and bound(query.since) > bound(since)):
        since = query.since
    if since is None or until is None or bound(since) < bound(until):
        yield dataclasses.replace(query, since=since, until=until)


def _earlier(time: str, end: str | None) -> str:
    return time if end is None or bound(time) < bound(end) else end


def _time(microseconds: int) -> str:
    return from_epoch_ns(microseconds * 1000)
