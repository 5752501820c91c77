"""Names of indices, and of anything else made from an event's time: worked out once a second, not per event."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

from ingestd.event.fields import Event
from ingestd.event.sprintf import Render, Template

_MAX_CACHED = 100_000
_MINUTE = len("2026-11-22T10:00")


def namer(template: Template, zone: datetime.tzinfo | None = None) -> Callable[[Sequence[Event]], list[str]]:
    """Return a function from n events to their n names.

    A template that reads only ``@timestamp`` is rendered once for each day, hour, minute or second, as far
    as it looks at the time. ``zone``: the time zone in which it looks at the clock, None: UTC.
    """
    render, reach = template.render, template.reach
    if zone is not None:
        render = _in_zone(render, zone)
        reach = None if reach is None else max(reach, _MINUTE)  # where a day begins is a matter of minutes
    if template.reads != {"@timestamp"} or reach is None:
        return lambda events: [render(event) for event in events]
    cache: dict[str, str] = {}

    def names(events: Sequence[Event]) -> list[str]:
        try:
            return [cache[event["@timestamp"][:reach]] for event in events]
        except (KeyError, TypeError):
            pass
        if len(cache) > _MAX_CACHED:
            cache.clear()
        for event in events:
            stamp = event.get("@timestamp")
            if type(stamp) is str:
                cache.setdefault(stamp[:reach], render(event))
        return [render(event) for event in events]

    return names


def _in_zone(render: Render, zone: datetime.tzinfo) -> Render:
    """Return what renders an event as if its ``@timestamp`` showed the clock of a time zone."""
    shifted: dict[str, str] = {}

    def local(event: Event) -> str:
        stamp = event.get("@timestamp")
        if type(stamp) is not str:
            return render(event)
        minute = stamp[:_MINUTE]
        if (clock := shifted.get(minute)) is None:
            if len(shifted) > _MAX_CACHED:
                shifted.clear()
            clock = shifted[minute] = _clock(minute, zone)
        return render(event | {"@timestamp": clock + stamp[_MINUTE:]})

    return local


def _clock(minute: str, zone: datetime.tzinfo) -> str:
    """Return what the clocks of a time zone show at a minute in UTC; the same at the ends of the calendar."""
    try:
        moment = datetime.datetime.fromisoformat(minute).replace(tzinfo=datetime.UTC).astimezone(zone)
    except (ValueError, OverflowError):
        return minute
    return f"{moment:%Y-%m-%dT%H:%M}" if moment.year > 999 else minute
