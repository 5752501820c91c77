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
from ingestd.stores.aggregation import Interval
from ingestd.stores.base import Bucket, LogStore
from ingestd.stores.query import Query

_HOUR, _DAY, _WEEK = 3600, 86_400, 7 * 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The first and the last second of the years 1 to 9999."""

_MAX_STEPS = 1000

_MANY_PARTS = 8
"""Of more parts only those with events are queried: one stray event of 1970 makes a hundred of them."""

Part = tuple[int | None, int]
"""When a part starts, in seconds since 1970 (None: with the first event), and its offset from UTC in seconds."""


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
    parts = _offsets(found, seconds, offset, zone)
    if [part_offset for _, part_offset in parts] == [offset]:
        return found
    totals: dict[int, Counter[str]] = {}
    days = None
    if len(parts) > _MANY_PARTS:
        days = [epoch(bucket.time) for bucket in store.histogram(query, _DAY, 0, field)]
    for part, part_offset in _queries(query, parts, days):
        for bucket in store.histogram(part, seconds, part_offset, field):
            local = epoch(bucket.time) + part_offset
            totals.setdefault(local - local % seconds, Counter()).update(bucket.counts)
    return [Bucket(from_epoch_clamped(_utc(local, zone)), dict(totals[local])) for local in sorted(totals)]


def zoned_interval(store: LogStore, query: Query, seconds: int, zone: tzinfo | None, now: float) -> Interval:
    """Return the intervals of a zone's local time for an aggregation; the arguments are those of `zoned_histogram`."""
    offset = utc_offset(now, zone)
    found = store.histogram(query, seconds, offset) if seconds > _HOUR else []
    return Interval(seconds, tuple(_offsets(found, seconds, offset, zone)))


def _offsets(found: Sequence[Bucket], seconds: int, offset: int, zone: tzinfo | None) -> list[Part]:
    """Return the parts of the time that buckets cover, which were counted with ``offset``."""
    if seconds <= _HOUR or not found:
        return [(None, offset)]
    return _parts([epoch(bucket.time) for bucket in found], seconds, lambda time: utc_offset(time, zone))


def epoch(time: str) -> int:
    """Return the time of a bucket as seconds since 1970."""
    return to_epoch_ns(time) // 1_000_000_000


def local_seconds(time: float, zone: tzinfo | None) -> float:
    """Return the time that the zone's clocks show, as seconds since 1970 on these clocks."""
    return time + utc_offset(time, zone)


def _utc(local: int, zone: tzinfo | None) -> int:
    """Return when the zone's clocks show a local time (see `local_seconds`); of two such times, the first."""
    early = utc_offset(local - utc_offset(local, zone) - _HOUR, zone)
    return local - (early if utc_offset(local - early, zone) == early else utc_offset(local - early, zone))


def _parts(starts: Sequence[int], seconds: int, offset_at: Callable[[float], int]) -> list[Part]:
    """Return the parts of the time that intervals from ``starts`` on cover, within which the offset is the same."""
    parts: list[Part] = [(None, offset_at(starts[0]))]
    step = max(min(seconds, _WEEK), seconds // _MAX_STEPS)
    for start in starts:
        before = start
        for time in range(start, start + seconds + step, step):
            if (offset := offset_at(time)) != parts[-1][1]:
                parts.append((time if time == start else _change(before, time, offset_at), offset))
            before = time
    return parts


def _change(low: int, high: int, offset_at: Callable[[float], int]) -> int:
    """Return the first second with the offset of ``high``, between ``low``, which has another one, and ``high``."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if offset_at(middle) == offset_at(high) else (middle, high)
    return high


def _queries(query: Query, parts: Sequence[Part], days: Sequence[int] | None) -> Iterator[tuple[Query, int]]:
    """Yield a query for each part, and its offset; if ``days`` (UTC, sorted) are given, for parts with one of these."""
    for (start, offset), (end, _) in zip(parts, [*parts[1:], (None, 0)], strict=True):
        if days is not None and not _has_day(days, start, end):
            continue
        since = max(filter(None, (query.since, _text(start))), default=None)
        until = min(filter(None, (query.until, _text(end))), default=None)
        if since is None or until is None or since < until:
            yield replace(query, since=since, until=until), offset


def _text(time: int | None) -> str | None:
    return None if time is None else from_epoch_clamped(time)


def _has_day(days: Sequence[int], start: int | None, end: int | None) -> bool:
    """Return whether one of the days has a second in a part."""
    first = 0 if start is None else bisect_right(days, start - _DAY)
    return first < len(days) and (end is None or days[first] < end)
