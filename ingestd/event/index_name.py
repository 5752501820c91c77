"""Names of indices, and of anything else made from an event's time: worked out once a second, not per event."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ingestd.event.fields import Event
from ingestd.event.sprintf import Template

_MAX_CACHED = 100_000


def namer(template: Template) -> Callable[[Sequence[Event]], list[str]]:
    """Return a function from n events to their n names.

    A template that reads only ``@timestamp`` is rendered once for each day, hour, minute or second, as far
    as it looks at the time.
    """
    render, reach = template.render, template.reach
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
