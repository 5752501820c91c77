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

from ingestd.files import readable_path
from ingestd.logs import get_logger
from ingestd.plugins.inputs._file_adoption import YOUNG_SECONDS, Adoption, key_of
from ingestd.plugins.inputs._file_completion import Completion
from ingestd.plugins.inputs._file_content import ContentError
from ingestd.plugins.inputs._file_copies import ReadAt, Sample, is_compressed
from ingestd.plugins.inputs._file_discovery import Inodes
from ingestd.plugins.inputs._file_positions import Positions
from ingestd.plugins.inputs._file_problems import Problems
from ingestd.plugins.inputs._file_records import START_BYTES, FileRecord, Key, stem
from ingestd.plugins.inputs._file_settings import WatchSettings
from ingestd.plugins.inputs._file_watched import CompressedFile, Look, Reading, ReplacedError, WatchedFile

log = get_logger(__name__)

_ROTATED_SECONDS = 60.0
"""How long a file that lost its name must not have grown before it is given up: its writer may still have it open."""

_DELETED_SECONDS = 5.0
"""The same for a file that was deleted: as long as it is open, its space is not free."""

_RETRY_SECONDS = 30.0
"""When a file that cannot be read is tried again, although it has not changed."""


class FileWatcher:
    """Follows files and reads them.

    Args:
        settings: Which files, and how.
        reading: How one of them is read.
        positions: Where each was read to.
        problems: Takes what is wrong.
        completion: What to do with a file that was read in mode `read`.
        clock: Seconds since any moment.
    """

    def __init__(
        self,
        settings: WatchSettings,
        reading: Reading,
        positions: Positions,
        problems: Problems,
        completion: Completion,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._reading, self._positions = settings, reading, positions
        self._problems, self._completion = problems, completion
        self.files: dict[Key, WatchedFile] = {}
        self._paths: dict[str, Key] = {}
        self._opened: dict[Key, WatchedFile] = {}  # perhaps closed again; whose turn was longest ago is the first
        self._inodes = Inodes()
        self._adoption = Adoption(settings, positions, self._content_of)
        self._clock = clock

    @property
    def behind(self) -> bool:
        """Whether there is more to read now."""
        return any(file.behind for file in self.files.values())

    @property
    def unread_bytes(self) -> int:
        """How many bytes of plain files are there and not stored."""
        plain = [file for file in self.files.values() if not isinstance(file, CompressedFile)]
        return sum(max(file.look.size - file.position, 0) for file in plain)

    @property
    def all_read(self) -> bool:
        """Whether every file was read to its end, or cannot be read."""
        return not any(file.changed for file in self.files.values())

    async def discover(self) -> None:
        """Look for new files."""
        found, problems = await asyncio.to_thread(self._settings.discovery.find)
        self._inodes.forget()
        self._problems.replace("discovery", problems)
        for path in self._settings.sorted_paths(found):
            self._seen(path, found[path])
        for path in self._adoption.forget_missing(found):
            self._problems.clear(path)
        if self._adoption.first:
            self._adoption.first = False
            self._find_rotated()
        await self._positions.save_new()

    async def look(self) -> None:
        """Find out which files have changed, and which were rotated."""
        self._inodes.forget()
        for path, key in list(self._paths.items()):
            try:
                status = os.stat(path)  # noqa: PTH116 -- there may be thousands
            except (FileNotFoundError, NotADirectoryError):
                self._rotated(path, key)
                continue
            except OSError as error:
                self._problems.add(path, f"{path} cannot be read: {error.strerror}")
                continue
            if key_of(status) == key:
                file = self.files[key]
                file.look = Look(status.st_size, status.st_mtime_ns)
                self._note_start(file)
            else:
                self._rotated(path, key)
                self._seen(path, status)
        for file in list(self.files.values()):
            if file.rotated and file.is_open:
                file.inspect()
                self._note_start(file)
        await self._positions.save_new()

    def _note_start(self, file: WatchedFile) -> None:
        """Note the first bytes of a file that was empty, before any of it is stored."""
        if file.record.start_bytes or file.record.is_done or not file.look.size or isinstance(file, CompressedFile):
            return
        with contextlib.suppress(OSError, ReplacedError):
            file.open()
            start = file.read_at(START_BYTES, 0)
            if is_compressed(start):
                self._replaced(file)
            else:
                self._positions.note_start(file.record, start)

    # New files

    def _seen(self, path: str, status: os.stat_result) -> None:
        """Take note of a file that has this name."""
        key = key_of(status)
        if self._paths.get(path) == key or not stat.S_ISREG(status.st_mode):
            return
        if path in self._paths:
            self._rotated(path, self._paths[path])
        if (file := self.files.get(key)) is not None:
            if not file.rotated and _is_same(file.path, key):
                return
            self._paths = {name: known for name, known in self._paths.items() if known != key}
            if file.record.is_known:  # it was renamed to a name that is read as well
                self._paths[path] = key
                file.path, file.rotated = path, 0.0
                return
            self._forget(file)
        if self._adoption.is_put_off(path, status):
            return
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            self._problems.add(path, f"{path} cannot be read: {error.strerror}")
            return
        try:
            self._adopt(path, fd)
        except OSError as error:  # a broken disk, or a file server that is gone: keep reading the others
            self._problems.add(path, f"{path} cannot be read: {error.strerror}")
        else:
            self._problems.clear(path)
        finally:
            os.close(fd)

    def _adopt(self, path: str, fd: int) -> None:
        """Start to read an open file, from where it was read before if it was."""
        status, sample = os.fstat(fd), Sample(path, fd)
        try:
            record = self._adoption.record_of(path, sample, status)
        finally:
            sample.close()
        if record is not None:
            self._watch(record, path, sample.compressed, Look(status.st_size, status.st_mtime_ns))

    def _content_of(self, record: FileRecord) -> ReadAt | None:
        file = self.files.get(record.key)
        return file.read_at if file is not None and file.record is record and file.is_open else None

    def _watch(self, record: FileRecord, path: str, compressed: bool, look: Look) -> None:
        kind = CompressedFile if compressed else WatchedFile
        file = kind(record, path, self._reading, self._positions.position(record), self._clock())
        file.look = look
        if record.is_done and (record.size, record.mtime_ns) == look:
            file.read = look
            self._completion.add(file)
        self.files[record.key], self._paths[path] = file, record.key

    # Files that lost their name

    def _find_rotated(self) -> None:
        """Find the files that were renamed while no process read them; those that are gone have ended."""
        for record in list(self._positions.records.values()):
            if record.key in self.files:
                continue
            path = self._inodes.find(Path(record.path).parent, record.inode)
            if record.is_done:
                self._positions.drop(record)
            elif path is None or not self._follow(record, path):
                self._positions.end(record)

    def _follow(self, record: FileRecord, path: str) -> bool:
        """Read a file that was renamed to its end; False: this is another file."""
        file = WatchedFile(record, path, self._reading, self._positions.position(record), self._clock())
        try:
            file.open()
            if file.inspect().st_size < file.position or not record.matches(file.read_at):
                raise ReplacedError
            self._positions.note(record, file.read_at)
        except (OSError, ReplacedError):
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
        if file.is_open or file.record.is_done:
            return
        self._open_renamed(file, Path(path).parent)
        if not file.is_open:
            self._lost(file)

    def _open_renamed(self, file: WatchedFile, folder: Path) -> None:
        """Open a file under its new name, if there is one; the folder may have been listed before it was renamed."""
        for _ in range(2):
            found = self._inodes.find(folder, file.record.inode)
            if found is None or not (file.record.is_known or found.startswith(stem(file.record.path))):
                return
            file.path = found
            with contextlib.suppress(OSError, ReplacedError):
                file.open()
                return
            self._inodes.forget()

    def _lost(self, file: WatchedFile) -> None:
        """Give up a file that cannot be opened any more."""
        unread = file.look.size - file.position
        if unread > 0 and not file.record.is_done:
            text = "a file was removed before it was read to its end; a copy is read from there if the input finds one"
            log.error(text, path=readable_path(file.path), bytes=unread)
        self._forget(file)

    def _forget(self, file: WatchedFile) -> None:
        file.close()
        self._opened.pop(file.key, None)
        del self.files[file.key]
        if file.record.is_done:
            self._positions.drop(file.record)
        elif self._positions.records.get(file.key) is file.record:
            self._positions.end(file.record)

    def _patience(self, file: WatchedFile) -> float:
        with contextlib.suppress(OSError):
            if file.inspect().st_nlink == 0:
                return _DELETED_SECONDS
        return max(_ROTATED_SECONDS, 2 * self._settings.discover_seconds)

    async def _give_up(self, file: WatchedFile) -> None:
        """Store what is left of a file that was rotated, and forget it."""
        if not file.record.is_done:
            await self._turn(file, last=True)
        if not file.behind and self.files.get(file.key) is file:
            self._forget(file)

    # Reading

    async def read(self) -> None:
        """Give every file that has changed its turn."""
        now, flush_seconds = self._clock(), self._flush_seconds
        changed = [file for file in self.files.values() if self._is_due(file, now)]
        for file in self._settings.sorted_files(changed):
            await self._turn(file)
        for file in list(self.files.values()):
            quiet = now - max(file.grown, file.rotated)
            if flush_seconds and file.waits and quiet >= flush_seconds:
                await self._turn(file, flush=True)
            if file.rotated and not file.behind and quiet >= self._patience(file):
                await self._give_up(file)
            elif file.is_open and not file.rotated and not file.changed and quiet >= self._settings.close_older:
                file.close()
        await self._positions.save_new()

    def _is_due(self, file: WatchedFile, now: float) -> bool:
        if not (file.record.is_known or isinstance(file, CompressedFile) or self._reading.complete):
            return False  # it was empty when it was looked at
        changed = file.changed or (file.retry and now >= file.retry)
        return bool(changed) and self._positions.is_saved(file.record)

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
        file.retry = 0.0
        self._problems.clear(file.path)
        if file.read.size != size:
            file.grown = self._clock()
        if file.record.is_done and not file.behind:
            file.close()
            self._completion.add(file)

    def _failed(self, file: WatchedFile, error: OSError | ContentError) -> None:
        """Try again when the file changes, or later."""
        file.read, file.behind, file.retry = file.look, False, self._clock() + _RETRY_SECONDS
        file.close()
        if isinstance(error, FileNotFoundError):
            return  # it was renamed or deleted: the next look at the files finds out
        if isinstance(error, OSError):
            self._problems.add(file.path, f"{file.path} cannot be read: {error.strerror}")
        elif time.time() - file.look.mtime_ns / 1e9 >= YOUNG_SECONDS:  # else it is still being written
            self._problems.add(file.path, str(error))

    def _replaced(self, file: WatchedFile) -> None:
        """Go on with the content that took the place of the one that was read."""
        key, path = file.key, file.path
        self._forget(file)
        self._paths.pop(path, None)
        with contextlib.suppress(OSError):
            status = Path(path).stat()
            if key_of(status) == key:
                log.info("a file was truncated or rewritten; it is read from its start", path=readable_path(path))
            self._seen(path, status)

    def _make_room(self, file: WatchedFile) -> None:
        """Close the files whose turn was longest ago if too many are open. Rotated ones may not be found again."""
        self._opened.pop(file.key, None)
        rotated: dict[Key, WatchedFile] = {}
        while not file.is_open and self._opened and len(self._opened) >= self._settings.max_open_files - len(rotated):
            other = self._opened.pop(next(iter(self._opened)))
            if other.rotated:
                rotated[other.key] = other
            else:
                other.close()
        self._opened = rotated | self._opened if rotated else self._opened
        self._opened[file.key] = file

    def close(self) -> None:
        """Close all files."""
        for file in self.files.values():
            file.close()


def _is_same(path: str, key: Key) -> bool:
    with contextlib.suppress(OSError):
        status = Path(path).stat()
        return key_of(status) == key
    return False
