"""``date``: parse a time in a field and make it the timestamp of the event.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-date and the plugin's version
3.2. More lenient than that: `ISO8601` also accepts `yyyy-MM-dd HH:mm:ss` without a fraction; a weekday that
contradicts the day of the month does not move the date; `locale` may contain `%{field}` too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ingestd.event.fields import Event, FieldRef, add_tag
from ingestd.event.sprintf import Template
from ingestd.event.times.epochs import parse_tai64n, parse_unix, parse_unix_ms
from ingestd.event.times.iso8601 import parse_iso8601
from ingestd.event.times.joda_parse import compile_joda_parse
from ingestd.event.times.zones import find_zone
from ingestd.event.timestamp import from_epoch_ns
from ingestd.plugins.registry import BuildContext, TimedFilterFn, Touch, filter_plugin, option

_Read = Callable[[Any, float], int]
"""Parses the value of a field, given the current time, to nanoseconds since the epoch; ValueError on a mismatch."""

_MS = 1_000_000

_EPOCH_FORMATS: dict[str, Callable[[object], int]] = {
    "UNIX": parse_unix,
    "UNIX_MS": parse_unix_ms,
    "TAI64N": parse_tai64n,
}

_CACHED_TEXTS = 4096
_CACHED_CHARS = 64  # times are shorter; long texts must not exhaust the memory
_CACHE_S = 900  # a missing year may change then: time zone offsets are multiples of 15 minutes


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``date``."""

    match: list[str] = option([], 'The field, then the formats to try in turn: `["logdate", "ISO8601"]`.')
    target: FieldRef = option(FieldRef("@timestamp"), "Field for the time.")
    timezone: Template = option(
        Template(""),
        "Time zone of times without one: `Asia/Seoul`, `+09:00`, `%{field}`; default: the zone of this machine.",
    )
    locale: Template = option(Template("en"), "Language of the names of months and weekdays: `en`, `fr-FR`, `de_DE`.")
    tag_on_failure: list[str] = option(["_dateparsefailure"], "Tags for an event whose field matches no format.")
    precision: str = option("ms", "Keep milliseconds, or with `ns` nanoseconds.", choices=("ms", "ns"))


def _touches(options: Options) -> Touch:
    reads = {FieldRef(name).text for name in options.match[:1]} | options.timezone.reads | options.locale.reads
    sets = {options.target.text} | ({"tags"} if options.tag_on_failure else set())
    return Touch(reads=frozenset(reads), sets=frozenset(sets))


@filter_plugin("date", Options, touches=_touches, failure_tag="_dateparsefailure", timed=True)
def build(options: Options, context: BuildContext) -> TimedFilterFn:
    """Parse a time in a field and store it as the timestamp of the event.

    Formats are `ISO8601`, `UNIX`, `UNIX_MS`, `TAI64N`, or Joda-Time patterns such as `dd/MMM/yyyy:HH:mm:ss Z`.
    An event without the field is not changed; one whose field matches no format keeps its timestamp and gets
    the tags of `tag_on_failure`.
    """
    if len(options.match) < 2:
        raise ValueError('match needs a field and at least one format: ["logdate", "ISO8601"]')
    source, target = FieldRef(options.match[0]), options.target
    find_time = _make_find_time(options)
    tags = options.tag_on_failure

    def date(event: Event, received_ns: int) -> bool:
        value = source.get(event)
        if value is None:
            return False
        time = find_time(event, value, received_ns / 1e9)
        if time is None:
            for tag in tags:
                add_tag(event, tag)
            return False
        target.set(event, time)
        return True

    return date


def _make_find_time(options: Options) -> Callable[[Event, Any, float], str | None]:
    """Return a function that parses the time, given the event, the value and now, in the event's zone and locale."""
    formats, resolution = tuple(options.match[1:]), 1 if options.precision == "ns" else _MS
    zone, locale = options.timezone, options.locale
    home = None if zone.static is None else find_zone(zone.static) if zone.static else machine_zone()
    readers = _readers(formats, home or UTC, locale.static or "en", resolution)
    if home is not None and locale.static is not None:
        find = _cached(readers, resolution)
        return lambda event, value, now: find(value, now)
    epoch_readers = [read for name, read in zip(formats, readers, strict=True) if name in _EPOCH_FORMATS]

    @lru_cache(maxsize=256)
    def finder(zone_name: str, locale_name: str) -> Callable[[Any, float], str | None]:
        try:
            return _cached(_readers(formats, home or find_zone(zone_name), locale_name, resolution), resolution)
        except ValueError:
            return _cached(epoch_readers, resolution)  # no such zone or locale: epoch formats need neither

    return lambda event, value, now: finder(zone.render(event), locale.render(event))(value, now)


def _readers(formats: tuple[str, ...], zone: tzinfo, locale: str, resolution: int) -> list[_Read]:
    """Return one reader for each format. Raises ValueError for an unknown locale or a bad pattern."""
    return [_reader(name, zone, locale, resolution == 1) for name in formats]


def _reader(name: str, zone: tzinfo, locale: str, nanoseconds: bool) -> _Read:
    if name in _EPOCH_FORMATS:
        parse_epoch = _EPOCH_FORMATS[name]
        return lambda value, now: parse_epoch(value)
    if name == "ISO8601":
        return _texts_only(lambda text, now: parse_iso8601(text, zone, nanoseconds=nanoseconds))
    return _texts_only(compile_joda_parse(name, locale, zone, nanoseconds=nanoseconds))


def _texts_only(parse: Callable[[str, float], int]) -> _Read:
    def read(value: Any, now: float) -> int:
        if type(value) is not str:
            raise ValueError(f"{value!r} is not text")
        return parse(value, now)

    return read


def _cached(readers: list[_Read], resolution: int) -> Callable[[Any, float], str | None]:
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


def _first(readers: list[_Read], value: Any, now: float, resolution: int) -> str | None:
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
