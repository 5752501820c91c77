"""The files of a journal that the next sync has to write to the disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ingestd.files import sync_folder
from ingestd.journal.disk import duplicate
from ingestd.journal.positions import PositionsFile
from ingestd.journal.segment import SegmentWriter

_MAX_FULL = 16
"""The most full segments that wait for the next sync: each holds a descriptor."""


class UnsyncedFiles:
    """Full segments, and what has changed since the last sync. All raise OSError.

    Args:
        folder: The journal's.
        mutex: The journal's, which is held when anything but ``sync`` is called.
        current: Returns the segment that is appended to.
    """

    def __init__(self, folder: Path, mutex: threading.Lock, current: Callable[[], SegmentWriter | None]) -> None:
        self._folder, self._mutex, self._current = folder, mutex, current
        self._full: list[SegmentWriter] = []
        self.dirty, self.new_files = False, True

    def add(self, full: SegmentWriter) -> None:
        """Have a segment synced and closed that is no longer appended to."""
        self._full.append(full)
        if len(self._full) > _MAX_FULL:
            os.fdatasync(self._full[0].fd)
            os.close(self._full.pop(0).fd)

    def sync(self, positions: PositionsFile | None = None) -> None:
        """Sync what was written before the call, ``positions`` included; one call at a time."""
        with ExitStack() as opened:
            with self._mutex:
                full, new_files, current = list(self._full), self.new_files, self._current()
                fds = [duplicate(writer.fd, opened) for writer in full]
                if current and self.dirty:
                    fds.append(duplicate(current.fd, opened))
                if positions is not None and (fd := positions.begin_sync()) is not None:
                    fds.append(duplicate(fd, opened))
                self.dirty, self.new_files = False, False
            done = False
            try:
                for fd in fds:
                    os.fdatasync(fd)
                if new_files:
                    sync_folder(self._folder)
                done = True
            finally:
                with self._mutex:
                    if positions is not None:
                        positions.end_sync(done)
                    self._end_sync(done, full, new_files)

    def _end_sync(self, done: bool, full: list[SegmentWriter], new_files: bool) -> None:
        """Note that the sync is done, or that all of it must be repeated."""
        if not done:
            self.dirty, self.new_files = True, self.new_files or new_files
            return
        for writer in full:
            if writer in self._full:
                self._full.remove(writer)
                os.close(writer.fd)

    def close(self) -> None:
        """Close the full segments."""
        while self._full:
            os.close(self._full.pop().fd)
