"""Parse ISO 8601 as the format ``ISO8601`` of Logstash's date filter does.

That is Joda-Time's ``ISODateTimeFormat.dateTimeParser`` (dates by month, week or day of the year, times down to
decimal hours, either may be missing), then ``yyyy-MM-dd HH:mm:ss`` with a space, as many programs write it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from ingestd.event.times.zones import OFFSET, offset_seconds, to_epoch

_NS = 1_000_000_000

_PATTERN = re.compile(
    rf"""
    (?: (?P<year>[0-9]{{4}})
        (?: -W(?P<week>[0-9]{{1,2}}) (?:-(?P<weekday>[0-9]))?
          | -(?P<month>[0-9]{{1,2}}) (?:-(?P<day>[0-9]{{1,2}}))?
          | -(?P<ordinal>[0-9]{{3}}) )? )?
    (?P<sep> [Tt ]
        (?: (?P<hour>[0-9]{{1,2}}) (?: : (?P<minute>[0-9]{{1,2}}) (?: : (?P<second>[0-9]{{1,2}}) )? )?
            (?: [.,] (?P<fraction>[0-9]{{1,9}}) )? )?
        (?P<offset>{OFFSET})? )?""",
    re.VERBOSE,
)


def parse_iso8601(text: str, zone: tzinfo = UTC, *, nanoseconds: bool = False) -> int:
    """Return the nanoseconds since the epoch.

    Args:
        text: ``2001-11-06T20:45:45.123+0900``, ``2001-11-06 20:45:45,123``, ``2001-W45-2``, ``2001-310``...
        zone: The time zone of texts without an offset.
        nanoseconds: Keep nine fraction digits; else three, truncating the rest.

    Raises:
        ValueError: It has none of these forms, or there is no such time.
    """
    match = _PATTERN.fullmatch(text)
    if match is None or (match["year"] is None and match["hour"] is None):
        raise ValueError(f"{text!r} is not ISO 8601")
    if match["sep"] and match["sep"][0] == " " and (match["day"] is None or match["minute"] is None):
        raise ValueError(f"{text!r} is not ISO 8601: HH:mm must follow the space")
    local = datetime.combine(_date(match), datetime.min.time())
    nanos = _nanos_of_day(match)
    local += timedelta(seconds=nanos // _NS)
    offset = match["offset"]
    seconds = to_epoch(local, zone) if offset is None else to_epoch(local, UTC) - offset_seconds(offset)
    nanos %= _NS
    return seconds * _NS + (nanos if nanoseconds else nanos - nanos % 1_000_000)


def _date(match: re.Match[str]) -> date:
    if match["year"] is None:
        return date(1970, 1, 1)
    year = int(match["year"])
    if match["week"]:
        return date.fromisocalendar(year, int(match["week"]), int(match["weekday"] or 1))
    if match["ordinal"]:
        return day_of_year(year, int(match["ordinal"]))
    return date(year, int(match["month"] or 1), int(match["day"] or 1))


def day_of_year(year: int, day: int) -> date:
    """Return the date of a day of the year, from 1. Raises ValueError if the year has no such day."""
    result = date(year, 1, 1) + timedelta(days=day - 1)
    if result.year != year:
        raise ValueError(f"the year {year} has no day {day}")
    return result


def _nanos_of_day(match: re.Match[str]) -> int:
    """Return the time of day in nanoseconds; a fraction applies to the smallest unit given."""
    hour, minute, second = (int(match[unit] or 0) for unit in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"there is no time {hour}:{minute}:{second}")
    unit = 1 if match["second"] else 60 if match["minute"] else 3600
    fraction = int((match["fraction"] or "").ljust(9, "0")) * unit
    return (hour * 3600 + minute * 60 + second) * _NS + fraction
