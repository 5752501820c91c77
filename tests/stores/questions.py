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
    """A zone whose clocks went back from UTC+9 to UTC+8 at 2026-11-21T15:00:06Z, between events of one minute."""

    def fromutc(self, dt: datetime.datetime) -> datetime.datetime:
        changed = dt.replace(tzinfo=None) >= datetime.datetime(2026, 11, 21, 15, 0, 6)
        return (dt + datetime.timedelta(hours=8 if changed else 9)).replace(fold=changed)

    def utcoffset(self, dt: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(hours=8 if dt is not None and dt.fold else 9)

    def dst(self, dt: datetime.datetime | None) -> None:
        return None

    def tzname(self, dt: datetime.datetime | None) -> None:
        return None
