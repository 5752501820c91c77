"""A period of time and the one directly before it, which it is compared with."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from ingestd.event.timestamp import from_datetime
from ingestd.stores.base import moment


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
