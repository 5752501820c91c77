"""``LocalStore``: read the built-in store with DuckDB, while writers append to it."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestd.event.fields import FieldError
from ingestd.stores.base import IndexInfo, Query, StoreError, TopValue
from ingestd.stores.local import sql
from ingestd.stores.local.layout import Folder, folders

if TYPE_CHECKING:
    import duckdb

_ATTEMPTS = 5
"""An index may be deleted between listing and reading it: list again."""

_PAGE = 10_000
"""Up to here the newest days are read first and the older ones only if needed; all results are held."""

_FETCH = 2048

_TEMP_BYTES = 4 << 30

Row = tuple[str, str, str]
"""Sort key of the time, id, document."""


class LocalStore:
    """The built-in store as a ``LogStore``.

    Nothing is opened or made until it is asked; a root that does not exist is an empty store. Each
    call has a DuckDB of its own, with ``memory_bytes`` and ``threads`` as bounds; what does not fit
    is put into a temporary folder, up to 4 GiB. Events that are appended meanwhile are seen or not.

    Args:
        root: The store (``layout.store_root``).
        memory_bytes: Bound for DuckDB's memory.
        threads: Bound for its threads.
    """

    def __init__(self, root: Path, memory_bytes: int = 768 << 20, threads: int | None = None) -> None:
        self._root = root
        self._memory_bytes = memory_bytes
        self._threads = threads or min(4, os.cpu_count() or 1)

    def indices(self) -> list[IndexInfo]:
        """Return all indices; counting reads the tails at the speed of the disk (1 GB/s and more when cached)."""
        try:
            return [_index_info(folder) for folder in folders(self._root)]
        except OSError as error:
            raise StoreError(f"cannot read the store: {error.strerror or error}") from error

    def search(self, query: Query) -> Iterator[bytes]:
        """Return the matching documents newest first, byte for byte as they were appended.

        At the same time, the greater id comes first.
        """
        if query.limit < 1:
            raise ValueError("a limit is at least 1")
        rows = self._stream(query) if query.limit > _PAGE else self._newest(query)
        return (row[2].encode() for row in rows)

    def top(self, field: str, since: str | None = None, until: str | None = None, n: int = 20) -> list[TopValue]:
        """Return the most frequent values of a field; equal counts in the order of the values."""
        query = Query(since=since, until=until)
        with self._connect() as connection:
            rows = _run(connection, folders(self._root), query, lambda parts: sql.top(parts, query, field, n))
            return [TopValue(json.loads(value), count) for value, count in rows]

    def _stream(self, query: Query) -> Iterator[Row]:
        """Read all indices in one go, sorted by DuckDB."""
        with self._connect() as connection:
            yield from _run(connection, folders(self._root), query, lambda parts: sql.newest(parts, query))

    def _newest(self, query: Query) -> Iterator[Row]:
        """Read the newest index first, then the next two, four...; stop when no older one can add to the result."""
        found: list[Row] = []
        left = sorted(folders(self._root), key=_end)
        size = 1
        with self._connect() as connection:
            while left:
                window, left = left[-size:], left[:-size]
                size *= 2
                found += _run(connection, window, query, lambda parts: sql.newest(parts, query))
                found = sorted(found, reverse=True)[: query.limit]
                if left and len(found) == query.limit and found[-1][0] >= _end(left[-1]):
                    break
        yield from found

    def _connect(self) -> duckdb.DuckDBPyConnection:
        import duckdb  # noqa: PLC0415 - takes 90 ms, which other commands need not pay

        return duckdb.connect(
            config={
                "memory_limit": f"{self._memory_bytes}B",
                "threads": self._threads,
                "preserve_insertion_order": False,
                "temp_directory": str(Path(tempfile.gettempdir()) / f"ingestd-{os.getpid()}"),
                "max_temp_directory_size": f"{_TEMP_BYTES}B",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )


def _run(
    connection: duckdb.DuckDBPyConnection, window: list[Folder], query: Query, build: Callable[[list[sql.Part]], str]
) -> Iterator[Any]:
    """Run the SQL that ``build`` makes of the files of a window of indices.

    The queries sort or group, so that the first row comes after the last file was read: from then on
    no deleted file can disturb.
    """
    import duckdb  # noqa: PLC0415

    for attempt in range(1, _ATTEMPTS + 1):
        parts = _parts(window, query)
        if not parts:
            return
        try:
            result = connection.execute(build(parts))
            rows = result.fetchmany(_FETCH)
            while rows:
                yield from rows
                rows = result.fetchmany(_FETCH)
            return
        except duckdb.IOException as error:
            if attempt == _ATTEMPTS:
                raise StoreError(f"cannot read the store: {_first_line(error)}") from error
        except duckdb.OutOfMemoryException as error:
            raise StoreError("the query needs too much memory; choose a shorter time range") from error
        except duckdb.Error as error:
            raise StoreError(f"the query failed: {_first_line(error)}") from error
        except FieldError as error:
            raise StoreError(str(error)) from error


def _parts(window: list[Folder], query: Query) -> list[sql.Part]:
    """Return the files that can hold events of the range: those all within it apart from those at its ends."""
    since = None if query.since is None else sql.bound(query.since)
    until = None if query.until is None else sql.bound(query.until)
    inner: list[str] = []
    edge: list[str] = []
    for folder in window:
        first, after = folder.span() or ("", "~")
        if (since is not None and after <= since) or (until is not None and first >= until):
            continue
        within = (since is None or since <= first) and (until is None or after <= until)
        (inner if within else edge).extend(map(str, folder.tails()))
    return [sql.Part(tuple(files), timed) for files, timed in ((inner, False), (edge, True)) if files]


def _index_info(folder: Folder) -> IndexInfo:
    size = 0
    for entry in folder.path.iterdir():
        with contextlib.suppress(FileNotFoundError):
            size += entry.stat().st_size
    return IndexInfo(folder.index, folder.day, sum(map(_count_lines, folder.tails())), size)


def _count_lines(path: Path) -> int:
    """Return the number of whole lines of a file; 0 if it was deleted meanwhile."""
    count, buffer = 0, bytearray(1 << 20)
    with contextlib.suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            count += buffer.count(b"\n", 0, size)
    return count


def _end(folder: Folder) -> str:
    """Return a time that all events of an index are before, as text."""
    span = folder.span()
    return "~" if span is None else span[1]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
