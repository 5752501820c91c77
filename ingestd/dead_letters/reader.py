"""Reads dead letters and takes them out of their files, also while a daemon appends to these.

A file is never changed in place. What stays is copied to a file beside it, which then takes its name; the lock of
the file is held only for the last bytes and the change of names, so that a writer is held up for a moment at most.
The writer sees afterwards that the file it has open has no name any more, and opens the one that has.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ingestd.dead_letters.dead_letter import DeadLetter, decode
from ingestd.files import locked_file, rename_synced, sync_folder, wait_for_lock, write_all

_NAME = re.compile(r"dead-.+-\d{8}\.ndjson")


class Found(NamedTuple):
    """A line of a file: its letter, None if it cannot be read as one."""

    line: bytes
    letter: DeadLetter | None


class BusyError(Exception):
    """Another command is taking letters out."""


def letters_folder(data_dir: Path) -> Path:
    """Return where the dead letters lie."""
    return data_dir / "deadletters"


class DeadLetterReader:
    """The dead letters of all writers in a folder, which need not exist. All methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> list[Path]:
        """Return the files, those of one writer in the order they were written."""
        try:
            return sorted(path for path in self._folder.iterdir() if _NAME.fullmatch(path.name))
        except FileNotFoundError:
            return []

    def read(self) -> Iterator[Found]:
        """Return the letters that are there now; what is being written at the moment is left out."""
        sizes = [(path, _size(path)) for path in self.files()]  # what is added from now on is not read
        for path, size in sizes:
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                for line in file:
                    size -= len(line)  # noqa: PLW2901 -- what is left of it
                    if size < 0 or not line.endswith(b"\n"):
                        break
                    if line != b"\n":
                        yield _found(line)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Keep other commands from taking letters out meanwhile.

        Raises:
            BusyError: One of them is doing so.
        """
        busy = BusyError("another purge or replay of the dead letters is under way")
        with locked_file(self._folder / ".lock", busy):
            yield

    def remove(self, gone: Callable[[Found], bool]) -> int:
        """Take out the letters for which ``gone`` is true; return how many these were."""
        return sum(self._rewrite(path, gone) for path in self.files())

    def _rewrite(self, path: Path, gone: Callable[[Found], bool]) -> int:
        try:
            source = path.open("rb")
        except FileNotFoundError:  # its writer has made room
            return 0
        copy = path.with_suffix(".new")
        with source:
            if not any(gone(_found(line)) for line in source if line.endswith(b"\n")):
                return 0
            os.lseek(source.fileno(), 0, os.SEEK_SET)  # from here on without Python's buffer
            try:
                with copy.open("wb") as target:
                    return self._replace(path, source.fileno(), copy, target.fileno(), gone)
            finally:
                copy.unlink(missing_ok=True)

    def _replace(self, path: Path, source: int, copy: Path, target: int, gone: Callable[[Found], bool]) -> int:
        os.fchmod(target, os.fstat(source).st_mode & 0o777)
        with contextlib.suppress(PermissionError):  # root may act for the daemon's user
            os.fchown(target, os.fstat(source).st_uid, os.fstat(source).st_gid)
        removed, rest = _copy_lines(source, target, b"", gone)
        os.fsync(target)
        wait_for_lock(source)
        late, rest = _copy_lines(source, target, rest, gone)
        os.fsync(target)
        if not os.fstat(source).st_nlink:  # its writer has made room meanwhile
            return 0
        if os.fstat(target).st_size or rest:
            write_all(target, rest)  # half a letter, as a crash leaves it: not ours to judge
            rename_synced(copy, path)
        else:
            path.unlink()
            sync_folder(self._folder)
        return removed + late


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _found(line: bytes) -> Found:
    try:
        return Found(line, decode(line))
    except ValueError:
        return Found(line, None)


def _copy_lines(source: int, target: int, rest: bytes, gone: Callable[[Found], bool]) -> tuple[int, bytes]:
    """Copy the lines that stay, to the end of ``source``; return how many do not, and what follows the last line."""
    removed = 0
    while data := os.read(source, 1 << 20):
        *lines, rest = (rest + data).split(b"\n")
        kept = []
        for line in lines:
            if line and gone(_found(line + b"\n")):
                removed += 1
            else:
                kept.append(line + b"\n")
        write_all(target, b"".join(kept))
    return removed, rest
