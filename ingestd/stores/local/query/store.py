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
from ingestd.stores.local.files import deletion
from ingestd.stores.local.files.layout import Folder, folders
from ingestd.stores.local.query import sql
from ingestd.stores.local.query.cursor import Cursor
from ingestd.stores.local.query.engine import Engine, Session, VanishedError
from ingestd.stores.local.query.listing import Listing
from ingestd.stores.local.query.slices import slices
from ingestd.stores.query import Query

_ATTEMPTS = 20
"""Files that vanish between listing and reading them, because they were sealed or deleted: list again."""

_PAGE = 10_000
"""Up to here the newest days are read first and the older ones only if needed; all results are held."""

Row = tuple[int | None, str, str, str]
"""Time in microseconds since 1970, id, document, file."""


class LocalStore:
    """The built-in store as a ``LogStore``.

    Nothing is opened or made until it is asked; a root that does not exist is an empty store. Each
    call has a DuckDB of its own, with ``memory_bytes`` and ``threads`` as bounds; what does not fit
    is put into a temporary folder, up to 4 GiB. Events that are appended meanwhile are seen or not;
    files that are sealed or deleted meanwhile disturb no query. All methods may be called from several
    threads at a time.

    Args:
        root: The store (``layout.store_root``).
        memory_bytes: Bound for DuckDB's memory.
        threads: Bound for its threads.
        timeout_s: Bound for each query, in seconds; it then raises `QueryTimeoutError`.
    """

    def __init__(
        self, root: Path, memory_bytes: int = 768 << 20, threads: int | None = None, timeout_s: float | None = None
    ) -> None:
        self._root = root
        self._engine = Engine(memory_bytes, threads, timeout_s)
        self._listing = Listing()

    def indices(self) -> list[IndexInfo]:
        """Return all indices. What is sealed is counted already; tails are counted once for each change of them."""
        try:
            return [self._listing.info(folder) for folder in folders(self._root)]
        except OSError as error:
            raise StoreError(f"cannot read the store: {error.strerror or error}") from error

    def search(self, query: Query, limit: int = 50, after: str | None = None) -> Iterator[Hit]:
        """Return the matching documents newest first, byte for byte as they were appended.

        At the same time, the greater id comes first; times are told apart down to microseconds.

        Raises:
            ValueError: ``limit`` is negative, or ``after`` is no cursor.
        """
        if limit < 0:
            raise ValueError("a limit is not negative")
        cursor = None if after is None else Cursor.parse(after)
        return _hits(self._rows(query, cursor, limit and limit + (cursor.seen if cursor else 0)), cursor)

    def count(self, query: Query) -> int:
        """Return how many documents match."""
        rows = self._ask(query, lambda parts: sql.count(parts, query))
        return int(rows[0][0] or 0) if rows else 0

    def top(self, field: str, query: Query, n: int = 20) -> list[TopValue]:
        """Return the most frequent values of a field; equal counts in the order of the values."""
        rows = self._ask(query, lambda parts: sql.top(parts, query, field, n))
        return [TopValue(json.loads(value), count) for value, count in rows]

    def histogram(self, query: Query, seconds: int, offset: int = 0, field: str = "level") -> list[Bucket]:
        """Return the number of documents over time, by ``field``; events without a time are in none."""
        if seconds < 1:
            raise ValueError("a stretch has at least 1 second")
        buckets: dict[int, dict[str, int]] = {}
        for begin, value, count in self._ask(query, lambda parts: sql.histogram(parts, query, field, seconds, offset)):
            counts = buckets.setdefault(begin, {})
            label = _label(field, value)
            counts[label] = counts.get(label, 0) + count
        return [Bucket(_moment(begin), counts) for begin, counts in buckets.items()]

    def delete(self, index: str) -> None:
        """Delete an index; see ``deletion`` for what it does to those that read and write it."""
        deletion.delete(self._root, index)

    def interrupt(self) -> None:
        """Make the queries that run in other threads raise `QueryTimeoutError`; later ones are not concerned."""
        self._engine.interrupt()

    def close(self) -> None:
        """Interrupt what runs."""
        self.interrupt()

    def _ask(self, query: Query, build: Callable[[list[sql.Part]], str]) -> list[Any]:
        with self._engine.session() as session:
            return list(self._run(folders(self._root), query, lambda parts: session.run(build(parts))))

    def _rows(self, query: Query, cursor: Cursor | None, limit: int) -> Iterator[Row]:
        """Return the rows from the place of the cursor on."""
        rows = self._newest if 0 < limit <= _PAGE else self._stream
        if cursor is None or cursor.place.time is None:
            yield from rows(query, None if cursor is None else cursor.place, limit)
            return
        found = 0
        for row in rows(cursor.narrow(query), cursor.place, limit):
            found += 1
            yield row
        # A range of time, as that of the cursor, leaves out what has no time; if the query has none, it comes now.
        if query.since is None and query.until is None and (not limit or found < limit):
            yield from rows(query, sql.UNTIMED, limit and limit - found)

    def _stream(self, query: Query, place: sql.Place | None, limit: int) -> Iterator[Row]:
        """Read all indices, one stretch of time after the other, each sorted by DuckDB."""
        untimed = place is not None and place.time is None
        window = folders(self._root)
        parts = None if untimed else slices(query, [(folder, self._listing.raw_bytes(folder)) for folder in window])
        asked: Iterable[tuple[Query, sql.Place | None]]
        asked = [(query, place)] if parts is None else ((part, place) for part in parts)
        if parts is not None and query.since is None and query.until is None:
            asked = itertools.chain(asked, [(query, sql.UNTIMED)])  # no stretch has them
        found = 0
        with self._engine.session() as session:
            for part, at in asked:
                left = limit and limit - found
                for row in self._run(window, part, functools.partial(_read_all, session, part, at, left)):
                    found += 1
                    yield row
                if limit and found == limit:
                    return

    def _newest(self, query: Query, place: sql.Place | None, limit: int) -> Iterator[Row]:
        """Read the newest index first, then the next two, four...; stop when no older one can add to the result."""
        found: list[Row] = []
        left = sorted(folders(self._root), key=_end)
        size = 1
        with self._engine.session() as session:
            while left:
                window, left = left[-size:], left[:-size]
                size *= 2
                found += self._run(window, query, functools.partial(_read_newest, session, query, place, limit))
                found = sorted(found, key=_order, reverse=True)[:limit]
                if left and len(found) == limit and _order(found[-1])[0] >= _end(left[-1]):
                    break
        yield from found

    def _run(
        self, window: list[Folder], query: Query, read: Callable[[list[sql.Part]], Iterable[Any]]
    ) -> Iterator[Any]:
        """Return what ``read`` reads of the files of some indices.

        What it asks sorts or groups, or is read to the end, so that the first row comes after the last file was
        read: from then on no file that vanishes can disturb.
        """
        begun = False
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if parts := self._listing.parts(window, query):
                    for row in read(parts):
                        begun = True
                        yield row
                return
            except VanishedError as error:
                if begun or attempt == _ATTEMPTS:
                    raise StoreError(str(error)) from error
            except OSError as error:
                raise StoreError(f"cannot read the store: {error.strerror or error}") from error
            except FieldError as error:
                raise StoreError(str(error)) from error


def _read_all(
    session: Session, query: Query, place: sql.Place | None, limit: int, parts: Sequence[sql.Part]
) -> Iterator[Row]:
    """Read the matching documents, newest first, in one go."""
    return session.run(sql.newest(parts, query, place, limit))


def _read_newest(
    session: Session, query: Query, place: sql.Place | None, limit: int, parts: Sequence[sql.Part]
) -> Iterable[Row]:
    """Find the newest matches first, and read the documents of these alone; the rows come in any order."""
    found = list(session.run(sql.newest_rows(parts, query, place, limit + 1)))
    if len(found) > limit and found[-1][:2] == found[-2][:2]:
        # Which of several at one place are within the limit depends on their documents.
        return _read_all(session, query, place, limit, parts)
    in_tails = [(time, key, document, file) for time, key, document, file, row in found[:limit] if row is None]
    return in_tails + read_documents(session, [row for row in found[:limit] if row[4] is not None])


def read_documents(session: Session, found: Sequence[Any]) -> list[Row]:
    """Read the documents of rows of sealed files that ``sql.newest_rows`` gave, in any order.

    Raises:
        VanishedError: Other events are there now, as an index was replaced meanwhile, or no file at all.
    """
    wanted: dict[str, list[int]] = {}
    for _, _, _, file, number in found:
        wanted.setdefault(file, []).append(number)
    rows: list[Row] = list(session.run(sql.documents(wanted))) if wanted else []
    if Counter((time, key, file) for time, key, _, file in rows) != Counter((row[0], row[1], row[3]) for row in found):
        raise VanishedError("cannot read the store: an index was replaced meanwhile")
    return rows


def _hits(rows: Iterator[Row], cursor: Cursor | None) -> Iterator[Hit]:
    """Return the hits of sorted rows, behind the cursor."""
    place, seen = (None, 0) if cursor is None else (cursor.place, cursor.seen)
    skip = seen
    for time, key, document, file in rows:
        here = sql.Place(time, key)
        if here == place and skip:
            skip -= 1
            continue
        seen = seen + 1 if here == place else 1
        place = here
        yield Hit(Path(file).parent.name, key, document.encode(), Cursor(place, seen).text())


def _order(row: Row) -> tuple[float, str, str]:
    """Return what rows are sorted by; the document as well, so that those of the same time and id have one order."""
    return (float("-inf") if row[0] is None else row[0], row[1], row[2])


def _end(folder: Folder) -> float:
    """Return a time that all events of an index are before, in microseconds."""
    span = folder.span()
    if span is None:
        return float("inf")
    return datetime.datetime.fromisoformat(span[1]).replace(tzinfo=datetime.UTC).timestamp() * 1e6


def _label(field: str, value: str | None) -> str:
    """Return the name under which a value is counted; missing, null, empty and objects have none."""
    if value is None or value == "null" or value[0] in "[{":
        return ""
    label = str(json.loads(value)) if value[0] == '"' else value
    return label.upper() if field == "level" else label


def _moment(seconds: int) -> str:
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds") + "Z"
