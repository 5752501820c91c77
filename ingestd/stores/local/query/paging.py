"""Reading results in parts: time slices, so that few events are sorted at a time, and cursors, for the next page.

Pages neither skip nor repeat events that were there for the first page, whatever is appended or sealed in between: a
cursor is the sort key of a hit (time and id), not a position in a file. Documents without ids may share a sort key; the
cursor then counts how many of them were returned.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from ingestd.stores.local.files.layout import IndexFolder
from ingestd.stores.local.query.sql import SortKey, bound
from ingestd.stores.query import Query

HEAVY_BYTES = 1 << 30
"""A day with documents of more than this size is read hour by hour."""

_HOUR = datetime.timedelta(hours=1)
_DAY = datetime.timedelta(days=1)


def time_slices(query: Query, sizes: Sequence[tuple[IndexFolder, int]]) -> Iterator[Query] | None:
    """Return the query once for each time slice that the indices may cover, newest first; None if that is unknown.

    Args:
        query: The query.
        sizes: The indices, with the size of their documents in bytes.
    """
    spans = [(folder.time_bounds(), size) for folder, size in sizes]
    moment = datetime.datetime.fromisoformat
    known = [(moment(span[0]), moment(span[1]), size) for span, size in spans if span is not None]
    if len(known) < len(spans):
        return None
    return _cut(query, known)


def _cut(query: Query, spans: Sequence[tuple[datetime.datetime, datetime.datetime, int]]) -> Iterator[Query]:
    end = max((after for _, after, _ in spans), default=None)
    while end is not None:
        heavy = any(first < end <= after and size > HEAVY_BYTES for first, after, size in spans)
        start = end - (_HOUR if heavy else _DAY)
        if any(first < end and start < after for first, after, _ in spans):
            yield from _within(query, start.isoformat(), end.isoformat())
        end = start if any(first < start for first, _, _ in spans) else None


def _within(query: Query, since: str, until: str) -> Iterator[Query]:
    """Yield the query for a time slice, nothing if the slice is outside of the query's range."""
    if query.since is not None and bound(query.since) > since:
        since = query.since
    if query.until is not None and bound(query.until) < until:
        until = query.until
    if bound(since) < bound(until):
        yield dataclasses.replace(query, since=since, until=until)


@dataclass(frozen=True, slots=True)
class Cursor:
    """All documents before ``sort_key`` and ``seen`` documents with this key were returned."""

    sort_key: SortKey
    seen: int

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Parse a cursor.

        Raises:
            ValueError: It is malformed.
        """
        with contextlib.suppress(orjson.JSONDecodeError):
            match orjson.loads(text):
                case [int() | None as time, str(key), int(seen)] if seen > 0:
                    return cls(SortKey(time, key), seen)
        raise ValueError(f"{text!r} is not a cursor of this store")

    def text(self) -> str:
        """Return the text that `parse` accepts."""
        return orjson.dumps([self.sort_key.time, self.sort_key.id, self.seen]).decode()

    def narrow(self, query: Query) -> Query:
        """Return the query without times that earlier pages covered, if the cursor has a time: fewer files are read."""
        if self.sort_key.time is None:
            return query
        after = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=self.sort_key.time + 1)
        until = after.isoformat(timespec="microseconds") + "Z"
        if query.until is not None and bound(query.until) <= bound(until):
            return query
        return dataclasses.replace(query, until=until)
