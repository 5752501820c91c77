"""``LocalStore``: read the built-in store with DuckDB, while writers append to it."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestd.event.fields import FieldError
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.timestamp import from_epoch_clamped
from ingestd.stores.base import Bucket, Hit, IndexInfo, StoreError, TopValue
from ingestd.stores.local.index.index_folder import delete_index
from ingestd.stores.local.index.layout import IndexFolder, index_folders
from ingestd.stores.local.query import sql, statement, value_counts
from ingestd.stores.local.query.dense_times import ROW_BYTES, dense_slices
from ingestd.stores.local.query.engine import Engine, OtherColumnsError, QueryFailedError, QuerySession, VanishedError
from ingestd.stores.local.query.planning import Cursor, FileLister, end_of, queried, time_slices
from ingestd.stores.query import Query
from ingestd.suggest import did_you_mean

if TYPE_CHECKING:
    from ingestd.stores.aggregation import Aggregation, MetricBucket

_ATTEMPTS = 20
"""How often files are listed again that vanished before they were read, because they were sealed or deleted."""

_PAGE = 10_000
"""Up to this limit, the newest days are read first and older ones only if needed; all results are held in memory."""

_SMALL_BYTES, _MAX_FIRST = 4 << 20, 16
"""Documents of this size are read in about the time that DuckDB takes to plan a query: they are read at once, unless
they are in more indices."""

_RARE_AFTER, _RARE_BYTES = 16 << 20, 1 << 20
"""Matches are rare if there are fewer than one in documents of the second size, about 1,500 events; that is known once
documents of the first size were read."""

_SAMPLE = 200
"""Events whose fields are the columns of ``SELECT *``."""

Row = tuple[int | None, str, str, str, str | None]
"""Time in microseconds since 1970, id, document, file, and what decides between documents with the same time and id."""


class LocalStore:
    """The built-in store as a ``LogStore``. Thread-safe.

    Nothing is opened or created before the first call; a root that does not exist is an empty store. The calls share a
    DuckDB, limited to ``memory_bytes`` and ``threads``; it spills to a folder in the store, up to 4 GiB.
    Events that are appended during a query may or may not be seen; sealing or deleting files does not disturb a query.

    Args:
        root: Root of the store (``layout.store_root``).
        memory_bytes: Limit for DuckDB's memory, of all calls at a time.
        threads: Limit for its threads.
        timeout_s: Time limit of each query, in seconds; a query that exceeds it raises `QueryTimeoutError`.
    """

    def __init__(
        self, root: Path, memory_bytes: int = 768 << 20, threads: int | None = None, timeout_s: float | None = None
    ) -> None:
        self._root, self._memory_bytes = root, memory_bytes
        self._engine = Engine(root, memory_bytes, threads, timeout_s)
        self._lister = FileLister()

    def indices(self) -> list[IndexInfo]:
        """Return all indices. The manifest counts sealed events; append logs are counted again when they change."""
        try:
            return list(self._lister.infos(index_folders(self._root)))
        except OSError as error:
            raise StoreError(f"cannot read the store: {error.strerror or error}") from error

    def search(self, query: Query, limit: int = 50, after: str | None = None) -> Iterator[Hit]:
        """Return the matching documents newest first.

        Each comes back with the values it was appended with; of a sealed one, the keys may be in another order.

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
        rows = self._rows_of(query, lambda groups: sql.count(groups, query))
        return int(rows[0][0] or 0) if rows else 0

    def top(self, field: str, query: Query, n: int = 20, *, paths: bool = False) -> list[TopValue]:
        """Return the most frequent values of a field; equally frequent ones are sorted."""
        rows = self._rows_of(query, lambda groups: value_counts.top(groups, query, field, n, paths=paths))
        return [TopValue(json.loads(value), count) for value, count in rows]

    def histogram(self, query: Query, seconds: int, offset: int = 0, field: str = "level") -> list[Bucket]:
        """Return the number of documents over time, by ``field``; events without a time are in none."""
        if seconds < 1:
            raise ValueError("an interval has at least 1 second")
        buckets: dict[int, dict[str, int]] = {}
        for start, value, count in self._rows_of(
            query, lambda groups: value_counts.histogram(groups, query, field, seconds, offset)
        ):
            counts = buckets.setdefault(start, {})
            label = value_counts.label(field, value)
            counts[label] = counts.get(label, 0) + count
        return [Bucket(from_epoch_clamped(start), counts) for start, counts in buckets.items()]

    def aggregate(self, query: Query, aggregation: Aggregation) -> list[MetricBucket]:
        """Return what an aggregation computes of the matching documents, in one query for each step."""
        from ingestd.stores.local.query.aggregate import aggregate  # noqa: PLC0415 -- other questions start faster

        folders = self._folders(query)
        with self._engine.session() as session:
            return aggregate(
                lambda build: list(self._run(folders, query, lambda groups: session.run(build(groups)))),
                query,
                aggregation,
            )

    def select(self, text: str, query: Query, limit: int = 0) -> Iterator[Any]:
        """Yield the names of the columns, then the rows of a SELECT on the events of a query; nothing without events.

        Args:
            text: See ``statement``.
            query: The range of time, and as its condition only which indices.
            limit: Maximum number of rows, which are held in memory; 0: no limit.

        Raises:
            StatementError: It is not a SELECT, or is wrong.
        """
        parsed = statement.parse(text)
        names = [tuple(name.split(".")) for name in self._leaf_fields(query)] if parsed.star else []
        events = dataclasses.replace(query, condition=None)

        def read(groups: list[sql.FileGroup]) -> Iterator[Any]:
            with self._engine.session(separate=True) as session:
                rows = statement.run(session, parsed, names, events, groups)
                yield from list(itertools.islice(rows, limit + 1)) if limit else rows

        try:
            yield from self._run(self._folders(query), events, read)
        except statement.UnknownColumnError as error:
            meant = did_you_mean(error.column, self._leaf_fields(query))
            raise statement.StatementError(f"{error}; did you mean {meant}?" if meant else str(error)) from error

    def _leaf_fields(self, query: Query) -> list[str]:
        """Return the fields of the newest events, those of an object as ``a.b``."""
        found: dict[str, None] = {}
        for hit in self.search(query, _SAMPLE):
            with contextlib.suppress(NotJsonError):
                found |= dict.fromkeys(statement.leaf_names(loads(hit.document)))
        return list(found)

    def delete(self, index: str) -> None:
        """Delete an index; see ``index_folder`` for what that means for its readers and writers."""
        delete_index(self._root, index)

    def take_missing(self) -> list[str]:
        """Return which damaged files the answers since the last call lack, in sentences."""
        return self._lister.take_missing()

    def interrupt(self) -> None:
        """Make queries that are running in other threads raise `QueryTimeoutError`; later ones are not affected."""
        self._engine.interrupt()

    def close(self) -> None:
        """Interrupt running queries, and free what later ones would use again."""
        self.interrupt()
        self._engine.close()

    def _rows_of(self, query: Query, build: Callable[[list[sql.FileGroup]], str]) -> list[Any]:
        with self._engine.session() as session:
            return list(self._run(self._folders(query), query, lambda groups: session.run(build(groups))))

    def _rows(self, query: Query, cursor: Cursor | None, limit: int) -> Iterator[Row]:
        """Yield the rows from the sort key of the cursor on."""
        rows = self._newest if 0 < limit <= _PAGE else self._stream
        if cursor is None or cursor.sort_key.time is None:
            yield from rows(query, None if cursor is None else cursor.sort_key, limit)
            return
        count = 0
        for row in rows(cursor.narrow(query), cursor.sort_key, limit):
            count += 1
            yield row
        # A time range, such as the cursor's, excludes events without a time; if the query has none, they follow now.
        if query.since is None and query.until is None and (not limit or count < limit):
            yield from rows(query, sql.UNTIMED, limit and limit - count)

    def _stream(self, query: Query, sort_key: sql.SortKey | None, limit: int) -> Iterator[Row]:
        """Read all indices, one time slice after the other, each sorted by DuckDB."""
        untimed = sort_key is not None and sort_key.time is None
        folders = self._folders(query)
        count = 0
        with self._engine.session() as session:
            parts = [(query, sort_key)] if untimed else self._parts(session, folders, query, sort_key)
            for part, start in parts:
                remaining = limit and limit - count
                for row in self._run(folders, part, functools.partial(_read_all, session, part, start, remaining)):
                    count += 1
                    yield row
                if limit and count == limit:
                    return

    def _parts(
        self, session: QuerySession, folders: list[IndexFolder], query: Query, sort_key: sql.SortKey | None
    ) -> Iterator[tuple[Query, sql.SortKey | None]]:
        """Yield the query for ranges of time, newest first, each with few enough events to be sorted at once."""
        max_rows = self._memory_bytes // ROW_BYTES

        def count(part: Query, step_us: int) -> list[tuple[int, int]]:
            return list(self._run(folders, part, lambda groups: session.run(sql.count_by_time(groups, part, step_us))))

        slices = time_slices(query, [(folder, self._lister.raw_bytes(folder)) for folder in folders])
        if slices is None and self._lister.most_events(folders, query) <= max_rows:
            yield query, sort_key  # with the events without a time
            return
        start = sort_key or (sql.TIMED if slices is None else None)
        for part in slices or [query]:
            is_dense = self._lister.most_events(folders, part) > max_rows
            yield from ((dense, start) for dense in (dense_slices(part, max_rows, count) if is_dense else [part]))
        if query.since is None and query.until is None:
            yield query, sql.UNTIMED  # they are in no slice

    def _newest(self, query: Query, sort_key: sql.SortKey | None, limit: int) -> Iterator[Row]:
        """Read the newest indices first, then twice as many...; stop when no older one can add to the result."""
        rows: list[Row] = []
        older = sorted(self._folders(query), key=end_of)
        size, read_bytes, is_rare = self._first(older), 0, False
        with self._engine.session() as session:
            while older:
                folders, older = older[-size:], older[:-size]
                size *= 2
                read = functools.partial(_read_newest, session, query, sort_key, limit, is_rare)
                rows += self._run(folders, query, read)
                read_bytes += sum(map(self._lister.raw_bytes, folders))
                is_rare = _is_rare(len(rows), read_bytes)
                rows = sorted(rows, key=_order, reverse=True)[:limit]
                if older and len(rows) == limit and _order(rows[-1])[0] >= end_of(older[-1]):
                    break
        yield from rows

    def _first(self, folders: Sequence[IndexFolder]) -> int:
        """Return how many of the newest indices are read first: one, or as many as cost less than another query."""
        left = _SMALL_BYTES
        for count, folder in enumerate(reversed(folders[-_MAX_FIRST:])):
            left -= self._lister.raw_bytes(folder)
            if left < 0:
                return max(count, 1)
        return _MAX_FIRST

    def _folders(self, query: Query) -> list[IndexFolder]:
        return queried(index_folders(self._root), query)

    def _run(
        self, folders: list[IndexFolder], query: Query, read: Callable[[list[sql.FileGroup]], Iterable[Any]]
    ) -> Iterator[Any]:
        """Yield what ``read`` returns for the files of some indices.

        Its queries sort or group, or are read to the end, so the first row comes after the last file was read: after
        that, a file that vanishes does no harm. A file that cannot be read is left out; see `take_missing`.
        """
        started = False
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if groups := self._lister.file_groups(folders, query):
                    for row in read(groups):
                        started = True
                        yield row
                return
            except VanishedError as error:
                if started or attempt == _ATTEMPTS:
                    raise StoreError(str(error)) from error
                if attempt > 1:
                    self._find_faults(groups, read)
            except QueryFailedError as error:
                if started or attempt == _ATTEMPTS:
                    raise
                if not isinstance(error, OtherColumnsError) and not self._find_faults(groups, read):
                    raise
            except OSError as error:
                raise StoreError(f"cannot read the store: {error.strerror or error}") from error
            except FieldError as error:
                raise StoreError(str(error)) from error

    def _find_faults(
        self, groups: Sequence[sql.FileGroup], read: Callable[[list[sql.FileGroup]], Iterable[Any]]
    ) -> bool:
        """Read the files one by one; return whether some of them are there but cannot be read.

        What the query reads of a single file may be less than what it reads of all, so they are read as a whole then.
        """
        files = [(dataclasses.replace(group, files=(file,)), file) for group in groups for file in group.files]
        found = [(file, reason) for group, file in files if (reason := self._fault(group, file, read))]
        found = found or [(file, reason) for group, file in files if (reason := self._damage(group, file))]
        for file, reason in found:
            self._lister.known_faults.add(Path(file), f"is damaged: {reason.partition(': ')[2]}")
        return bool(found)

    def _fault(self, group: sql.FileGroup, file: str, read: Callable[[list[sql.FileGroup]], Iterable[Any]]) -> str:
        """Return why a query cannot read a file that is there, empty if it can."""
        try:
            collections.deque(read([group]), maxlen=0)
        except (VanishedError, QueryFailedError) as error:
            if Path(file).exists() and (file in str(error) or self._damage(group, file)):
                return str(error)
        return ""

    def _damage(self, group: sql.FileGroup, file: str) -> str:
        """Return why a sealed file that is there cannot be read as a whole, empty if it can.

        With a DuckDB of its own: after some errors the shared one can no longer read anything.
        """
        if group.columns is None:
            return ""
        try:
            with self._engine.session(separate=True) as session:
                list(session.run(sql.read_all(file)))
        except (VanishedError, QueryFailedError) as error:
            return str(error) if Path(file).exists() else ""
        return ""


def _read_all(
    session: QuerySession, query: Query, sort_key: sql.SortKey | None, limit: int, groups: Sequence[sql.FileGroup]
) -> Iterator[Row]:
    """Read the matching documents, newest first, in one query."""
    return session.run(sql.newest(groups, query, sort_key, limit))


def _is_rare(found: int, read_bytes: int) -> bool:
    """Return whether so few events match that the search reads older indices to the end rather than stops early."""
    return read_bytes >= _RARE_AFTER and found < read_bytes // _RARE_BYTES


def _read_newest(
    session: QuerySession,
    query: Query,
    sort_key: sql.SortKey | None,
    limit: int,
    is_rare: bool,
    groups: Sequence[sql.FileGroup],
) -> Iterable[Row]:
    """Find the newest matches, then read only their documents; the rows come in any order."""
    rows = list(session.run(sql.newest_rows(groups, query, sort_key, limit + 1, is_rare=is_rare)))
    found: list[Row] = []
    if len(rows) > limit and rows[-1][:2] == rows[-2][:2]:
        # Several documents have the last sort key: which of them are within the limit depends on their content.
        last = sql.SortKey(*rows[-1][:2])
        rows = [row for row in rows if row[:2] != rows[-1][:2]]
        found += session.run(sql.tied(groups, query, last, limit - len(rows)))
    rows = rows[:limit]
    found += (row[:5] for row in rows if row[5] is None)
    return found + read_documents(session, groups, [row for row in rows if row[5] is not None])


def read_documents(session: QuerySession, groups: Sequence[sql.FileGroup], sealed_rows: Sequence[Any]) -> list[Row]:
    """Read the documents of rows of sealed files that ``sql.newest_rows`` gave, in any order.

    Raises:
        VanishedError: The files have other events now, because an index was replaced meanwhile, or do not exist.
    """
    numbers: dict[str, list[int]] = {}
    for _, _, _, file, _, number in sealed_rows:
        numbers.setdefault(file, []).append(number)
    rows: list[Row] = list(session.run(sql.documents(numbers, groups))) if numbers else []
    expected = Counter((row[0], row[1], row[3]) for row in sealed_rows)
    if Counter((time, key, file) for time, key, _, file, _ in rows) != expected:
        raise VanishedError("cannot read the store: an index was replaced meanwhile")
    return rows


def _hits(rows: Iterator[Row], cursor: Cursor | None) -> Iterator[Hit]:
    """Yield the hits of sorted rows that come after the cursor."""
    sort_key, seen = (None, 0) if cursor is None else (cursor.sort_key, cursor.seen)
    skip = seen
    for time, key, document, file, _ in rows:
        row_key = sql.SortKey(time, key)
        if row_key == sort_key and skip:
            skip -= 1
            continue
        seen = seen + 1 if row_key == sort_key else 1
        sort_key = row_key
        yield Hit(Path(file).parent.name, key, document.encode(), Cursor(sort_key, seen).text())


def _order(row: Row) -> tuple[float, str, str]:
    """Return what rows are sorted by; the order is total."""
    return (float("-inf") if row[0] is None else row[0], row[1], row[4] or "")
