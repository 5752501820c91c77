"""Times in a query: ``2026-11-22`` is a whole day, ``2026-11-22T10`` an hour, with an offset or in UTC.

As in Elasticsearch, a time without its smaller parts stands for the whole interval: ``[2026-11-21 TO 2026-11-22]``
includes all of the second day, ``{2026-11-21 TO *]`` starts after the first (its page on rounding in range queries).
"""

from __future__ import annotations

import datetime
import re

from ingestd.stores.query import Range

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


class TimeError(ValueError):
    """A text is not a time; ``kind`` is that of the query's error."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


def time_range(low: str | None, high: str | None, low_inclusive: bool = True, high_inclusive: bool = True) -> Range:
    """Return the range of ``@timestamp`` between two times as they are written in a query.

    Raises:
        TimeError: One of them is not a time.
    """
    first = last = None
    if low is not None:
        first, end = interval(low)
        if end and not low_inclusive:
            first, low_inclusive = end, True
    if high is not None:
        last, end = interval(high)
        if end and high_inclusive:
            last, high_inclusive = end, False
    return Range("@timestamp", first, last, low_inclusive, high_inclusive)


def interval(text: str) -> tuple[str, str | None]:
    """Return the start, inclusive, and end, exclusive, of what a time stands for: in UTC, with ``Z``.

    The end of a time with a fraction of a second is None: it is a single point in time.

    Raises:
        TimeError: It is not a time, or there is no such day.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise TimeError("not_a_time", text)
    parts = {name: int(match[name]) for name in ("year", "month", "day", "hour", "minute", "second") if match[name]}
    try:
        start = datetime.datetime(**({"month": 1, "day": 1} | parts)) - _offset(match["offset"])  # type: ignore[arg-type]
        end = _end(start, parts)
    except (ValueError, OverflowError):
        raise TimeError("no_such_time", text) from None
    if match["fraction"]:
        return f"{start.isoformat()}{match['fraction']}Z", None
    return f"{start.isoformat()}Z", f"{end.isoformat()}Z"


def _offset(text: str | None) -> datetime.timedelta:
    if not text or text == "Z":
        return datetime.timedelta()
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 18 or minutes > 59:
        raise ValueError("no such offset")
    size = datetime.timedelta(hours=hours, minutes=minutes)
    return size if text[0] == "+" else -size


def _end(start: datetime.datetime, parts: dict[str, int]) -> datetime.datetime:
    for name, step in _STEPS.items():
        if name in parts:
            return start + step
    if "month" in parts:
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start.replace(year=start.year + 1)
