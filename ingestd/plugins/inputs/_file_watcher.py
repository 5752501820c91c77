"""All files of an input ``file``: which there are, which were rotated, and whose turn it is.

A file is followed by its device and inode number, whatever its name is. If its name becomes that of another file, or
of none, it is read to its end; it is given up when it has not grown for a while. If it becomes shorter, or has other
content before the place that was read last, it is a new generation, and read from its start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from ingestd.logs import get_logger
from ingestd.plugins.inputs._file_completion import Completion
from ingestd.plugins.inputs._file_content import ContentError
from ingestd.plugins.inputs._file_copies import NEW, Sample, Verdict, find_original
from ingestd.plugins.inputs._file_discovery import find_inode
from ingestd.plugins.inputs._file_positions import Positions
from ingestd.plugins.inputs._file_problems import Problems
from ingestd.plugins.inputs._file_records import FileRecord, Key
from ingestd.plugins.inputs._file_settings import WatchSettings
from ingestd.plugins.inputs._file_watched import CompressedFile, Look, Reading, ReplacedError, WatchedFile

log = get_logger(__name__)

_ROTATED_SECONDS = 60.0
"""How long a file that lost its name must not have grown before it is given up: its writer may still have it open."""

_DELETED_SECONDS = 5.0
"""The same for a file that was deleted: as long as it is open, its space is not free."""

_YOUNG_SECONDS = 60.0
"""A file that was written to within this time may not be complete."""


class FileWatcher:
    """Follows files and reads them.

    Args:
        settings: Which files, and how.
        reading: How one of them is read.
        positions: Where each was read to.
        problems: Takes what is wrong.
        completion: What to do with a file that was read in mode `read`.
    """

    def __init__(
        self,
        settings: WatchSettings,
        reading: Reading,
        positions: Positions,
        problems: Problems,
        completion: Completion,
    ) -> None:
        self._settings, self._reading, self._positions = settings, reading, positions
        self._problems, self._completion = problems, completion
        self.files: dict[Key, WatchedFile] = {}
        self._paths: dict[str, Key] = {}
        self._ignored: dict[str, tuple[Key, Look]] = {}  # too old, until they change
        self._copies: dict[str, tuple[Key, Look, FileRecord | None]] = {}  # not known yet what to read of them
        self._clock: Callable[[], float] = time.monotonic
        self._first = True

    @property
    def behind(self) -> bool:
        """Whether there is more to read now."""
        return any(file.behind for file in self.files.values())

    async def discover(self) -> None:
        """Look for new files."""
        found, problems = await asyncio.to_thread(self._settings.discovery.find)
        self._problems.replace("discovery", problems)
        for path, status in self._in_order(found):
            self._seen(path, status)
        for path in [path for path in (*self._ignored, *self._copies) if path not in found]:
            self._ignored.pop(path, None)
            self._copies.pop(path, None)
            self._problems.clear(path)
        if self._first:
            self._first = False
            self._find_rotated()
        await self._positions.save_new()

    def _in_order(self, found: dict[str, os.stat_result]) -> list[tuple[str, os.stat_result]]:
        return sorted(found.items(), key=self._settings.order)

    async def look(self) -> None:
        """Look at every file: which has changed, and which was rotated."""
        for path, key in list(self._paths.items()):
            try:
                status = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                self._rotated(path, key)
                continue
            except OSError as error:
                self._problems.add(path, f"{path} cannot be read: {error.strerror}")
                continue
            if (status.st_dev, status.st_ino) == key:
                self.files[key].look = Look(status.st_size, status.st_mtime_ns)
            else:
                self._rotated(path, key)
                self._seen(path, status)
        for file in [file for file in self.files.values() if file.rotated]:
            file.inspect()
        await self._positions.save_new()

    # New files

    def _seen(self, path: str, status: os.stat_result) -> None:
        """Take note of a file that has this name."""
        key, look = (status.st_dev, status.st_ino), Look(status.st_size, status.st_mtime_ns)
        if self._paths.get(path) == key or not stat.S_ISREG(status.st_mode):
            return
        if path in self._paths:
            self._rotated(path, self._paths[path])
        if (file := self.files.get(key)) is not None:
            if file.rotated or not _is_same(file.path, key):  # it was renamed to a name that is read as well
                self._paths = {name: known for name, known in self._paths.items() if known != key} | {path: key}
                file.path, file.rotated = path, 0.0
            return
        if self._is_too_old(path, key, look, status) or self._is_waiting_copy(path, key, look):
            return
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            self._problems.add(path, f"{path} cannot be read: {error.strerror}")
            return
        self._problems.clear(path)
        try:
            self._adopt(path, fd)
        finally:
            os.close(fd)

    def _is_too_old(self, path: str, key: Key, look: Look, status: os.stat_result) -> bool:
        limit = self._settings.ignore_older
        if self._ignored.get(path) == (key, look):
            return True
        known = self._ignored.pop(path, None) is not None or key in self._positions.records
        if known or not limit or time.time() - status.st_mtime <= limit:
            return False
        self._ignored[path] = key, look
        return True

    def _is_waiting_copy(self, path: str, key: Key, look: Look) -> bool:
        known = self._copies.get(path)
        if known is None or known[:2] != (key, look):
            return False
        record = known[2]
        return record is not None and record.state != "ended"

    def _adopt(self, path: str, fd: int) -> None:
        """Start to read an open file, from where it was read before if it was."""
        status, sample = os.fstat(fd), Sample(path, fd)
        key, look = (status.st_dev, status.st_ino), Look(status.st_size, status.st_mtime_ns)
        try:
            known = self._positions.records.get(key)
            if known is not None and self._goes_on(known, look, sample):
                self._watch(known, path, sample.compressed, look)
                return
            if known is not None:
                self._positions.end(known)
            verdict = self._verdict(path, key, look, sample, status)
            if verdict.waits:
                self._copies[path] = key, look, verdict.record
                return
            self._copies.pop(path, None)
            record = verdict.record
            if record is not None:
                self._positions.go_on(record, key)
            else:
                start = self._settings.first_position(sample, status, first=self._first)
                record = self._positions.new(path, key, start, sample.read_at)
                if sample.compressed and start:
                    record.state, record.size, record.mtime_ns = "done", *look
            self._watch(record, path, sample.compressed, look)
        finally:
            sample.close()

    def _goes_on(self, record: FileRecord, look: Look, sample: Sample) -> bool:
        if sample.compressed:
            return record.state == "done" and (record.size, record.mtime_ns) == look or record.has_start(sample.start)
        return look.size >= self._positions.position(record) and record.matches(sample.read_at)

    def _verdict(self, path: str, key: Key, look: Look, sample: Sample, status: os.stat_result) -> Verdict:
        files = {file.record.stream: file for file in self.files.values() if file.is_open}
        current = [
            (record, files[record.stream].read_at if record.stream in files else None)
            for record in self._positions.records.values()
        ]
        young = time.time() - status.st_mtime < _YOUNG_SECONDS
        verdict = find_original(sample, self._positions.ended, current, young=young)
        known = self._copies.get(path)
        if verdict is NEW and known is not None and known[:2] == (key, look) and known[2] is not None:
            # The original was read beyond the copy before it ended: there is nothing left to read.
            record = self._positions.new(path, key, look.size, sample.read_at)
            record.state, record.size, record.mtime_ns = "done", *look
            return Verdict(record)
        return verdict

    def _watch(self, record: FileRecord, path: str, compressed: bool, look: Look) -> None:
        kind = CompressedFile if compressed else WatchedFile
        file = kind(record, path, self._reading, self._positions.position(record), self._clock())
        file.look = look
        if record.state == "done" and (record.size, record.mtime_ns) == look:
            file.read = look
            self._completion.again(file)
        self.files[record.key], self._paths[path] = file, record.key

    # Files that lost their name

    def _find_rotated(self) -> None:
        """Find the files that were renamed while no process read them; those that are gone have ended."""
        for record in list(self._positions.records.values()):
            if record.key in self.files:
                continue
            path = find_inode(Path(record.path).parent, record.inode)
            if path is None or record.state == "done" or not self._follow(record, str(path)):
                self._positions.end(record)

    def _follow(self, record: FileRecord, path: str) -> bool:
        """Read a file that was renamed to its end; False: this is another file."""
        file = WatchedFile(record, path, self._reading, self._positions.position(record), self._clock())
        try:
            file.open()
        except (OSError, ReplacedError):
            return False
        if not record.matches(file.read_at):
            file.close()
            return False
        file.rotated = self._clock()
        self.files[record.key] = file
        return True

    def _rotated(self, path: str, key: Key) -> None:
        """Note that a path is not that of a file any more."""
        if self._paths.get(path) != key:
            return
        del self._paths[path]
        self._problems.clear(path)
        file = self.files[key]
        if file.path != path:
            return
        file.rotated = self._clock()
        if file.is_open:
            return
        found = find_inode(Path(path).parent, file.record.inode)
        if found is not None:
            file.path = str(found)
            with contextlib.suppress(OSError, ReplacedError):
                file.open()
        if not file.is_open:
            self._lost(file)

    def _lost(self, file: WatchedFile) -> None:
        """Give up a file that cannot be opened any more."""
        unread = file.look.size - file.position
        if unread > 0 and file.record.state != "done":
            text = "a file was removed before it was read to its end; a copy is read on if the input finds one"
            log.error(text, path=file.path, bytes=unread)
        self._forget(file)

    def _forget(self, file: WatchedFile) -> None:
        file.close()
        del self.files[file.key]
        if self._positions.records.get(file.key) is file.record:
            self._positions.end(file.record)

    async def _give_up(self, file: WatchedFile) -> None:
        """Store what is left of a file that was rotated, and forget it."""
        await self._turn(file, last=True)
        if not file.behind:
            self._forget(file)

    # Reading

    async def read(self) -> None:
        """Give every file that has changed its turn."""
        now, flush_seconds = self._clock(), self._flush_seconds
        changed = [file for file in self.files.values() if file.changed and self._positions.is_saved(file.record)]
        for file in sorted(changed, key=self._settings.turn_order):
            await self._turn(file)
        for file in list(self.files.values()):
            quiet = now - file.grown
            if flush_seconds and file.waits and quiet >= flush_seconds:
                await self._turn(file, flush=True)
            if file.rotated and not file.behind and quiet >= _patience(file):
                await self._give_up(file)
            elif file.is_open and not file.rotated and not file.changed and quiet >= self._settings.close_older:
                file.close()

    @property
    def _flush_seconds(self) -> float:
        return self._reading.grouping.flush_seconds if self._reading.grouping is not None else 0

    async def _turn(self, file: WatchedFile, *, last: bool = False, flush: bool = False) -> None:
        """Let a file be read on."""
        if self.files.get(file.key) is not file:
            return
        self._make_room(file)
        size = file.read.size
        try:
            await file.turn(last=last, flush=flush)
        except ReplacedError:
            self._replaced(file)
            return
        except (OSError, ContentError) as error:
            self._failed(file, error)
            return
        self._problems.clear(file.path)
        if file.read.size != size:
            file.grown = self._clock()
        if file.record.state == "done" and not file.behind:
            file.close()
            self._completion.completed(file)

    def _failed(self, file: WatchedFile, error: Exception) -> None:
        text = str(error) if isinstance(error, ContentError) else f"{file.path} cannot be read: {error.strerror}"  # type: ignore[attr-defined]
        file.read, file.behind = file.look, False  # tried again when it changes
        file.close()
        young = time.time() - file.look.mtime_ns / 1e9 < _YOUNG_SECONDS
        if not (isinstance(error, ContentError) and young):  # it is still being written
            self._problems.add(file.path, text)

    def _replaced(self, file: WatchedFile) -> None:
        """Go on with the content that took the place of the one that was read."""
        key, path = file.key, file.path
        self._forget(file)
        self._paths.pop(path, None)
        with contextlib.suppress(OSError):
            status = os.stat(path)
            if (status.st_dev, status.st_ino) == key:
                log.info("a file was emptied or written anew; it is read from its start", path=path)
            self._seen(path, status)

    def _make_room(self, file: WatchedFile) -> None:
        """Close the file that was quiet for longest if too many are open."""
        if file.is_open:
            return
        opened = [other for other in self.files.values() if other.is_open]
        if len(opened) < self._settings.max_open_files:
            return
        closable = [other for other in opened if not other.rotated] or opened
        min(closable, key=lambda other: other.grown).close()

    def close(self) -> None:
        """Close all files."""
        for file in self.files.values():
            file.close()


def _is_same(path: str, key: Key) -> bool:
    with contextlib.suppress(OSError):
        status = os.stat(path)
        return (status.st_dev, status.st_ino) == key
    return False


def _patience(file: WatchedFile) -> float:
    with contextlib.suppress(OSError):
        if file.inspect().st_nlink == 0:
            return _DELETED_SECONDS
    return _ROTATED_SECONDS
