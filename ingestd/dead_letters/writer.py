"""Writes dead letters: one JSON object a line in ``<data dir>/deadletters/dead-<writer>-<number>.ndjson``.

See ``dead_letter`` for the parts of one. Disk space is bounded: at its limit, a writer deletes its oldest file and logs
that. Other processes (``ingestd deadletters``) may remove dead letters meanwhile, see ``reader``: they replace a file
while they hold its lock, so a writer appends under the lock, and only to a file that still has a name.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ingestd import metrics
from ingestd.dead_letters.dead_letter import DeadLetter, cause, decode, encode, to_base64
from ingestd.event.timestamp import from_epoch
from ingestd.files import release_lock, sync_folder, wait_for_lock
from ingestd.logs import Outage, get_logger

log = get_logger(__name__)

_FILES = 8
"""Into how many files the space is divided: deleting the oldest then costs an eighth of what is kept."""


class DeadLetterWriter:
    """Appends dead letters. What cannot be written yet waits in memory, unless whoever adds it can keep it.

    Args:
        folder: Where the files are; made for the first dead letter.
        max_bytes: Disk space for all files of this writer together.
        clock: Seconds since the epoch.
        writer: Which of several processes writes here; each has files of its own.
        config_version: For dead letters that do not bring their own.
    """

    def __init__(
        self, folder: Path, max_bytes: int, clock: Callable[[], float], writer: str = "w0", config_version: str = ""
    ) -> None:
        self._folder, self._clock, self._config = folder, clock, config_version
        self._base = f"dead-{writer}-"
        self._name = re.compile(rf"dead-{re.escape(writer)}-(\d{{8}})\.ndjson")
        self._file_bytes = max(max_bytes // _FILES, 1)
        self._fd = -1
        self._size = 0
        self._torn = False  # a crash has left half a dead letter at the end of the file
        self._waiting: list[bytes] = []
        self._dirty = False
        self._lock = threading.Lock()
        text = "dead letters cannot be written; inputs and delivery wait until they can"
        self._refused = Outage(log.error, text, log.info, "dead letters can be written again")
        self.added = 0
        """How many dead letters were added so far."""
        self.lost = False
        """Whether some could not be written until ``close``."""

    @property
    def unsynced(self) -> bool:
        """Whether ``sync`` has something to do."""
        return self._dirty or bool(self._waiting)

    def add(  # noqa: PLR0913 -- the parts of a dead letter, each by name
        self,
        *,
        stage: str,
        reason: str,
        raw: bytes,
        plugin: str = "",
        stream_id: str = "",
        offset: int | None = None,
        received: int | None = None,
        fields: dict[str, Any] | None = None,
        size: int | None = None,
        event_id: str = "",
        document_id: str = "",
        index: str = "",
        document: bytes = b"",
        pipeline: str = "",
        config: str = "",
        input_id: str = "",
        wait: bool = True,
    ) -> bool:
        """Keep one event; never raises. See ``DeadLetter`` for the parts; ``reason`` is a sentence.

        ``wait``: it may wait in memory for the disk. Otherwise False is returned if it cannot be written.
        """
        same, detail = cause(reason)
        dead_letter = DeadLetter(
            time=from_epoch(self._clock()),
            stage=stage,
            plugin=plugin,
            reason=same,
            detail=detail,
            pipeline=pipeline,
            config=config or self._config,
            input=input_id,
            stream_id=stream_id,
            offset=offset,
            received=received,
            fields=fields or {},
            id=event_id,
            document_id=document_id if document_id != event_id else "",
            index=index,
            size=len(raw or document) if size is None else size,
            raw=to_base64(raw),
            document=to_base64(document) if document != raw.rstrip(b"\r\n") else "",
        )
        if not self.put(dead_letter, wait=wait):
            return False
        where = {"plugin": plugin} | ({"index": index} if index else {})
        log.warning("an event became a dead letter", stage=stage, reason=detail or same, **where)
        return True

    def put(self, dead_letter: DeadLetter, *, wait: bool = True) -> bool:
        """Add a dead letter as it is; see ``add``."""
        with self._lock:
            self._waiting.append(encode(dead_letter))
            try:
                self._flush()
            except OSError as error:
                self._refused.failed(error=error.strerror, dead_letters=len(self._waiting))
                if not wait:
                    self._waiting.pop()
                    return False
            self.added += 1
        metrics.EVENTS_DEAD_LETTERED.add(1, dead_letter.stage, dead_letter.plugin or "-")
        return True

    def recent(self, since: float) -> Iterator[DeadLetter]:
        """Return the dead letters that this writer wrote since then (seconds since the epoch), newest first.

        Raises:
            OSError: They cannot be read.
        """
        start = from_epoch(since)
        for number in reversed(self._numbers()):
            for line in _lines_backwards(self._path(number)):
                try:
                    dead_letter = decode(line)
                except ValueError:  # torn by a crash
                    continue
                if dead_letter.time < start:
                    return
                yield dead_letter

    def sync(self) -> None:
        """Force all dead letters to the disk. To be called before the journal's position is committed.

        Free when none was added since the last call; may be called from another thread.

        Raises:
            OSError: They cannot be written. Nothing is lost: call again later.
        """
        try:
            self._force()
        except OSError as error:
            self._refused.failed(error=error.strerror, dead_letters=len(self._waiting))
            raise
        self._refused.recovered()

    def _force(self) -> None:
        with self._lock:
            self._flush()
            if not self._dirty:
                return
            fd = os.dup(self._fd)
            self._dirty = False
        try:
            os.fsync(fd)
        except OSError:
            self._dirty = True
            raise
        finally:
            os.close(fd)

    def _flush(self) -> None:
        done = 0
        try:
            for line in self._waiting:
                self._append(line)
                done += 1
        finally:
            del self._waiting[:done]

    def _append(self, line: bytes) -> None:
        if self._fd < 0 or (self._size and self._size + len(line) > self._file_bytes):
            self._next_file()
        while not self._lock_named():  # dead letters were removed: a new file has the name, or none
            self._close_file()
            self._next_file()
        try:
            size = os.fstat(self._fd).st_size
            if self._torn:
                line = b"\n" + line
            written = os.write(self._fd, line)
            if written < len(line):  # the disk is full; half a dead letter would corrupt the next one
                os.ftruncate(self._fd, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            release_lock(self._fd)
        self._size = size + len(line)
        self._dirty, self._torn = True, False

    def _lock_named(self) -> bool:
        wait_for_lock(self._fd)
        return os.fstat(self._fd).st_nlink > 0

    def _next_file(self) -> None:
        full = self._fd >= 0
        self._close_file()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        numbers = self._numbers()
        last = numbers[-1] if numbers else 0
        if full or not last or self._path(last).stat().st_size >= self._file_bytes:
            last += 1
            self._make_room(numbers)
        self._fd = os.open(self._path(last), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._fd).st_size
        sync_folder(self._folder)
        self._torn = self._size > 0 and os.pread(self._fd, 1, self._size - 1) != b"\n"

    def _numbers(self) -> list[int]:
        """Return the numbers of this writer's files, in their order."""
        if not self._folder.is_dir():
            return []
        return sorted(int(match[1]) for path in self._folder.iterdir() if (match := self._name.fullmatch(path.name)))

    def _make_room(self, numbers: list[int]) -> None:
        for number in numbers[: max(len(numbers) - _FILES + 1, 0)]:
            log.error("the oldest dead letters were deleted to make room", file=self._path(number))
            self._path(number).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._base}{number:08d}.ndjson"

    def _close_file(self) -> None:
        if self._fd >= 0:
            try:
                if self._dirty:
                    os.fsync(self._fd)
            finally:
                os.close(self._fd)
                self._fd, self._dirty = -1, False

    def close(self) -> None:
        """Force everything to the disk and close; what cannot be written is logged in full."""
        try:
            self.sync()
        except OSError as error:
            dead_letters = [line.decode().strip() for line in self._waiting]
            log.error("dead letters could not be written", error=error.strerror, dead_letters=dead_letters)
            self.lost = True
        with self._lock:
            self._close_file()


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, the last one first, without line ends; none if the file was deleted."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        end = os.fstat(file.fileno()).st_size
        if not end:
            return
        with mmap.mmap(file.fileno(), end, access=mmap.ACCESS_READ) as data:
            while end > 0:
                start = data.rfind(b"\n", 0, end) + 1
                if start < end:
                    yield data[start:end]
                end = start - 1
