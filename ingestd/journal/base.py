"""What a journal is to its users: positions, the protocol, the errors.

A journal is an endless sequence of records, each of which holds a chunk. One writer appends; each *consumer* (an
output) reads at its own pace and commits how far it has come. What all of them have committed is freed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from ingestd.event.chunk import Chunk

MAX_ABSENT = 16
"""Consumers whose positions and states are kept while they are absent, the latest."""


class JournalError(Exception):
    """A disk error, a full disk included: nothing was done; it may be tried again later."""


class JournalSizeLimitError(JournalError):
    """The journal has reached ``max_bytes``: nothing was written. Space is freed when the consumers commit.

    The disk itself may have space: a full disk is a plain ``JournalError``.
    """


class JournalLockedError(JournalError):
    """Another process has the journal open."""


class Position(NamedTuple):
    """A point between two records: how many bytes of the journal, and how many events, ever came before it.

    Positions only rise over the life of a journal, across restarts and repairs; equal bytes mean equal positions.
    """

    offset: int
    events: int


START = Position(0, 0)


class Entry(NamedTuple):
    """A chunk, and the position after it, which its consumers commit."""

    chunk: Chunk
    end: Position


class Pending(NamedTuple):
    """What a consumer has not committed yet: events, and bytes of the journal."""

    events: int
    bytes: int


class Repair(NamedTuple):
    """Something that was wrong on the disk, and how it was repaired. ``str()`` is a sentence."""

    kind: str
    """One of REPAIRS."""
    file: str
    """Name of the file in the journal's folder."""
    offset: int
    """Offset in the file."""
    size: int
    """Bytes that could not be read."""
    events: int | None
    """How many events were in them; None: unknown."""
    kept: str
    """Name of the file that has the bytes now; empty if none are left or they could not be copied."""

    def __str__(self) -> str:
        events = "" if self.events is None else f", {self.events} events"
        kept = f"; kept in {self.kept}" if self.kept else ""
        where = f" at byte {self.offset}: {self.size} bytes{events}" if self.size else ""
        return f"{REPAIRS[self.kind]} ({self.file}{where}){kept}"


REPAIRS = {
    "torn": "the end of a journal file was cut off, as a crash leaves it",
    "damaged": "a part of a journal file is damaged and was skipped",
    "missing": "a part of the journal is missing and was skipped",
    "unreadable": "a journal file cannot be read and was set aside",
    "positions": "the positions of the outputs cannot be read, they start again at the oldest record",
    "copied": "the positions of the outputs cannot be read, their copy is used",
    "beyond": "the position of an output was beyond the end of the journal, it continues at the end",
}
"""The kinds of ``Repair``."""


class KeptStreams(Protocol):
    """The streams of a journal whose ends are known even if their records are freed, also in later processes."""

    def keep(self, stream_id: str) -> int:
        """Add a stream; returns the offset after its records that were ever appended, 0 if there were none."""

    def forget(self, stream_id: str) -> None:
        """Remove a stream, which will not go on."""


class RecordQueue(Protocol):
    """The queue between inputs and outputs: ``Journal`` on disk, ``MemoryJournal`` in tests.

    ``append``, ``read`` and ``commit`` belong to one thread; ``sync`` and ``sync_records`` may be called from others
    meanwhile.
    """

    @property
    def streams(self) -> KeptStreams:
        """The streams that outlive their records."""

    @property
    def repairs(self) -> Sequence[Repair]:
        """All repairs so far; most are made when the journal is opened."""

    @property
    def positions_lost(self) -> bool:
        """Whether there were records at opening, but no positions: how far the consumers had come is not known."""

    @property
    def end(self) -> Position:
        """The position after the newest record."""

    @property
    def start(self) -> Position:
        """The position before the oldest record that still exists."""

    @property
    def free_bytes(self) -> int:
        """How many bytes can be appended now; 0 or less: none."""

    def append(self, chunks: Sequence[Chunk]) -> Position:
        """Add chunks, all or none, with one write; return the position after the last.

        They survive the process at once, and a power failure after the next ``sync``. A journal in which nothing is
        pending accepts any number of bytes.

        Raises:
            JournalSizeLimitError: They would take the journal beyond its size limit.
            JournalError: A disk error, or a full disk. Nothing was written; try again later.
        """

    def sync(self) -> Position:
        """Sync what was appended and committed to the disk, free what no consumer needs.

        Returns the ``end`` at the time of the call: everything before it is safe now.

        Raises:
            JournalError: A disk error. What was appended since the last sync can be read, but may be lost in a power
                failure, even if a later call succeeds: the kernel does not write pages again after an error.
        """

    def sync_records(self) -> None:
        """Sync what was appended before the call, and nothing else: it survives a power failure then.

        Cheaper than ``sync``, for senders that wait for it.

        Raises:
            JournalError: A disk error, see ``sync``; or there was one before, and a consumer has not committed yet
                what was appended until then.
        """

    def read(self, position: Position, max_bytes: int) -> list[Entry]:
        """Return the entries after ``position``, at most ``max_bytes`` of data, but at least one.

        Empty: ``position`` is at the end. Damaged records are skipped, see ``repairs``.

        Raises:
            JournalError: A disk error.
        """

    def consumers(self, names: Iterable[str]) -> dict[str, Pending]:
        """Set the consumers. What all others have committed is kept: they are absent, and nothing waits for them.

        A new one starts at the position of the slowest consumer before (without any: at ``start``); so does one that
        was absent, with its state, unless it was further. Returns the consumers that were dropped although something
        was pending for them.
        """

    def skipped(self, name: str) -> int:
        """Return how many events came while a consumer was absent, which it does not get; 0 after its next commit."""

    def commit(self, name: str, position: Position, state: Any = None) -> None:
        """Note that consumer ``name`` is done with everything before ``position``.

        ``state``, any JSON value, is stored with the position, both or neither; None keeps the last one. Survives the
        process at once, unless there is a disk error: then it is written with the next commit or ``sync``.

        Raises:
            ValueError: The position is before the last committed one or after the end.
            KeyError: It is not a consumer.
        """

    def committed(self, name: str) -> tuple[Position, Any]:
        """Return the last position of a consumer, and the state committed with it (None: none yet)."""

    def pending(self, name: str) -> Pending:
        """Return what consumer ``name`` has not committed yet."""

    def stream_ends(self) -> dict[str, int]:
        """Return for each stream with records found at opening the offset after the last of them.

        A crash between append and consume leaves bytes in the socket that are in the journal too: those before it.
        """

    def close(self) -> None:
        """``sync`` and close the files. Raises JournalError as ``sync`` does, but closes them in any case."""
