"""Format timestamps with a pattern of ``java.time.format.DateTimeFormatter``: ``%{{yyyy-MM-dd}}``.

Follows its class documentation, Java 21. Names are English, weeks are those of ISO 8601 (from Monday, the
first one has four days), as in the examples of Logstash's documentation; fractions go to the nanosecond.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from ingestd.event.times.joda_pattern import PatternPart, split_pattern
from ingestd.event.times.joda_print import (
    PartPrinter,
    TimePrinter,
    cached_print,
    number,
    offset_text,
    zone_id,
    zone_text,
)
from ingestd.event.times.locales import LocaleNames, find_names

_LETTERS = "GuyDMLdQqYwWEecFaBhKkHmsSAnNVvzOXxZp"
_UNSUPPORTED = "Bp"
_FINEST = "SAnN"
_WIDEST = dict.fromkeys("GMLQqEecXxZ", 5) | dict.fromkeys("dwhHkKmsV", 2) | dict.fromkeys("WFa", 1) | {
    "D": 3, "S": 9, "v": 4, "z": 4, "O": 4
}  # fmt: skip


@lru_cache(maxsize=256)
def compile_java_time_print(pattern: str, zone: tzinfo = UTC) -> TimePrinter:
    """Return the function that formats a timestamp with ``pattern``, in the time zone ``zone``.

    Raises:
        ValueError: The pattern is not valid, or has the letters ``B`` or ``p``, which are not supported.
    """
    names = find_names("en")
    parts = split_pattern(pattern, _LETTERS)
    printers: list[PartPrinter] = []
    for part in parts:
        if part.letter and part.letter in _UNSUPPORTED:
            raise ValueError(f"date pattern {pattern!r}: the letter {part.letter!r} is not supported")
        if not part.letter and set(part.text) & set("{}#"):
            raise ValueError(f"date pattern {pattern!r}: braces and '#' are reserved")
        if part.width > _WIDEST.get(part.letter, part.width):
            raise ValueError(f"date pattern {pattern!r}: too many letters {part.letter!r}")
        printers.append(_part_printer(part, names))
    prefix_length = (
        None if any(part.letter and part.letter in _FINEST for part in parts) else len("2026-11-22T10:00:00")
    )
    return cached_print(printers, prefix_length, zone)


def _part_printer(part: PatternPart, names: LocaleNames) -> PartPrinter:
    letter, width = part.letter, part.width
    if not letter:
        text = part.text.replace("[", "").replace("]", "")  # they enclose optional parts, and none is missing
        return lambda local, nanos: text
    if letter in _TEXTS and width >= 3:
        return _TEXTS[letter](names, width)
    if letter in "uyY":
        return _year(letter, width)
    if letter in _NUMBERS:
        return number(_NUMBERS[letter], width)
    if letter in "SAnN":
        return _fraction(letter, width)
    return _TEXTS[letter](names, width) if letter in _TEXTS else _zone(letter, width)


def _year(letter: str, width: int) -> PartPrinter:
    read: Callable[[datetime], int] = _week_year if letter == "Y" else lambda local: local.year
    return number((lambda local: read(local) % 100) if width == 2 else read, width)


def _week_year(local: datetime) -> int:
    return local.isocalendar().year


def _quarter(local: datetime) -> int:
    return (local.month + 2) // 3


def _week_of_month(local: datetime) -> int:
    first = local.replace(day=1).weekday()
    return (local.day + first - 1) // 7 + (1 if first <= 3 else 0)


_NUMBERS: dict[str, Callable[[datetime], int]] = {
    "D": lambda local: local.timetuple().tm_yday,
    "M": lambda local: local.month,
    "L": lambda local: local.month,
    "d": lambda local: local.day,
    "Q": _quarter,
    "q": _quarter,
    "w": lambda local: local.isocalendar().week,
    "W": _week_of_month,
    "e": datetime.isoweekday,
    "c": datetime.isoweekday,
    "F": lambda local: (local.day - 1) // 7 + 1,
    "h": lambda local: (local.hour - 1) % 12 + 1,
    "K": lambda local: local.hour % 12,
    "k": lambda local: (local.hour - 1) % 24 + 1,
    "H": lambda local: local.hour,
    "m": lambda local: local.minute,
    "s": lambda local: local.second,
}


def _choice(long: list[str], short: list[str], index: Callable[[datetime], int]) -> Callable[[int], PartPrinter]:
    """Return the printer of a name by its width: three letters the short name, four the long one, five the initial."""

    def printer(width: int) -> PartPrinter:
        chosen = long if width == 4 else short if width <= 3 else [name[0] for name in long]
        return lambda local, nanos: chosen[index(local)]

    return printer


_QUARTERS = ["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"]


def _month(names: LocaleNames, width: int) -> PartPrinter:
    return _choice(names.months, names.short_months, lambda local: local.month - 1)(width)


def _weekday(names: LocaleNames, width: int) -> PartPrinter:
    return _choice(names.weekdays, names.short_weekdays, datetime.weekday)(width)


def _quarter_name(names: LocaleNames, width: int) -> PartPrinter:
    if width == 5:
        return lambda local, nanos: str(_quarter(local))
    return _choice(_QUARTERS, ["Q1", "Q2", "Q3", "Q4"], lambda local: _quarter(local) - 1)(width)


def _half(names: LocaleNames, width: int) -> PartPrinter:
    return lambda local, nanos: names.halves[local.hour // 12]


def _era(names: LocaleNames, width: int) -> PartPrinter:
    text = {4: "Anno Domini", 5: "A"}.get(width, "AD")
    return lambda local, nanos: text


_TEXTS: dict[str, Callable[[LocaleNames, int], PartPrinter]] = {
    "M": _month,
    "L": _month,
    "E": _weekday,
    "e": _weekday,
    "c": _weekday,
    "Q": _quarter_name,
    "q": _quarter_name,
    "a": _half,
    "G": _era,
}


def _fraction(letter: str, width: int) -> PartPrinter:
    if letter == "S":
        return lambda local, nanos: f"{nanos:09d}"[:width]
    if letter == "n":
        return lambda local, nanos: f"{nanos:0{width}d}"
    unit = 1_000_000 if letter == "A" else 1

    def of_day(local: datetime, nanos: int) -> str:
        seconds = local.hour * 3600 + local.minute * 60 + local.second
        return f"{(seconds * 1_000_000_000 + nanos) // unit:0{width}d}"

    return of_day


def _zone(letter: str, width: int) -> PartPrinter:
    if letter == "V":
        return lambda local, nanos: "Z" if local.tzinfo is UTC else zone_id(local)
    if letter in "vz":
        return lambda local, nanos: "Z" if local.tzinfo is UTC else zone_text(local, width == 4)
    if letter == "O" or (letter == "Z" and width == 4):
        return lambda local, nanos: _localized(offset_text(local, ":"), width == 4)
    colon = ":" if width in (3, 5) else ""
    zulu = letter == "X" or width == 5
    short = letter in "Xx" and width == 1

    def offset(local: datetime, nanos: int) -> str:
        text = offset_text(local, colon)
        if zulu and text in ("+0000", "+00:00"):
            return "Z"
        return text.removesuffix("00") if short and len(text) == 5 else text

    if letter == "Z" and width <= 3:
        return lambda local, nanos: offset_text(local, "")
    return offset


def _localized(offset: str, long: bool) -> str:
    """Return ``GMT``, ``GMT+9`` or, if ``long``, ``GMT+09:00``."""
    if offset == "+00:00":
        return "GMT"
    if long:
        return f"GMT{offset}"
    hours, minutes = offset[1:].split(":")
    return f"GMT{offset[0]}{int(hours)}" + (f":{minutes}" if minutes != "00" else "")
