"""Histograms over decades of a zone with summer time: right, and without a query for each change of the clocks."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import pytest

from ingestd.event.timestamp import from_epoch_clamped
from ingestd.stores.aggregation import Aggregation
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.query import Query
from ingestd.stores.zoned_histogram import epoch, local_seconds, utc_offset, zoned_histogram, zoned_interval
from tests.random_cases import sampled

ZONE = ZoneInfo("America/New_York")
TIMES = [  # on both sides of changes of the clocks, at the start of the epoch, and at both ends of a day in UTC
    "1970-01-01T00:00:00.000Z",
    "1970-04-26T06:59:59.999Z",
    "1970-04-26T07:00:00.000Z",
    "1999-12-31T23:59:59.000Z",
    "2000-01-01T00:00:00.000Z",
    "2026-03-08T06:30:00.000Z",
    "2026-03-08T07:30:00.000Z",
    "2026-11-01T05:59:59.000Z",
    "2026-11-01T06:00:00.000Z",
    "2026-11-22T10:00:00.000Z",
]
NOW = datetime(2026, 11, 29, tzinfo=UTC).timestamp()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    writer = LocalWriter(tmp_path, "w0")
    for time in TIMES:
        writer.append(f"logstash-{time[:10].replace('-', '.')}", [b'{"@timestamp":"%b"}' % time.encode()], [time])
    writer.close()
    return LocalStore(tmp_path, threads=1)


@pytest.mark.usefixtures("shared_duckdb")
@pytest.mark.parametrize("days", [1, 7, 365, 10_000, 40_000])
def test_intervals_of_local_time(store: LocalStore, days: int) -> None:
    width = days * 86_400
    expected: Counter[int] = Counter()
    for time in TIMES:
        local = int(local_seconds(epoch(time), ZONE))
        expected[local - local % width] += 1
    with mock.patch.object(store, "histogram", wraps=store.histogram) as asked:
        found = zoned_histogram(store, Query(), width, ZONE, NOW)
    counts: Counter[int] = Counter()
    for bucket in found:
        local = int(local_seconds(epoch(bucket.time), ZONE))
        counts[local - local % width] += sum(bucket.counts.values())
    assert counts == expected
    assert asked.call_count <= 2 + len(TIMES)


ZONES = (  # whose clocks skip midnight, a whole day, or half an hour, and those that change at another time of day
    *("America/Sao_Paulo", "America/Asuncion", "America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Beirut"),
    *("Asia/Amman", "Asia/Tehran", "Pacific/Apia", "Australia/Lord_Howe", "Europe/Berlin", "America/New_York"),
)
_QUARTER, _HOUR, _DAY = 900, 3600, 86_400
_FIRST, _LAST = (int(datetime(year, 7, 1, tzinfo=UTC).timestamp()) for year in (2011, 2014))


def changes(zone: ZoneInfo) -> list[int]:
    """Return the last change of the clocks in some years, the one before, and a skipped day if there is one."""
    days = range(_FIRST, _LAST, _DAY)
    changed = [day for day in days if utc_offset(day, zone) != utc_offset(day + _DAY, zone)]
    found = [
        next(time for time in range(day, day + _DAY + 1, _QUARTER) if utc_offset(time, zone) != utc_offset(day, zone))
        for day in changed
    ]
    return [
        *found[-2:],
        *(time for time in found[:-2] if abs(utc_offset(time, zone) - utc_offset(time - 1, zone)) == _DAY),
    ]


def midnight(day: int, zone: ZoneInfo) -> int:
    """Return when the clocks first show a day, in seconds since 1970, or more if they skip its start."""
    return next(time for time in range(day - _DAY, day + _DAY, _QUARTER) if local_seconds(time, zone) >= day)


@pytest.fixture(scope="module")
def around_changes(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    """A store with events of a few days around all changes."""
    root = tmp_path_factory.mktemp("changes")
    writer = LocalWriter(root, "w0")
    for change in sorted({change for zone in ZONES for change in changes(ZoneInfo(zone))}):
        for seconds in (-_DAY, -1, 0, _HOUR, 23 * _HOUR, _DAY + _HOUR):
            time = from_epoch_clamped(change + seconds)
            writer.append(f"logstash-{time[:10].replace('-', '.')}", [b'{"@timestamp":"%b"}' % time.encode()], [time])
    writer.close()
    return LocalStore(root, threads=1)


@pytest.mark.usefixtures("shared_duckdb")
@pytest.mark.parametrize("zone", [ZoneInfo(zone) for zone in sampled(ZONES, usual=6)], ids=str)
def test_days_start_when_the_clocks_show_them(around_changes: LocalStore, zone: ZoneInfo) -> None:
    found = changes(zone)
    assert len(found) >= 2
    for change in found:
        since, until = change - 2 * _HOUR, change + 3 * _DAY
        for query in (
            Query(from_epoch_clamped(since), from_epoch_clamped(until)),
            Query(from_epoch_clamped(change), from_epoch_clamped(until)),
        ):
            times = [epoch(str(json.loads(hit.document)["@timestamp"])) for hit in around_changes.search(query)]
            days = [int(local_seconds(time, zone)) // _DAY * _DAY for time in times]
            expected = {from_epoch_clamped(midnight(day, zone)): count for day, count in sorted(Counter(days).items())}
            for now in (change - 1, change):
                buckets = zoned_histogram(around_changes, query, _DAY, zone, now)
                assert {bucket.time: sum(bucket.counts.values()) for bucket in buckets} == expected
                interval = zoned_interval(around_changes, query, _DAY, zone, now)
                computed = around_changes.aggregate(query, Aggregation(interval=interval))
                assert {bucket.time: bucket.values[0] for bucket in computed} == expected
