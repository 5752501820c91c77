"""What an export reads and where it writes: hits day by day, and a file that is whole or absent."""

from __future__ import annotations

import datetime
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from ingestd.event.timestamp import from_datetime
from ingestd.files import open_atomic
from ingestd.stores.base import Hit, LogStore
from ingestd.stores.query import Query

STDOUT = "-"
_DAY_S = 86_400


def hits_by_day(store: LogStore, query: Query, total: int) -> Iterator[Hit]:
    """Yield all ``total`` hits of a query, newest first, one day at a time: only one day is sorted in memory."""
    days = store.histogram(query, _DAY_S)
    if sum(sum(day.counts.values()) for day in days) < total:  # some events have no time, so they are in no day
        yield from store.search(query, 0)
        return
    for day in reversed(days):
        start = datetime.datetime.fromisoformat(day.time)
        since, until = max(query.since or day.time, day.time), query.until  # all have the same form
        if start.date() < datetime.date.max:
            end = from_datetime(start + datetime.timedelta(seconds=_DAY_S))
            until = min(until or end, end)
        yield from store.search(replace(query, since=since, until=until), 0)


def documents_of(hits: Iterable[Hit], total: int, progress: Callable[[int, int], None]) -> Iterator[bytes]:
    """Yield the documents of hits; ``progress`` is called with (done, total) about 200 times."""
    step = max(total // 200, 1)
    done = 0
    for done, hit in enumerate(hits, 1):
        yield hit.document
        if done % step == 0:
            progress(done, max(total, done))
    progress(done, max(done, 1))


@contextmanager
def export_target(output: str) -> Iterator[tuple[IO[bytes], Path]]:
    """Open the file to write, ``-`` for stdout, and a folder for temporary files.

    The file gets its name only if nothing was raised.
    """
    if output == STDOUT:
        yield sys.stdout.buffer, Path(tempfile.gettempdir())
        sys.stdout.flush()
        return
    path = Path(output)
    with open_atomic(path) as file:
        yield file, path.parent
