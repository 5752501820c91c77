"""The durable queue of one worker process: segment files, the positions of the consumers, a lock.

The caller calls ``sync`` every ``journal.sync_interval``, possibly from another thread, and stops reading its sockets
while ``append`` raises. On a full disk, ``append`` frees what is consumed and then raises ``JournalError``;
``ingestd.pipeline.pipeline.RunningPipeline`` logs that, pauses its inputs and tries again, so senders wait.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingestd.event.chunk import Chunk
from ingestd.event.jsontext import dumps, loads
from ingestd.files import sync_folder
from ingestd.journal.base import (
    MAX_ABSENT,
    START,
    Entry,
    JournalError,
    JournalSizeLimitError,
    Pending,
    Position,
    Repair,
)
from ingestd.journal.disk import disk_errors, lock
from ingestd.journal.format import RecordNames, encode
from ingestd.journal.positions import (
    FILE_NAME,
    Commit,
    PositionsCopy,
    PositionsFile,
    load_positions,
    or_copy,
)
from ingestd.journal.reader import Damage, read_segment
from ingestd.journal.recovery import Recovered, positions_lost, recover, repair, resolve_commits
from ingestd.journal.segment import Segment, SegmentWriter, remove
from ingestd.journal.stream_ends import StreamEnds
from ingestd.journal.unsynced import UnsyncedFiles

_MIN_SEGMENT_BYTES = 4096


class Journal:
    """A journal in a folder of its own; see ``RecordQueue`` for its methods.

    Args:
        folder: Made if it is not there. A second process that opens it fails.
        max_bytes: Disk space for all segments together. Only a journal in which nothing waits goes beyond, by one
            call of ``append``.
        segment_bytes: Size at which a new segment begins; at most a quarter of ``max_bytes``, as a segment is
            freed in one piece.
        copy: A folder for a copy of the positions, as of the last ``sync``: for when they are lost.

    Raises:
        JournalLockedError: Another process has it open.
        JournalError: The disk refuses.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int = 1 << 30, segment_bytes: int = 16 << 20, copy: Path | None = None
    ) -> None:
        self._folder, self._max_bytes, self._copy_folder = folder, max_bytes, copy
        self._segment_bytes = max(min(segment_bytes, max_bytes // 4), _MIN_SEGMENT_BYTES)
        self._syncing = threading.Lock()  # one sync at a time: the next one relies on what the last one has synced
        self._mutex = threading.Lock()  # held by sync only while it reads or changes these:
        self._writer: SegmentWriter | None = None
        self._unsynced = UnsyncedFiles(folder, self._mutex, lambda: self._writer)
        self._unsafe_until = 0  # the end when a sync failed last: the kernel does not write a failed page again
        self._names = RecordNames()
        self._closed = False
        with disk_errors(f"the journal {folder} cannot be opened"):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True, mode=0o750)
                sync_folder(folder.parent)
            self._lock_fd = lock(folder)
            try:
                found = self._open()
            except BaseException:
                os.close(self._lock_fd)
                raise
        self._segments, self._repairs = found.segments, found.repairs
        self._size = sum(segment.size for segment in self._segments)
        self._next_number = found.last_number + 1

    def _open(self) -> Recovered:
        found, own = recover(self._folder), load_positions(self._folder)
        loaded = or_copy(own, self._copy_folder)
        self._positions_lost = positions_lost(found.segments, own) or loaded is not own
        if self._positions_lost:
            found.repairs.append(Repair("positions" if loaded is own else "copied", FILE_NAME, 0, 0, None, ""))
        self._commits = dict(loaded.commits) if loaded else {}
        self._end = resolve_commits(self._commits, found, loaded)
        copied = loaded is not own
        self._positions = PositionsFile(self._folder, replace(loaded, generation=0) if loaded and copied else own)
        self._copy = PositionsCopy(self._copy_folder) if self._copy_folder is not None else None
        self._recorded_end = loaded.end if loaded else START
        self._uncommitted = False  # whether positions could not be written yet
        self._durable = dict(own.commits) if own else {}
        self.streams = StreamEnds(self._folder, found.stream_ends)
        self._durable_ends = self.streams.snapshot()
        self._absent = dict(loaded.absent) if loaded else {}  # with those that are back and have not committed yet
        return found

    @property
    def repairs(self) -> Sequence[Repair]:
        """All repairs so far."""
        return self._repairs

    @property
    def positions_lost(self) -> bool:
        """Whether there were records but no positions."""
        return self._positions_lost

    @property
    def end(self) -> Position:
        """The position after the newest record."""
        return self._end

    @property
    def start(self) -> Position:
        """The position before the oldest record."""
        return self._segments[0].first if self._segments else self._end

    @property
    def free_bytes(self) -> int:
        """How many bytes can be appended now."""
        free = self._max_bytes - self._size
        return free if self._waiting() else max(free, 1)

    def _waiting(self) -> bool:
        """Return whether some consumer has not committed everything."""
        if not self._commits:
            return bool(self._segments)
        return any(commit.position.offset < self._end.offset for commit in self._commits.values())

    def append(self, chunks: Sequence[Chunk]) -> Position:
        """Add chunks, all or none; see ``RecordQueue``."""
        if not chunks:
            return self._end
        with self._mutex:
            writer = self._writer
            start = writer.segment.end if writer else self._end
            parts, end = encode(chunks, start, self._names)
            size = end.offset - start.offset
            if self._size + size > self._max_bytes and self._waiting():
                text = f"the journal {self._folder} has reached its size limit: {self._size} of {self._max_bytes} bytes"
                raise JournalSizeLimitError(text)
            with disk_errors(f"the journal {self._folder} cannot be written"):
                if writer is None or writer.segment.size + size > self._segment_bytes:
                    writer = self._next_segment()
                    parts, end = encode(chunks, writer.segment.end, self._names)
                try:
                    writer.append(parts, end)
                except OSError:
                    self._retire()  # the next attempt uses a new file; this one is freed once it is consumed
                    raise
            self._size += size
            self._end, self._unsynced.dirty = end, True
            self.streams.appended(chunks)
        return end

    def _next_segment(self) -> SegmentWriter:
        self._retire()
        try:
            writer = SegmentWriter(self._folder, self._next_number, self._end)
        except OSError:
            if not (consumed := self._consumed(newest=True)):
                raise
            self.streams.save(self._durable_ends)
            for segment in consumed:  # deleting them may free the space that is needed
                remove(segment)
                self._forget(segment)
            writer = SegmentWriter(self._folder, self._next_number, self._end)
        self._next_number += 1
        self._size += writer.segment.size
        self._segments.append(writer.segment)
        self._writer, self._unsynced.new_files = writer, True
        return writer

    def _retire(self) -> None:
        """Append no more to the current segment. One without a record is deleted."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if writer.segment.end == writer.segment.first:
            os.close(writer.fd)
            remove(writer.segment)
            self._forget(writer.segment)
            self._next_number = writer.segment.number
            return
        try:
            self._unsynced.add(writer)
        except OSError:
            self._unsafe_until = self._end.offset
            raise

    def sync(self) -> Position:
        """Sync what was appended and committed to the disk, free what is not needed; see ``RecordQueue``."""
        with self._syncing:
            with disk_errors(f"the journal {self._folder} cannot be synced"):
                with self._mutex:
                    end, commits = self._end, dict(self._commits)
                    absent, ends = dict(self._absent), self.streams.snapshot()
                    stale = self._uncommitted or self._recorded_end != end
                    refused = self._write_positions() if stale else None
                self._sync_files(self._positions)
                if refused:
                    raise refused
            if self._copy is not None:
                self._copy.update(commits, end, absent)
            self._reclaim(commits, ends)
        return end

    def sync_records(self) -> None:
        """Sync what was appended; see ``RecordQueue``."""
        with self._syncing, disk_errors(f"the journal {self._folder} cannot be synced"):
            self._sync_files()
        with self._mutex:
            least = min((commit.position.offset for commit in self._commits.values()), default=self._end.offset)
        if least < self._unsafe_until:
            text = "could not be synced before, and events from then that are not delivered yet may not be on the disk"
            raise JournalError(f"the journal {self._folder} {text}")

    def _sync_files(self, positions: PositionsFile | None = None) -> None:
        """Sync the files; if that fails, note that what is in them may never reach the disk."""
        try:
            self._unsynced.sync(positions)
        except OSError:
            self._unsafe_until = self._end.offset
            raise

    def _reclaim(self, durable: dict[str, Commit], ends: dict[str, int]) -> None:
        """Delete the segments that no consumer needs, now that ``durable`` and the ``ends`` of streams are safe."""
        with self._mutex:
            self._durable, self._durable_ends = durable, ends
            consumed = self._consumed()
        for segment in consumed:
            with disk_errors(f"the journal {self._folder} cannot free its files"):
                self.streams.save(ends)
                remove(segment)
            with self._mutex:
                self._forget(segment)

    def _consumed(self, newest: bool = False) -> list[Segment]:
        """Return the segments before every position that is safe on the disk.

        Not the newest one, unless ``newest``: ``stream_ends`` of the next process come from it.
        """
        if not self._durable:
            return []
        least = min(commit.position.offset for commit in self._durable.values())
        candidates = self._segments if newest else self._segments[:-1]
        current = self._writer.segment if self._writer else None
        return [segment for segment in candidates if segment.end.offset <= least and segment is not current]

    def _forget(self, removed: Segment) -> None:
        if removed in self._segments:  # else the other thread was faster
            self._segments.remove(removed)
            self._size -= removed.size

    def read(self, position: Position, max_bytes: int) -> list[Entry]:
        """Return the entries after a position; see ``RecordQueue``."""
        for segment in list(self._segments):
            if segment.end.offset > position.offset:
                with disk_errors(f"the journal {self._folder} cannot be read"):
                    entries, damage = read_segment(segment, max(position, segment.first), max_bytes)
                    if damage:
                        self._note_damage(segment, damage)
                    elif not entries and not segment.path.exists():
                        self._note_missing(segment, position)
                if entries:
                    return entries
        self._skip(position)
        return []

    def _skip(self, position: Position) -> None:
        """Move consumers at ``position`` or later to the end: nothing after it can be read."""
        with self._mutex:
            for name, commit in self._commits.items():
                if position.offset <= commit.position.offset < self._end.offset:
                    self._commits[name] = Commit(self._end, commit.state)

    def _note_damage(self, segment: Segment, damage: Damage) -> None:
        """Record damage that appeared after the journal was opened; once, however often it is read."""
        bad = damage.bad
        if any(known.file == segment.path.name and known.offset == bad.at for known in self._repairs):
            return
        with self._mutex:
            if self._writer and self._writer.segment is segment:
                self._retire()
            before = segment.size
            self._repairs.append(repair(segment, bad, damage.data))
            self._size -= before - segment.size
            if bad.events is None:  # no good record follows in this file
                segment.end = Position(segment.base.offset + bad.at, segment.end.events)

    def _note_missing(self, segment: Segment, position: Position) -> None:
        """Record that a segment after ``position`` was deleted, unless it was freed here."""
        with self._mutex:
            if segment not in self._segments or segment in self._consumed():
                return
            if self._writer and self._writer.segment is segment:
                os.close(self._writer.fd)
                self._writer = None
            self._forget(segment)
        first = max(position, segment.first)
        gone = segment.end.offset - first.offset, segment.end.events - first.events
        self._repairs.append(Repair("missing", segment.path.name, 0, *gone, ""))

    def consumers(self, names: Iterable[str]) -> dict[str, Pending]:
        """Set the consumers; see ``RecordQueue``."""
        with self._mutex:
            before = self._commits
            slowest = min((commit.position for commit in before.values()), default=self.start)
            wanted = list(names)
            dropped = {name: commit for name, commit in before.items() if name not in wanted}
            self._absent = dict([*(dropped | self._absent).items()][-MAX_ABSENT:])
            self._commits = {name: before.get(name) or self._returned(name, slowest) for name in wanted}
            self._write_positions()
        gone = {name: self._pending(commit.position) for name, commit in before.items() if name not in self._commits}
        return {name: pending for name, pending in gone.items() if pending.bytes}

    def _returned(self, name: str, slowest: Position) -> Commit:
        absent = self._absent.get(name, Commit(START))
        return Commit(min(max(absent.position, slowest), self._end), absent.state)

    def skipped(self, name: str) -> int:
        """Return how many events came while a consumer was absent; see ``RecordQueue``."""
        absent = self._absent.get(name)
        return max(self._commits[name].position.events - absent.position.events, 0) if absent is not None else 0

    def commit(self, name: str, position: Position, state: Any = None) -> None:
        """Note how far a consumer is; see ``RecordQueue``."""
        with self._mutex:
            before = self._commits[name]
            if not before.position.offset <= position.offset <= self._end.offset:
                raise ValueError(
                    f"{name} commits {position}, it is at {before.position} and the journal ends at {self._end}"
                )
            self._commits[name] = Commit(position, before.state if state is None else dumps(state))
            self._absent.pop(name, None)
            self._write_positions()

    def _write_positions(self) -> OSError | None:
        try:
            self._positions.write(self._commits, self._end, self._absent)
        except OSError as error:
            self._uncommitted = True  # sync tries again, and raises
            return error
        self._uncommitted, self._recorded_end = False, self._end
        return None

    def committed(self, name: str) -> tuple[Position, Any]:
        """Return a consumer's last position and state."""
        commit = self._commits[name]
        return commit.position, loads(commit.state)

    def pending(self, name: str) -> Pending:
        """Return what a consumer has not committed."""
        return self._pending(self._commits[name].position)

    def _pending(self, position: Position) -> Pending:
        return Pending(max(self._end.events - position.events, 0), self._end.offset - position.offset)

    def stream_ends(self) -> dict[str, int]:
        """Return the offset after each stream's records when the journal was opened."""
        return self.streams.all

    def close(self) -> None:
        """``sync`` and close the files."""
        if self._closed:
            return
        self._closed = True
        try:
            self.sync()
        finally:
            self._unsynced.close()
            if self._writer is not None:
                os.close(self._writer.fd)
                self._writer = None
            self._positions.close()
            self.streams.close()
            if self._copy is not None:
                self._copy.close()
            os.close(self._lock_fd)
