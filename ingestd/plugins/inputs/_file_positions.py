"""How far each file was read: exactly as the journal knows it, and in the sincedb as a copy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ingestd.journal.base import KeptStreams
from ingestd.logs import Outage, get_logger
from ingestd.plugins.inputs._file_problems import Problems
from ingestd.plugins.inputs._file_records import START_BYTES, FileRecord, Key, Sincedb
from ingestd.plugins.inputs._streams import StreamIds
from ingestd.plugins.interfaces import Sink

log = get_logger(__name__)


class Positions:
    """The records of all files, and their positions.

    Args:
        sincedb: Loaded.
        streams: Of the journal.
        sink: Where lines go.
        problems: Takes what is wrong with the sincedb.
        keep_seconds: How long a file is known that does not exist any more.
    """

    def __init__(
        self, sincedb: Sincedb, streams: KeptStreams, sink: Sink, problems: Problems, keep_seconds: float
    ) -> None:
        self._sincedb, self._streams, self._sink = sincedb, streams, sink
        self._problems, self._keep_seconds = problems, keep_seconds
        self._ids = StreamIds()
        self._unsaved: set[str] = set()
        self._saved: object = None
        self.existed = sincedb.existed
        """Whether the input has run before."""
        for record in (*self.ended, *self.records.values()):
            streams.keep(record.stream)
        text = "the sincedb cannot be written; new files wait until it can"
        self._outage = Outage(log.error, text, log.info, "the sincedb can be written again")

    @property
    def records(self) -> Mapping[Key, FileRecord]:
        """Those of files that exist, by device and inode number."""
        return self._sincedb.current

    @property
    def ended(self) -> Iterable[FileRecord]:
        """Those of files that exist no more."""
        return self._sincedb.ended

    def related(self, path: str) -> list[FileRecord]:
        """Return the records of which a file of this name may be a copy."""
        return self._sincedb.related(path)

    def position(self, record: FileRecord) -> int:
        """Return the offset of the first byte of a file that is not stored."""
        return max(record.offset, self._streams.keep(record.stream))

    def note(self, record: FileRecord, read_at: Callable[[int, int], bytes]) -> None:
        """Note where a file is read on, if another process read it further than the sincedb says."""
        position = self.position(record)
        if position != record.offset:
            record.note(position, read_at)

    def logstash_position(self, key: Key) -> int | None:
        """Return how far Logstash has read a file, None if it did not."""
        return self._sincedb.logstash.get(key)

    def new(self, path: str, key: Key, start: int, read_at: Callable[[int, int], bytes]) -> FileRecord:
        """Return the record of a new file, to be read from ``start``. It is read once it is saved.

        By its first bytes a copy of it is recognised, even if this process is killed at once.
        """
        record = FileRecord(self._ids.new().id, *key, path, seen=time.time())
        record.note_start(read_at(START_BYTES, 0))
        if start:
            record.note(start, read_at)
        self._streams.keep(record.stream)
        self._unsaved.add(record.stream)
        self._sincedb.add(record)
        return record

    def note_start(self, record: FileRecord, start: bytes) -> None:
        """Note the first bytes of a file that was empty. It is read once they are saved."""
        record.note_start(start)
        self._unsaved.add(record.stream)

    def is_saved(self, record: FileRecord) -> bool:
        """Return whether a file may be read: its stream is known to the next process."""
        return record.stream not in self._unsaved

    def end(self, record: FileRecord) -> None:
        """Note that a file exists no more, or has other content now."""
        self._sincedb.end(record)

    def drop(self, record: FileRecord) -> None:
        """Forget a file."""
        self._sincedb.drop(record)
        self._streams.forget(record.stream)
        self._unsaved.discard(record.stream)

    def go_on(self, record: FileRecord, key: Key) -> None:
        """Note that the stream of a file that ended continues in a copy of it."""
        self._sincedb.ended.remove(record)
        record.device, record.inode = key
        record.state = "open"
        self._sincedb.add(record)
        self._unsaved.add(record.stream)

    async def save_new(self) -> None:
        """Save if there are new files."""
        if self._unsaved:
            await self.save()

    async def checkpoint(self, existing: Iterable[FileRecord]) -> None:
        """Save if anything has changed; ``existing``: the files that exist. Forgets old ones."""
        now = time.time()
        for record in existing:
            record.seen = now
        for record in self._sincedb.forget_old(now - self._keep_seconds):
            self._streams.forget(record.stream)
        if self._state() != self._saved:
            await self.save()

    async def save(self) -> bool:
        """Write the sincedb, once what was read is safe on the disk; returns whether it was possible."""
        unsaved, state = set(self._unsaved), self._state()
        number, data = self._sincedb.encoded()
        try:
            await self._sink.synced()
            await asyncio.to_thread(self._sincedb.write, number, data)
        except OSError as error:
            self._outage.failed(error=error)
            self._problems.replace("sincedb", {"": f"the sincedb cannot be written: {error.strerror or error}"})
            return False
        self._outage.recovered()
        self._problems.replace("sincedb", {})
        self._unsaved -= unsaved
        self._saved = state
        return True

    def _state(self) -> object:
        records = [*self.ended, *self.records.values()]
        return [(record.stream, record.offset, record.state, record.inode) for record in records]


def session_path(path: Path) -> Path:
    """Return the path of a sincedb for the life of this daemon only, and remove those of earlier ones.

    Its workers are replaced meanwhile, and continue where others ended.
    """
    parent = os.getppid()
    name = f"{path.name}.{parent}-{_start_of(parent)}"
    for other in path.parent.glob(f"{path.name}.*-*"):
        if other.name != name:
            with contextlib.suppress(OSError):
                other.unlink()
    return path.with_name(name)


def _start_of(process: int) -> str:
    """Return when a process started, as proc(5) counts it: a number is used again, the two together are not."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return "0"
