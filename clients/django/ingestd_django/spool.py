"""Files that keep records while the daemon is down, one for each process.

A file starts with how many of its bytes have been acknowledged, in 20 digits and a line feed; then come the records,
one a line. Its process holds a lock on it, so what a process has left is found and sent by the next one.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: what a process has left stays there
    fcntl = None  # type: ignore[assignment]

_CAN_LOCK = fcntl is not None
_HEAD_BYTES = 21
_SUFFIX = ".spool"
_LITTLE_BYTES, _LARGE_BYTES = 1 << 20, 8 << 20


class Spool:
    """A file of records; not safe for concurrent use.

    Args:
        path: The file.
        fd: It, opened for reading and writing, and locked.

    Attributes:
        acknowledged: Where the first record is that was not acknowledged.
        size: Where the last record ends.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self._path, self._fd = path, fd
        self.acknowledged, self.size = _HEAD_BYTES, _HEAD_BYTES
        head = os.pread(fd, _HEAD_BYTES, 0)
        if head[:-1].isdigit():
            self.acknowledged = int(head)
            self.size = self._end_of_last_line(os.fstat(fd).st_size)
        else:
            self._write_head()

    @classmethod
    def create(cls, folder: Path) -> Spool:
        """Return a new file.

        Raises:
            OSError: There can be none; nor if the folder belongs to another user, who could read the records.
        """
        check_folder(folder)
        path = folder / f"{os.getpid()}-{uuid.uuid4().hex}{_SUFFIX}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _lock(fd)
        return cls(path, fd)

    @property
    def remaining(self) -> int:
        """Bytes that were not acknowledged."""
        return self.size - self.acknowledged

    def append(self, records: bytes) -> None:
        """Write whole lines at the end, or none of them.

        Raises:
            OSError: They cannot be written.
        """
        done = 0
        try:
            while done < len(records):
                done += os.pwrite(self._fd, records[done:], self.size + done)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        self.size += len(records)

    def read(self, max_records: int, max_bytes: int) -> list[bytes]:
        """Return the first records, without line feeds: at least one if there is any."""
        size = max_bytes
        while True:
            data = os.pread(self._fd, min(size, self.remaining), self.acknowledged)
            if (lines := data.split(b"\n")[:-1][:max_records]) or not self.remaining:
                return lines
            if size >= self.remaining:
                self._discard()
                raise OSError(f"{self._path} was cut by someone else: what was in it is lost")
            size *= 2

    def acknowledge(self, records: list[bytes]) -> None:
        """Forget the first records, as ``read`` returned them."""
        self.acknowledged += sum(map(len, records)) + len(records)
        if self.remaining:
            self._write_head()
        else:
            self._discard()

    def is_mostly_sent(self, max_bytes: int) -> bool:
        """Return whether it is large for a file of at most ``max_bytes``, and little of it remains.

        While records keep coming, there may be no moment at which it is empty.
        """
        return self.size >= min(_LARGE_BYTES, max_bytes // 2) and self.remaining <= min(_LITTLE_BYTES, max_bytes // 8)

    def moved(self) -> Spool:
        """Return a new file with what remains, and remove this one. A kill meanwhile leaves these records twice.

        Raises:
            OSError: There can be none; this one stays in use.
        """
        new = Spool.create(self._path.parent)
        try:
            records = os.pread(self._fd, self.remaining, self.acknowledged)
            if len(records) < self.remaining:
                raise OSError(f"{self._path} was cut by someone else")
            new.append(records)
        except OSError:
            new.close()
            raise
        self.acknowledged = self.size
        self.close()
        return new

    def close(self) -> None:
        """Close the file, and remove it if it is empty: what remains is for the next process."""
        if not self.remaining:
            with contextlib.suppress(OSError):
                self._path.unlink()
        os.close(self._fd)

    def forget(self) -> None:
        """Leave the file to the process that this one was forked from."""
        os.close(self._fd)

    def _discard(self) -> None:
        os.ftruncate(self._fd, _HEAD_BYTES)
        self.acknowledged = self.size = _HEAD_BYTES
        self._write_head()

    def _write_head(self) -> None:
        os.pwrite(self._fd, b"%020d\n" % self.acknowledged, 0)

    def _end_of_last_line(self, end: int) -> int:
        """Return where the last whole line ends: the disk may have been full."""
        while end > self.acknowledged:
            start = max(end - (1 << 16), self.acknowledged)
            found = os.pread(self._fd, end - start, start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
        return self.acknowledged


def check_folder(folder: Path) -> None:
    """Make the folder if it is missing.

    Raises:
        OSError: It cannot be made, or belongs to another user.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "geteuid") and folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user: set spool_dir")


def abandoned(folder: Path) -> Iterator[Spool]:
    """Yield the files of processes that have ended; the caller closes each."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")) if _CAN_LOCK else ():
        if (spool := _adopted(path)) is not None:
            yield spool


def _adopted(path: Path) -> Spool | None:
    try:
        fd = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    try:
        _lock(fd)
        if os.fstat(fd).st_nlink:  # else another process has sent and removed it meanwhile
            return Spool(path, fd)
    except (OSError, ValueError):
        pass
    os.close(fd)
    return None


def _lock(fd: int) -> None:
    if _CAN_LOCK:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
