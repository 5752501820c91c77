"""Joda-Time patterns as printers. The expected values are those of Joda-Time 2.12.7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.times.joda_print import compile_joda_print
from ingestd.event.times.zones import find_zone
from ingestd.event.timestamp import from_epoch_ns

STAMP = "2009-01-03T05:06:07.089Z"

CASES = [  # pattern, result
    ("YYYY.MM.dd", "2009.01.03"),
    ("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "2009-01-03T05:06:07.089+00:00"),
    ("xxxx.ww", "2009.01"),
    ("xx w e", "09 1 6"),
    ("YY y yyyyyy", "09 2009 002009"),
    ("C G", "20 AD"),
    ("E EEE EEEE", "Sat Sat Saturday"),
    ("M MM MMM MMMM MMMMM", "1 01 Jan January January"),
    ("D DDD", "3 003"),
    ("a K KK h hh", "AM 5 05 5 05"),
    ("H HH k kk", "5 05 5 05"),
    ("m s", "6 7"),
    ("S SS SSS SSSSSS", "0 08 089 089000"),
    ("z Z ZZ ZZZ", "UTC +0000 +00:00 UTC"),
    ("zzzz", "Coordinated Universal Time"),
    ("'week' w", "week 1"),
    ("''YYYY'''", "'2009'"),
    ("YYYY-'unclosed", "2009-unclosed"),
    ("__", "__"),
]


@pytest.mark.parametrize(("pattern", "expected"), CASES, ids=[row[0] for row in CASES])
def test_print(pattern: str, expected: str) -> None:
    show = compile_joda_print(pattern)
    assert show(STAMP) == expected
    assert show(STAMP) == expected  # from the cache


@pytest.mark.parametrize(
    ("stamp", "pattern", "expected"),
    [
        ("2026-01-01T00:00:00.000Z", "h k K a", "12 24 0 AM"),
        ("2026-01-01T12:00:00.000Z", "h k K a", "12 12 0 PM"),
        ("2026-01-01T00:00:00.000Z", "xxxx-'W'ww-e", "2026-W01-4"),
        ("2027-01-01T00:00:00.000Z", "xxxx-'W'ww-e", "2026-W53-5"),
        ("2026-01-01T00:00:00.123456789Z", "SSSSSSSSS", "123000000"),
        ("1969-12-31T23:59:59.999Z", "YYYY SSS", "1969 999"),
    ],
)
def test_corners(stamp: str, pattern: str, expected: str) -> None:
    assert compile_joda_print(pattern)(stamp) == expected


@pytest.mark.parametrize(
    ("zone", "pattern", "expected"),
    [
        ("Asia/Seoul", "YYYY.MM.dd HH:mm Z ZZ ZZZ z", "2026.01.01 08:30 +0900 +09:00 Asia/Seoul KST"),
        ("-03:30", "YYYY.MM.dd HH:mm Z ZZ ZZZ", "2025.12.31 20:00 -0330 -03:30 -03:30"),
    ],
)
def test_in_a_zone(zone: str, pattern: str, expected: str) -> None:
    assert compile_joda_print(pattern, find_zone(zone))("2025-12-31T23:30:00.000Z") == expected


def test_a_zone_changes_the_day_within_a_utc_day() -> None:
    show = compile_joda_print("dd", find_zone("Asia/Seoul"))
    assert [show("2026-01-01T14:59:59.999Z"), show("2026-01-01T15:00:00.000Z")] == ["01", "02"]


def test_a_timestamp_with_an_offset_is_moved_to_utc() -> None:
    show = compile_joda_print("YYYY.MM.dd")
    assert show("2026-01-02T00:30:00.000Z") == "2026.01.02"
    assert show("2026-01-02T00:30:00.000+09:00") == "2026.01.01"


@pytest.mark.parametrize("stamp", ["", "yesterday", "2026-02-30T00:00:00.000Z"])
def test_no_timestamp(stamp: str) -> None:
    with pytest.raises(ValueError, match="is not a timestamp"):
        compile_joda_print("YYYY")(stamp)


@pytest.mark.parametrize("pattern", ["", "YYYY-nn", "b", "YYYY-MM-ddTHH"])
def test_invalid_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="date pattern"):
        compile_joda_print(pattern)


@given(st.lists(st.integers(0, 4 * 10**18), max_size=20), st.sampled_from(["YYYY.MM.dd", "HH", "mm:ss", "E SSS"]))
def test_what_is_remembered_is_what_is_found(instants: list[int], pattern: str) -> None:
    """A printer that has seen other timestamps says the same as a new one."""
    show = compile_joda_print(pattern)
    new = compile_joda_print.__wrapped__
    for stamp in map(from_epoch_ns, instants):
        assert show(stamp) == new(pattern)(stamp)
