"""The period before; the bars of a chart."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.analytics.periods import BARS, MAX_BARS, WIDTHS, Period, bar_seconds

NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("zone", "since", "until", "expected"),
    [
        pytest.param("UTC", "2026-11-22T10:00:00Z", "2026-11-22T12:30:00Z", "2026-11-22T07:30:00.000Z", id="hours"),
        pytest.param("UTC", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z", "2026-11-15T00:00:00.000Z", id="week"),
        pytest.param(
            "Asia/Seoul", "2026-11-21T15:00:00Z", "2026-11-22T15:00:00Z", "2026-11-20T15:00:00.000Z", id="day"
        ),
        # New York's clocks went back on 1 November 2026 at 06:00 UTC: that day had 25 hours.
        pytest.param(
            NEW_YORK, "2026-11-02T05:00:00Z", "2026-11-03T05:00:00Z", "2026-11-01T04:00:00.000Z", id="25_hours"
        ),
        pytest.param(
            NEW_YORK, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", "2026-10-31T04:00:00.000Z", id="after_24"
        ),
        pytest.param(NEW_YORK, "2026-11-02T05:00:00Z", "2026-11-02T17:00:00Z", "2026-11-01T17:00:00.000Z", id="part"),
        pytest.param("UTC", "0001-01-01T00:00:00Z", "2026-11-02T00:00:00Z", "0001-01-01T00:00:00Z", id="before_year_1"),
        pytest.param("UTC", "2026-11-22T12:00:00Z", "2026-11-22T10:00:00Z", "2026-11-22T12:00:00.000Z", id="backwards"),
    ],
)
def test_before(zone: str, since: str, until: str, expected: str) -> None:
    assert Period(since, until).before(ZoneInfo(zone)) == Period(expected, since)


def test_the_machine_has_a_zone() -> None:
    found = Period("2026-11-22T10:00:00Z", "2026-11-22T10:10:00Z").before(None)
    assert found == Period("2026-11-22T09:50:00.000Z", "2026-11-22T10:00:00Z")


BAR_WIDTHS = [  # id, span in seconds, width in seconds
    ("nothing", 0, 1),
    ("a_minute", 60, 1),
    ("quarter_of_an_hour", 900, 15),
    ("hour", 3600, 60),
    ("day", 86_400, 1800),
    ("week", 7 * 86_400, 3 * 3600),
    ("month", 30 * 86_400, 12 * 3600),
    ("year", 365 * 86_400, 7 * 86_400),
]


@pytest.mark.parametrize(("span", "width"), [c[1:] for c in BAR_WIDTHS], ids=[c[0] for c in BAR_WIDTHS])
def test_width(span: float, width: int) -> None:
    assert bar_seconds(span) == width


@given(st.floats(60, WIDTHS[-1] * BARS))
def test_there_are_never_too_many_nor_too_few_bars(span: float) -> None:
    assert BARS / 2.1 <= span / bar_seconds(span) <= BARS * 2.1


def test_all_years_fit_into_a_chart() -> None:
    span_s = 9999 * 365.25 * 86_400
    assert span_s / bar_seconds(span_s) < MAX_BARS
