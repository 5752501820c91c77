"""Periods of time: the one directly before another, which it is compared with, and the bars of a chart.

A chart has about 60 bars, of a width that is round on a clock or a calendar.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

from ingestd.event.timestamp import from_datetime
from ingestd.stores.base import moment

BARS = 60
MAX_BARS = 2000
"""More than a screen has columns; a histogram with more is rejected."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

WIDTHS = (
    *(1, 2, 5, 10, 15, 30),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14, 30, 90, 365, 730, 1825, 3650, 7300, 18_250, 36_500)),
)
"""Widths in seconds that are round on a clock or a calendar."""


@dataclass(frozen=True, slots=True)
class Period:
    """From ``since`` until before ``until``, times in UTC as stores take them."""

    since: str
    until: str

    def before(self, zone: datetime.tzinfo | None) -> Period:
        """Return the period of the same length that ends where this one starts.

        Whole days of ``zone`` (None: the machine's) are compared with as many whole days, even if clocks change.
        """
        since, until = moment(self.since), moment(self.until)
        try:
            return Period(from_datetime(_start_before(since, until, zone)), self.since)
        except OverflowError:
            return Period(self.since, self.since)


def _start_before(
    since: datetime.datetime, until: datetime.datetime, zone: datetime.tzinfo | None
) -> datetime.datetime:
    first, last = (time.astimezone(zone).replace(tzinfo=None) for time in (since, until))
    if first.time() == last.time() == datetime.time() and last > first:
        return (first - (last - first)).replace(tzinfo=zone).astimezone(datetime.UTC)
    return since - max(until - since, datetime.timedelta())


def bar_seconds(span_s: float) -> int:
    """Return the width, one of ``WIDTHS``, that divides ``span_s`` seconds into about ``BARS`` bars."""
    wanted = max(span_s, 1) / BARS
    return min(WIDTHS, key=lambda width: abs(math.log(width / wanted)))
