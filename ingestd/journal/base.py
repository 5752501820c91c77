"""What a journal is to its users: positions, the protocol, the errors.

A journal is an endless sequence of records, each of which holds a chunk. One writer appends; each *consumer* (an
output) reads at its own pace and commits how far it has come. What all of them have committed is freed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from ingestd.event.chunk import Chunk


class JournalError(Exception):
    """The disk refuses: what was to be done was not done, and may be tried again later."""


class JournalFullError(JournalError):
    """The journal is at its bound: nothing was written. There is room again when the consumers commit."""


class JournalLockedError(JournalError):
    """Another process has the journal open."""


class Position(NamedTuple):
    """A place between two records: how many bytes of the journal, and how many events, came before it, ever.

    Positions rise over the whole life of a journal, across restarts and repairs; the bytes alone tell them apart.
    """

    offset: int
    events: int


START = Position(0, 0)


class Entry(NamedTuple):
    """A chunk as it is read, and the position after it, which is what a consumer of it commits."""

    chunk: Chunk
    end: Position


class Pending(NamedTuple):
    """What a consumer has before it: events, and bytes of the journal."""

    events: int
    bytes: int


class Repair(NamedTuple):
    """Something that was wrong on the disk, and what was done about it. ``str()`` is a sentence."""

    kind: str
    """One of REPAIRS."""
    file: str
    """Name of the file in the journal's folder."""
    offset: int
    """Where in the file."""
    size: int
    """How many bytes could not be read."""
    events: int | None
    """How many events were in them, where that can be known."""
    kept: str
    """Name of the file that has the bytes now; empty where none of them are left or they could not be copied."""

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
    "positions": "the positions of the outputs cannot be read, they begin anew with the oldest record",
    "beyond": "an output had come further than the journal reaches, it goes on at the end",
}
"""The kinds of ``Repair`` and what each means."""


class RecordQueue(Protocol):
    """The queue between inputs and outputs: ``Journal`` on disk, ``MemoryJournal`` in tests.

    ``append``, ``read`` and ``commit`` belong to one thread; ``sync`` may be called from another one meanwhile.
    """

    @property
    def repairs(self) -> Sequence[Repair]:
        """Everything found wrong so far; most of it when the journal was opened."""

    @property
    def head(self) -> Position:
        """The position behind the newest record."""

    @property
    def tail(self) -> Position:
        """The position before the oldest record that is still there."""

    @property
    def room(self) -> int:
        """How many bytes may be appended now. 0 or less: none."""

    def append(self, chunks: Sequence[Chunk]) -> Position:
        """Add chunks, all or none, with one write; return the position after the last.

        They outlive the process at once, and a power failure after the next ``sync``. A journal in which nothing
        waits takes them however many they are.

        Raises:
            JournalFullError: There is no room for them.
            JournalError: The disk refused, or is full. Nothing was written; try again later.
        """

    def sync(self) -> Position:
        """Force to the disk what was appended and committed, free what no consumer needs.

        Returns the ``head`` at the call: everything before it is safe now.

        Raises:
            JournalError: The disk refused. What was appended since the last sync is readable, but a power failure
                may take it, also if a later call succeeds: after an error the kernel does not write pages again.
        """

    def read(self, position: Position, max_bytes: int) -> list[Entry]:
        """Return the records behind ``position``, at most ``max_bytes`` of data, but at least one.

        None: there are none, ``position`` is at the head. What is damaged is skipped, see ``repairs``.

        Raises:
            JournalError: The disk refused to read.
        """

    def consumers(self, names: Iterable[str]) -> dict[str, Pending]:
        """Say who consumes: nobody else's position holds records back any more.

        A new one begins where the slowest of those before it stands (without any: at the tail). Returns the
        consumers that are forgotten although something was pending for them.
        """

    def commit(self, name: str, position: Position, state: Any = None) -> None:
        """Note that consumer ``name`` is done with everything before ``position``.

        ``state``, any JSON value, is kept with the position, both or none; None keeps the one before. Survives
        the process at once, unless the disk refuses: then it is written with the next commit or ``sync``.

        Raises:
            ValueError: The position lies before the last one committed or behind the head.
            KeyError: ``consumers`` did not name it.
        """

    def committed(self, name: str) -> tuple[Position, Any]:
        """Return the last position of a consumer, and the state committed with it (None: none ever was)."""

    def pending(self, name: str) -> Pending:
        """Return what consumer ``name`` has not committed yet."""

    def ends(self) -> dict[str, int]:
        """Return for each connection with records found at opening where in its stream the last of them ends.

        A crash between append and consume leaves bytes in a socket that are here already: those before the end.
        """

    def close(self) -> None:
        """``sync`` and let go of the files. Raises JournalError as ``sync`` does, and has let go nevertheless."""
