"""What is known about the files that the input ``file`` reads, and the sincedb, where that is kept.

A path may name one file today and another tomorrow, and a file may be emptied and written again. So what is read is a
*generation* of a file: a device and an inode number, until the content starts over. Each is a stream of its own, and
the offset of an event is its place in the file. A generation is recognised by the bytes at its start and by those
before the place that was read last: an inode number is used again, and a file that is emptied may grow beyond its old
size.

The sincedb is written before the first event of a generation is stored. How far it was read the journal knows exactly,
whenever the process is killed: see ``ingestd.journal.stream_ends``. The sincedb has a copy of it, as of its last write.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ingestd.files import readable_path, write_atomic

START_BYTES = 1024
"""How much of the start of a file is compared."""

TAIL_BYTES = 64
"""How much is compared before the place that was read last."""

_MAX_ENDED = 4
"""How many generations of a path are known after they ended, as copies of them may appear."""

Key = tuple[int, int]
"""Device and inode number."""


class FileRecord(msgspec.Struct):
    """A generation of a file: a line of the sincedb.

    Attributes:
        stream: The id of its stream.
        device: Of the file.
        inode: Of the file.
        path: Its name when it was found.
        path_bytes: The same, hexadecimal, in a line of the sincedb whose ``path`` is not UTF-8.
        offset: How far it was read.
        start: Digest of the first ``start_bytes`` bytes, which are before ``offset``.
        tail: The bytes before ``offset``, hexadecimal.
        seen: When it last existed: seconds since the epoch.
        state: ``open``; ``ended``, as there is no such file any more; ``done``, as it was read to its end and is not
            expected to grow: compressed files, and all files in mode `read`; ``finished``, as what the config wants
            then was done.
        size: Of a file that is done.
        mtime_ns: Of a file that is done.
    """

    stream: str
    device: int
    inode: int
    path: str
    offset: int = 0
    start: str = ""
    start_bytes: int = 0
    tail: str = ""
    seen: float = 0
    state: str = "open"
    size: int = 0
    mtime_ns: int = 0
    path_bytes: str = ""

    @property
    def key(self) -> Key:
        """Device and inode number."""
        return self.device, self.inode

    @property
    def is_done(self) -> bool:
        """Whether it was read to its end and is not expected to grow."""
        return self.state in {"done", "finished"}

    @property
    def is_known(self) -> bool:
        """Whether it is known by more than its inode number, which is used again: an empty file is not."""
        return self.start_bytes > 0 or self.is_done

    def note(self, offset: int, read_at: Callable[[int, int], bytes]) -> None:
        """Note that the file was read up to ``offset``; ``read_at(size, offset)`` returns its content."""
        size = min(offset, TAIL_BYTES)
        self.offset, self.tail = offset, read_at(size, offset - size).hex()
        if self.start_bytes < min(offset, START_BYTES):
            self.note_start(read_at(min(offset, START_BYTES), 0))

    def note_start(self, start: bytes) -> None:
        """Note the first bytes of the content, at most START_BYTES; they may be beyond ``offset``."""
        self.start, self.start_bytes = digest(start), len(start)

    def has_tail(self, read_at: Callable[[int, int], bytes]) -> bool:
        """Return whether content has the bytes before ``offset`` that the file had."""
        tail = bytes.fromhex(self.tail)
        return not tail or read_at(len(tail), self.offset - len(tail)) == tail

    def matches(self, read_at: Callable[[int, int], bytes]) -> bool:
        """Return whether content may be that of the file."""
        return self.has_tail(read_at) and digest(read_at(self.start_bytes, 0)) == self.start


_decode = msgspec.json.Decoder(FileRecord).decode


def _record(line: bytes) -> FileRecord:
    """Return the record of a line. Raises ValueError."""
    record = _decode(line)
    if record.path_bytes:
        record.path, record.path_bytes = os.fsdecode(bytes.fromhex(record.path_bytes)), ""
    return record


def _line(record: FileRecord) -> bytes:
    """Return a record as a line."""
    if (path := readable_path(record.path)) != record.path:
        record = replace(record, path=path, path_bytes=os.fsencode(record.path).hex())
    return msgspec.json.encode(record) + b"\n"


def stem(path: str) -> str:
    """Return a path up to the first dot of the name."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.split(".")[0]


def digest(data: bytes) -> str:
    """Return a digest of bytes."""
    return hashlib.blake2b(data, digest_size=10).hexdigest() if data else ""


class Sincedb:
    """The records, and the file that they are kept in.

    Args:
        path: The file; None: they are not kept.

    Attributes:
        current: The records of files that exist, by device and inode number.
        ended: Those of files that exist no more, the latest last.
        logstash: How far Logstash has read files, if it wrote the sincedb.
        existed: Whether there was a file: the input has run before.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.current: dict[Key, FileRecord] = {}
        self.ended: list[FileRecord] = []
        self.logstash: dict[Key, int] = {}
        self._by_stem: dict[str, dict[str, FileRecord]] = {}
        self._lock = threading.Lock()
        self._encoded = self._written = 0
        self.existed = False

    def load(self) -> list[str]:
        """Read the file, if there is one; returns what is wrong with it, a sentence for each line that was skipped.

        Then the file is copied, with ``.damaged`` after its name. Raises OSError.
        """
        if self._path is None or not self._path.exists():
            return []
        self.existed = True
        data = self._path.read_bytes()
        lines = enumerate(data.split(b"\n"), 1)
        failures = ((number, self._load_line(line)) for number, line in lines)
        errors = [f"line {number} is not a record: {error}" for number, error in failures if error]
        if errors:
            self._path.with_name(self._path.name + ".damaged").write_bytes(data)
        return errors

    def _load_line(self, line: bytes) -> str:
        """Take a line; returns what is wrong with it, empty if nothing."""
        try:
            if line.startswith(b"{"):
                self._add(_record(line))
            elif line:
                key, offset = _logstash_record(line)
                self.logstash[key] = offset
        except ValueError as error:
            return str(error)
        return ""

    def _add(self, record: FileRecord) -> None:
        if record.state == "ended":
            self.ended.append(record)
            self._by_stem.setdefault(stem(record.path), {})[record.stream] = record
        else:
            self.add(record)

    def add(self, record: FileRecord) -> None:
        """Note a file that exists."""
        self.current[record.key] = record
        self._by_stem.setdefault(stem(record.path), {})[record.stream] = record

    def related(self, path: str) -> list[FileRecord]:
        """Return the records of other names in the same folder that the name starts like, up to their first dots."""
        name = path.rpartition("/")[2]
        stems = [path[: len(path) - len(name) + size] for size in range(len(name) + 1)]
        found = [record for stem in stems for record in self._by_stem.get(stem, {}).values()]
        return [record for record in found if record.path != path]

    def end(self, record: FileRecord) -> None:
        """Note that there is no such file any more."""
        record.state = "ended"
        if self.current.get(record.key) is record:
            del self.current[record.key]
        self.ended.append(record)

    def drop(self, record: FileRecord) -> None:
        """Forget a file."""
        if self.current.get(record.key) is record:
            del self.current[record.key]
        self.ended = [other for other in self.ended if other is not record]
        self._remove_stem(record)

    def _remove_stem(self, record: FileRecord) -> None:
        known = stem(record.path)
        records = self._by_stem.get(known, {})
        records.pop(record.stream, None)
        if not records:
            self._by_stem.pop(known, None)

    def forget_old(self, before: float) -> list[FileRecord]:
        """Remove and return the records of files that were last seen ``before``, and most of those that ended."""
        by_path: dict[str, int] = {}
        gone = [record for record in self.current.values() if record.seen < before]
        for record in reversed(self.ended):
            by_path[record.path] = by_path.get(record.path, 0) + 1
            if by_path[record.path] > _MAX_ENDED or record.seen < before:
                gone.append(record)
        streams = {record.stream for record in gone}
        for record in gone:
            self._remove_stem(record)
        self.current = {key: record for key, record in self.current.items() if record.stream not in streams}
        self.ended = [record for record in self.ended if record.stream not in streams]
        return gone

    def encoded(self) -> tuple[int, bytes]:
        """Return what is to be written, and its number: see ``write``."""
        self._encoded += 1
        records: Iterable[FileRecord] = [*self.ended, *self.current.values()]
        return self._encoded, b"".join(map(_line, records))

    def write(self, number: int, data: bytes) -> None:
        """Replace the file, unless a later state is in it; from any thread. Raises OSError."""
        with self._lock:
            if self._path is None or number <= self._written:
                return
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
            write_atomic(self._path, data)
            self._written = number


def _logstash_record(line: bytes) -> tuple[Key, int]:
    """Return device and inode number of a line of Logstash's sincedb, and the position. Raises ValueError.

    The columns: inode number, major and minor number of the device, position, and since version 5 of the plugin the
    time of the last activity and the path.
    """
    columns = line.split(b" ", 5)
    if len(columns) < 4:
        raise ValueError("it has fewer than four columns")
    inode, major, minor, position = map(int, columns[:4])
    return (os.makedev(major, minor) if major else minor, inode), position
