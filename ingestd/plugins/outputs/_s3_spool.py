"""The files that keep the events of an output ``s3`` on this machine until they are uploaded.

::

    <temporary_directory>/w0-s3_0-0a1b2c3d/               of one output of one worker, and one bucket
        .lock                                             held by the process that writes here
        .scratch-…                                        its temporary files
        00003-main-w0-20261122T100000Z-9f86d081884c7d65.open    the segment that grows, the third since all were gone
        00002-main-w0-20261122T094500Z-60b420bb3851d9d4.closed  waits for its upload
        00002-main-w0-20261122T094500Z-60b420bb3851d9d4.uploads   how far its large objects are: see ``_s3_resume``
        00002-main-w0-…-60b420bb3851d9d4.damaged-18233    what could not be read from this byte on; never read again
        recent-ids                                        the last events of segments that were uploaded and deleted

See ``_s3_segments`` for what is in a segment. All events of a segment for one folder become one object, whose name is
that of the segment without its number. So an upload that is repeated, in whole or in part, replaces objects and doubles
nothing, whichever process repeats it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from ingestd.files import lock_file, rename_synced, sync_folder, try_lock, write_all, write_atomic
from ingestd.logs import get_logger
from ingestd.plugins.outputs._s3_segments import (
    CLOSED,
    OPEN,
    UPLOADS,
    Block,
    DamagedSegmentError,
    FrameIds,
    Header,
    frame,
    frames,
    last_ids,
    object_stem,
    put_aside,
    read_header,
    segment_number,
)

log = get_logger(__name__)

RECENT_IDS = "recent-ids"

_LOCK, _SCRATCH = ".lock", ".scratch-"
_LOCK_TIMEOUT_S = 30.0
"""How long the process before, which uploads what it can at its end, may take."""


_recent = msgspec.json.Decoder(FrameIds)


class Spool:
    """The folder of one output of one worker, which this process alone writes. Thread-safe; all calls block.

    Opening it closes the segments of the process before.

    Args:
        folder: The folder, made if missing.
        name: What names of segments start with.
        header: Of new segments.
        recent_bytes: How many bytes of the last frames have their ids known after a restart.

    Raises:
        OSError: The folder cannot be used, or another output writes there.

    Attributes:
        closed: The segments that wait for their upload, and their sizes; never changed, but replaced.
        size: Of the open segment, in bytes; 0: there is none.
        opened_at: When it was made, on the clock of ``time.monotonic``.
        recent: The ids of the last events that the process before wrote.
    """

    def __init__(self, folder: Path, name: str, header: Header, recent_bytes: int) -> None:
        self.folder, self._name, self._header, self._recent_bytes = folder, name, header, recent_bytes
        busy = OSError(
            f"another output s3 writes to {folder}; give each of them an id or a temporary_directory of its own"
        )
        self._lock = lock_file(folder / _LOCK, busy, timeout_s=_LOCK_TIMEOUT_S)
        self._fd, self._path = -1, folder
        self._calls = threading.Lock()
        self._newest: Path | None = None  # the segment with the last frames
        self.size, self.opened_at = 0, 0.0
        try:
            for left in folder.glob(f"{_SCRATCH}*"):
                shutil.rmtree(left, ignore_errors=True)
            self.closed = _closed_segments(folder)
            for left in folder.glob(f"*{UPLOADS}"):
                if left.with_suffix(CLOSED) not in self.closed:
                    left.unlink(missing_ok=True)
            self._number = max(map(segment_number, self.closed), default=0)
            recent = _recent_ids(folder, self.closed, recent_bytes)
            for other in self._of_other_buckets():
                segments = [*other.glob(f"*{CLOSED}"), *other.glob(f"*{OPEN}")]
                recent = _recent_ids(other, segments, recent_bytes) + recent  # the first of too many are forgotten
            self._unsaved: FrameIds | None = recent if self.closed else None
            if self.closed:  # they may be uploaded and deleted before their last events come again
                with contextlib.suppress(OSError):  # a full disk: `remove` tries again
                    self._save_recent(recent)
        except BaseException:
            os.close(self._lock)
            raise
        self.recent = {event_id for _, ids in recent for event_id in ids}

    @property
    def destination(self) -> str:
        """The bucket and its server."""
        return f"{self._header.bucket} {self._header.endpoint}"

    @property
    def waiting_bytes(self) -> int:
        """The size of all segments."""
        return self.size + sum(self.closed.values())

    def append(self, blocks: Iterable[Block]) -> None:
        """Write blocks to the open segment, all or none, and make sure that they are on the disk.

        Raises:
            OSError: The disk refuses; the segment is as it was.
        """
        data = frame(blocks)
        with self._calls:
            if self._fd < 0:
                self._open()
            try:
                os.ftruncate(self._fd, self.size)  # what an attempt has left that could not be undone
                write_all(self._fd, data)
                os.fsync(self._fd)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._fd, self.size)
                raise
            self.size += len(data)
            self._newest = self._path

    def _open(self) -> None:
        stem = f"{self._name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(8).hex()}"
        self._number += 1
        self._path = self.folder / f"{self._number:05d}-{stem}{OPEN}"
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            line = msgspec.json.encode(self._header) + b"\n"
            write_all(self._fd, line)
            sync_folder(self.folder)
        except OSError:
            self._release()
            with contextlib.suppress(OSError):  # else the next start removes it
                self._path.unlink()
            raise
        self.size, self.opened_at = len(line), time.monotonic()

    def rotate(self) -> None:
        """Close the open segment, if there is one, so that it can be uploaded.

        Raises:
            OSError: The disk refuses; it stays open.
        """
        with self._calls:
            if self._fd < 0:
                return
            os.ftruncate(self._fd, self.size)
            path = self._path.with_suffix(CLOSED)
            if path.exists():  # renamed by an attempt that could not sync the folder
                sync_folder(self.folder)
            else:
                rename_synced(self._path, path)
            self.closed = {**self.closed, path: self.size}
            if self._newest == self._path:
                self._newest = path
            self._release()

    def _release(self) -> None:
        os.close(self._fd)
        self._fd, self.size = -1, 0

    def remove(self, path: Path) -> None:
        """Delete a segment whose objects are all uploaded; the ids of its last events stay. After `close`: do nothing.

        Raises:
            OSError: The disk refuses; it may be uploaded again.
        """
        with self._calls:
            if self._lock < 0:  # a thread that was left behind: another process may write here now
                return
            recent = self._unsaved
            if path == self._newest and path.exists():
                recent = _recent_ids(self.folder, [path], self._recent_bytes)
            try:
                self._save_recent(recent)
                path.unlink(missing_ok=True)
            except OSError:  # a full disk: deleting the segment leaves room
                path.unlink(missing_ok=True)
                self._save_recent(recent)
            path.with_suffix(UPLOADS).unlink(missing_ok=True)
            sync_folder(self.folder)
            self.closed = {other: size for other, size in self.closed.items() if other != path}

    def _save_recent(self, ids: FrameIds | None) -> None:
        if ids is not None:
            _write_recent(self.folder, ids)
            self._unsaved = None

    def scratch(self) -> Path:
        """Return a new folder for temporary files; the next process removes it if this one does not. Raises OSError."""
        return Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=self.folder))

    def _of_other_buckets(self) -> list[Path]:
        """Return the folders of this output with events for buckets that it had before."""
        name = self.folder.name.rpartition("-")[0]
        return [path for path in self.folder.parent.glob(f"{name}-*") if path != self.folder and path.is_dir()]

    def adopt(self, *, any_bucket: bool = False) -> tuple[list[Path], list[Path]]:
        """Take over the segments of folders beside this one that no process writes, if they go to the same bucket.

        Args:
            any_bucket: Also those of this output for a bucket that it had before.

        Returns:
            The segments, and the folders with segments for another bucket.

        Raises:
            OSError: The disk refuses; what was taken so far is in ``closed``.
        """
        taken: list[Path] = []
        foreign: list[Path] = []
        former = self._of_other_buckets() if any_bucket else []
        for folder in sorted(path.parent for path in self.folder.parent.glob(f"*/{_LOCK}")):
            if folder != self.folder:
                with self._calls, _if_abandoned(folder) as abandoned:
                    segments = _closed_segments(folder) if abandoned else {}
                    ours = [path for path in segments if folder in former or self._same_bucket(path)]
                    taken += self._take_over(folder, ours, segments)
                    foreign += [folder] if len(ours) < len(segments) else []
        return taken, foreign

    def _take_over(self, folder: Path, paths: list[Path], segments: Mapping[Path, int]) -> list[Path]:
        if not paths:
            return []
        # Its own process may come back, and its journal with the last events.
        _write_recent(folder, _recent_ids(folder, segments, self._recent_bytes))
        taken: list[Path] = []
        for path in paths:
            target = self.folder / f"{0:05d}-{object_stem(path)}{CLOSED}"  # older than all of ours
            rename_synced(path, target)
            with contextlib.suppress(FileNotFoundError):
                path.with_suffix(UPLOADS).rename(target.with_suffix(UPLOADS))
            self.closed = {**self.closed, target: segments[path]}
            taken.append(target)
        sync_folder(folder)
        return taken

    def _same_bucket(self, path: Path) -> bool:
        try:
            header = read_header(path)
        except DamagedSegmentError:
            return False
        return (header.bucket, header.endpoint) == (self._header.bucket, self._header.endpoint)

    def close(self) -> None:
        """Release the folder. What the open segment has is kept."""
        with self._calls:
            if self._fd >= 0:
                self._release()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1


@contextlib.contextmanager
def _if_abandoned(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder; False: another process has it."""
    fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield try_lock(fd)
    finally:
        os.close(fd)


def _closed_segments(folder: Path) -> dict[Path, int]:
    """Close what another process left open, and return the segments of a folder with their sizes."""
    for path in sorted(folder.glob(f"*{OPEN}")):
        whole = 0
        try:
            for _ in frames(path):
                whole += 1
        except DamagedSegmentError as error:
            with contextlib.suppress(OSError):  # a full disk: then the upload does it, when it can
                kept = put_aside(path, error.offset)
                log.warning("the end of a file of events was not written whole, and was put aside", kept=kept)
        if whole:
            rename_synced(path, path.with_suffix(CLOSED))
        else:
            path.unlink(missing_ok=True)
    return {path: path.stat().st_size for path in sorted(folder.glob(f"*{CLOSED}"), key=segment_number)}


def _recent_ids(folder: Path, segments: Iterable[Path], max_bytes: int) -> FrameIds:
    """Return the ids of the last frames of a folder: as many frames as have ``max_bytes``, and one more."""
    found: FrameIds = []
    for path in sorted(segments, key=segment_number, reverse=True):
        found = last_ids(path, max_bytes) + found
        if sum(size for size, _ in found) >= max_bytes:
            return found
    found = _read_recent(folder) + found
    while found and sum(size for size, _ in found[1:]) >= max_bytes:
        del found[0]
    return found


def _write_recent(folder: Path, ids: FrameIds) -> None:
    write_atomic(folder / RECENT_IDS, msgspec.json.encode(ids))


def _read_recent(folder: Path) -> FrameIds:
    try:
        return _recent.decode((folder / RECENT_IDS).read_bytes())
    except FileNotFoundError:
        return []
    except (msgspec.MsgspecError, UnicodeDecodeError):
        log.warning("a file of ids cannot be read; some events may be uploaded twice", path=folder / RECENT_IDS)
        return []
