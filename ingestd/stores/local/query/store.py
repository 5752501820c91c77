"""``LocalStore``: read the built-in store with DuckDB, while writers append to it."""

from __future__ import annotations

import datetime
import functools
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ingestd.event.fields import FieldError
from ingestd.stores.base import Bucket, Hit, IndexInfo, StoreError, TopValue
from ingestd.stores.local.files.index_folder import delete_index
from ingestd.stores.local.files.layout import IndexFolder, index_folders
from ingestd.stores.local.query import sql
from ingestd.stores.local.query.engine import Engine, Session, VanishedError
from ingestd.stores.local.query.listing import Listing
from ingestd.stores.local.query.paging import Cursor, time_slices
from ingestd.stores.query import Query

_ATTEMPTS = 20
"""How often files are listed again that vanished before they were read, because they were sealed or deleted."""

_PAGE = 10_000
"""Up to this limit, the newest days are read first and older ones only if needed; all results are held in memory."""

Row = tuple[int | None, str, str, str]
"""Time in microseconds since 1970, id, document, file."""


class LocalStore:
    """The built-in store as a ``LogStore``. Thread-safe.

    Nothing is opened or created before the first call; a root that does not exist is an empty store. Each call opens a
    separate DuckDB, limited to ``memory_bytes`` and ``threads``; it spills to a temporary folder, up to 4 GiB. Events
    that are appended during a query may or may not be seen; sealing or deleting files does not disturb a query.

    Args:
        root: Root of the store (``layout.store_root``).
        memory_bytes: Limit for DuckDB's memory.
        threads: Limit for its threads.
        timeout_s: Time limit of each query, in seconds; a query that exceeds it raises `QueryTimeoutError`.
    """

    def __init__(
        self, root: Path, memory_bytes: int = 768 << 20, threads: int | None = None, timeout_s: float | None = None
    ) -> None:
        self._root = root
        self._engine = Engine(memory_bytes, threads, timeout_s)
        self._listing = Listing()

    def indices(self) -> list[IndexInfo]:
        """Return all indices. The manifest counts sealed events; append logs are counted again when they change."""
        try:
            return [self._listing.info(folder) for folder in index_folders(self._root)]
        except OSError as error:
            raise StoreError(f"cannot read the store: {error.strerror or error}") from error

    def search(self, query: Query, limit: int = 50, after: str | None = None) -> Iterator[Hit]:
        """Return the matching documents newest first, byte for byte as they were appended.

        Of events with the same time, in microseconds, the greater id comes first.

        Raises:
            ValueError: ``limit`` is negative, or ``after`` is not a cursor.
        """
        if limit < 0:
            raise ValueError("a limit cannot be negative")
        cursor = None if after is None else Cursor.parse(after)
        return _hits(self._rows(query, cursor, limit and limit + (cursor.seen if cursor else 0)), cursor)

    def count(self, query: Query) -> int:
        """Return the number of matching documents."""
        rows = self._rows_of(query, lambda parts: sql.count(parts, query))
        return int(rows[0][0] or 0) if rows else 0

    def top(self, field: str, query: Query, n: int = 20) -> list[TopValue]:
        """Return the most frequent values of a field; equally frequent ones are sorted."""
        rows = self._rows_of(query, lambda parts: sql.top(parts, query, field, n))
        return [TopValue(json.loads(value), count) for value, count in rows]

    def histogram(self, query: Query, seconds: int, offset: int = 0, field: str = "level") -> list[Bucket]:
        """Return the number of documents over time, by ``field``; events without a time are in none."""
        if seconds < 1:
            raise ValueError("an interval has at least 1 second")
        buckets: dict[int, dict[str, int]] = {}
        for start, value, count in self._rows_of(
            query, lambda parts: sql.histogram(parts, query, field, seconds, offset)
        ):
            counts = buckets.setdefault(start, {})
            label = _label(field, value)
            counts[label] = counts.get(label, 0) + count
        return [Bucket(_iso(start), counts) for start, counts in buckets.items()]

    def delete(self, index: str) -> None:
        """Delete an index; see ``index_folder`` for what that means for its readers and writers."""
        delete_index(self._root, index)

    def interrupt(self) -> None:
        """Make queries that are running in other threads raise `QueryTimeoutError`; later ones are not affected."""
        self._engine.interrupt()

    def close(self) -> None:
        """Interrupt running queries."""
        self.interrupt()

    def _rows_of(self, query: Query, build: Callable[[list[sql.FileGroup]], str]) -> list[Any]:
        with self._engine.session() as session:
            return list(self._run(index_folders(self._root), query, lambda parts: session.run(build(parts))))

    def _rows(self, query: Query, cursor: Cursor | None, limit: int) -> Iterator[Row]:
        """Yield the rows from the sort key of the cursor on."""
        rows = self._newest if 0 < limit <= _PAGE else self._stream
        if cursor is None or cursor.sort_key.time is None:
            yield from rows(query, None if cursor is None else cursor.sort_key, limit)
            return
        found = 0
        for row in rows(cursor.narrow(query), cursor.sort_key, limit):
            found += 1
            yield row
        # A time range, such as the cursor's, excludes events without a time; if the query has none, they follow now.
        if query.since is None and query.until is None and (not limit or found < limit):
            yield from rows(query, sql.UNTIMED, limit and limit - found)

    def _stream(self, query: Query, sort_key: sql.SortKey | None, limit: int) -> Iterator[Row]:
        """Read all indices, one time slice after the other, each sorted by DuckDB."""
        untimed = sort_key is not None and sort_key.time is None
        window = index_folders(self._root)
        parts = (
            None if untimed else time_slices(query, [(folder, self._listing.raw_bytes(folder)) for folder in window])
        )
        asked: Iterable[tuple[Query, sql.SortKey | None]]
        asked = [(query, sort_key)] if parts is None else ((part, sort_key) for part in parts)
        if parts is not None and query.since is None and query.until is None:
            asked = itertools.chain(asked, [(query, sql.UNTIMED)])  # they are in no slice
        found = 0
        with self._engine.session() as session:
            for part, at in asked:
                left = limit and limit - found
                for row in self._run(window, part, functools.partial(_read_all, session, part, at, left)):
                    found += 1
                    yield row
                if limit and found == limit:
                    return

    def _newest(self, query: Query, sort_key: sql.SortKey | None, limit: int) -> Iterator[Row]:
        """Read the newest index first, then the next two, four...; stop when no older one can add to the result."""
        found: list[Row] = []
        left = sorted(index_folders(self._root), key=_end)
        size = 1
        with self._engine.session() as session:
            while left:
                window, left = left[-size:], left[:-size]
                size *= 2
                found += self._run(window, query, functools.partial(_read_newest, session, query, sort_key, limit))
                found = sorted(found, key=_order, reverse=True)[:limit]
                if left and len(found) == limit and _order(found[-1])[0] >= _end(left[-1]):
                    break
        yield from found

    def _run(
        self, window: list[IndexFolder], query: Query, read: Callable[[list[sql.FileGroup]], Iterable[Any]]
    ) -> Iterator[Any]:
        """Yield what ``read`` returns for the files of some indices.

        Its queries sort or group, or are read to the end, so the first row comes after the last file was read: after
        that, a file that vanishes does no harm.
        """
        started = False
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if parts := self._listing.parts(window, query):
                    for row in read(parts):
                        started = True
                        yield row
                return
            except VanishedError as error:
                if started or attempt == _ATTEMPTS:
                    raise StoreError(str(error)) from error
            except OSError as error:
                raise StoreError(f"cannot read the store: {error.strerror or error}") from error
            except FieldError as error:
                raise StoreError(str(error)) from error


def _read_all(
    session: Session, query: Query, sort_key: sql.SortKey | None, limit: int, parts: Sequence[sql.FileGroup]
) -> Iterator[Row]:
    """Read the matching documents, newest first, in one query."""
    return session.run(sql.newest(parts, query, sort_key, limit))


def _read_newest(
    session: Session, query: Query, sort_key: sql.SortKey | None, limit: int, parts: Sequence[sql.FileGroup]
) -> Iterable[Row]:
    """Find the newest matches, then read only their documents; the rows come in any order."""
    found = list(session.run(sql.newest_rows(parts, query, sort_key, limit + 1)))
    if len(found) > limit and found[-1][:2] == found[-2][:2]:
        # Several documents have the last sort key: which of them are within the limit depends on their content.
        return _read_all(session, query, sort_key, limit, parts)
    in_append_logs = [(time, key, document, file) for time, key, document, file, row in found[:limit] if row is None]
    return in_append_logs + read_documents(session, [row for row in found[:limit] if row[4] is not None])


def read_documents(session: Session, found: Sequence[Any]) -> list[Row]:
    """Read the documents of rows of sealed files that ``sql.newest_rows`` gave, in any order.

    Raises:
        VanishedError: The files have other events now, because an index was replaced meanwhile, or do not exist.
    """
    wanted: dict[str, list[int]] = {}
    for _, _, _, file, number in found:
        wanted.setdefault(file, []).append(number)
    rows: list[Row] = list(session.run(sql.documents(wanted))) if wanted else []
    if Counter((time, key, file) for time, key, _, file in rows) != Counter((row[0], row[1], row[3]) for row in found):
        raise VanishedError("cannot read the store: an index was replaced meanwhile")
    return rows


def _hits(rows: Iterator[Row], cursor: Cursor | None) -> Iterator[Hit]:
    """Yield the hits of sorted rows that come after the cursor."""
    sort_key, seen = (None, 0) if cursor is None else (cursor.sort_key, cursor.seen)
    skip = seen
    for time, key, document, file in rows:
        here = sql.SortKey(time, key)
        if here == sort_key and skip:
            skip -= 1
            continue
        seen = seen + 1 if here == sort_key else 1
        sort_key = here
        yield Hit(Path(file).parent.name, key, document.encode(), Cursor(sort_key, seen).text())


def _order(row: Row) -> tuple[float, str, str]:
    """Return what rows are sorted by, including the document, so that the order is total."""
    return (float("-inf") if row[0] is None else row[0], row[1], row[2])


def _end(folder: IndexFolder) -> float:
    """Return a time after all events of an index, in microseconds."""
    span = folder.time_bounds()
    if span is None:
        return float("inf")
    return datetime.datetime.fromisoformat(span[1]).replace(tzinfo=datetime.UTC).timestamp() * 1e6


def _label(field: str, value: str | None) -> str:
    """Return the label that a value is counted under; empty if it is missing, null or an object."""
    if value is None or value == "null" or value[0] in "[{":
        return ""
    label = str(json.loads(value)) if value[0] == '"' else value
    return label.upper() if field == "level" else label


def _iso(seconds: int) -> str:
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds") + "Z"
