"""Keeps wrong dates and names from making thousands of indices: a window of days, and a bound on new indices.

What falls out becomes a dead letter, which can be replayed once the settings or the sender's clock are right.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable

from ingestd.logs import get_logger
from ingestd.settings import ACCEPT, DEAD_LETTER, Settings
from ingestd.stores.index_names import day_of
from ingestd.units import format_duration

log = get_logger(__name__)

_MAX_CACHED = 10_000


def _to_store(change: str) -> str:
    """Return what to do so that a refused event is stored."""
    return f"to store it, {change} and run: ingestd deadletters replay"


class DateWindow:
    """The days that events may have, relative to when they were received.

    Args:
        settings: ``late``, ``future`` and, if ``late`` is ``dead_letter``, ``retention.max_age``.
        zone: Of the days of indices.
    """

    def __init__(self, settings: Settings, zone: datetime.tzinfo) -> None:
        self._zone, self._days = zone, dict[str, datetime.date | None]()
        age, late = settings.retention.max_age, settings.late
        if late == DEAD_LETTER:
            late, self._why_late = age or ACCEPT, f"retention.max_age ({format_duration(age)})"
        else:
            self._why_late = f"late ({late if isinstance(late, str) else format_duration(late)})"
        self._late_days, self._future_days = _days(late), _days(settings.future)
        self._future = settings.future

    def refusal(self, name: str, received: float) -> str:
        """Return why events received at a time, in seconds since the epoch, are not for an index; empty: they are."""
        day = self._day_of(name)
        if day is None:
            return ""
        ahead = (day - datetime.datetime.fromtimestamp(received, self._zone).date()).days
        if -ahead > self._late_days:
            return f"{name} is older than {self._why_late} allows; {_to_store('set late to accept')}"
        if ahead > self._future_days:
            allowed = f"future ({format_duration(float(self._future))})"
            return f"{name} is later than {allowed} allows; {_to_store('set future to accept')}"
        return ""

    def _day_of(self, name: str) -> datetime.date | None:
        if name not in self._days:
            if len(self._days) >= _MAX_CACHED:
                self._days.clear()
            self._days[name] = day_of(name)
        return self._days[name]


def _days(window: float | str) -> float:
    return math.inf if isinstance(window, str) else math.ceil(window / 86_400)


class NewIndexLimit:
    """Bounds how many indices the events of an output may create in an hour.

    Args:
        limit: Of the setting; 0: none.
        exists: Returns whether there is an index of a name; its events need no new one.
    """

    def __init__(self, limit: int, exists: Callable[[str], bool]) -> None:
        self._limit, self._exists = limit, exists
        self._known: set[str] = set()
        self._hour, self._created = 0, 0

    def refusal(self, name: str, received: float) -> str:
        """Return why an index is not created for events received at a time, empty if it is or is there."""
        if not self._limit or name in self._known:
            return ""
        if not self._exists(name):
            hour = int(received // 3600)
            if hour != self._hour:
                self._hour, self._created = hour, 0
            if self._created >= self._limit:
                return self._refused(name)
            self._created += 1
        if len(self._known) >= _MAX_CACHED:
            self._known.clear()
        self._known.add(name)
        return ""

    def _refused(self, name: str) -> str:
        if self._created == self._limit:  # once an hour
            self._created += 1
            log.error("too many new indices in an hour; events for more become dead letters", limit=self._limit)
        replay = _to_store("set a higher limit, or wait an hour,")
        return f"the new index {name} is more than new_indices_per_hour ({self._limit}) allows; {replay}"
