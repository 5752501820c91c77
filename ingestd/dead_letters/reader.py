"""Reads dead letters and removes them from their files, also while a daemon appends to these.

A file is never changed in place. What stays is copied to a new file, which is then renamed over the old one. The lock
of the file is held only for the last bytes and the renaming, so a writer waits for a moment at most; it then sees that
the file it has open has no name any more, and opens the new one.
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


class DeadLetterLine(NamedTuple):
    """A line of a file, and the dead letter in it, None if it cannot be decoded."""

    line: bytes
    dead_letter: DeadLetter | None


Selected = Callable[[DeadLetterLine], bool]


class DeadLettersBusyError(Exception):
    """Another command is removing dead letters."""


def dead_letters_folder(data_dir: Path) -> Path:
    """Return the folder of the dead letters."""
    return data_dir / "deadletters"


class DeadLetterReader:
    """The dead letters of all writers in a folder, which need not exist. All methods may raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> list[Path]:
        """Return the files, those of one writer in the order they were written."""
        try:
            return sorted(path for path in self._folder.iterdir() if _NAME.fullmatch(path.name))
        except FileNotFoundError:
            return []

    def read(self) -> Iterator[DeadLetterLine]:
        """Yield the dead letters that are there now, without what is added while they are read."""
        sizes = [(path, _size(path)) for path in self.files()]
        for path, size in sizes:
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                for line in file:
                    size -= len(line)  # noqa: PLW2901 -- what is left of it
                    if size < 0 or not line.endswith(b"\n"):
                        break
                    if line != b"\n":
                        yield _parse(line)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands from removing dead letters meanwhile.

        Raises:
            DeadLettersBusyError: One of them is at it.
        """
        busy = DeadLettersBusyError("another purge or replay of the dead letters is under way")
        with locked_file(self._folder / ".lock", busy):
            yield

    def remove(self, selected: Selected) -> int:
        """Remove the lines for which ``selected`` is true; return how many there were."""
        return sum(self._rewrite(path, selected) for path in self.files())

    def _rewrite(self, path: Path, selected: Selected) -> int:
        try:
            source = path.open("rb")
        except FileNotFoundError:  # deleted by its writer
            return 0
        copy = path.with_suffix(".new")
        with source:
            if not any(selected(_parse(line)) for line in source if line.endswith(b"\n")):
                return 0
            os.lseek(source.fileno(), 0, os.SEEK_SET)  # from here on, read without Python's buffer
            try:
                with copy.open("wb") as target:
                    return self._replace(path, source.fileno(), copy, target.fileno(), selected)
            finally:
                copy.unlink(missing_ok=True)

    def _replace(self, path: Path, source: int, copy: Path, target: int, selected: Selected) -> int:
        os.fchmod(target, os.fstat(source).st_mode & 0o777)
        with contextlib.suppress(PermissionError):  # root may act for the daemon's user
            os.fchown(target, os.fstat(source).st_uid, os.fstat(source).st_gid)
        removed, rest = _copy_lines(source, target, b"", selected)
        os.fsync(target)
        wait_for_lock(source)
        late, rest = _copy_lines(source, target, rest, selected)
        os.fsync(target)
        if not os.fstat(source).st_nlink:  # deleted by its writer meanwhile
            return 0
        if os.fstat(target).st_size or rest:
            write_all(target, rest)  # half a dead letter that a crash left: kept as it is
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


def _parse(line: bytes) -> DeadLetterLine:
    try:
        return DeadLetterLine(line, decode(line))
    except ValueError:
        return DeadLetterLine(line, None)


def _copy_lines(source: int, target: int, rest: bytes, selected: Selected) -> tuple[int, bytes]:
    """Copy the lines that are not selected; return how many are, and what follows the last line end."""
    removed = 0
    while data := os.read(source, 1 << 20):
        *lines, rest = (rest + data).split(b"\n")
        kept = []
        for line in lines:
            if line and selected(_parse(line + b"\n")):
                removed += 1
            else:
                kept.append(line + b"\n")
        write_all(target, b"".join(kept))
    return removed, rest
