"""Quiet hours: when notifications wait."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From ``start`` until ``end``, minutes since midnight; over midnight if the end is before the start."""

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> QuietHours | None:
        """Return the hours in ``22:00-07:00``; None for an empty text.

        Raises:
            ValueError: They are none.
        """
        if not text:
            return None
        match = _HOURS.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"expected hours such as 22:00-07:00, found {text!r}")
        hours = [int(part) for part in match.groups()]
        start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        if start == end:
            raise ValueError(f"{text!r} starts when it ends; leave it out for no quiet hours")
        return cls(start, end)

    def include(self, now: float, zone: datetime.tzinfo | None) -> bool:
        """Return whether a time, in seconds since 1970, is in them; ``zone``: None is the machine's."""
        local = datetime.datetime.fromtimestamp(now, zone)
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end
