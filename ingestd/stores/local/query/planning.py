"""Planning a query: which files it reads, in which time slices, and where a page starts.

Time slices keep the number of events that are sorted together small. Pages neither skip nor repeat events that existed
when the first page was read, whatever is appended or sealed meanwhile: a cursor is the sort key of a hit (time and id),
not a position in a file. Documents without ids may share a sort key; the cursor then counts how many were returned.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from ingestd.event.timestamp import from_epoch_ns
from ingestd.stores.base import IndexInfo, StoreError
from ingestd.stores.local.files import manifest
from ingestd.stores.local.files.append_log import count_bytes
from ingestd.stores.local.files.layout import IndexFolder
from ingestd.stores.local.query import sql
from ingestd.stores.local.query.conditions import SourceColumns
from ingestd.stores.local.query.sql import SortKey, bound
from ingestd.stores.query import Query

HEAVY_BYTES = 1 << 30
"""A day with documents of more than this size is read hour by hour."""

_HOUR = datetime.timedelta(hours=1)
_DAY = datetime.timedelta(days=1)
_FIRST = datetime.datetime.min

GroupKey = tuple[SourceColumns | None, bool]
"""The columns of files (None: append logs) and whether their rows must be filtered by time."""


class FileLister:
    """Lists the files of indices, and caches the number of lines of append logs."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[tuple[int, int, int], int]] = {}  # path: (inode, size, mtime), lines

    def file_groups(self, folders: Sequence[IndexFolder], query: Query) -> list[sql.FileGroup]:
        """Return the files that may have events in the query's range, grouped by whether all their events are in it.

        Raises:
            OSError: A folder cannot be read.
            StoreError: A manifest cannot be read, or a bound of the range is not a time.
        """
        groups: dict[GroupKey, list[str]] = {}
        time_range = _micros(query.since), _micros(query.until)
        for folder in folders:
            append_logs, sealed = manifest.contents(folder.path)
            if append_logs and _may_have_events(folder, query):
                # Even if the whole day is in the range: there may be events without a time.
                timed = query.since is not None or query.until is not None
                groups.setdefault((None, timed), []).extend(
                    str(folder.path / str(append_log)) for append_log in append_logs
                )
            for file, timed in _sealed_in(sealed, *time_range):
                groups.setdefault((SourceColumns(file.columns), timed), []).append(str(folder.path / file.name))
        return [sql.FileGroup(tuple(files), timed, columns) for (columns, timed), files in groups.items()]

    def info(self, folder: IndexFolder) -> IndexInfo:
        """Return the entry of ``LogStore.indices`` for an index."""
        append_logs, sealed = manifest.contents(folder.path)
        events = sum(file.events for file in sealed.files) + sum(
            self._count_lines(folder.path / str(append_log)) for append_log in append_logs
        )
        size = 0
        for entry in folder.path.iterdir():
            with contextlib.suppress(FileNotFoundError):
                size += entry.stat().st_size
        return IndexInfo(folder.index, folder.day, events, size)

    def raw_bytes(self, folder: IndexFolder) -> int:
        """Return the approximate size of the documents of an index, in bytes.

        Raises:
            StoreError: The index cannot be read.
        """
        try:
            append_logs, sealed = manifest.contents(folder.path)
            size = sum(file.raw_bytes for file in sealed.files)
            for append_log in append_logs:
                with contextlib.suppress(FileNotFoundError):
                    size += (folder.path / str(append_log)).stat().st_size
            return size
        except OSError as error:
            raise StoreError(f"cannot read the store: {error.strerror or error}") from error

    def _count_lines(self, path: Path) -> int:
        """Return the number of complete lines of an append log, 0 if it was deleted meanwhile."""
        with contextlib.suppress(FileNotFoundError):
            stat = path.stat()
            version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            cached = self._lines.get(str(path))
            if cached is None or cached[0] != version:
                cached = self._lines[str(path)] = (version, count_bytes(path, b"\n"))
            return cached[1]
        return 0


def _may_have_events(folder: IndexFolder, query: Query) -> bool:
    """Return whether an index may have events in the query's range."""
    first, after = folder.time_bounds() or ("", "~")
    return not (
        (query.since is not None and after <= bound(query.since))
        or (query.until is not None and first >= bound(query.until))
    )


def _sealed_in(
    sealed: manifest.Manifest, since: int | None, until: int | None
) -> Iterator[tuple[manifest.SealedFile, bool]]:
    """Yield the sealed files with events in a range, and whether they also have others."""
    for file in sealed.files:
        if since is None and until is None:
            yield file, False
        elif file.first is not None and file.last is not None:
            if (since is not None and file.last < since) or (until is not None and file.first > until):
                continue
            within = (since is None or since < file.first) and (until is None or file.last < until)
            yield file, bool(file.untimed) or not within


def _micros(time: str | None) -> int | None:
    """Return a time as microseconds since 1970, rounded down."""
    if time is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(time)
    except ValueError:
        raise StoreError(f"{time!r} is not a time: write 2026-11-22T10:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(microseconds=1)


def time_slices(query: Query, sizes: Sequence[tuple[IndexFolder, int]]) -> Iterator[Query] | None:
    """Return the query once for each time slice that the indices may cover, newest first; None if that is unknown.

    Args:
        query: The query.
        sizes: The indices, with the size of their documents in bytes.
    """
    parse = datetime.datetime.fromisoformat
    spans = []
    for folder, size in sizes:
        bounds = folder.time_bounds()
        if bounds is None:
            return None
        spans.append((parse(bounds[0]), parse(bounds[1]), size))
    return _slices(query, spans)


def _slices(query: Query, spans: Sequence[tuple[datetime.datetime, datetime.datetime, int]]) -> Iterator[Query]:
    end = max((after for _, after, _ in spans), default=None)
    while end is not None:
        heavy = any(first < end <= after and size > HEAVY_BYTES for first, after, size in spans)
        width = _HOUR if heavy else _DAY
        start = end - width if end - _FIRST > width else _FIRST
        if any(first < end and start < after for first, after, _ in spans):
            yield from _within(query, start.isoformat(), end.isoformat())
        end = max((min(after, start) for first, after, _ in spans if first < start), default=None)


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
        try:
            until = from_epoch_ns((self.sort_key.time + 1) * 1000)
        except ValueError:  # the last microsecond of the year 9999
            return query
        if query.until is not None and bound(query.until) <= bound(until):
            return query
        return dataclasses.replace(query, until=until)
