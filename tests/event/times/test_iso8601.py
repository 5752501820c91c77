"""ISO 8601 as the date filter takes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.times.iso8601 import parse_iso8601
from ingestd.event.times.zones import find_zone
from ingestd.event.timestamp import from_epoch_ns

CASES = [  # text, zone, result; the first ones are those of Logstash's own tests
    ("2001-01-01T00:00:00-0800", "UTC", "2001-01-01T08:00:00.000Z"),
    ("1974-03-02T04:09:09-0800", "UTC", "1974-03-02T12:09:09.000Z"),
    ("2010-05-03T08:18:18+00:00", "UTC", "2010-05-03T08:18:18.000Z"),
    ("2004-07-04T12:27:27-00:00", "UTC", "2004-07-04T12:27:27.000Z"),
    ("2001-12-07T23:54:54Z", "UTC", "2001-12-07T23:54:54.000Z"),
    ("2004-07-04T12:27:27.123-04:00", "UTC", "2004-07-04T16:27:27.123Z"),
    ("2001-12-07T23:54:54,123Z", "UTC", "2001-12-07T23:54:54.123Z"),
    ("2001-11-06 20:45:45.123-0000", "UTC", "2001-11-06T20:45:45.123Z"),
    ("2001-12-07 23:54:54,123Z", "UTC", "2001-12-07T23:54:54.123Z"),
    ("2001-11-06 20:45:45.123", "UTC", "2001-11-06T20:45:45.123Z"),
    ("2001-11-06 20:45:45,123", "UTC", "2001-11-06T20:45:45.123Z"),
    ("2001-01-01T00:00:00", "America/Caracas", "2001-01-01T04:00:00.000Z"),
    ("2008-01-01T00:00:00", "America/Caracas", "2008-01-01T04:30:00.000Z"),
    ("2016-05-01T08:18:18.123", "America/Caracas", "2016-05-01T12:18:18.123Z"),
    ("2001-11-06 20:45:45", "Asia/Seoul", "2001-11-06T11:45:45.000Z"),
    ("2001-11-06 20:45", "UTC", "2001-11-06T20:45:00.000Z"),
    ("2001-11-06T20:45:45.123456789Z", "UTC", "2001-11-06T20:45:45.123Z"),
    ("2001-11-06T20:45:45.5+09:00", "CET", "2001-11-06T11:45:45.500Z"),
    ("2001-11-06T20:45", "UTC", "2001-11-06T20:45:00.000Z"),
    ("2001-11-06T20", "UTC", "2001-11-06T20:00:00.000Z"),
    ("2001-11-06T20.5", "UTC", "2001-11-06T20:30:00.000Z"),
    ("2001-11-06T20:45.25", "UTC", "2001-11-06T20:45:15.000Z"),
    ("2001-11-06T", "UTC", "2001-11-06T00:00:00.000Z"),
    ("2001-11-06T+09:00", "UTC", "2001-11-05T15:00:00.000Z"),
    ("2001-11-06", "Asia/Seoul", "2001-11-05T15:00:00.000Z"),
    ("2001-1-6T1:2:3", "UTC", "2001-01-06T01:02:03.000Z"),
    ("2001-11", "UTC", "2001-11-01T00:00:00.000Z"),
    ("2001", "UTC", "2001-01-01T00:00:00.000Z"),
    ("2001-310", "UTC", "2001-11-06T00:00:00.000Z"),
    ("2000-366", "UTC", "2000-12-31T00:00:00.000Z"),
    ("2001-W45-2", "UTC", "2001-11-06T00:00:00.000Z"),
    ("2001-W45", "UTC", "2001-11-05T00:00:00.000Z"),
    ("2009-W01-1T12:00Z", "UTC", "2008-12-29T12:00:00.000Z"),
    ("T10:20:30", "UTC", "1970-01-01T10:20:30.000Z"),
]

REFUSED = [
    "", "T", " ", "today", "20011106T204545Z", "2001-11-06T24:00", "2001-11-06T20:60", "2001-11-06T20:45:60Z",
    "2001-02-29", "2001-13-01", "2001-366", "2001-000", "2001-W54-1", "2001-W45-8", "2001-W45-0", "2001-11-06 ",
    "2001-11-06 20", "2001-310 20:45", "2001-11-06Z", "2001-11-06T20:45:45+9", "2001-11-06T20:45:45.1234567890Z",
    "2001-11-06T20:45:45Z ", " 2001-11-06", "0000-01-01", "２001-11-06", "1473805600",
]  # fmt: skip


@pytest.mark.parametrize(("text", "zone", "expected"), CASES, ids=[row[0] for row in CASES])
def test_parse(text: str, zone: str, expected: str) -> None:
    assert from_epoch_ns(parse_iso8601(text, find_zone(zone))) == expected


@pytest.mark.parametrize("text", REFUSED, ids=repr)
def test_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- the reasons differ, their kind is what counts
        parse_iso8601(text)


def test_nine_digits_when_asked() -> None:
    ns = parse_iso8601("2001-11-06T20:45:45.123456789Z", nanoseconds=True)
    assert from_epoch_ns(ns) == "2001-11-06T20:45:45.123456789Z"


def test_skipped_hour() -> None:
    with pytest.raises(ValueError, match="skip"):
        parse_iso8601("2016-03-27T02:30:00", find_zone("Europe/Berlin"))


@given(st.integers(-(10**18), 10**18))
def test_reads_what_events_hold(ns: int) -> None:
    assert parse_iso8601(from_epoch_ns(ns), nanoseconds=True) == ns
