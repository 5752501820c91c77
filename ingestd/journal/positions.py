"""The positions of the consumers: a small file that is overwritten in place.

The file has three slots. Each holds all consumers with their positions and states as JSON, a rising generation
and a CRC-32; the highest good generation counts. One slot is always the one last synced to the disk and stays
untouched: after a power failure, which may tear what was written since, that one holds. The other two are written in
turn: a kill that cuts a write short loses one commit. A lost commit costs a second delivery, no event. A slot also
holds the end of the journal, so that a tail that is cut off or deleted later is noticed. In place, because blocks that
a file has already can be written on a full disk, too: otherwise nothing could be committed there, and space never be
freed.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from ingestd.event.jsontext import NotJsonError, dumps, loads
from ingestd.files import sync_folder
from ingestd.journal.base import START, Position

FILE_NAME = "positions"
_SLOTS = 3
_BLOCK = 4096
"""Slots start at multiples of this, so they can be found without knowing their size."""
_MIN_SLOT_BYTES = 4 * _BLOCK
_HEAD = struct.Struct("<8sIIQ")
_MAGIC = b"ingestdP"
_MAX_OFFSET = 1 << 62
_END = ""
"""Stands for the end of the journal among the names of consumers, none of which is empty."""
_ABSENT = "\n"
"""Stands for the consumers that are absent: they are the state of an entry which is at the end of the journal, so that
an earlier version can read the file."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What a consumer has committed: it no longer needs anything before ``position``.

    ``state`` is JSON: a copy of what the consumer gave, which may have changed since.
    """

    position: Position
    state: bytes = b"null"


Commits = Mapping[str, Commit]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a positions file holds: the commits, and in which slot of which size. ``generation`` 0: nothing good.

    ``end``: the end of the journal when it was written; START if an older version wrote it. ``absent``: what consumers
    had committed that were dropped, by their names.
    """

    commits: dict[str, Commit]
    end: Position = START
    absent: dict[str, Commit] = field(default_factory=dict)
    generation: int = 0
    slot: int = 0
    slot_bytes: int = 0


def load_positions(folder: Path) -> Loaded | None:
    """Return what the positions file in ``folder`` holds; None if there is none. Raises OSError."""
    try:
        data = (folder / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    slot_bytes, rest = divmod(len(data), _SLOTS)
    if rest or slot_bytes % _BLOCK:
        slot_bytes = 0  # truncated; its slots may still be good
    found = [
        Loaded(*slot[1], slot[0], at // slot_bytes if slot_bytes else 0, slot_bytes)
        for at in range(0, len(data), _BLOCK)
        if (slot := _decode(data, at))
    ]
    return max(found, key=lambda loaded: loaded.generation, default=Loaded({}))


def or_copy(loaded: Loaded | None, copy: Path | None) -> Loaded | None:
    """Return the positions that were loaded, or if those are lost their copy in a folder, if it has any.

    Raises OSError.
    """
    if (loaded is None or not loaded.generation) and copy is not None:
        copied = load_positions(copy)
        if copied is not None and copied.commits:
            return copied
    return loaded


def _encode(generation: int, commits: Commits, end: Position, absent: Commits) -> bytes:
    all_commits = {**commits, _END: Commit(end)}
    if absent:
        all_commits[_ABSENT] = Commit(end, dumps(_entries(absent)))
    body = dumps(_entries(all_commits))
    crc = zlib.crc32(body, generation & 0xFFFFFFFF)
    return _HEAD.pack(_MAGIC, crc, len(body), generation) + body


def _entries(commits: Commits) -> dict[str, list[Any]]:
    return {name: [*commit.position, orjson.Fragment(commit.state)] for name, commit in commits.items()}


def _commits(entries: Any) -> dict[str, Commit]:
    """Return the commits of entries. Raises AttributeError, TypeError or ValueError if they are not entries."""
    found = {name: Commit(Position(offset, events), dumps(state)) for name, (offset, events, state) in entries.items()}
    if not all(0 <= number < _MAX_OFFSET for commit in found.values() for number in commit.position):
        raise ValueError("a position is impossible")
    return found


def _decode(data: bytes, at: int) -> tuple[int, tuple[dict[str, Commit], Position, dict[str, Commit]]] | None:
    if len(data) - at < _HEAD.size:
        return None
    magic, crc, size, generation = _HEAD.unpack_from(data, at)
    body = data[at + _HEAD.size : at + _HEAD.size + size]
    if magic != _MAGIC or len(body) != size or zlib.crc32(body, generation & 0xFFFFFFFF) != crc:
        return None
    try:
        commits = _commits(loads(body))
        absent = _commits(loads(commits.pop(_ABSENT, Commit(START, b"{}")).state))
    except (NotJsonError, AttributeError, TypeError, ValueError):
        return None  # of another version
    end = commits.pop(_END, Commit(START)).position
    return generation, (commits, end, absent)


class PositionsFile:
    """The file, open for writing. All methods raise OSError, and can be called again then.

    For one thread at a time, or behind a lock. ``write`` may close the descriptor of ``begin_sync``: duplicate it.
    """

    def __init__(self, folder: Path, loaded: Loaded | None) -> None:
        """Go on with what ``load_positions`` found; if it found nothing good, with a new file."""
        self._folder = folder
        self._fd = -1
        self._generation = self._written = self._durable = self._syncing = 0
        self._slot_bytes = _MIN_SLOT_BYTES
        if loaded and loaded.generation and loaded.slot_bytes:
            self._fd = os.open(folder / FILE_NAME, os.O_RDWR | os.O_CLOEXEC)
            os.fsync(self._fd)
            self._generation, self._slot_bytes = loaded.generation, loaded.slot_bytes
            self._written = self._durable = self._syncing = loaded.slot
        else:
            self._rewrite(_encode(1, *((loaded.commits, loaded.end, loaded.absent) if loaded else ({}, START, {}))))

    def write(self, commits: Commits, end: Position = START, absent: Commits = MappingProxyType({})) -> None:
        """Write ``commits``, the end of the journal, and what consumers had committed that are absent."""
        data = _encode(self._generation + 1, commits, end, absent)
        if 2 * len(data) > self._slot_bytes and self._grow(data, must=len(data) > self._slot_bytes):
            return
        free = [slot for slot in range(_SLOTS) if slot not in {self._durable, self._syncing}]
        slot = next((slot for slot in free if slot != self._written), free[0])
        if os.pwrite(self._fd, data, slot * self._slot_bytes) != len(data):
            raise OSError(errno.EIO, "written only in part", FILE_NAME)
        self._generation += 1
        self._written = slot

    def _grow(self, data: bytes, must: bool) -> bool:
        """Make larger slots, early: on a full disk the old ones must suffice. Return whether it was done."""
        try:
            self._rewrite(data)
        except OSError:
            if must:
                raise
            return False
        return True

    def begin_sync(self) -> int | None:
        """Return the descriptor to sync, None if there is nothing new; then call ``end_sync``."""
        if self._written == self._durable:
            return None
        self._syncing = self._written
        return self._fd

    def end_sync(self, done: bool) -> None:
        """Note whether what was written at ``begin_sync`` is synced."""
        if done:
            self._durable = self._syncing
        self._syncing = self._durable

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _rewrite(self, data: bytes) -> None:
        """Replace the file by one with slots that are large enough for ``data``, of the next generation."""
        slot_bytes = self._slot_bytes
        while slot_bytes < 4 * len(data):
            slot_bytes *= 2
        path = self._folder / (FILE_NAME + ".new")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            _fill(fd, data.ljust(_SLOTS * slot_bytes, b"\0"))
            os.fsync(fd)
            path.replace(self._folder / FILE_NAME)
        except OSError:
            os.close(fd)
            with suppress(OSError):
                path.unlink()
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._slot_bytes = fd, slot_bytes
        self._generation += 1
        self._written = self._durable = self._syncing = 0
        sync_folder(self._folder)  # last: even if this raises, the new file has the name


class PositionsCopy:
    """The copy of the positions, in a folder of its own. It is never synced: the kernel writes it soon enough.

    A disk that refuses it is no reason to stop: then the copy stays as it was.

    Args:
        folder: Made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: PositionsFile | None = None
        self._copied: tuple[Commits, Position, Commits] | None = None

    def update(self, commits: Commits, end: Position, absent: Commits) -> None:
        """Copy the positions, unless they are those that were copied last. They must not change any more."""
        if (commits, end, absent) == self._copied:
            return
        with suppress(OSError):
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
                self._file = PositionsFile(self._folder, load_positions(self._folder))
            self._file.write(commits, end, absent)
            self._copied = commits, end, absent

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _fill(fd: int, data: bytes) -> None:
    """Write a new file in full, so that it has its blocks: an allocated but unwritten one may need space later."""
    if os.pwrite(fd, data, 0) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), FILE_NAME)
