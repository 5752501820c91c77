"""A journal in memory: the same behaviour without a disk, for tests and for imports."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from ingestd.event.chunk import Chunk
from ingestd.event.jsontext import dumps, loads
from ingestd.journal.base import MAX_ABSENT, START, Entry, JournalSizeLimitError, Pending, Position, Repair
from ingestd.journal.format import RECORD_HEADER_BYTES


class _NoStreams:
    """A journal in memory starts empty: it knows of no stream where it ends."""

    def keep(self, stream_id: str) -> int:
        """Return 0."""
        return 0

    def forget(self, stream_id: str) -> None:
        """Do nothing."""


class MemoryJournal:
    """See ``RecordQueue``. Records are freed as soon as every consumer has committed them."""

    def __init__(self, *, max_bytes: int = 1 << 30) -> None:
        self._max_bytes = max_bytes
        self.streams = _NoStreams()
        self._end = self._start = START
        self._entries: list[Entry] = []
        self._commits: dict[str, tuple[Position, bytes]] = {}
        self._absent: dict[str, tuple[Position, bytes]] = {}

    @property
    def repairs(self) -> Sequence[Repair]:
        """Always empty."""
        return ()

    @property
    def positions_lost(self) -> bool:
        """Never: a journal in memory starts empty."""
        return False

    @property
    def end(self) -> Position:
        """The position after the newest record."""
        return self._end

    @property
    def start(self) -> Position:
        """The position before the oldest record."""
        return self._start

    @property
    def free_bytes(self) -> int:
        """How many bytes can be appended now."""
        free = self._max_bytes - (self._end.offset - self._start.offset)
        return free if self._entries else max(free, 1)

    def append(self, chunks: Sequence[Chunk]) -> Position:
        """Add chunks, all or none; raises JournalSizeLimitError."""
        size = sum(RECORD_HEADER_BYTES + len(chunk.data) for chunk in chunks)
        if self._entries and size > self.free_bytes:
            raise JournalSizeLimitError(f"the journal has reached its size limit of {self._max_bytes} bytes")
        for chunk in chunks:
            offset, events = self._end
            self._end = Position(offset + RECORD_HEADER_BYTES + len(chunk.data), events + chunk.events)
            self._entries.append(Entry(chunk, self._end))
        return self._end

    def sync(self) -> Position:
        """Return the end; there is no disk."""
        return self._end

    def sync_records(self) -> None:
        """Do nothing; there is no disk."""

    def read(self, position: Position, max_bytes: int) -> list[Entry]:
        """Return the entries after a position, at most ``max_bytes`` of data, but at least one."""
        first = bisect_right(self._entries, position, key=lambda entry: entry.end)
        size, entries = 0, list[Entry]()
        for entry in self._entries[first:]:
            size += len(entry.chunk.data)
            if entries and size > max_bytes:
                break
            entries.append(entry)
        return entries

    def consumers(self, names: Iterable[str]) -> dict[str, Pending]:
        """Set the consumers; return those dropped with something pending."""
        before = self._commits
        slowest = min((position for position, _ in before.values()), default=self._start)
        wanted = list(names)
        dropped = {name: commit for name, commit in before.items() if name not in wanted}
        self._absent = dict([*(dropped | self._absent).items()][-MAX_ABSENT:])
        self._commits = {name: before.get(name) or self._returned(name, slowest) for name in wanted}
        gone = {name: self._pending(position) for name, (position, _) in before.items() if name not in self._commits}
        self._free()
        return {name: pending for name, pending in gone.items() if pending.bytes}

    def _returned(self, name: str, slowest: Position) -> tuple[Position, bytes]:
        position, state = self._absent.get(name, (slowest, b"null"))
        return min(max(position, slowest), self._end), state

    def skipped(self, name: str) -> int:
        """Return how many events came while a consumer was absent."""
        absent = self._absent.get(name)
        return max(self._commits[name][0].events - absent[0].events, 0) if absent is not None else 0

    def commit(self, name: str, position: Position, state: Any = None) -> None:
        """Note how far a consumer is; raises ValueError as ``RecordQueue`` says."""
        before, old = self._commits[name]
        if not before.offset <= position.offset <= self._end.offset:
            raise ValueError(f"{name} commits {position}, it is at {before} and the journal ends at {self._end}")
        self._commits[name] = (position, old if state is None else dumps(state))
        self._absent.pop(name, None)
        self._free()

    def _free(self) -> None:
        if self._commits:
            self._start = max(self._start, min(position for position, _ in self._commits.values()))
            del self._entries[: bisect_right(self._entries, self._start, key=lambda entry: entry.end)]

    def committed(self, name: str) -> tuple[Position, Any]:
        """Return a consumer's last position and state."""
        position, state = self._commits[name]
        return position, loads(state)

    def pending(self, name: str) -> Pending:
        """Return what a consumer has not committed."""
        return self._pending(self._commits[name][0])

    def _pending(self, position: Position) -> Pending:
        return Pending(self._end.events - position.events, self._end.offset - position.offset)

    def stream_ends(self) -> dict[str, int]:
        """Nothing: a journal in memory starts empty."""
        return {}

    def close(self) -> None:
        """Do nothing."""
