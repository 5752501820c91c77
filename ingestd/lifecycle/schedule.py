"""When backup and retention run: cron syntax in a time zone. Time is a parameter.

Times that are skipped when daylight saving time starts are due right after; times that are repeated when it ends are
due once, the first time.
"""

from __future__ import annotations

import datetime
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

_CHANGE = datetime.timedelta(hours=3)  # more than any time zone shifts at once


class Schedule:
    """A cron expression of five fields, such as ``10 0 * * *``, or ``@daily``; crontab(5).

    Args:
        cron: The expression.
        zone: An IANA name such as ``Asia/Seoul``; empty: the machine's own.

    Raises:
        ValueError: One of them is invalid; the text says which.
    """

    def __init__(self, cron: str, zone: str = "") -> None:
        if len(cron.split()) != 5 and not cron.startswith("@"):
            raise ValueError(f"expected five fields such as '10 0 * * *', found {cron!r}")
        try:
            croniter(cron)
        except (ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"{cron!r} is not a cron expression: {error}") from None
        try:
            self._zone = ZoneInfo(zone) if zone else None
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"there is no time zone {zone!r}; use a name such as Asia/Seoul") from None
        self._cron = cron

    def last(self, now: datetime.datetime) -> datetime.datetime:
        """Return the latest moment, in UTC, at which a run was due; ``now`` is aware."""
        moments = croniter(self._cron, self._wall(now) + _CHANGE)
        while (moment := self._utc(cast("datetime.datetime", moments.get_prev(datetime.datetime)))) > now:
            pass
        return moment

    def next(self, now: datetime.datetime) -> datetime.datetime:
        """Return the first moment after ``now``, in UTC, at which a run is due."""
        moments = croniter(self._cron, self._wall(now) - _CHANGE)
        while (moment := self._utc(cast("datetime.datetime", moments.get_next(datetime.datetime)))) <= now:
            pass
        return moment

    def is_due(self, done: datetime.datetime | None, now: datetime.datetime) -> bool:
        """Return whether a run is due.

        Args:
            done: The scheduled time of the last run. If it is in the future, the clock was wrong.
            now: The time; runs that were missed, because the machine slept, are due now, once.
        """
        return done is None or done > now or self.last(now) > done

    def _wall(self, moment: datetime.datetime) -> datetime.datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None)

    def _utc(self, wall: datetime.datetime) -> datetime.datetime:
        return wall.replace(tzinfo=self._zone).astimezone(datetime.UTC)  # PEP 495, fold=0: as the docstring says
