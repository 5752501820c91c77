"""Format timestamps with a Joda-Time pattern: ``%{+YYYY.MM.dd}``.

Follows https://www.joda.org/joda-time/key_format.html. Joda counts milliseconds: a longer fraction is
filled with zeros. Names are English.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timezone, tzinfo
from functools import lru_cache

from ingestd.event.times.joda_pattern import PatternPart, split_pattern
from ingestd.event.times.locales import LocaleNames, find_names
from ingestd.event.timestamp import to_datetime

TimePrinter = Callable[[str], str]
"""Formats a timestamp of an event; ValueError if the text is not a timestamp."""

PartPrinter = Callable[[datetime, int], str]
"""Formats one part of a pattern, given a local time to the second and its nanoseconds."""

_DAYS, _HOURS, _MINUTES, _SECONDS, _ALL = 10, 13, 16, 19, None
"""How many characters of ``2026-11-22T10:00:00.000Z`` determine the result."""

_PREFIX_LENGTHS = dict.fromkeys("aKhHk", _HOURS) | {"m": _MINUTES, "s": _SECONDS, "S": _ALL}
_CACHE_SIZE = 4096


@lru_cache(maxsize=256)
def compile_joda_print(pattern: str, zone: tzinfo = UTC) -> TimePrinter:
    """Return the function that formats a timestamp with ``pattern``, in the time zone ``zone``.

    Raises:
        ValueError: The pattern is not valid.
    """
    parts = split_pattern(pattern)
    names = find_names("en")
    return cached_print([_part_printer(part, names) for part in parts], _prefix_length(parts, zone), zone)


def _prefix_length(parts: list[PatternPart], zone: tzinfo) -> int | None:
    """Return how many characters of a timestamp determine the result, ``None``: all."""
    lengths = [_PREFIX_LENGTHS.get(part.letter, _DAYS) for part in parts]
    longest = _DAYS
    for length in lengths:
        if length is None:
            return None
        longest = max(longest, length)
    return longest if zone is UTC else max(longest, _SECONDS)  # old local times had offsets with minutes and seconds


def cached_print(printers: list[PartPrinter], prefix_length: int | None, zone: tzinfo) -> TimePrinter:
    """Return the function that joins the ``printers``; timestamps with the same prefix share one result.

    An index name is the same all day, so it costs a slice and a dict lookup.
    """

    def render(text: str) -> str:
        moment, nanos = to_datetime(text)
        local = moment.replace(tzinfo=UTC)
        if zone is not UTC:
            local = local.astimezone(zone)
        return "".join([print_part(local, nanos) for print_part in printers])

    if prefix_length is None:
        return render
    seen: dict[str, str] = {}

    def render_once(text: str) -> str:
        if text[-1:] != "Z":
            return render(text)  # with an offset, the UTC day may differ from the day in the text
        known = seen.get(text[:prefix_length])
        if known is None:
            known = render(text)
            if len(seen) >= _CACHE_SIZE:
                seen.clear()
            seen[text[:prefix_length]] = known
        return known

    return render_once


def number(read: Callable[[datetime], int], width: int) -> PartPrinter:
    """Return the printer of a number of at least ``width`` digits."""
    return lambda local, nanos: f"{read(local):0{width}d}"


def _part_printer(part: PatternPart, names: LocaleNames) -> PartPrinter:
    letter, width = part.letter, part.width
    if not letter:
        text = part.text
        return lambda local, nanos: text
    if letter in _NUMBERS:
        read = _NUMBERS[letter]
        return number((lambda local: read(local) % 100) if letter in "xyY" and width == 2 else read, width)
    if letter == "M":
        months = names.months if width >= 4 else names.short_months
        return (lambda local, nanos: months[local.month - 1]) if width >= 3 else number(lambda t: t.month, width)
    if letter == "E":
        weekdays = names.weekdays if width >= 4 else names.short_weekdays
        return lambda local, nanos: weekdays[local.weekday()]
    if letter == "a":
        return lambda local, nanos: names.halves[local.hour // 12]
    if letter == "G":
        return lambda local, nanos: names.eras[1]
    if letter == "S":
        return lambda local, nanos: f"{nanos // 1_000_000:03d}".ljust(width, "0")[:width]
    return _zone(letter, width)


_NUMBERS: dict[str, Callable[[datetime], int]] = {
    "C": lambda local: local.year // 100,
    "Y": lambda local: local.year,
    "y": lambda local: local.year,
    "x": lambda local: local.isocalendar().year,
    "w": lambda local: local.isocalendar().week,
    "e": datetime.isoweekday,
    "D": lambda local: local.timetuple().tm_yday,
    "d": lambda local: local.day,
    "K": lambda local: local.hour % 12,
    "h": lambda local: (local.hour - 1) % 12 + 1,
    "H": lambda local: local.hour,
    "k": lambda local: (local.hour - 1) % 24 + 1,
    "m": lambda local: local.minute,
    "s": lambda local: local.second,
}


def _zone(letter: str, width: int) -> PartPrinter:
    if letter == "Z" and width <= 2:
        return lambda local, nanos: offset_text(local, ":" if width == 2 else "")
    if letter == "z":
        return lambda local, nanos: zone_text(local, width >= 4)
    return lambda local, nanos: zone_id(local)


def zone_id(local: datetime) -> str:
    """Return the name of the zone: ``Asia/Seoul``, ``UTC``, or ``+09:00`` for an offset without a name."""
    if local.tzinfo is UTC:
        return "UTC"
    return offset_text(local, ":") if isinstance(local.tzinfo, timezone) else str(local.tzinfo)


def offset_text(local: datetime, colon: str) -> str:
    """Return the offset from UTC, ``+09:00`` or, without ``colon``, ``+0900``."""
    offset = local.utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return f"{sign}{minutes // 60:02d}{colon}{minutes % 60:02d}"


def zone_text(local: datetime, long: bool) -> str:
    """Return the abbreviation of the zone, or if ``long`` its full name (known only for UTC, else its id)."""
    if isinstance(local.tzinfo, timezone) and local.tzinfo is not UTC:
        return offset_text(local, ":")
    if not long:
        return local.tzname() or ""
    return "Coordinated Universal Time" if local.tzinfo is UTC else zone_id(local)
