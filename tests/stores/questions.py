"""A question to a store, and what questions are made of."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ingestd.stores import lucene
from ingestd.stores.base import LogStore
from ingestd.stores.query import Query


@dataclass(frozen=True)
class Question:
    """``ask`` a store and expect an answer; ``differs`` names the kinds of store that cannot give it, and why."""

    id: str
    ask: Callable[[LogStore], Any]
    expected: Any
    differs: dict[str, str] = field(default_factory=dict)


def query(text: str = "", since: str | None = None, until: str | None = None) -> Query:
    return Query(since, until, lucene.parse(text))


class ChangedClocks(datetime.tzinfo):
    """A zone whose clocks changed at a time in UTC from some hours ahead of it to others; by default, they went back
    between events of one minute.
    """

    def __init__(
        self, before: int = 9, after: int = 8, at: datetime.datetime = datetime.datetime(2026, 11, 21, 15, 0, 6)
    ) -> None:
        self._before, self._after, self._at = before, after, at

    def fromutc(self, dt: datetime.datetime) -> datetime.datetime:
        changed = dt.replace(tzinfo=None) >= self._at
        return (dt + datetime.timedelta(hours=self._after if changed else self._before)).replace(fold=changed)

    def utcoffset(self, dt: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(hours=self._after if dt is not None and dt.fold else self._before)

    def dst(self, dt: datetime.datetime | None) -> None:
        return None

    def tzname(self, dt: datetime.datetime | None) -> None:
        return None


SKIPPED_MIDNIGHT = ChangedClocks(9, 10, datetime.datetime(2026, 11, 21, 15))
"""A zone whose clocks went from 00:00 to 01:00 as a day began, when there were events."""
