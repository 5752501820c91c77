"""Copies of files that are read: a rotation by copying and emptying makes them, and compression.

A new file whose content is that of a known one is not a new stream: what was already read from the original is skipped
in the copy, and what was not, because the file was emptied first, is read from the copy. Only files in the folder of
the original with a name that starts like its own are compared, such as ``app.log.1.gz`` or ``app-20260131.log``: any
two files may have equal content.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ingestd.plugins.inputs._file_content import Content, ContentError
from ingestd.plugins.inputs._file_records import START_BYTES, TAIL_BYTES, FileRecord, digest

_BLOCK = 1 << 16

ReadAt = Callable[[int, int], bytes]


def is_compressed(start: bytes) -> bool:
    """Return whether a file that starts with these bytes is gzip or zstd."""
    return start.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))


class CopyVerdict(NamedTuple):
    """What a new file is: a copy of the file of ``record``, or new (None).

    ``waits``: the original is still read, or the copy is still written: it is not known yet what to read of it.
    """

    record: FileRecord | None = None
    waits: bool = False


NEW = CopyVerdict()


class Sample:
    """Parts of the content of a new file, read in ascending order.

    Args:
        path: The file.
        fd: Its open descriptor.

    Raises:
        OSError: It cannot be read.
    """

    def __init__(self, path: str, fd: int) -> None:
        self.path, self._fd = path, fd
        self.compressed = is_compressed(os.pread(fd, 4, 0))
        self._content: Content | None = None
        self.cut_off = False
        self._digests: dict[int, str] = {}
        self._window, self._at = b"", 0  # the last content that was read, and its offset
        self.start = self.read_at(START_BYTES, 0)

    def read_at(self, size: int, offset: int) -> bytes:
        """Return content; of compressed files it must follow what was asked for before."""
        if not self.compressed:
            return os.pread(self._fd, size, offset)
        if self._content is None:
            self._content = Content(Path(self.path))
        while self._at + len(self._window) < offset + size and (data := self._next()):
            keep = self._window[max(len(self._window) - START_BYTES, 0) :]
            self._at += len(self._window) - len(keep)
            self._window = keep + data
        return self._window[max(offset - self._at, 0) :][:size] if offset >= self._at else b""

    def read_start_at(self, size: int, offset: int) -> bytes:
        """Return content of the first START_BYTES, at any time."""
        return self.start[offset : offset + size]

    def has_start_of(self, record: FileRecord) -> bool:
        """Return whether the content starts as that of another file."""
        size = record.start_bytes
        if size not in self._digests:
            self._digests[size] = digest(self.start[:size])
        return len(self.start) >= size and self._digests[size] == record.start

    def _next(self) -> bytes:
        assert self._content is not None  # noqa: S101 -- see read_at
        try:
            return self._content.read(_BLOCK)
        except ContentError:
            self.cut_off = True
            return b""

    def close(self) -> None:
        """Close what was opened here."""
        if self._content is not None:
            self._content.close()


def find_original(sample: Sample, related: Sequence[tuple[FileRecord, ReadAt | None]], *, young: bool) -> CopyVerdict:
    """Return what a new file is.

    Args:
        sample: Its content.
        related: The records of files whose names its name starts like, with their content if they are open.
        young: Whether the new file was written to within the last minute.
    """
    least = 1 if sample.compressed else TAIL_BYTES
    records = [row for row in related if row[0].start_bytes >= least]
    for record, _ in sorted(records, key=lambda row: row[0].offset):
        if sample.has_start_of(record) and record.has_tail(sample.read_at):
            return CopyVerdict(record, waits=record.state != "ended")
    if young and sample.compressed and sample.cut_off:
        return CopyVerdict(None, waits=True)
    for record, read_at in records:
        if young and read_at is not None and sample.start and read_at(len(sample.start), 0) == sample.start:
            return CopyVerdict(record, waits=True)  # only the start has been copied yet
    return NEW
