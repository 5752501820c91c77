"""Parse times with a Joda-Time pattern: ``dd/MMM/yyyy:HH:mm:ss Z``.

Follows https://www.joda.org/joda-time/key_format.html and, for what that page leaves open, the behaviour of
Joda-Time 2.12: a number consumes as many digits as it can and never gives one back; leading zeros may be
missing; literal text matches in any case; ``yy`` accepts more than two digits unless a number follows.

A pattern becomes one regular expression without backtracking. More lenient than Joda-Time: a
weekday that contradicts the day of the month does not move the date.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from ingestd.event.times.iso8601 import day_of_year
from ingestd.event.times.joda_pattern import PatternPart, split_pattern
from ingestd.event.times.locales import LocaleNames, find_names
from ingestd.event.times.zones import OFFSET, SHORT_NAMES, find_zone, offset_seconds, to_epoch, zone_names

TimeParser = Callable[[str, float], int]
"""Converts a text, given the current time (seconds since the epoch), to nanoseconds since the epoch.

The current time supplies a missing year and the century of ``yy``. ValueError: the text does not match, or there
is no such time.
"""

_Fields = dict[str, Any]
_Convert = Callable[[str], Any]

_NS = 1_000_000_000
_DIGITS = {"D": 3, "e": 1} | dict.fromkeys("MdaKhHkmsw", 2)
_RANGES = {"H": (0, 23), "k": (1, 24), "K": (0, 11), "h": (1, 12), "e": (1, 7), "w": (1, 53)}


def compile_joda_parse(
    pattern: str, locale: str = "en", zone: tzinfo | None = None, *, nanoseconds: bool = False
) -> TimeParser:
    """Return the function that parses texts with ``pattern``.

    Args:
        pattern: Joda-Time letters and literal text.
        locale: Language of the names of months and weekdays: ``fr``, ``fr-FR``, ``fr_FR``.
        zone: The time zone of texts without an offset or zone; ``None`` is UTC.
        nanoseconds: Keep nine fraction digits. Joda-Time keeps three and truncates the rest.

    A text without a year gets the current one; but in January, December means last year, and in December,
    January means next year, as in Logstash.

    Raises:
        ValueError: The pattern or the locale is not valid, or the pattern has ``zzzz``, which cannot be parsed.
    """
    parts = split_pattern(pattern)
    names = find_names(locale)
    regex, readers = "", []
    for part, following in zip(parts, [*parts[1:], PatternPart("", 0)], strict=True):
        if not part.letter:
            regex += f"(?i:{re.escape(part.text)})"
            continue
        expression, key, convert = _reader(part, following.is_number, names)
        regex += f"({expression})"
        readers.append((key, convert))
    fullmatch = re.compile(regex).fullmatch
    home = zone or UTC
    resolution = 1 if nanoseconds else 1_000_000
    has_year = any(key in "yYx" for key, _ in readers)

    def parse(text: str, now: float) -> int:
        match = fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} does not match {pattern!r}")
        fields = {key: convert(value) for (key, convert), value in zip(readers, match.groups(), strict=True)}
        try:
            local = datetime.combine(
                _date(fields, None if has_year else datetime.fromtimestamp(now, home)), _time(fields)
            )
        except OverflowError:
            raise ValueError(f"{text!r} is outside the years 1 to 9999") from None
        ahead = int(fields.get("Z", 0))
        seconds = to_epoch(local, UTC if "Z" in fields else fields.get("z", home)) - ahead
        nanos = int(fields.get("S", 0))
        return seconds * _NS + nanos - nanos % resolution

    return parse


def _reader(part: PatternPart, number_follows: bool, names: LocaleNames) -> tuple[str, str, _Convert]:
    """Return for a field: the regex of its text, the key of its value, and the conversion of the text."""
    letter, width = part.letter, part.width
    if letter in "yYx":
        return _year(letter, width, number_follows)
    if letter == "C":
        return f"[+-]?[0-9]{{1,{width}}}+", "C", int
    if letter == "S":
        return f"[0-9]{{1,{width}}}+", "S", lambda text: int(text[:9].ljust(9, "0"))
    if letter == "Z" and width <= 2:
        return OFFSET, "Z", offset_seconds
    if letter in "zZ":
        return _zone(letter, width)
    spellings = {
        "G": names.read_eras, "a": names.read_halves, "E": names.read_weekdays,
        "M": names.read_months if width >= 3 else None,
    }.get(letter)  # fmt: skip
    if spellings is not None:
        return _any_of(spellings), "e" if letter == "E" else letter, spellings.__getitem__
    return f"[0-9]{{1,{max(_DIGITS[letter], width)}}}+", letter, _in_range(letter)


def _any_of(texts: Any) -> str:
    return "(?>" + "|".join(map(re.escape, texts)) + ")"


def _in_range(letter: str) -> _Convert:
    if letter not in _RANGES:
        return int  # ``date`` and ``time`` reject invalid values
    low, high = _RANGES[letter]

    def convert(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"{value} for {letter!r} is not in the range {low} to {high}")
        return value

    return convert


def _year(letter: str, width: int, number_follows: bool) -> tuple[str, str, _Convert]:
    if width != 2:
        sign = "" if letter == "Y" else "[+-]?"
        return f"{sign}[0-9]{{1,{width if number_follows else max(width, 9)}}}+", letter, int
    two_digits = "xx" if letter == "x" else "yy"
    return "[0-9]{2}" if number_follows else "[+-]?[0-9]++", two_digits, str


def _zone(letter: str, width: int) -> tuple[str, str, _Convert]:
    if letter == "Z":
        return _any_of(zone_names()), "z", find_zone
    if width >= 4:
        raise ValueError("names of time zones (zzzz) cannot be parsed: use Z for offsets, ZZZ for Asia/Seoul")
    return _any_of(sorted(SHORT_NAMES, key=len, reverse=True)), "z", lambda text: find_zone(SHORT_NAMES[text])


def _full_year(text: str, today: datetime) -> int:
    """Return the year of two digits: from 80 years ago to 19 years ahead; other lengths are the year itself."""
    if len(text) != 2 or not text.isdigit():
        return int(text)
    first = today.year - 80
    return first + (int(text) - first) % 100


def _date(fields: _Fields, today: datetime | None) -> date:
    """Return the date of the fields; ``today`` is given unless they have a full year."""
    weekyear = _full_year(fields["xx"], today) if today and "xx" in fields else fields.get("x")
    year = _full_year(fields["yy"], today) if today and "yy" in fields else fields.get("y", fields.get("Y"))
    if "C" in fields:
        year = fields["C"] * 100 + (year or 0) % 100
    if year is not None and fields.get("G") == 0:
        raise ValueError("years before Christ are not supported")
    month, day, weekday = fields.get("M"), fields.get("d"), fields.get("e")
    if weekyear is not None or ("w" in fields and month is None and day is None):
        if weekyear is None:
            weekyear = date(year or _this_year(today), 1, 1).isocalendar().year
        return date.fromisocalendar(weekyear, fields.get("w", 1), weekday or 1)
    if "D" in fields and month is None and day is None:
        return day_of_year(year or _this_year(today), fields["D"])
    if year is None:
        year = _guess_year(month or 1, today)
    result = date(year, 1 if month is None else month, 1 if day is None else day)
    if weekday is not None and day is None:
        return result + timedelta(days=weekday - result.isoweekday())
    return result


def _this_year(today: datetime | None) -> int:
    assert today is not None  # noqa: S101 -- ``parse`` passes it whenever there is no year
    return today.year


def _guess_year(month: int, today: datetime | None) -> int:
    year = _this_year(today)
    if today and (month, today.month) == (12, 1):
        return year - 1
    if today and (month, today.month) == (1, 12):
        return year + 1
    return year


def _time(fields: _Fields) -> time:
    """Return the time of day of the fields, to the second."""
    hour = fields.get("H")
    if hour is None:
        hour = fields.get("k", 0) % 24
    half = fields.get("a", hour // 12)
    if "h" in fields or "K" in fields:
        hour = half * 12 + (fields["h"] if "h" in fields else fields["K"]) % 12
    elif "a" in fields and "H" not in fields and "k" not in fields:
        hour = half * 12
    return time(hour, fields.get("m", 0), fields.get("s", 0))
