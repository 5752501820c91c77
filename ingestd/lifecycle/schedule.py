"""When the daily work is due: cron syntax in a time zone. Time is a parameter.

Wall-clock times that a change to summer time skips are due right after it; those that the change back repeats are
due once, the first time.
"""

from __future__ import annotations

import datetime
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

_CHANGE = datetime.timedelta(hours=3)  # more than any zone's clock is ever set forth or back at once


class Schedule:
    """A cron expression of five fields, such as ``10 0 * * *``, or ``@daily``; crontab(5).

    Args:
        cron: The expression.
        zone: An IANA name such as ``Asia/Seoul``; empty: the machine's own.

    Raises:
        ValueError: One of them is wrong; the text says which.
    """

    def __init__(self, cron: str, zone: str = "") -> None:
        if len(cron.split()) != 5 and not cron.startswith("@"):
            raise ValueError(f"expected five fields such as '10 0 * * *', found {cron!r}")
        try:
            croniter(cron)
        except (ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"{cron!r} is no cron expression: {error}") from None
        try:
            self._zone = ZoneInfo(zone) if zone else None
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"there is no time zone {zone!r}; write one like Asia/Seoul") from None
        self._cron = cron

    def last(self, now: datetime.datetime) -> datetime.datetime:
        """Return the latest moment, in UTC, at which work was due; ``now`` is aware."""
        moments = croniter(self._cron, self._wall(now) + _CHANGE)
        while (moment := self._utc(cast("datetime.datetime", moments.get_prev(datetime.datetime)))) > now:
            pass
        return moment

    def next(self, now: datetime.datetime) -> datetime.datetime:
        """Return the first moment after ``now``, in UTC, at which work is due."""
        moments = croniter(self._cron, self._wall(now) - _CHANGE)
        while (moment := self._utc(cast("datetime.datetime", moments.get_next(datetime.datetime)))) <= now:
            pass
        return moment

    def due(self, done: datetime.datetime | None, now: datetime.datetime) -> bool:
        """Return whether there is work to do.

        Args:
            done: The moment for which it was done last. One that lies ahead comes from a clock that was wrong.
            now: The time; work that was missed, because the machine slept, is due now, once.
        """
        return done is None or done > now or self.last(now) > done

    def _wall(self, moment: datetime.datetime) -> datetime.datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None)

    def _utc(self, wall: datetime.datetime) -> datetime.datetime:
        return wall.replace(tzinfo=self._zone).astimezone(datetime.UTC)  # PEP 495, fold=0: as the docstring says
