"""Append logs: opening one under its lock, appending, and repairing the incomplete line that a crash may leave."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestd.files import sync_folder, try_lock, write_all, write_synced
from ingestd.stores.base import disk_error
from ingestd.stores.local.append_logs.last_ids import numbers_in
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.layout import AppendLogName, append_logs_in

_SAMPLE_BLOCK = 64 << 10
_LEAST_SAMPLED, _MOST_SAMPLED = 1 << 20, 2 << 20  # bytes; in between, a part in 32

_UNREADABLE = (manifest.DamagedManifestError, PermissionError)


@dataclass(frozen=True, slots=True)
class AppendLogRepair:
    """An incomplete line that a crash left: ``size`` bytes at ``offset`` of a log, moved to the file ``kept``."""

    append_log: Path
    offset: int
    size: int
    kept: Path


@dataclass(slots=True)
class AppendLog:
    """An append log that is open for appending, and locked as long as it is open."""

    path: Path
    number: int
    fd: int
    size: int  # bytes; whole lines only
    dirty: bool = True  # also right after opening: a killed process may have left bytes that are not on the disk yet
    torn: bool = False  # a failed write could not be undone yet
    opened: float = 0.0  # seconds of the writer's clock
    written: float = 0.0  # of the last append, or else when it was opened

    def write(self, body: bytes) -> None:
        """Append whole lines. Raises OSError, and then leaves the log as it was."""
        if self.torn:
            self._undo_write()
        self.dirty = True
        try:
            write_all(self.fd, body)
        except OSError:
            self.torn = True
            self._undo_write()
            raise
        self.size += len(body)

    def sync(self) -> None:
        """Make what was appended durable."""
        if self.dirty:
            os.fsync(self.fd)
            self.dirty = False

    def close(self) -> None:
        """Close the file, which releases its lock."""
        os.close(self.fd)

    def is_current(self) -> bool:
        """Return whether the path still names this file: it was neither deleted nor renamed."""
        try:
            return os.path.samestat(os.fstat(self.fd), self.path.stat())
        except FileNotFoundError:
            return False

    def _undo_write(self) -> None:
        os.ftruncate(self.fd, self.size)
        self.torn = False


def open_append_log(
    folder: Path, writer: str, after: int, below_bytes: int
) -> tuple[AppendLog, AppendLogRepair | None]:
    """Open the newest append log of a writer in an index folder, or create the next one.

    Args:
        folder: The index folder.
        writer: The writer's id.
        after: Only a log with a number above this is opened.
        below_bytes: Only a log smaller than this is opened.

    Raises:
        OSError: The disk fails.
        StoreError: The manifest cannot be read.
    """
    while True:
        newest = max(
            (append_log.number for append_log in append_logs_in(folder) if append_log.writer == writer), default=0
        )
        sealed = _sealed_number(folder, writer)
        number = newest if newest > max(sealed, after) else max(newest, sealed, after) + 1
        path = folder / str(AppendLogName(writer, number))
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            append_log = _locked(folder, writer, AppendLog(path, number, fd, 0))
            if append_log is not None and os.fstat(fd).st_size < below_bytes:
                repair = repair_end(path, fd)
                append_log.size = os.fstat(fd).st_size
                if not append_log.size:
                    sync_folder(folder)
                    sync_folder(folder.parent)
                return append_log, repair
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        after = max(after, number)  # full, or being sealed


def _locked(folder: Path, writer: str, append_log: AppendLog) -> AppendLog | None:
    """Return the log if we hold its lock; None if it is being sealed, or was sealed while we opened it."""
    if not try_lock(append_log.fd):
        return None
    # The sealer may have finished between our reading the manifest and our lock. Once we hold the lock of the file
    # with this name, nobody else can seal it.
    try:
        sealed = manifest.load(folder).holds(AppendLogName(writer, append_log.number))
    except _UNREADABLE:  # then only a log that we have just created is certain not to be sealed
        return append_log if not os.fstat(append_log.fd).st_size and append_log.is_current() else None
    if sealed and append_log.is_current():
        append_log.path.unlink(missing_ok=True)  # we have just created it again
    return append_log if not sealed and append_log.is_current() else None


def _sealed_number(folder: Path, writer: str) -> int:
    """Return the highest number of the writer's append logs that may be sealed.

    The names of the ids files say it too, so that a damaged or missing manifest holds up no writer.
    """
    from_names = numbers_in(folder).get(writer, 0)
    try:
        return max(manifest.load(folder).sealed.get(writer, 0), from_names)
    except _UNREADABLE:
        return from_names


def repair_end(path: Path, fd: int) -> AppendLogRepair | None:
    """Move an incomplete last line of a locked append log to a file of its own; None if there is none.

    Raises:
        StoreError: The disk fails; the log is unchanged.
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
        raise disk_error(error, f"cannot repair {path}") from error
    return AppendLogRepair(path, end, size - end, kept)


def end_of_lines(fd: int, size: int, step: int = 1 << 16) -> int:
    """Return the offset after the last line end in the first ``size`` bytes of a file, 0 if there is none."""
    while size > 0:
        start = max(0, size - step)
        if (last := os.pread(fd, size - start, start).rfind(b"\n")) >= 0:
            return start + last + 1
        size = start
    return 0


def count_bytes(path: Path, byte: bytes) -> int:
    """Return how often a byte occurs in a file."""
    count, buffer = 0, bytearray(1 << 18)  # which stays in the processor's cache
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            count += buffer.count(byte, 0, size)
    return count


def sample_documents(append_logs: Sequence[Path]) -> Iterator[bytes]:
    """Yield documents from all over append logs: all of a megabyte, of larger logs some of every part.

    Raises:
        OSError: A log cannot be read.
    """
    total, taken = sum(path.stat().st_size for path in append_logs), 0
    sample = min(max(total // 32, _LEAST_SAMPLED), _MOST_SAMPLED)
    step = max(_SAMPLE_BLOCK, total * _SAMPLE_BLOCK // sample)
    for path in append_logs:
        with path.open("rb") as file:
            for start in range(0, path.stat().st_size, step):
                file.seek(start)
                if start:
                    file.readline()  # the block may start within a line
                for line in file.readlines(_SAMPLE_BLOCK):
                    taken += len(line)
                    yield line.rpartition(b"\t")[0]
                if taken > 2 * sample:  # very long lines
                    return
