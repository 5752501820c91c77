"""Canonical timestamps: what is one, what becomes one, and the laws between text and instant."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.timestamp import (
    epoch_seconds,
    from_datetime,
    from_epoch,
    from_epoch_ns,
    is_canonical,
    normalise,
    to_epoch_ns,
)

FIRST_NS = to_epoch_ns("0001-01-01T00:00:00.000Z")
LAST_NS = to_epoch_ns("9999-12-31T23:59:59.999999999Z")
instants = st.integers(FIRST_NS, LAST_NS)
offsets = st.integers(-18 * 60, 18 * 60)

CANONICAL = [
    "2026-11-22T10:00:00.000Z",
    "2026-11-22T10:00:00.120Z",
    "2026-11-22T10:00:00.123456Z",
    "2026-11-22T10:00:00.000001Z",
    "2026-11-22T10:00:00.123456789Z",
    "2026-11-22T10:00:00.000000001Z",
    "0001-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
    "2024-02-29T00:00:00.000Z",
    "2000-02-29T00:00:00.000Z",
]

NORMALISED = [  # id, value, canonical text
    ("no_fraction", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000Z"),
    ("python_isoformat", "2026-11-22T10:00:00.250000+00:00", "2026-11-22T10:00:00.250Z"),
    ("one_digit", "2026-11-22T10:00:00.5Z", "2026-11-22T10:00:00.500Z"),
    ("four_digits", "2026-11-22T10:00:00.1234Z", "2026-11-22T10:00:00.123400Z"),
    ("seven_digits_of_net", "2026-11-22T10:00:00.1234567Z", "2026-11-22T10:00:00.123456700Z"),
    ("zeros_cut", "2026-11-22T10:00:00.123000000Z", "2026-11-22T10:00:00.123Z"),
    ("comma", "2026-11-22T10:00:00,123Z", "2026-11-22T10:00:00.123Z"),
    ("small_letters", "2026-11-22t10:00:00z", "2026-11-22T10:00:00.000Z"),
    ("offset_colon", "2026-11-22T10:00:00+09:00", "2026-11-22T01:00:00.000Z"),
    ("offset", "2026-11-22T10:00:00-0330", "2026-11-22T13:30:00.000Z"),
    ("offset_hours", "2026-11-22T10:00:00+09", "2026-11-22T01:00:00.000Z"),
    ("offset_seconds", "2026-11-22T10:00:00+00:00:30", "2026-11-22T09:59:30.000Z"),
    ("other_day", "2026-01-01T08:00:00+09:00", "2025-12-31T23:00:00.000Z"),
    ("zone_name", "2026-07-01T10:00:00America/New_York", "2026-07-01T14:00:00.000Z"),
    ("no_offset_is_utc", "2026-11-22T10:00:00", "2026-11-22T10:00:00.000Z"),
    ("no_seconds", "2026-11-22T10:00Z", "2026-11-22T10:00:00.000Z"),
    ("date_only", "2026-11-22", "2026-11-22T00:00:00.000Z"),
    ("date_and_offset", "2014-09-23-08:00", "2014-09-23T08:00:00.000Z"),
    ("hour_24", "2026-12-31T24:00:00Z", "2027-01-01T00:00:00.000Z"),
]

NO_TIMESTAMPS = [
    "", "now", "2026", "2026-11", "20261122T100000Z", "2026-11-22 10:00:00", "2026-11-22T10", "2026-1-2T10:00:00Z",
    "2026-02-30T10:00:00Z", "2025-02-29T10:00:00.000Z", "1900-02-29T00:00:00.000Z", "2026-13-01", "2026-00-01",
    "2026-04-31T00:00:00.000Z", "0000-01-01T00:00:00.000Z", "2026-11-22T25:00:00Z", "2026-11-22T24:00:01Z",
    "2026-11-22T23:59:60Z", "2026-11-22T23:60:00Z", "2026-11-22T10:00:00+24:00", "2026-11-22T10:00:00.1234567890Z",
    "2026-11-22T10:00:00Nowhere/City", "2026-11-22T10:00:00.000Z ", "２026-11-22T10:00:00.000Z",
    "0001-01-01T00:00:00+00:01", "9999-12-31T24:00:00Z", 1_763_805_600, 1_763_805_600.5, True, None, [], {},
]  # fmt: skip


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_text_is_kept_as_it_is(text: str) -> None:
    assert is_canonical(text)
    assert normalise(text) is text


@pytest.mark.parametrize(("value", "expected"), [row[1:] for row in NORMALISED], ids=[row[0] for row in NORMALISED])
def test_normalise(value: str, expected: str) -> None:
    assert not is_canonical(value)
    assert normalise(value) == expected


@pytest.mark.parametrize("value", NO_TIMESTAMPS, ids=repr)
def test_no_timestamp(value: object) -> None:
    assert normalise(value) is None


def test_the_calendar_of_one_cycle_of_leap_years() -> None:
    for year in range(1900, 2301):
        for month in range(1, 13):
            length = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
            known = [day for day in range(33) if is_canonical(f"{year}-{month:02d}-{day:02d}T00:00:00.000Z")]
            assert known == list(range(1, length + 1))


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"),
    [
        (0, 0, "1970-01-01T00:00:00.000Z"),
        (1_763_805_600, 0, "2025-11-22T10:00:00.000Z"),
        (1_763_805_600.5, 0, "2025-11-22T10:00:00.500Z"),
        (1_763_805_600.123456, 0, "2025-11-22T10:00:00.123456Z"),
        (-0.001, 0, "1969-12-31T23:59:59.999Z"),
        (5, 7, "1970-01-01T00:00:05.000000007Z"),
    ],
)
def test_from_epoch(seconds: float, nanos: int, expected: str) -> None:
    assert from_epoch(seconds, nanos) == expected


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e15, -(10**15), 253_402_300_800])
def test_outside_the_calendar(seconds: float) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- the reasons differ, their kind is what counts
        from_epoch(seconds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00.000Z", "0"),
        ("2025-11-22T10:00:00.999Z", "1763805600"),
        ("1969-12-31T23:59:59.500Z", "-1"),
        ("2025-11-22T19:00:00+09:00", "1763805600"),
    ],
)
def test_epoch_seconds(text: str, expected: str) -> None:
    assert epoch_seconds(text) == expected


def test_epoch_of_no_timestamp() -> None:
    with pytest.raises(ValueError, match="'soon' is not a timestamp"):
        to_epoch_ns("soon")


@given(instants)
def test_text_and_instant_are_the_same(ns: int) -> None:
    text = from_epoch_ns(ns)
    assert to_epoch_ns(text) == ns
    assert normalise(text) is text


@given(instants, instants)
def test_texts_sort_as_their_instants(one: int, other: int) -> None:
    """Without the ``Z``, which is greater than a digit."""
    assert (from_epoch_ns(one)[:-1] < from_epoch_ns(other)[:-1]) == (one < other)


@given(instants.filter(lambda ns: FIRST_NS + 10**15 < ns < LAST_NS - 10**15), offsets, st.booleans())
def test_an_offset_moves_the_text_not_the_instant(ns: int, minutes: int, colon: bool) -> None:
    local = from_epoch_ns(ns + minutes * 60 * 10**9)[:-1]
    hours, rest = divmod(abs(minutes), 60)
    offset = f"{'-' if minutes < 0 else '+'}{hours:02d}{':' if colon else ''}{rest:02d}"
    assert normalise(local + offset) == from_epoch_ns(ns)


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9]{2}:[0-9]{2})?(Z|[+-][0-9]{2,4})?"))
def test_normalise_is_idempotent_and_never_raises(text: str) -> None:
    once = normalise(text)
    assert once is None or (is_canonical(once) and normalise(once) is once)


def test_from_datetime() -> None:
    moment = datetime(2026, 11, 22, 19, 0, 0, 1999, tzinfo=timezone(timedelta(hours=9)))
    assert from_datetime(moment) == "2026-11-22T10:00:00.001Z"
