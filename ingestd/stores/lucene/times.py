"""Times in a query: ``2026-11-22`` is a whole day, ``2026-11-22T10`` an hour, with an offset or in UTC.

As in Elasticsearch, a time that leaves parts out stands for the whole stretch: ``[2026-11-21 TO 2026-11-22]``
ends with the second day, ``{2026-11-21 TO *]`` begins after the first (its page on rounding in range queries).
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from ingestd.stores.query import Range

FORM = "as in 2026-11-22, 2026-11-22T10:05 or 2026-11-22T19:05:00+09:00; without an offset it is UTC"

_TIME = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?P<fraction>\.\d{1,9})?)?)?"
    r"(?P<offset>Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII,
)
_STEPS = {
    "second": datetime.timedelta(seconds=1),
    "minute": datetime.timedelta(minutes=1),
    "hour": datetime.timedelta(hours=1),
    "day": datetime.timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """From ``begin`` on, and before ``end``; one point in time if ``end`` is None. Texts in UTC with ``Z``."""

    begin: str
    end: str | None


def stretch(text: str) -> Stretch:
    """Read a time.

    Raises:
        ValueError: It is none, or no such day exists.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time")
    parts = {name: int(found[name]) for name in ("year", "month", "day", "hour", "minute", "second") if found[name]}
    try:
        begin = datetime.datetime(**({"month": 1, "day": 1} | parts)) - _offset(found["offset"])  # type: ignore[arg-type]
        end = _end(begin, parts)
    except (ValueError, OverflowError):
        raise ValueError(f"there is no {text}") from None
    if found["fraction"]:
        return Stretch(f"{begin.isoformat()}{found['fraction']}Z", None)
    return Stretch(f"{begin.isoformat()}Z", f"{end.isoformat()}Z")


def time_range(low: str | None, high: str | None, low_inclusive: bool = True, high_inclusive: bool = True) -> Range:
    """Return the range of ``@timestamp`` between two times as they are written in a query.

    Raises:
        ValueError: One is no time.
    """
    first = last = None
    if low is not None:
        begin = stretch(low)
        if low_inclusive or begin.end is None:
            first = begin.begin
        else:
            first, low_inclusive = begin.end, True
    if high is not None:
        end = stretch(high)
        if not high_inclusive or end.end is None:
            last = end.begin
        else:
            last, high_inclusive = end.end, False
    return Range("@timestamp", first, last, low_inclusive, high_inclusive)


def _offset(text: str | None) -> datetime.timedelta:
    if not text or text == "Z":
        return datetime.timedelta()
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 18 or minutes > 59:
        raise ValueError("no such offset")
    size = datetime.timedelta(hours=hours, minutes=minutes)
    return size if text[0] == "+" else -size


def _end(begin: datetime.datetime, parts: dict[str, int]) -> datetime.datetime:
    for name, step in _STEPS.items():
        if name in parts:
            return begin + step
    if "month" in parts:
        return begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    return begin.replace(year=begin.year + 1)
