"""What happens to a file that was read to its end in mode ``read``: it is deleted, its path is logged, or both.

First everything of it is on the disk of the journal.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ingestd.files import write_all
from ingestd.plugins.inputs._file_positions import Positions
from ingestd.plugins.inputs._file_problems import Problems
from ingestd.plugins.inputs._file_watched import Look, WatchedFile


@dataclass(frozen=True, slots=True)
class CompletedAction:
    """What to do. ``log_path``: None: paths are not logged."""

    delete: bool = False
    log_path: Path | None = None


class Completion:
    """Collects the files that were read to their end.

    Args:
        action: What happens to them; None: nothing.
        positions: Saved before anything is deleted.
        problems: Takes what cannot be done.
    """

    def __init__(self, action: CompletedAction | None, positions: Positions, problems: Problems) -> None:
        self._action, self._positions, self._problems = action, positions, problems
        self._files: list[WatchedFile] = []

    def add(self, file: WatchedFile) -> None:
        """Note that a file was read to its end, by this process or by one that was killed before it did the rest."""
        if self._action is not None and file.record.state == "done":
            self._files.append(file)

    async def finish(self) -> None:
        """Do what is to be done."""
        if not self._files or self._action is None or not await self._positions.save():
            return
        files, self._files = self._files, []
        for file in files:
            about = f"completed {file.path}"
            try:
                self._finish(file, self._action)
            except OSError as error:
                self._problems.add(about, f"{file.path} was read, but the rest failed: {error}")
            else:
                self._problems.clear(about)
                file.record.state = "finished"

    def _finish(self, file: WatchedFile, action: CompletedAction) -> None:
        if action.log_path is not None:
            fd = os.open(action.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            try:
                write_all(fd, os.fsencode(file.path) + b"\n")
            finally:
                os.close(fd)
        if action.delete and _is_unchanged(file):
            Path(file.path).unlink()


def _is_unchanged(file: WatchedFile) -> bool:
    status = Path(file.path).stat()
    unchanged = Look(status.st_size, status.st_mtime_ns) == (file.record.size, file.record.mtime_ns)
    return unchanged and (status.st_dev, status.st_ino) == file.key
