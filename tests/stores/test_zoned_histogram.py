"""Histograms over decades of a zone with summer time: right, and without a query for each change of the clocks."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import pytest

from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.query import Query
from ingestd.stores.zoned_histogram import epoch, local_seconds, zoned_histogram

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
