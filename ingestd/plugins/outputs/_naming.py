"""The index of each event, and which events have none: those whose name no store accepts, those that are too old."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from zoneinfo import ZoneInfo

from ingestd.event.batch import Batch
from ingestd.event.index_name import namer
from ingestd.event.sprintf import Template
from ingestd.plugins.interfaces import Rejection
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings
from ingestd.stores.base import InvalidIndexError
from ingestd.stores.index_names import check_index, day_of
from ingestd.units import format_duration

_MAX_CACHED = 10_000


class Naming:
    """Names the index of each event of an output.

    Args:
        index: The option ``index``.
        timezone: The option ``index_timezone``; empty: the daemon's setting.
        context: Of the output.
        check: Raises InvalidIndexError for a name that the store never accepts.

    Raises:
        ValueError: There is no such time zone.
    """

    def __init__(
        self, index: Template, timezone: str, context: BuildContext, check: Callable[[str], None] = check_index
    ) -> None:
        self._check = check
        zone = _zone(timezone or context.settings.index_timezone)
        self._names = namer(index, zone)
        self._too_old = _too_old(context.settings, zone or datetime.UTC)

    def __call__(self, batch: Batch) -> tuple[Batch, list[str], list[Rejection]]:
        """Return the events that have an index, the index of each, and the events that have none."""
        names = self._names(batch)
        received = batch.received_ns / 1e9
        refused = {name: why for name in set(names) if (why := self._refusal(name, received))}
        if not refused:
            return batch, names, []
        rows = zip(names, batch.documents(), batch.ids(), strict=True)
        rejected = [Rejection(refused[name], raw, event_id, name) for name, raw, event_id in rows if name in refused]
        kept = [position for position, name in enumerate(names) if name not in refused]
        return batch.part(kept), [names[position] for position in kept], rejected

    def _refusal(self, name: str, received: float) -> str:
        """Return why no event received at a time, in seconds since the epoch, goes to an index; empty: they do."""
        if "%{" in name:  # as in Logstash
            return f"the event lacks a field of its index name {name}"
        try:
            self._check(name)
        except InvalidIndexError as error:
            return str(error)
        return self._too_old(name, received)


def _zone(name: str) -> datetime.tzinfo | None:
    if name in {"", "UTC"}:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # there is no such file, or it does not describe a time zone
        raise ValueError(f"index_timezone: there is no time zone {name!r}; write one like Asia/Seoul") from None


def _too_old(settings: Settings, zone: datetime.tzinfo) -> Callable[[str, float], str]:
    """Return a function from an index and a time to why it is older than retention keeps then; empty: it is not.

    ``zone``: the time zone of the days of indices.
    """
    age = settings.retention.max_age
    if settings.late != "dead_letter" or not age:
        return lambda name, now: ""
    days: dict[str, datetime.date | None] = {}

    def too_old(name: str, now: float) -> str:
        if name not in days:
            if len(days) > _MAX_CACHED:
                days.clear()
            days[name] = day_of(name)
        day = days[name]
        today = datetime.datetime.fromtimestamp(now, zone).date()
        if day is None or day >= today - datetime.timedelta(days=math.ceil(age / 86_400)):
            return ""
        return (
            f"{name} is older than retention.max_age ({format_duration(age)}) allows; with late = accept it is stored"
        )

    return too_old
