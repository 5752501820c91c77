"""``LogStore``: what the command line, the dashboard, retention and backups need from a store.

Times are text in UTC, ``2026-11-22T10:00:00Z`` with 0 to 9 fraction digits. All calls block the calling
thread: an event loop runs them in another process or thread.
"""

from __future__ import annotations

import datetime
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ingestd.stores.aggregation import Aggregation, MetricBucket
    from ingestd.stores.query import Query

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StoreError(Exception):
    """A store cannot do what was asked; the text is one sentence for the user."""


class StoreFullError(StoreError):
    """The disk, a quota or the file size limit is full. Nothing of the batch was stored; it may be sent again."""


class InvalidIndexError(StoreError):
    """``index`` is not a valid index name, ``reason`` says why. For dead letters."""

    def __init__(self, index: str, reason: str) -> None:
        super().__init__(f"{index!r} is not a valid index name: {reason}")
        self.index = index
        self.reason = reason


class DocumentsRejectedError(StoreError):
    """Documents that the store will never accept; nothing of their batch was stored.

    ``positions`` are their indices in the batch, ``reason`` says why. They become dead letters; send the rest again.
    """

    def __init__(self, positions: tuple[int, ...], reason: str) -> None:
        super().__init__(reason)
        self.positions = positions
        self.reason = reason


class QueryTimeoutError(StoreError):
    """A query exceeded its time limit."""


class QueryMemoryError(StoreError):
    """A query needs more memory than it may have."""


class QueryTooLongError(StoreError):
    """A phrase of a query is longer than the store can search for."""


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """One index: the ``day`` in its name (None if there is none), ``bytes`` on disk.

    ``closed``: a server has it, but neither opens nor counts it: ``events`` and ``bytes`` are 0. ``restored_from``: the
    index whose backup it is, if it was restored under another name, else empty.
    """

    index: str
    day: datetime.date | None
    events: int
    bytes: int
    closed: bool = False
    restored_from: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that matches: JSON in UTF-8, with the values that were stored.

    Byte for byte as it was stored, but for what the built-in store has sealed: there keys may be in another order.

    ``cursor``: where a later search of the same store continues after this hit; its format is private to the store.
    """

    index: str
    id: str
    document: bytes
    cursor: str


@dataclass(frozen=True, slots=True)
class TopValue:
    """A value of a field and how many documents have it."""

    value: str | int | float | bool
    count: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many documents an interval of time has, for each value of a field.

    ``time`` is its start, written as an event's ``@timestamp`` with milliseconds.
    """

    time: str
    counts: dict[str, int]


def take_missing(store: LogStore) -> list[str]:
    """Return what the answers of a store lacked since the last call, because files are damaged, in sentences.

    Only the built-in store can answer in part; empty for any other.
    """
    take: Callable[[], list[str]] | None = getattr(store, "take_missing", None)
    return take() if take is not None else []


class LogStore(Protocol):
    """Indices that can be queried. Every call may raise ``StoreError``.

    Indices that were restored under another name hold events a second time: queries leave them out unless they name
    them (`query.names_index`).
    """

    def indices(self) -> list[IndexInfo]:
        """Return all indices, by name."""

    def search(self, query: Query, limit: int = 50, after: str | None = None) -> Iterator[Hit]:
        """Return the matching documents newest first, at most ``limit``; 0 is no limit.

        ``after`` is the cursor of a hit of the same query: only what comes after it.
        """

    def count(self, query: Query) -> int:
        """Return the number of matching documents."""

    def top(self, field: str, query: Query, n: int = 20, *, paths: bool = False) -> list[TopValue]:
        """Return the ``n`` most frequent values of ``field``, most frequent first, ties by value.

        An array counts once for each distinct element. Missing, null and empty values and objects do not count; the
        result is empty for a field that no document has. ``paths``: texts count without their query string, the part
        from the first ``?`` on.
        """

    def histogram(self, query: Query, seconds: int, offset: int = 0, field: str = "level") -> list[Bucket]:
        """Return the number of documents over time, by ``field``, in order of time; empty intervals are left out.

        An interval has ``seconds`` (a day: 86,400) and starts ``offset`` seconds before a multiple of them since 1970
        in UTC, so that days can be those of a time zone; one that starts before the year 1 has the start of that year.
        Documents without the field count under ``""``, names of
        levels in upper case.
        """

    def aggregate(self, query: Query, aggregation: Aggregation) -> list[MetricBucket]:
        """Return what an aggregation computes of the matching documents; ``aggregation`` says how exact that is.

        Buckets with the most documents come first, on each level, ties by value; then by time. Without levels and an
        interval there is a single bucket, even if no document matches.
        """

    def delete(self, index: str) -> None:
        """Delete an index; nothing happens if it does not exist."""

    def close(self) -> None:
        """Close connections."""


def moment(time: str) -> datetime.datetime:
    """Return a time of a query; without a zone it is UTC.

    Raises:
        StoreError: It is not a time.
    """
    try:
        parsed = datetime.datetime.fromisoformat(time)
    except ValueError:
        raise StoreError(f"{time!r} is not a time: write 2026-11-22T10:00:00Z") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)


def disk_error(error: OSError, what: str) -> StoreError:
    """Return an error of the disk as a StoreError: ``what`` failed, and why."""
    kind = StoreFullError if error.errno in _FULL else StoreError
    return kind(f"{what}: {error.strerror or error}")
