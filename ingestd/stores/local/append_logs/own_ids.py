"""The ids of events that name themselves in an index, shared by all writers, so that none stores an event again.

An event whose acknowledgement was lost is sent again, perhaps to another worker. Its id is the same then (see
``event_id.names_itself``). The writers of an index share a file, ``own-ids.bin``, under whose lock they look for ids,
add them, and append the events::

    1  lock the file
    2  look for the ids in it, and add those it does not have     an id that it has not is new
    3  ask the index itself for the others                        it may have them: a mark is not an id
    4  append the new events, and unlock

So a writer that is killed after step 2 loses nothing: the index has no such id yet, and says so in step 3. The file is
made again from the ids of the index if it is missing, incomplete, or from before the last start of the machine, as a
power failure may have taken what was added last. The sealer removes it once the index is quiet; an event that comes
later makes it again. If it cannot be read or written, events are stored all the same, perhaps twice.

The file is a header and tables, each `_GROWTH` times as large as the one before. A table is an array of buckets; an id
is a mark of `_MARK` bytes, none of them zero, in the bucket that its hash selects. If a bucket is full, a table is
added. An id takes about 8 bytes; to look for it takes a read for each table (two at a million ids). Of a billion new
ids about one looks as if it were there. The file is mapped for reading only: a full disk is an error, not a signal.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ingestd.event.event_id import OWN_PREFIXES
from ingestd.files import release_lock, try_lock, wait_for_lock
from ingestd.logs import Outage, get_logger
from ingestd.stores.base import StoreError
from ingestd.stores.local.append_logs.stored_ids import ids_with_prefix, stored_ids

log = get_logger(__name__)

NAME = "own-ids.bin"

_MAGIC = b"own ids 1"
_HEADER_BYTES = 4096
_FIRST_TABLE_BYTES, _GROWTH = 1 << 20, 16
_BUCKET, _MARK = 256, 5
_FULL = _BUCKET // _MARK * _MARK
_NO_ZERO = bytes([1, *range(1, 256)])
_MAX_OPEN = 16
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def _boot_id() -> bytes:
    """Return what is another one after each start of the machine."""
    try:
        return _BOOT_ID.read_bytes().strip()
    except OSError:  # not Linux: what a power failure took is not noticed
        return b"unknown"


class IdTables:
    """The file of an index, to be used under its lock. All calls raise OSError if the disk fails."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._tables: list[tuple[int, int]] = []  # offset and number of buckets
        self._map: mmap.mmap | None = None

    def load(self, boot_id: bytes) -> bool:
        """Read the header; return whether the file has all ids that were ever added."""
        *start, tables = os.pread(self.fd, _HEADER_BYTES, 0).rstrip(b"\0").split(b"\n")
        if start != [_MAGIC, boot_id] or not tables.isdigit():
            return False
        if int(tables) != len(self._tables):
            self._tables = []
            for _ in range(int(tables)):
                self._tables.append(self._next_table())
        if os.fstat(self.fd).st_size < self._next_table()[0]:
            return False
        self._remap()
        return True

    def clear(self) -> None:
        """Remove all ids. The file is incomplete until ``complete`` is called."""
        self._tables = []
        os.ftruncate(self.fd, 0)
        self._remap()

    def complete(self, boot_id: bytes) -> None:
        """Note that the file has all ids."""
        os.pwrite(self.fd, b"\n".join([_MAGIC, boot_id, b"%d" % len(self._tables)]), 0)

    def close(self) -> None:
        """Close the file."""
        self._tables = []
        if self._map is not None:
            self._map.close()
        os.close(self.fd)

    def _next_table(self) -> tuple[int, int]:
        offset = _HEADER_BYTES
        if self._tables:
            last, buckets = self._tables[-1]
            offset = last + buckets * _BUCKET
        return offset, _FIRST_TABLE_BYTES * _GROWTH ** len(self._tables) // _BUCKET

    def _remap(self) -> None:
        """Map the tables for reading, unless they are: others may have cut the file, or added a table."""
        size = self._next_table()[0] if self._tables else 0
        if self._map is not None and len(self._map) != size:
            self._map.close()
            self._map = None
        if self._map is None and size:
            self._map = mmap.mmap(self.fd, size, prot=mmap.PROT_READ)

    def add(self, ids: Iterable[str]) -> list[str]:
        """Add ids; return those that may have been there, also because an id comes twice."""
        return [event_id for event_id in ids if not self._add(event_id)]

    def _add(self, event_id: str) -> bool:
        digest = hashlib.blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=8 + _MARK).digest()
        number, mark = int.from_bytes(digest[:8]), digest[8:].translate(_NO_ZERO)
        used, place, mapped = _FULL, 0, self._map
        for offset, buckets in self._tables:
            assert mapped is not None  # noqa: S101 -- there are tables
            place = offset + number % buckets * _BUCKET
            bucket = mapped[place : place + _BUCKET]
            if mark in bucket:
                return False
            used = bucket.find(0)
        if used >= _FULL:
            place, used = self._grow(number), 0
        os.pwrite(self.fd, mark, place + used)
        return True

    def _grow(self, number: int) -> int:
        """Add a table; return where the bucket of a hash is in it."""
        offset, buckets = self._next_table()
        os.ftruncate(self.fd, offset + buckets * _BUCKET)
        self._tables.append((offset, buckets))
        self._remap()
        if start := os.pread(self.fd, _HEADER_BYTES, 0).rstrip(b"\0"):
            self.complete(start.split(b"\n")[1])
        return offset + number % buckets * _BUCKET


class OwnIds:
    """The files of a store's indices, those that were used last kept open."""

    def __init__(self, root: Path) -> None:
        self._root, self._boot_id = root, _boot_id()
        self._open: OrderedDict[str, IdTables] = OrderedDict()
        text = "the ids that an index has cannot be read; events that are sent again may be stored twice"
        self._unknown = Outage(log.warning, text, log.info, "the ids that an index has can be read again")

    @contextlib.contextmanager
    def repeated(self, index: str, ids: Sequence[str], own: Sequence[int]) -> Iterator[list[int]]:
        """Lock an index for events that name themselves: until the end of the block no other writer adds any.

        Args:
            index: Its name.
            ids: n ids.
            own: Positions of those that their senders made.

        Yields the positions of ids that the index has, or that come earlier in ``ids``.
        """
        with contextlib.ExitStack() as unlock:
            had: list[int] = []
            try:
                tables = self._locked_tables(index)
                unlock.callback(release_lock, tables.fd)
                had = self._find(index, tables, ids, own)
                self._unknown.recovered()
            except (OSError, StoreError) as error:
                self._unknown.failed(index=index, error=error)
            yield had

    def _find(self, index: str, tables: IdTables, ids: Sequence[str], own: Sequence[int]) -> list[int]:
        try:
            if not tables.load(self._boot_id):
                tables.clear()
                tables.add(ids_with_prefix(self._root / index, OWN_PREFIXES))
                tables.complete(self._boot_id)
            maybe = tables.add(ids[position] for position in own)
            seen = stored_ids(self._root / index, maybe) if maybe else set()
        except BaseException:
            tables.clear()  # it may lack ids that are about to be stored
            raise
        if not maybe:
            return []
        had = []
        for position in own:
            if ids[position] in seen:
                had.append(position)
            seen.add(ids[position])
        return had

    def _locked_tables(self, index: str) -> IdTables:
        path = self._root / index / NAME
        while True:
            tables = self._open.get(index)
            if tables is None:
                path.parent.mkdir(exist_ok=True, mode=0o750)
                tables = IdTables(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
                self._open[index] = tables
                if len(self._open) > _MAX_OPEN:
                    self._open.popitem(last=False)[1].close()
            self._open.move_to_end(index)
            wait_for_lock(tables.fd)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(tables.fd), path.stat()):
                    return tables
            self._open.pop(index).close()  # the index was deleted, or the file removed as it was idle

    def close(self) -> None:
        """Close the files."""
        for tables in self._open.values():
            tables.close()
        self._open.clear()


def remove_if_idle(folder_fd: int, idle_s: float) -> None:
    """Remove the file of an index, whose folder is open, if nothing was added for so long. Raises OSError."""
    try:
        fd = os.open(NAME, os.O_RDWR | os.O_CLOEXEC, dir_fd=folder_fd)
    except FileNotFoundError:
        return
    try:
        if time.time() - os.fstat(fd).st_mtime >= idle_s and try_lock(fd):
            os.unlink(NAME, dir_fd=folder_fd)
    finally:
        os.close(fd)
