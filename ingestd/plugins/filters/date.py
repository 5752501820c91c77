"""``date``: parse a time in a field and make it the timestamp of the event.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-date and the plugin's version
3.2. More lenient than that: `ISO8601` also accepts `yyyy-MM-dd HH:mm:ss` without a fraction; a weekday that
contradicts the day of the month does not move the date; `locale` may contain `%{field}` too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from functools import lru_cache
from itertools import repeat
from typing import Any

from ingestd.event.fields import Event, FieldRef
from ingestd.event.sprintf import Template
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.event.times.pattern_mistakes import pattern_mistakes
from ingestd.event.times.zones import find_zone
from ingestd.plugins.filters._times import (
    EPOCH_FORMATS,
    MILLISECOND,
    machine_zone,
    time_finder,
    time_readers,
)
from ingestd.plugins.registry import BuildContext, ColumnsFn, OptionWarning, Touch, filter_plugin, option


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


def _warnings(options: Options) -> Iterator[OptionWarning]:
    """Yield what is probably a mistake in a format, such as the day of the year beside a month."""
    for text in options.match[1:]:
        if text == "ISO8601" or text in EPOCH_FORMATS:
            continue
        for mistake in pattern_mistakes(text):
            hint = f'write "{mistake.corrected}"'
            yield OptionWarning("match", mistake.text, hint, mistake.start, mistake.length, value=text)


def _trace_details(options: Options) -> Callable[[Event], Iterator[str]]:
    """Return a function that says which format fits."""
    field, formats = options.match[0], options.match[1:]
    finders = [(text, _make_find_time(replace(options, match=[field, text]))) for text in formats]

    def details(event: Event) -> Iterator[str]:
        value = FieldRef(field).get(event)
        if value is None:
            yield f"{field} is missing"
            return
        fit = next((text for text, find_time in finders if find_time(event, value, time.time()) is not None), None)
        yield f"{field} has the format {fit}" if fit else f"{field} has none of the formats: {', '.join(formats)}"

    return details


@filter_plugin(
    "date",
    Options,
    touches=_touches,
    failure_tag="_dateparsefailure",
    columns=True,
    option_warnings=_warnings,
    trace_details=_trace_details,
)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Parse a time in a field and store it as the timestamp of the event.

    Formats are `ISO8601`, `UNIX`, `UNIX_MS`, `TAI64N`, or Joda-Time patterns such as `dd/MMM/yyyy:HH:mm:ss Z`.
    An event without the field is not changed; one whose field matches no format keeps its timestamp and gets
    the tags of `tag_on_failure`.
    """
    if len(options.match) < 2:
        raise ValueError('match needs a field and at least one format: ["logdate", "ISO8601"]')
    source, target, tags = FieldRef(options.match[0]), options.target, options.tag_on_failure
    find_time, reads = _make_find_time(options), options.timezone.reads | options.locale.reads
    names = tuple(sorted({FieldRef(name).top for name in reads}))

    def date(table: Table, rows: Rows, received_ns: int) -> Rows:
        values, now = table.values(source), received_ns / 1e9
        if not names and len(target.path) == 1 and {*map(type, texts := table.pick(values, rows))} == {str}:
            found = {text: find_time({}, text, now) for text in {*texts}}
            if None not in found.values():  # usually
                table.replace(target.top, rows, [*map(found.__getitem__, texts)])
                return rows
        put = table.setter(target)
        events = table.fields(rows, names) if names else repeat({}, len(rows))
        passed: list[int] = []
        for row, event in zip(rows, events, strict=True):
            value = values[row]
            if value is ABSENT or value is None:
                continue
            time = find_time(event, value, now)
            if time is not None:
                put(row, time)
                passed.append(row)
                continue
            for tag in tags:
                table.add_tag(row, tag)
        return passed

    return date


def _make_find_time(options: Options) -> Callable[[Event, Any, float], str | None]:
    """Return a function that parses the time, given the event, the value and now, in the event's zone and locale."""
    formats, resolution = tuple(options.match[1:]), 1 if options.precision == "ns" else MILLISECOND
    zone, locale = options.timezone, options.locale
    home = None if zone.static is None else find_zone(zone.static) if zone.static else machine_zone()
    readers = time_readers(formats, home or UTC, locale.static or "en", resolution)
    if home is not None and locale.static is not None:
        find = time_finder(readers, resolution)
        return lambda event, value, now: find(value, now)
    epoch_readers = [read for name, read in zip(formats, readers, strict=True) if name in EPOCH_FORMATS]

    @lru_cache(maxsize=256)
    def finder(zone_name: str, locale_name: str) -> Callable[[Any, float], str | None]:
        try:
            return time_finder(time_readers(formats, home or find_zone(zone_name), locale_name, resolution), resolution)
        except ValueError:
            return time_finder(epoch_readers, resolution)  # no such zone or locale: epoch formats need neither

    return lambda event, value, now: finder(zone.render(event), locale.render(event))(value, now)
