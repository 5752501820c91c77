"""Names of indices, and of anything else made from the time of an event: computed once per second, not per event."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from operator import itemgetter

from ingestd.event.batch import Batch
from ingestd.event.fields import Event, FieldRef
from ingestd.event.sprintf import Render, Template

_MAX_CACHED = 100_000
_MINUTE = len("2026-11-22T10:00")


def namer(template: Template, zone: datetime.tzinfo | None = None) -> Callable[[Batch], list[str]]:
    """Return a function from the n events of a batch to their n names.

    A template that reads only ``@timestamp`` is rendered once per day, hour, minute or second, whichever it needs.
    ``zone``: the time zone of the rendered dates, None: UTC.
    """
    render, prefix_length = template.render, template.prefix_length
    if zone is not None:
        render = _in_zone(render, zone)
        prefix_length = (
            None if prefix_length is None else max(prefix_length, _MINUTE)
        )  # time zone offsets are whole minutes
    if template.reads != {"@timestamp"} or prefix_length is None:
        tops = sorted({FieldRef(name).top for name in template.reads})
        return lambda batch: [render(event) for event in batch.fields(tops)]
    cache: dict[str, str] = {}
    prefix_of = itemgetter(slice(prefix_length))

    def names(batch: Batch) -> list[str]:
        stamps = batch.column("@timestamp")
        try:
            prefixes = [*map(prefix_of, stamps)]
            if len(distinct := {*prefixes}) == 1:  # usually, and quicker
                return [cache[distinct.pop()]] * len(stamps)
            return [cache[prefix] for prefix in prefixes]
        except (KeyError, TypeError):
            pass
        if len(cache) > _MAX_CACHED:
            cache.clear()
        for stamp in stamps:
            if type(stamp) is str:
                cache.setdefault(stamp[:prefix_length], render({"@timestamp": stamp}))
        return [render({"@timestamp": stamp}) for stamp in stamps]

    return names


def _in_zone(render: Render, zone: datetime.tzinfo) -> Render:
    """Return a function that renders an event with its ``@timestamp`` shifted to a time zone."""
    shifted: dict[str, str] = {}

    def local(event: Event) -> str:
        stamp = event.get("@timestamp")
        if type(stamp) is not str:
            return render(event)
        minute = stamp[:_MINUTE]
        if (local_minute := shifted.get(minute)) is None:
            if len(shifted) > _MAX_CACHED:
                shifted.clear()
            local_minute = shifted[minute] = _local_minute(minute, zone)
        return render(event | {"@timestamp": local_minute + stamp[_MINUTE:]})

    return local


def _local_minute(minute: str, zone: datetime.tzinfo) -> str:
    """Return the local time of a minute in UTC; unchanged at the ends of the calendar."""
    try:
        moment = datetime.datetime.fromisoformat(minute).replace(tzinfo=datetime.UTC).astimezone(zone)
    except (ValueError, OverflowError):
        return minute
    return f"{moment:%Y-%m-%dT%H:%M}" if moment.year > 999 else minute
