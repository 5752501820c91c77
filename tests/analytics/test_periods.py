"""The period before."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from ingestd.analytics.periods import Period

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
