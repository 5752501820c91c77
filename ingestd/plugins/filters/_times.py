"""Read times with the formats of the filter ``date``, with a cache: many log lines have the same second."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ingestd.event.times.epochs import parse_tai64n, parse_unix, parse_unix_ms
from ingestd.event.times.iso8601 import parse_iso8601
from ingestd.event.times.joda_parse import compile_joda_parse
from ingestd.event.times.zones import find_zone
from ingestd.event.timestamp import from_epoch, from_epoch_ns

TimeReader = Callable[[Any, float], int]
"""Parses the value of a field, given the current time, to nanoseconds since the epoch; ValueError on a mismatch."""

MILLISECOND = 1_000_000  # nanoseconds

EPOCH_FORMATS: dict[str, Callable[[object], int]] = {
    "UNIX": parse_unix,
    "UNIX_MS": parse_unix_ms,
    "TAI64N": parse_tai64n,
}

_CACHED_TEXTS = 4096
_CACHED_CHARS = 64  # times are shorter; long texts must not exhaust the memory
_CACHE_S = 900  # a missing year may change then: time zone offsets are multiples of 15 minutes


def time_readers(formats: tuple[str, ...], zone: tzinfo, locale: str, resolution: int) -> list[TimeReader]:
    """Return one reader for each format. Raises ValueError for an unknown locale or a bad pattern."""
    return [_reader(name, zone, locale, resolution == 1) for name in formats]


def _reader(name: str, zone: tzinfo, locale: str, nanoseconds: bool) -> TimeReader:
    if name in EPOCH_FORMATS:
        parse_epoch = EPOCH_FORMATS[name]
        return lambda value, now: parse_epoch(value)
    if name == "ISO8601":
        return _texts_only(lambda text, now: parse_iso8601(text, zone, nanoseconds=nanoseconds))
    return _texts_only(compile_joda_parse(name, locale, zone, nanoseconds=nanoseconds))


def _texts_only(parse: Callable[[str, float], int]) -> TimeReader:
    def read(value: Any, now: float) -> int:
        if type(value) is not str:
            raise ValueError(f"{value!r} is not text")
        return parse(value, now)

    return read


def time_finder(readers: list[TimeReader], resolution: int) -> Callable[[Any, float], str | None]:
    """Return a function that tries ``readers`` in turn, with a cache: many log lines have the same second."""
    known: dict[str, str | None] = {}
    age = 0.0

    def find(value: Any, now: float) -> str | None:
        nonlocal age
        if type(value) is not str or len(value) > _CACHED_CHARS:
            return _first(readers, value, now, resolution)
        if len(known) >= _CACHED_TEXTS or now // _CACHE_S != age:
            known.clear()
            age = now // _CACHE_S
        try:
            return known[value]
        except KeyError:
            time = known[value] = _first(readers, value, now, resolution)
            return time

    return find


def _first(readers: list[TimeReader], value: Any, now: float, resolution: int) -> str | None:
    """Return the timestamp from the first reader that accepts ``value``, None if there is none."""
    for read in readers:
        try:
            ns = read(value, now)
            return from_epoch_ns(ns - ns % resolution)
        except ValueError:
            continue
    return None


def machine_zone() -> tzinfo:
    """Return the time zone of this machine: ``TZ``, else ``/etc/localtime``, else the current offset."""
    try:
        if name := os.environ.get("TZ", "").removeprefix(":"):
            return find_zone(name)
        local = Path("/etc/localtime").resolve(strict=True)
        _, separator, name = str(local).partition("zoneinfo/")
        if separator:
            return find_zone(name)
        with local.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (ValueError, OSError):
        return datetime.now().astimezone().tzinfo or UTC


_LINE_FORMATS = (
    *("dd/MMM/yyyy:HH:mm:ssZ", "dd/MMM/yyyy:HH:mm:ss", "dd/MMM/yyyy HH:mm:ss", "EEE MMM d HH:mm:ss yyyy"),
    *("ISO8601", "UNIX"),
)
_SPACE_BEFORE_OFFSET = re.compile(r"(?<=[0-9]) (?=[+-][0-9]{2}:?[0-9]{2}\Z)")


def line_timestamper(timezone: str) -> Callable[[Any, str, int], Any]:
    """Return a function that makes the time of a line the timestamp of an event, if that came without one.

    Its arguments are the timestamp of the event, the time in one of the forms that servers and loggers write, and the
    time of receipt, which is the timestamp that a codec gives to records without one. It returns the right timestamp;
    a text that is not a time changes nothing.

    Args:
        timezone: The zone of times that name none; empty: that of this machine.

    Raises:
        ValueError: There is no such zone.
    """
    zone = find_zone(timezone) if timezone else machine_zone()
    readers = map(_tidied, time_readers(_LINE_FORMATS, zone, "en", MILLISECOND))
    find_time = time_finder([*readers], MILLISECOND)
    last_ns, received = -1, ""

    def timestamp(stamp: Any, text: str, received_ns: int) -> Any:
        nonlocal last_ns, received
        if received_ns != last_ns:
            last_ns, received = received_ns, from_epoch(received_ns / 1e9)
        if stamp != received:
            return stamp
        return find_time(text, received_ns / 1e9) or stamp

    return timestamp


def _tidied(read: TimeReader) -> TimeReader:
    """Return a reader of texts that may have blanks where the formats have none."""
    return lambda text, now: read(_SPACE_BEFORE_OFFSET.sub("", text).replace("  ", " "), now)
