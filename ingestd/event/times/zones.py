"""Time zones by name and by offset, and conversion of local time to UTC as in Joda-Time.

Names are those of the tz database (https://www.iana.org/time-zones), as in
https://www.joda.org/joda-time/timezones.html.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

OFFSET = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3])(?>:[0-5][0-9](?>:[0-5][0-9])?+|[0-5][0-9](?>[0-5][0-9])?+)?+)"
"""A regex for an offset from UTC: ``Z``, ``+09``, ``+0900``, ``-03:30``, ``+05:30:00``."""

_NAMED_OFFSET = re.compile(r"(?:UTC?|GMT)?([+-])([0-9]{1,2})(?::?([0-5][0-9]))?")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)

SHORT_NAMES = {
    **dict.fromkeys(("UT", "UTC", "GMT"), "UTC"),
    **dict.fromkeys(("EST", "EDT"), "America/New_York"),
    **dict.fromkeys(("CST", "CDT"), "America/Chicago"),
    **dict.fromkeys(("MST", "MDT"), "America/Denver"),
    **dict.fromkeys(("PST", "PDT"), "America/Los_Angeles"),
}
"""The zones of the pattern letter ``z``. Other abbreviations are ambiguous and are rejected, as in Joda-Time."""


def offset_seconds(text: str) -> int:
    """Return the seconds east of UTC of a text that ``OFFSET`` matches."""
    if text in ("Z", "z"):
        return 0
    digits = text[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4] or 0) * 60 + int(digits[4:6] or 0)
    return -seconds if text[0] == "-" else seconds


@lru_cache(maxsize=1024)
def find_zone(name: str) -> tzinfo:
    """Return the zone ``name``: ``Asia/Seoul``, ``CET``, ``UTC``, ``+09:00``, ``UTC-3``.

    Raises:
        ValueError: There is no such zone.
    """
    if name in ("UTC", "Z"):
        return UTC
    if match := _NAMED_OFFSET.fullmatch(name):
        sign, hours, minutes = match.groups()
        ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if ahead < timedelta(days=1):
            return timezone(-ahead if sign == "-" else ahead)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: the name of a directory of zones
        raise ValueError(f"unknown time zone {name!r}: write Asia/Seoul, Europe/Paris, UTC or +09:00") from None


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """Return the names of all zones of the tz database, longest first."""
    from importlib import resources  # noqa: PLC0415 -- expensive, and only ``ZZZ`` needs it

    text = resources.files("tzdata").joinpath("zones").read_text("ascii")
    return tuple(sorted(text.split(), key=lambda name: (-len(name), name)))


def to_epoch(local: datetime, zone: tzinfo) -> int:
    """Return the seconds since the epoch at which the clocks of ``zone`` show ``local`` (without tzinfo).

    If they show it twice, it is the first time, as in Joda-Time.

    Raises:
        ValueError: They never show it: it is in the hour skipped in spring.
    """
    moment = local.replace(tzinfo=zone)
    if zone is not UTC:
        # PEP 495: in a gap fold=0 has the offset before the change, the smaller one; in an overlap the larger
        first, second = moment.utcoffset(), moment.replace(fold=1).utcoffset()
        if first is not None and second is not None and first < second:
            raise ValueError(f"{local} does not exist in {zone}: the clocks skip it")
    return (moment - _EPOCH) // _SECOND
