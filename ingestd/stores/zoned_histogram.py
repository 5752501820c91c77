"""Histograms whose days are those of a time zone with summer time: a day has then 23, 24 or 25 hours.

Stores cut time into equal intervals with a fixed offset from UTC. Here the time is split where the zone's offset
changes, each part is queried with its own offset, and intervals that start at the same local time are added up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from ingestd.event.timestamp import from_epoch_clamped, to_epoch_ns
from ingestd.stores.aggregation import Interval, Span
from ingestd.stores.base import Bucket, LogStore
from ingestd.stores.query import Query

_HOUR, _DAY, _WEEK = 3600, 86_400, 7 * 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The first and the last second of the years 1 to 9999."""

_MAX_STEPS = 1000

_MANY_PARTS = 8
"""Of more parts only those with events are queried: one stray event of 1970 makes a hundred of them."""


def utc_offset(seconds: float, zone: tzinfo | None) -> int:
    """Return how many seconds a zone (None: the machine's) is ahead of UTC at a time; 0 where its years end."""
    moment = _EPOCH + timedelta(seconds=min(max(seconds, _FIRST), _LAST))
    try:
        offset = moment.astimezone(zone).utcoffset()
    except (OverflowError, ValueError):
        return 0
    return int(offset.total_seconds()) if offset is not None else 0


def zoned_histogram(
    store: LogStore, query: Query, seconds: int, zone: tzinfo | None, now: float, field: str = "level"
) -> list[Bucket]:
    """Return the number of documents over time as `LogStore.histogram` does, in intervals of a zone's local time.

    Args:
        store: The store to query, once, or twice and more if there are events on both sides of a change of the clocks.
        query: Which documents are counted.
        seconds: The width of an interval in local time. Up to an hour, the clocks do not matter.
        zone: The time zone; None: the machine's.
        now: The current time, in seconds since 1970.
        field: The field that the counts are by.
    """
    offset = utc_offset(now, zone)
    found = store.histogram(query, seconds, offset, field)
    interval = _interval(found, seconds, offset, zone)
    first = epoch(found[0].time) if found else 0
    parts = [part for part in interval.spans() if part[1] is None or part[1] > first]
    if all(part_offset == offset for *_, part_offset in parts):
        counted = [(bucket, offset) for bucket in found]
    else:
        counted = list(_counted(store, query, seconds, field, parts))
    totals: dict[int, Counter[str]] = {}
    for bucket, part_offset in counted:
        local = epoch(bucket.time) + part_offset
        totals.setdefault(local - local % seconds, Counter()).update(bucket.counts)
    return [Bucket(from_epoch_clamped(interval.start(local)), dict(totals[local])) for local in sorted(totals)]


def zoned_interval(store: LogStore, query: Query, seconds: int, zone: tzinfo | None, now: float) -> Interval:
    """Return the intervals of a zone's local time for an aggregation; the arguments are those of `zoned_histogram`."""
    offset = utc_offset(now, zone)
    found = store.histogram(query, seconds, offset) if seconds > _HOUR else []
    return _interval(found, seconds, offset, zone)


def _interval(found: Sequence[Bucket], seconds: int, offset: int, zone: tzinfo | None) -> Interval:
    """Return the intervals of the time that buckets cover, which were counted with ``offset``."""
    if seconds <= _HOUR or not found:
        return Interval(seconds, ((None, offset),))
    starts = [epoch(bucket.time) for bucket in found]
    return Interval(seconds, tuple(_offsets(starts, seconds, lambda time: utc_offset(time, zone))))


def epoch(time: str) -> int:
    """Return the time of a bucket as seconds since 1970."""
    return to_epoch_ns(time) // 1_000_000_000


def local_seconds(time: float, zone: tzinfo | None) -> float:
    """Return the time that the zone's clocks show, as seconds since 1970 on these clocks."""
    return time + utc_offset(time, zone)


def _offsets(starts: Sequence[int], seconds: int, offset_at: Callable[[float], int]) -> list[tuple[int | None, int]]:
    """Return `Interval.offsets` for the time that intervals from ``starts`` on cover, and for the one before each.

    An event is in the one before if the clocks were different then from those that ``starts`` are of.
    """
    step = max(min(seconds, _WEEK), seconds // _MAX_STEPS)
    covered = starts[0] - seconds - _DAY
    offsets: list[tuple[int | None, int]] = [(None, offset_at(covered))]
    for start in starts:
        first = before = max(covered, start - seconds - _DAY)
        for time in range(first, start + seconds + step, step):
            if (offset := offset_at(time)) != offsets[-1][1]:
                offsets.append((time if time == first else _change(before, time, offset_at), offset))
            before = time
        covered = before
    return offsets


def _change(low: int, high: int, offset_at: Callable[[float], int]) -> int:
    """Return the first second with the offset of ``high``, between ``low``, which has another one, and ``high``."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if offset_at(middle) == offset_at(high) else (middle, high)
    return high


def _counted(
    store: LogStore, query: Query, seconds: int, field: str, parts: Sequence[Span]
) -> Iterator[tuple[Bucket, int]]:
    """Yield the buckets of each part, counted with its offset, and that offset."""
    days = None
    if len(parts) > _MANY_PARTS:
        days = [epoch(bucket.time) for bucket in store.histogram(query, _DAY, 0, field)]
    for start, end, offset in parts:
        if days is not None and not _has_day(days, start, end):
            continue
        since = max(filter(None, (query.since, _text(start))), default=None)
        until = min(filter(None, (query.until, _text(end))), default=None)
        if since is None or until is None or since < until:
            part = replace(query, since=since, until=until)
            yield from ((bucket, offset) for bucket in store.histogram(part, seconds, offset, field))


def _text(time: int | None) -> str | None:
    return None if time is None else from_epoch_clamped(time)


def _has_day(days: Sequence[int], start: int | None, end: int | None) -> bool:
    """Return whether one of the days (UTC, sorted) has a second in a part."""
    first = 0 if start is None else bisect_right(days, start - _DAY)
    return first < len(days) and (end is None or days[first] < end)
