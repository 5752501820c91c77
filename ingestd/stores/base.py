"""``LogStore``: what the command line, the dashboard, retention and backup ask of a store.

Times are text in UTC, ``2026-11-22T10:00:00Z`` with 0 to 9 fraction digits. All calls block the calling
thread: an event loop runs them in another process or thread.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ingestd.stores.query import Query


class StoreError(Exception):
    """A store cannot do what was asked; the text is one sentence for the user."""


class StoreFullError(StoreError):
    """No space, quota or file size is left. Nothing of the batch was kept; it may be sent again."""


class InvalidIndexError(StoreError):
    """A name cannot be an index: ``index`` is the name, ``reason`` says why. For the dead letters."""

    def __init__(self, index: str, reason: str) -> None:
        super().__init__(f"{index!r} is no index name: {reason}")
        self.index = index
        self.reason = reason


class DocumentsRefusedError(StoreError):
    """Documents that the store will never take; nothing of their batch was stored.

    ``positions`` are their places in the batch, ``reason`` says why. For the dead letters; send the rest again.
    """

    def __init__(self, positions: tuple[int, ...], reason: str) -> None:
        super().__init__(reason)
        self.positions = positions
        self.reason = reason


class QueryTimeoutError(StoreError):
    """A query took longer than it may."""


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """One index: ``day`` as its name says (``None`` if it does not), ``bytes`` on disk."""

    index: str
    day: datetime.date | None
    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found: JSON in UTF-8, byte for byte as it was stored.

    ``cursor`` tells a later search of the same store to go on behind it; its form is the store's own.
    """

    index: str
    id: str
    document: bytes
    cursor: str


@dataclass(frozen=True, slots=True)
class TopValue:
    """A value of a field and how many documents hold it."""

    value: str | int | float | bool
    count: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many documents a stretch of time has, for each value of a field.

    ``time`` is its begin, in the form of an event's ``@timestamp`` with milliseconds.
    """

    time: str
    counts: dict[str, int]


class LogStore(Protocol):
    """A place of indices that can be asked. Every call may raise ``StoreError``."""

    def indices(self) -> list[IndexInfo]:
        """Return all indices in the order of their names."""

    def search(self, query: Query, limit: int = 50, after: str | None = None) -> Iterator[Hit]:
        """Return the matching documents newest first, at most ``limit``; 0 is no limit.

        ``after`` is the cursor of a hit of the same query: only what comes behind it.
        """

    def count(self, query: Query) -> int:
        """Return how many documents match."""

    def top(self, field: str, query: Query, n: int = 20) -> list[TopValue]:
        """Return the ``n`` most frequent values of ``field``, the most frequent first, equals by value.

        An array counts once for each distinct element. Missing, null and empty values and objects do
        not count; a field that no document has gives an empty list.
        """

    def histogram(self, query: Query, seconds: int, offset: int = 0, field: str = "level") -> list[Bucket]:
        """Return the number of documents over time, by ``field``, in order of time; empty stretches are left out.

        A stretch has ``seconds`` (a day: 86,400) and begins ``offset`` seconds before a multiple of them since
        1970 in UTC, so that days can be those of a time zone. Documents without the field count under ``""``.
        Names of levels count in upper case.
        """

    def delete(self, index: str) -> None:
        """Delete an index; nothing happens if it is not there."""

    def close(self) -> None:
        """Let go of connections."""
