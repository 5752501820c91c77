"""Tail files: opening one under its lock, appending to it, mending what a crash has left of its last line."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from ingestd.files import sync_folder, try_lock, write_all, write_synced
from ingestd.stores.base import StoreError, StoreFullError
from ingestd.stores.local.files import manifest
from ingestd.stores.local.files.layout import TailName, tails_of

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Repair:
    """What a crash left of a line: ``size`` bytes at ``offset`` of ``tail``, moved to the file ``kept``."""

    tail: Path
    offset: int
    size: int
    kept: Path


@dataclass(slots=True)
class Tail:
    """A tail that is open for appending; its lock is held as long as it is."""

    path: Path
    number: int
    fd: int
    size: int  # bytes; all of them whole lines
    dirty: bool = True  # also when just opened: a killed process may have left bytes that are not on the disk yet
    torn: bool = False  # a failed write could not be taken back yet
    opened: float = field(default_factory=time.monotonic)

    def write(self, body: bytes) -> None:
        """Append whole lines, or leave the tail as it was and raise ``OSError``."""
        if self.torn:
            self._take_back()
        self.dirty = True
        try:
            write_all(self.fd, body)
        except OSError:
            self.torn = True
            self._take_back()
            raise
        self.size += len(body)

    def sync(self) -> None:
        """Put what was appended on the disk."""
        if self.dirty:
            os.fsync(self.fd)
            self.dirty = False

    def close(self) -> None:
        """Close the file: another process may lock it."""
        os.close(self.fd)

    def is_in_place(self) -> bool:
        """Return whether the file is still the one of its name: neither deleted nor moved away."""
        try:
            return os.path.samestat(os.fstat(self.fd), self.path.stat())
        except FileNotFoundError:
            return False

    def _take_back(self) -> None:
        os.ftruncate(self.fd, self.size)
        self.torn = False


def open_tail(folder: Path, writer: str, after: int, below_bytes: int) -> tuple[Tail, Repair | None]:
    """Open the newest tail of a writer in an index folder, made if it is not there, or begin the next one.

    Args:
        folder: The index folder.
        writer: The writer.
        after: The tail has a greater number than this.
        below_bytes: It has less than these.

    Raises:
        OSError: The disk refuses.
        StoreError: The manifest cannot be read.
    """
    while True:
        newest = max((tail.number for tail in tails_of(folder) if tail.writer == writer), default=0)
        sealed = manifest.load(folder).sealed.get(writer, 0)
        number = newest if newest > max(sealed, after) else max(newest, sealed, after) + 1
        path = folder / str(TailName(writer, number))
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            tail = _locked(folder, writer, Tail(path, number, fd, 0))
            if tail is not None and os.fstat(fd).st_size < below_bytes:
                repair = repair_end(path, fd)
                tail.size = os.fstat(fd).st_size
                if not tail.size:
                    sync_folder(folder)
                    sync_folder(folder.parent)
                return tail, repair
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        after = max(after, number)  # full, or being sealed


def _locked(folder: Path, writer: str, tail: Tail) -> Tail | None:
    """Return the tail if we hold its lock; None if it is being sealed, or was while we opened it."""
    if not try_lock(tail.fd):
        return None
    # The sealer may have ended between our look at the manifest and our lock. Once we hold the lock of the
    # file that has the name, nobody can seal it any more.
    sealed = manifest.load(folder).holds(TailName(writer, tail.number))
    if sealed and tail.is_in_place():
        tail.path.unlink(missing_ok=True)  # we have just made it anew
    return tail if not sealed and tail.is_in_place() else None


def repair_end(path: Path, fd: int) -> Repair | None:
    """Cut a line that has no end off a tail that is locked, and keep it beside; None if the tail is whole.

    Raises:
        StoreError: The disk refuses; the tail is as it was.
    """
    try:
        size = os.fstat(fd).st_size
        end = end_of_lines(fd, size)
        if end == size:
            return None
        kept = path.with_name(f"{path.stem}.torn-{end}")
        write_synced(kept, os.pread(fd, size - end, end))
        os.ftruncate(fd, end)
        os.fsync(fd)
    except OSError as error:
        raise store_error(error, f"cannot repair {path}") from error
    return Repair(path, end, size - end, kept)


def end_of_lines(fd: int, size: int, step: int = 1 << 16) -> int:
    """Return the offset after the last line end of a file, 0 if it has none."""
    while size > 0:
        start = max(0, size - step)
        if (found := os.pread(fd, size - start, start).rfind(b"\n")) >= 0:
            return start + found + 1
        size = start
    return 0


def store_error(error: OSError, what: str) -> StoreError:
    """Return the error of a disk as one sentence."""
    kind = StoreFullError if error.errno in _FULL else StoreError
    return kind(f"{what}: {error.strerror or error}")
