"""Where streams that outlive their records end: files, whose reader asks for its position after a restart.

A connection ends, and its place in the journal is of interest only as long as the kernel may hold what the journal has,
too: the records of the newest segment show it. A file may be read further weeks later. So before a segment is deleted,
the ends of such streams are written to a file of the journal, in place, as its positions are.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from ingestd.event.chunk import Chunk, stream_end
from ingestd.files import sync_folder
from ingestd.journal.base import Position
from ingestd.journal.positions import Commit, Loaded, PositionsFile, load_positions

_FOLDER = "streams"


class StreamEnds:
    """The ends of all streams that outlive their records. Methods may be called from any thread.

    Args:
        folder: Of the journal.
        found: The ends of all streams in the segments.

    Raises:
        OSError: The disk refuses.
    """

    def __init__(self, folder: Path, found: Mapping[str, int]) -> None:
        self._folder = folder / _FOLDER
        self._lock, self._saving = threading.Lock(), threading.Lock()
        self._loaded: Loaded | None = load_positions(self._folder)
        self._file: PositionsFile | None = None
        saved = {name: commit.position.offset for name, commit in self._loaded.commits.items()} if self._loaded else {}
        self._ends = {name: max(end, found.get(name, 0)) for name, end in saved.items()}
        self._saved = saved
        self.all = {**found, **self._ends}
        """The ends of all streams when the journal was opened."""

    def keep(self, stream_id: str) -> int:
        """Keep the end of a stream from now on; returns where it is, 0 if nothing of it was ever stored."""
        with self._lock:
            return self._ends.setdefault(stream_id, self.all.get(stream_id, 0))

    def forget(self, stream_id: str) -> None:
        """Keep the end of a stream no longer."""
        with self._lock:
            self._ends.pop(stream_id, None)
            self.all.pop(stream_id, None)

    def appended(self, chunks: Iterable[Chunk]) -> None:
        """Note what was appended."""
        ends = self._ends
        if not ends:
            return
        with self._lock:
            for chunk in chunks:
                stream_id, end = stream_end(chunk.stream_id, chunk.offset + len(chunk.data))
                if stream_id in ends:
                    ends[stream_id] = end

    def snapshot(self) -> dict[str, int]:
        """Return the ends now."""
        with self._lock:
            return dict(self._ends)

    def save(self, ends: dict[str, int]) -> None:
        """Write a snapshot, durably: the records before these ends may be deleted then. Raises OSError."""
        with self._saving:
            if ends == self._saved:
                return
            file = self._file = self._file or self._open()
            file.write({name: Commit(Position(end, 0)) for name, end in ends.items()})
            fd, done = file.begin_sync(), False
            try:
                if fd is not None:
                    os.fdatasync(fd)
                done = True
            finally:
                file.end_sync(done)
            self._saved = ends

    def _open(self) -> PositionsFile:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o750)
            sync_folder(self._folder.parent)
        return PositionsFile(self._folder, self._loaded)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
