"""Which files a query must read, and how many events are in them."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingestd.stores.base import IndexInfo, StoreError
from ingestd.stores.local.files import manifest
from ingestd.stores.local.files.append_log import count_bytes
from ingestd.stores.local.files.layout import IndexFolder
from ingestd.stores.local.query import sql
from ingestd.stores.local.query.conditions import Columns
from ingestd.stores.query import Query

Kind = tuple[Columns | None, bool]
"""The columns of files (None: append logs) and whether their rows must be filtered by time."""


class Listing:
    """Lists files, and caches the number of lines of append logs."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[tuple[int, int, int], int]] = {}  # path: (inode, size, mtime), lines

    def parts(self, window: Sequence[IndexFolder], query: Query) -> list[sql.FileGroup]:
        """Return the files that may have events in the query's range, grouped by whether all their events are in it.

        Raises:
            OSError: A folder cannot be read.
            StoreError: A manifest cannot be read, or a bound of the range is not a time.
        """
        parts: dict[Kind, list[str]] = {}
        span = _micros(query.since), _micros(query.until)
        for folder in window:
            append_logs, sealed = manifest.contents(folder.path)
            if append_logs and _may_hold(folder, query):
                # Even if the whole day is in the range: there may be events without a time.
                timed = query.since is not None or query.until is not None
                parts.setdefault((None, timed), []).extend(
                    str(folder.path / str(append_log)) for append_log in append_logs
                )
            for file, timed in _sealed_in(sealed, *span):
                parts.setdefault((Columns(file.columns), timed), []).append(str(folder.path / file.name))
        return [sql.FileGroup(tuple(files), timed, columns) for (columns, timed), files in parts.items()]

    def info(self, folder: IndexFolder) -> IndexInfo:
        """Return the entry of ``LogStore.indices`` for an index."""
        append_logs, sealed = manifest.contents(folder.path)
        events = sum(file.events for file in sealed.files) + sum(
            self._count(folder.path / str(append_log)) for append_log in append_logs
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

    def _count(self, path: Path) -> int:
        """Return the number of complete lines of an append log, 0 if it was deleted meanwhile."""
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            state = (found.st_ino, found.st_size, found.st_mtime_ns)
            known = self._lines.get(str(path))
            if known is None or known[0] != state:
                known = self._lines[str(path)] = (state, count_bytes(path, b"\n"))
            return known[1]
        return 0


def _may_hold(folder: IndexFolder, query: Query) -> bool:
    """Return whether an index may have events in the query's range."""
    first, after = folder.time_bounds() or ("", "~")
    return not (
        (query.since is not None and after <= sql.bound(query.since))
        or (query.until is not None and first >= sql.bound(query.until))
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
