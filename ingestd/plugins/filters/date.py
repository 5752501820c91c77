"""``date``: read a time from a field and make it the event's timestamp.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-date and the plugin's version
3.2. Kinder than it: `ISO8601` also takes `yyyy-MM-dd HH:mm:ss` without a fraction; a weekday that does not fit
the day of the month does not move the date; `locale` may hold `%{field}` too.
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
"""From a field's value and the current time to nanoseconds since the epoch; ValueError if it does not fit."""

_MS = 1_000_000

_COUNTS: dict[str, Callable[[object], int]] = {
    "UNIX": parse_unix,
    "UNIX_MS": parse_unix_ms,
    "TAI64N": parse_tai64n,
}

_CACHED_TEXTS = 4096
_CACHED_CHARS = 64  # times are shorter; long texts that are none must not fill the memory
_CACHE_S = 900  # the year that a text lacks may change then: zones are offset by quarters of an hour


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``date``."""

    match: list[str] = option([], 'The field, then the formats to try in turn: `["logdate", "ISO8601"]`.')
    target: FieldRef = option(FieldRef("@timestamp"), "Where the time is stored.")
    timezone: Template = option(
        Template(""), "Zone of times that name none: `Asia/Seoul`, `+09:00`, `%{field}`; empty is this machine's."
    )
    locale: Template = option(Template("en"), "Language of the names of months and weekdays: `en`, `fr-FR`, `de_DE`.")
    tag_on_failure: list[str] = option(["_dateparsefailure"], "Tags for an event whose field fits no format.")
    precision: str = option(
        "ms", "Keep three fraction digits of a second, or with `ns` up to nine.", choices=("ms", "ns")
    )


def _touches(options: Options) -> Touch:
    reads = {FieldRef(name).text for name in options.match[:1]} | options.timezone.reads | options.locale.reads
    sets = {options.target.text} | ({"tags"} if options.tag_on_failure else set())
    return Touch(reads=frozenset(reads), sets=frozenset(sets))


@filter_plugin("date", Options, touches=_touches, failure_tag="_dateparsefailure", timed=True)
def build(options: Options, context: BuildContext) -> TimedFilterFn:
    """Read a time from a field and store it as the event's timestamp.

    Formats are `ISO8601`, `UNIX`, `UNIX_MS`, `TAI64N`, or Joda-Time patterns such as `dd/MMM/yyyy:HH:mm:ss Z`.
    An event without the field passes untouched; one whose field fits no format keeps its timestamp and gets
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
    """Return what finds the time of (event, the field's value, now), by zone and locale of the event."""
    formats, grain = tuple(options.match[1:]), 1 if options.precision == "ns" else _MS
    zone, locale = options.timezone, options.locale
    home = None if zone.static is None else find_zone(zone.static) if zone.static else machine_zone()
    readers = _readers(formats, home or UTC, locale.static or "en", grain)
    if home is not None and locale.static is not None:
        find = _remember(readers, grain)
        return lambda event, value, now: find(value, now)
    counts = [read for name, read in zip(formats, readers, strict=True) if name in _COUNTS]

    @lru_cache(maxsize=256)
    def finder(zone_name: str, locale_name: str) -> Callable[[Any, float], str | None]:
        try:
            return _remember(_readers(formats, home or find_zone(zone_name), locale_name, grain), grain)
        except ValueError:
            return _remember(counts, grain)  # no such zone or locale: a count of seconds asks for neither

    return lambda event, value, now: finder(zone.render(event), locale.render(event))(value, now)


def _readers(formats: tuple[str, ...], zone: tzinfo, locale: str, grain: int) -> list[_Read]:
    """Return one reader for each format. Raises ValueError for an unknown locale or a bad pattern."""
    return [_reader(name, zone, locale, grain == 1) for name in formats]


def _reader(name: str, zone: tzinfo, locale: str, nanoseconds: bool) -> _Read:
    if name in _COUNTS:
        parse_count = _COUNTS[name]
        return lambda value, now: parse_count(value)
    if name == "ISO8601":
        return _texts_only(lambda text, now: parse_iso8601(text, zone, nanoseconds=nanoseconds))
    return _texts_only(compile_joda_parse(name, locale, zone, nanoseconds=nanoseconds))


def _texts_only(parse: Callable[[str, float], int]) -> _Read:
    def read(value: Any, now: float) -> int:
        if type(value) is not str:
            raise ValueError(f"{value!r} is not text")
        return parse(value, now)

    return read


def _remember(readers: list[_Read], grain: int) -> Callable[[Any, float], str | None]:
    """Return what tries ``readers`` in turn, and knows the last texts: many log lines share their second."""
    known: dict[str, str | None] = {}
    age = 0.0

    def find(value: Any, now: float) -> str | None:
        nonlocal age
        if type(value) is not str or len(value) > _CACHED_CHARS:
            return _first(readers, value, now, grain)
        if len(known) >= _CACHED_TEXTS or now // _CACHE_S != age:
            known.clear()
            age = now // _CACHE_S
        try:
            return known[value]
        except KeyError:
            time = known[value] = _first(readers, value, now, grain)
            return time

    return find


def _first(readers: list[_Read], value: Any, now: float, grain: int) -> str | None:
    """Return the timestamp that the first reader which fits makes of ``value``, None if none fits."""
    for read in readers:
        try:
            ns = read(value, now)
            return from_epoch_ns(ns - ns % grain)
        except ValueError:
            continue
    return None


def machine_zone() -> tzinfo:
    """Return the time zone of this machine: ``TZ``, else ``/etc/localtime``, else the present offset."""
    try:
        if name := os.environ.get("TZ", "").removeprefix(":"):
            return find_zone(name)
        local = Path("/etc/localtime").resolve(strict=True)
        _, found, name = str(local).partition("zoneinfo/")
        if found:
            return find_zone(name)
        with local.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (ValueError, OSError):
        return datetime.now().astimezone().tzinfo or UTC
