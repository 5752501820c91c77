"""Stretches of time, the newest first, so that all events can be read in order while few are sorted at a time."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence

from ingestd.stores.local.files.layout import Folder
from ingestd.stores.local.query.sql import bound
from ingestd.stores.query import Query

HEAVY_BYTES = 1 << 30
"""The size of the documents of a day from which it is read hour by hour."""

_HOUR = datetime.timedelta(hours=1)
_DAY = datetime.timedelta(days=1)


def slices(query: Query, sizes: Sequence[tuple[Folder, int]]) -> Iterator[Query] | None:
    """Return the query for one stretch of time after the other, all that the indices may hold; None: not to be told.

    Args:
        query: The query.
        sizes: The indices, and how many bytes of documents each of them has.
    """
    spans = [(folder.span(), size) for folder, size in sizes]
    moment = datetime.datetime.fromisoformat
    known = [(moment(span[0]), moment(span[1]), size) for span, size in spans if span is not None]
    if len(known) < len(spans):
        return None
    return _cut(query, known)


def _cut(query: Query, spans: Sequence[tuple[datetime.datetime, datetime.datetime, int]]) -> Iterator[Query]:
    end = max((after for _, after, _ in spans), default=None)
    while end is not None:
        heavy = any(first < end <= after and size > HEAVY_BYTES for first, after, size in spans)
        begin = end - (_HOUR if heavy else _DAY)
        if any(first < end and begin < after for first, after, _ in spans):
            yield from _within(query, begin.isoformat(), end.isoformat())
        end = begin if any(first < begin for first, _, _ in spans) else None


def _within(query: Query, since: str, until: str) -> Iterator[Query]:
    """Return the query for a stretch of time, nothing if it is not in the range of the query."""
    if query.since is not None and bound(query.since) > since:
        since = query.since
    if query.until is not None and bound(query.until) < until:
        until = query.until
    if bound(since) < bound(until):
        yield dataclasses.replace(query, since=since, until=until)
