"""Dead letters: events that nothing can be done with, kept on disk with their raw bytes and the reason.

One JSON object a line in ``<data dir>/deadletters/dead-<writer>-<number>.ndjson``: ``time`` (UTC), ``stage`` (framing,
codec, filter, output), ``reason``, ``plugin``, ``origin`` (the stream), ``size`` (bytes of ``raw``) and ``raw``,
the bytes in base64. Bounded: the oldest file goes when the limit is reached, and that is said in the log.
"""

from __future__ import annotations

import base64
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import orjson

from ingestd import metrics
from ingestd.event.timestamp import from_epoch
from ingestd.logs import get_logger

log = get_logger(__name__)

_FILES = 8
"""Into how many files the space is divided: dropping the oldest then costs an eighth of what is kept."""


class DeadLetterFiles:
    """Appends dead letters. A letter that cannot be written is told in the log, raw bytes and all.

    Args:
        folder: Where the files lie; made on the first letter.
        max_bytes: Disk space for all files together.
        clock: Seconds since the epoch.
        writer: Which of several processes writes here; each has files of its own.
    """

    def __init__(self, folder: Path, max_bytes: int, clock: Callable[[], float], writer: str = "w0") -> None:
        self._folder, self._clock, self._writer = folder, clock, writer
        self._name = re.compile(rf"dead-{re.escape(writer)}-(\d{{8}})\.ndjson")
        self._file_bytes = max(max_bytes // _FILES, 1)
        self._fd = -1
        self._size = 0

    def add(self, *, stage: str, reason: str, raw: bytes, origin: str = "", plugin: str = "") -> None:
        """Keep one event; see the module for the parts."""
        metrics.EVENTS_DEAD_LETTERED.add(1, stage, plugin or "-")
        letter = {
            "time": from_epoch(self._clock()),
            "stage": stage,
            "reason": reason,
            "plugin": plugin,
            "origin": origin,
            "size": len(raw),
            "raw": base64.b64encode(raw).decode(),
        }
        line = orjson.dumps(letter) + b"\n"
        try:
            self._append(line)
        except OSError as error:
            log.error("a dead letter could not be written", error=error.strerror, letter=line.decode().strip())
            return
        log.warning("an event became a dead letter", stage=stage, reason=reason, plugin=plugin)

    def _append(self, line: bytes) -> None:
        if self._fd < 0 or self._size + len(line) > self._file_bytes:
            self._next_file()
        if os.write(self._fd, line) < len(line):  # the disk is full; half a letter would spoil the next one
            os.ftruncate(self._fd, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(line)

    def _next_file(self) -> None:
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        numbers = sorted(int(match[1]) for path in self._folder.iterdir() if (match := self._name.fullmatch(path.name)))
        for number in numbers[: max(len(numbers) - _FILES + 1, 0)]:
            log.error("the oldest dead letters were deleted to make room", file=self._path(number))
            self._path(number).unlink(missing_ok=True)
        last = numbers[-1] if numbers else 0
        reusable = last and self._path(last).stat().st_size < self._file_bytes and self._size == 0
        path = self._path(last if reusable else last + 1)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._fd).st_size

    def _path(self, number: int) -> Path:
        return self._folder / f"dead-{self._writer}-{number:08d}.ndjson"

    def close(self) -> None:
        """Write everything through to the disk and close."""
        if self._fd >= 0:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
