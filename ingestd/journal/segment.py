"""A segment file of a journal: its name, a writer that appends all or nothing, reading a part of it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ingestd.files import write_all, write_synced
from ingestd.journal.base import Position
from ingestd.journal.format import FILE_HEADER_BYTES, encode_file_header

_NAME = re.compile(r"journal-(\d{8,})\.seg")
_ANY = re.compile(r"journal-(\d{8,})\.seg.*")
_MAX_PARTS = 1024
"""IOV_MAX of Linux: the most buffers of one writev."""


@dataclass(slots=True)
class Segment:
    """A segment file.

    ``base`` is the position of its first byte, ``end`` the one after its last good record, ``size`` its bytes on the
    disk. ``keep``: it holds damaged bytes that could not be copied, so it is never deleted.
    """

    path: Path
    number: int
    base: Position
    end: Position
    size: int
    keep: bool = False

    @property
    def first(self) -> Position:
        """The position of the first record."""
        return Position(self.base.offset + FILE_HEADER_BYTES, self.base.events)


def segment_path(folder: Path, number: int) -> Path:
    """Return the path of a segment."""
    return folder / f"journal-{number:08d}.seg"


def segment_files(folder: Path) -> list[tuple[int, Path]]:
    """Return the segment files in ``folder`` by ascending number; other files are ignored, none if it is missing."""
    if not folder.is_dir():
        return []
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted(found)


def highest_number(folder: Path) -> int:
    """Return the highest number of a segment or of a file set aside from one; 0: there are none."""
    return max((int(match[1]) for path in folder.iterdir() if (match := _ANY.fullmatch(path.name))), default=0)


def remove(segment: Segment) -> None:
    """Delete a segment, or rename it if it holds damaged bytes. Raises OSError."""
    if segment.keep:
        segment.path.rename(segment.path.with_name(segment.path.name + ".damaged"))
    else:
        segment.path.unlink(missing_ok=True)


def set_aside(segment: Path, offset: int, data: bytes) -> str | None:
    """Copy damaged bytes of a segment into a file beside it; return its name.

    Zeros alone, as a power failure leaves them, are not worth a file: an empty name. None: it could not be written.
    """
    if not data.strip(b"\0"):
        return ""
    path = segment.with_name(f"{segment.name}.torn-{offset}")
    with suppress(FileNotFoundError):
        if path.read_bytes() == data:  # damage in the middle of a file is found at every start
            return path.name
    try:
        write_synced(path, data)
    except OSError:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return None
    return path.name


def read_part(path: Path, offset: int, size: int) -> bytes:
    """Return up to ``size`` bytes of a file from ``offset`` on. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(fd, size, offset)
    finally:
        os.close(fd)


class SegmentWriter:
    """The segment that is appended to. The constructor writes its header, or raises OSError and leaves no file."""

    def __init__(self, folder: Path, number: int, base: Position) -> None:
        path = segment_path(folder, number)
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self.segment = Segment(path, number, base, base, 0)
        try:
            self._write([encode_file_header(base)])
        except OSError:
            os.close(self.fd)
            path.unlink()
            raise
        self.segment.end = self.segment.first

    def append(self, parts: Sequence[bytes], end: Position) -> None:
        """Append ``parts``; ``end`` is the position after them.

        Raises:
            OSError: Nothing of ``parts`` is in the file, unless the file could not be truncated: then there is half a
                record after ``segment.end``. Append nothing more to this file.
        """
        self._write(parts)
        self.segment.end = end

    def _write(self, parts: Sequence[bytes]) -> None:
        if len(parts) > _MAX_PARTS:
            parts = [b"".join(parts)]
        size = sum(map(len, parts))
        try:
            written = os.writev(self.fd, parts)
            if written < size:  # the disk is nearly full, or it was more than 2 GiB: the next call fails or continues
                write_all(self.fd, b"".join(parts)[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self.fd, self.segment.size)
            raise
        self.segment.size += size
