"""Planning a query: which files it reads, in which time slices, and where a page starts.

Time slices keep the number of events that are sorted together small. Pages neither skip nor repeat events that existed
when the first page was read, whatever is appended or sealed meanwhile: a cursor is the sort key of a hit (time and id),
not a position in a file. Documents without ids may share a sort key; the cursor then counts how many were returned.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from ingestd.event.timestamp import from_epoch_ns
from ingestd.stores.base import IndexInfo, StoreError, moment
from ingestd.stores.local.append_logs.append_log import count_bytes
from ingestd.stores.local.append_logs.last_ids import numbers_in
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.index_folder import read_metadata
from ingestd.stores.local.index.layout import AppendLogName, IndexFolder
from ingestd.stores.local.index.sealed_files import MISSING, KnownFaults, fault, log_fault
from ingestd.stores.local.query import sql
from ingestd.stores.local.query.columns import SourceColumns
from ingestd.stores.local.query.sql import SortKey, bound
from ingestd.stores.local.query.text_conditions import pruned
from ingestd.stores.query import Query, may_match_in, names_index

HEAVY_BYTES = 1 << 30
"""A day with documents of more than this size is read hour by hour."""

LIGHT_BYTES = 16 << 20
"""Adjacent days whose documents have no more than this size in all are read at once: a query takes milliseconds, and
those of neighbours would read an index again, as it may have events of parts of three days."""

_LEAST_LINE_BYTES = 32
"""Of an append log; where lines are even shorter, more events are sorted at once than there should be."""

_ATTEMPTS = 20
"""How often an index is listed again whose files were merged while it was listed."""

_FAULT_SECONDS = 60
"""How long a file that a query could not read is left out of others."""

_HOUR = datetime.timedelta(hours=1)
_DAY = datetime.timedelta(days=1)
_WIDEST = 1024 * _DAY
_FIRST = datetime.datetime.min

_Span = tuple[datetime.datetime, datetime.datetime, int]
"""The first time that an index may have, a time after all others, and the size of its documents in bytes."""

GroupKey = tuple[SourceColumns | None, bool]
"""The columns of files (None: append logs) and whether their rows must be filtered by time."""


class FileLister:
    """Lists the files of indices, and caches the number of lines of append logs.

    Damaged files are left out; `take_missing` says which.
    """

    def __init__(self) -> None:
        self._lines: dict[str, tuple[tuple[int, int, int], int]] = {}  # path: (inode, size, mtime), lines
        self._missing: dict[Path, str] = {}
        self.known_faults = KnownFaults(_FAULT_SECONDS)

    def take_missing(self) -> list[str]:
        """Return what was left out since the last call, in sentences."""
        missing, self._missing = self._missing, {}
        return [f"{path.parent.name}/{path.name} {reason}" for path, reason in sorted(missing.items())]

    def file_groups(self, folders: Sequence[IndexFolder], query: Query) -> list[sql.FileGroup]:
        """Return the files that may have matching events, grouped by whether all their events are in the query's range.

        Raises:
            StoreError: A bound of the range is not a time.
        """
        groups: dict[GroupKey, list[str]] = {}
        time_range = _micros(query.since), _micros(query.until)
        for folder in folders:
            append_logs, sealed = self._contents(folder, lambda files: _sealed_in(files, *time_range))
            if append_logs and _may_have_events(folder, query):
                # Even if the whole day is in the range: there may be events without a time.
                timed = query.since is not None or query.until is not None
                paths = [folder.path / str(append_log) for append_log in append_logs]
                groups.setdefault((None, timed), []).extend(str(path) for path in paths if self._is_readable(path))
            for file, timed in sealed:
                columns = SourceColumns.of_file(file.columns, file.rest)
                groups.setdefault((columns, timed), []).append(str(folder.path / file.name))
        return list(_file_groups(groups, query))

    def _contents(
        self, folder: IndexFolder, choose: Callable[[manifest.Manifest], Iterable[tuple[manifest.SealedFile, bool]]]
    ) -> tuple[list[AppendLogName], list[tuple[manifest.SealedFile, bool]]]:
        """Return the append logs of an index, and those of the chosen sealed files that are sound."""
        for _ in range(_ATTEMPTS):
            try:
                found = manifest.contents(folder.path)
            except (OSError, StoreError) as error:
                self._missing[folder.path / manifest.NAME] = _manifest_fault(folder, error)
                return [], []
            if not found[1].files and _manifest_is_lost(folder.path, found[0]):
                self._missing[folder.path / manifest.NAME] = "is missing: sealed events are missing"
            chosen = [(file, timed, self._fault(folder, file)) for file, timed in choose(found[1])]
            gone = any(reason == MISSING for *_, reason in chosen)
            if not gone or _same_contents(folder, found):  # else files were merged meanwhile
                break
        for file, _, reason in chosen:
            if reason:
                self._missing[folder.path / file.name] = f"{reason}: {file.events:,} events are missing"
        return found[0], [(file, timed) for file, timed, reason in chosen if not reason]

    def _fault(self, folder: IndexFolder, file: manifest.SealedFile) -> str:
        return fault(folder.path, file) or self.known_faults.get(folder.path / file.name)

    def _is_readable(self, path: Path) -> bool:
        """Return whether an append log can be read; one that is no longer there is left to the query."""
        reason = self.known_faults.get(path) or log_fault(path)
        if reason:
            self._missing[path] = f"{reason}: its events are missing"
        return not reason

    def infos(self, folders: Iterable[IndexFolder]) -> Iterator[IndexInfo]:
        """Yield the entries of ``LogStore.indices``; an index that is deleted meanwhile has none."""
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):
                yield self._info(folder)

    def _info(self, folder: IndexFolder) -> IndexInfo:
        append_logs, sealed = self._contents(folder, lambda found: _sealed_in(found, None, None))
        paths = [folder.path / str(append_log) for append_log in append_logs]
        events = sum(file.events for file, _ in sealed)
        events += sum(self._count_lines(path) for path in paths if self._is_readable(path))
        size = 0
        with contextlib.suppress(PermissionError):
            for entry in folder.path.iterdir():
                with contextlib.suppress(OSError):
                    size += entry.lstat().st_size
        return IndexInfo(folder.index, folder.day, events, size, restored_from=restored_from(folder))

    def raw_bytes(self, folder: IndexFolder) -> int:
        """Return the approximate size of the documents of an index, in bytes."""
        try:
            append_logs, sealed = manifest.contents(folder.path)
        except (OSError, StoreError):
            return 0
        size = sum(file.raw_bytes for file in sealed.files)
        for append_log in append_logs:
            with contextlib.suppress(OSError):
                size += (folder.path / str(append_log)).stat().st_size
        return size

    def most_events(self, folders: Sequence[IndexFolder], query: Query) -> int:
        """Return a number of events that no more of some indices are in the query's range; lines are not counted."""
        time_range, most = (_micros(query.since), _micros(query.until)), 0
        for folder in folders:
            with contextlib.suppress(OSError, StoreError):
                append_logs, sealed = manifest.contents(folder.path)
                most += sum(file.events for file, _ in _sealed_in(sealed, *time_range))
                if append_logs and _may_have_events(folder, query):
                    paths = [folder.path / str(append_log) for append_log in append_logs]
                    most += sum(path.stat().st_size for path in paths) // _LEAST_LINE_BYTES
        return most

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


def _file_groups(groups: Mapping[GroupKey, Sequence[str]], query: Query) -> Iterator[sql.FileGroup]:
    for (columns, timed), files in groups.items():
        if columns is not None:
            columns, files = pruned(columns, files, query.condition)  # noqa: PLW2901
        if files:
            yield sql.FileGroup(tuple(files), timed, columns)


def _manifest_fault(folder: IndexFolder, error: OSError | StoreError) -> str:
    reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    reason = reason.removeprefix(f"{folder.path / manifest.NAME} ").removeprefix("cannot be read: ")
    return f"cannot be read: {reason}; all events of the index are missing"


def _manifest_is_lost(folder: Path, append_logs: Sequence[AppendLogName]) -> bool:
    """Return whether an index without a manifest had one: an append log is gone, as only sealing removes it."""
    try:
        numbers = numbers_in(folder)
        if not numbers:
            return any(manifest.is_sealed_name(path.name) for path in folder.iterdir())
    except OSError:
        return False
    return any(AppendLogName(writer, number) not in append_logs for writer, number in numbers.items())


def _same_contents(folder: IndexFolder, found: tuple[list[AppendLogName], manifest.Manifest]) -> bool:
    try:
        return manifest.contents(folder.path) == found
    except (OSError, StoreError):
        return False


def queried(folders: Sequence[IndexFolder], query: Query) -> list[IndexFolder]:
    """Return the indices that a query is about: those restored under another name only if it names them."""
    condition = query.condition
    return [
        folder
        for folder in folders
        if may_match_in(condition, folder.index) and (not restored_from(folder) or names_index(condition, folder.index))
    ]


def restored_from(folder: IndexFolder) -> str:
    """Return the index whose backup this one is, if it was restored under another name, else an empty text."""
    with contextlib.suppress(StoreError):  # what cannot be read of an index is reported where its events are read
        metadata = read_metadata(folder.path)
        return "" if metadata is None else metadata.restored_from
    return ""


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
    return (moment(time) - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(microseconds=1)


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


def _slices(query: Query, spans: Sequence[_Span]) -> Iterator[Query]:
    end = max((after for _, after, _ in spans), default=None)
    while end is not None:
        start = _before(end, _width(spans, end))
        if any(first < end and start < after for first, after, _ in spans):
            yield from _within(query, start.isoformat(), end.isoformat())
        end = max((min(after, start) for first, after, _ in spans if first < start), default=None)


def _width(spans: Sequence[_Span], end: datetime.datetime) -> datetime.timedelta:
    """Return how long the slice before a time is."""
    if any(first < end <= after and size > HEAVY_BYTES for first, after, size in spans):
        return _HOUR
    width = _DAY
    while width < _WIDEST and _bytes_in(spans, _before(end, 2 * width), end) <= LIGHT_BYTES:
        width *= 2
    return width


def _bytes_in(spans: Sequence[_Span], start: datetime.datetime, end: datetime.datetime) -> int:
    return sum(size for first, after, size in spans if first < end and start < after)


def _before(end: datetime.datetime, width: datetime.timedelta) -> datetime.datetime:
    return end - width if end - _FIRST > width else _FIRST


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


def end_of(folder: IndexFolder) -> float:
    """Return a time after all events of an index, in microseconds."""
    bounds = folder.time_bounds()
    if bounds is None:
        return float("inf")
    return datetime.datetime.fromisoformat(bounds[1]).replace(tzinfo=datetime.UTC).timestamp() * 1e6
