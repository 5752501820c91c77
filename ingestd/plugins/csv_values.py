"""Values of CSV columns: the conversions of Logstash's filter and codec ``csv``.

A text that a conversion does not accept stays as it is, and a column without text stays null. Follows the converters of
https://docs.ruby-lang.org/en/3.1/CSV.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

from ingestd.event.timestamp import from_datetime, normalise
from ingestd.plugins.filters._ruby import strict_float
from ingestd.plugins.filters._times import machine_zone

Convert = Callable[[str], Any]

_OCTAL = re.compile("[+-]?0(?:_?[0-7])+")
_WORDS = r"(?:\w+,?\s+)?(\w+)\s+(\d{1,2})"
_DATE_IN_WORDS = re.compile(rf"{_WORDS},?\s+(\d{{2,4}})", re.ASCII)
_TIME_IN_WORDS = re.compile(rf"{_WORDS}\s+(\d{{1,2}}):(\d{{1,2}}):(\d{{1,2}}),?\s+(\d{{2,4}})", re.ASCII)
_ISO_DATE = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})")
_ISO_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T\s]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)[0-9]*"
    r"([+-][0-9]{2}(?::[0-9]{2})?|\s(?:UTC|GMT)|Z)?)?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

CONVERSIONS = ("integer", "float", "date", "date_time", "boolean")


def converter(name: str) -> Convert:
    """Return the conversion ``name``. Times without a zone are UTC, dates start in the time zone of this machine.

    Raises:
        ValueError: There is no such conversion.
    """
    if name not in CONVERSIONS:
        raise ValueError(f"convert: {name!r} is not one of {', '.join(CONVERSIONS)}")
    if name == "boolean":
        return _boolean
    zone = machine_zone() if name == "date" else UTC
    read: Callable[[str], Any] = {
        "integer": _integer,
        "float": lambda text: strict_float(text.strip()),
        "date": lambda text: _date(text, zone),
        "date_time": _date_time,
    }[name]

    def convert(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, OverflowError):
            return text

    return convert


def _boolean(text: str) -> Any:
    word = text.strip().lower()
    return {"true": True, "false": False}.get(word, word)


def _integer(text: str) -> int:
    text = text.strip()
    if not text.isascii() or "x_" in text:
        raise ValueError(text)
    return int(text, 8) if _OCTAL.fullmatch(text) else int(text, 0)


def _date(text: str, zone: tzinfo) -> str:
    if match := _ISO_DATE.fullmatch(text):
        return from_datetime(datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=zone))
    if match := _DATE_IN_WORDS.fullmatch(text):
        return from_datetime(datetime(_year(match[3]), _month(match[1]), int(match[2]), tzinfo=zone))
    raise ValueError(text)


def _date_time(text: str) -> str:
    if match := _ISO_TIME.fullmatch(text):
        day, time, zone = match[1], match[2], match[3] or ""
        stamp = normalise(day if time is None else f"{day}T{time}{'' if zone.strip().isalpha() else zone}")
        if stamp is not None:
            return stamp
    elif match := _TIME_IN_WORDS.fullmatch(text):
        month, day, hour, minute, second, year = match.groups()
        clock = (int(hour), int(minute), int(second))
        return from_datetime(datetime(_year(year), _month(month), int(day), *clock, tzinfo=UTC))
    raise ValueError(text)


def _month(word: str) -> int:
    """Return the number of a month. Raises ValueError if ``word`` names none."""
    return _MONTHS.index(word[:3].lower()) + 1


def _year(digits: str) -> int:
    year = int(digits)
    return year if len(digits) > 2 else year + (1900 if year >= 69 else 2000)
