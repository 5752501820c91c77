"""Zones by name and offset, and local times that exist never or twice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.times.zones import OFFSET, find_zone, offset_seconds, to_epoch, zone_names

AT = datetime(2026, 1, 15, 12)


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("UTC", 0), ("GMT", 0), ("Z", 0), ("Asia/Seoul", 9), ("CET", 1), ("EST", -5), ("PST8PDT", -8),
        ("Etc/GMT+5", -5), ("+09:00", 9), ("-08", -8), ("+0530", 5.5), ("UTC+3", 3), ("GMT-03:30", -3.5),
    ],
)  # fmt: skip
def test_known_zone(name: str, hours: float) -> None:
    assert find_zone(name).utcoffset(AT) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "name", ["", "PST", "Seoul", "America", "Nowhere/City", "%{tz}", "../../etc/passwd", "/etc/localtime", "+24:00"]
)
def test_unknown_zone(name: str) -> None:
    with pytest.raises(ValueError, match="unknown time zone"):
        find_zone(name)


def test_all_names_are_known() -> None:
    for name in zone_names():
        find_zone(name)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("Z", 0), ("z", 0), ("+09", 32400), ("+0900", 32400), ("+09:00", 32400), ("-03:30", -12600), ("+010203", 3723)],
)
def test_offset(text: str, seconds: int) -> None:
    assert re.fullmatch(OFFSET, text)
    assert offset_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "+", "+9", "+24:00", "+09:60", "+09:0", "+090", "09:00", "UTC"])
def test_no_offset(text: str) -> None:
    assert not re.fullmatch(OFFSET, text)


def test_skipped_local_time() -> None:
    with pytest.raises(ValueError, match="the clocks skip it"):
        to_epoch(datetime(2016, 3, 27, 2, 30), find_zone("CET"))


def test_repeated_local_time_is_the_first_one() -> None:
    local = datetime(2021, 11, 7, 1, 30)
    assert to_epoch(local, find_zone("America/New_York")) == datetime(2021, 11, 7, 5, 30, tzinfo=UTC).timestamp()


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0)),
    st.sampled_from(["UTC", "Asia/Seoul", "Europe/Paris", "America/Caracas", "Australia/Lord_Howe", "+05:45"]),
)
def test_what_the_clocks_show_comes_back(utc: datetime, name: str) -> None:
    """Every instant is found again from its local time, or the earlier one that shows the same."""
    zone = find_zone(name)
    local = utc.replace(tzinfo=UTC).astimezone(zone)
    found = to_epoch(local.replace(tzinfo=None), zone)
    assert datetime.fromtimestamp(found, zone).replace(tzinfo=None) == local.replace(tzinfo=None, fold=0)
    assert found <= local.timestamp()
