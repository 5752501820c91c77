"""One file that the input ``file`` reads, turn by turn, from where an earlier turn or process ended.

Nothing of a plain file is kept between two turns: a line or a message that is not complete is read again once the file
has grown. So thousands of files take no memory, and a process that is killed leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ingestd.event.chunk import Stream
from ingestd.event.fields import Event
from ingestd.plugins.inputs._file_content import Content
from ingestd.plugins.inputs._file_reader import FileReader
from ingestd.plugins.inputs._file_records import FileRecord, Key, digest
from ingestd.plugins.interfaces import Sink
from ingestd.protocols.framing.grouping import Grouping


class ReplacedError(Exception):
    """The content of a file is not the one that was read before: it was emptied, or is another file."""


class Look(NamedTuple):
    """What a file is like: it has changed if that differs."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read.

    Attributes:
        sink: Where their lines go.
        max_line_bytes: Longer lines become dead letters.
        grouping: How the codec groups lines to messages.
        fields: Returns the fields of the lines of a path.
        delimiter: The end of a line.
        chunk_bytes: How much is read at a time.
        turn_bytes: How much of a file is read before it is the turn of the next.
        complete: Whether files are complete: the end of a file ends its last line.
        check_archives: Whether compressed files are read as a whole before their first line is stored.
    """

    sink: Sink
    max_line_bytes: int
    grouping: Grouping | None
    fields: Callable[[str], Event]
    delimiter: bytes
    chunk_bytes: int
    turn_bytes: int
    complete: bool
    check_archives: bool = False


class WatchedFile:
    """A file that is read as it grows.

    Args:
        record: Which generation of a file it is.
        path: Its name now.
        reading: How it is read.
        position: The offset of the first byte that is not stored.
        now: On the monotonic clock.

    Attributes:
        look: As it is now.
        read: As it was at the last turn.
        behind: Whether the last turn ended before its end.
        rotated: Since when its path is another file's, on the monotonic clock; 0: it is not.
        grown: When it last grew, or was first seen.
        retry: When to try again, as it could not be read; 0: it could.
    """

    def __init__(self, record: FileRecord, path: str, reading: Reading, position: int, now: float) -> None:
        self.record, self.path, self.position = record, path, position
        self._reading = reading
        self._stream = Stream(record.stream, reading.fields(record.path))
        self.look, self.read = Look(0, 0), Look(-1, -1)
        self.behind, self.rotated, self.grown, self.retry = False, 0.0, now, 0.0
        self.fd = -1
        self._reader: FileReader | None = None
        self._at = position  # of the next byte to read

    @property
    def key(self) -> Key:
        """Device and inode number."""
        return self.record.key

    @property
    def is_open(self) -> bool:
        """Whether it has a descriptor."""
        return self.fd >= 0

    @property
    def waits(self) -> bool:
        """Whether lines were read that are not stored, as more may belong to them."""
        return self._at > self.position

    @property
    def changed(self) -> bool:
        """Whether it is worth a turn."""
        return self.behind or self.look != self.read

    def open(self) -> None:
        """Open it. Raises OSError; ReplacedError if its name is that of another file by now."""
        if self.is_open:
            return
        fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) != self.key:
            os.close(fd)
            raise ReplacedError
        self.fd = fd

    def close(self) -> None:
        """Close it; it can be opened again."""
        if self.is_open:
            os.close(self.fd)
        self.fd, self._reader, self._at = -1, None, self.position

    def read_at(self, size: int, offset: int) -> bytes:
        """Return content of the open file."""
        return os.pread(self.fd, size, offset)

    def inspect(self) -> os.stat_result:
        """Return the state of the open file, and note it in ``look``."""
        status = os.fstat(self.fd)
        self.look = Look(status.st_size, status.st_mtime_ns)
        return status

    async def turn(self, *, last: bool = False, flush: bool = False) -> None:
        """Read on, up to ``turn_bytes``.

        Args:
            last: Nothing will follow what is there: store half a line as well.
            flush: Nothing will belong to the lines that wait: store them.

        Raises:
            OSError: It cannot be read.
            ReplacedError: Its content has changed; nothing was read.
        """
        self.open()
        self.inspect()
        known = self.record.has_tail if self.record.tail else self.record.matches
        if self.look.size < self.position or not known(self.read_at):
            raise ReplacedError
        look, before = self.look, self.position
        self.behind = await self._read(look.size)
        if not self.behind:
            await self._end_of_file(last=last or self._reading.complete, flush=flush)
        assert self._reader is not None  # noqa: S101 -- _read made it
        self.position, self.read = self._reader.position, look
        if not self._reader.skips:
            self._reader = None
        if self.position != before:
            self.record.note(self.position, self.read_at)
        if self._reading.complete and not self.behind:
            self._mark_done(look)

    async def _read(self, size: int) -> bool:
        """Read what is there; returns whether there is more. ``size``: where to stop, unless files are complete."""
        if self._reader is None:
            self._start()
        assert self._reader is not None  # noqa: S101 -- see above
        end = min(size, self._at + self._reading.turn_bytes)
        while self._at < end:
            await self._reading.sink.wait_until_resumed()
            data = self.read_at(min(self._reading.chunk_bytes, end - self._at), self._at)
            if not data:
                break
            self._at += len(data)
            await self._reader.feed(data)
            await asyncio.sleep(0)  # a file never blocks: let the outputs run
        return self._at < size and self._at == end

    def _start(self) -> None:
        reading = self._reading
        self._reader = FileReader(
            reading.sink, self._stream, reading.max_line_bytes, reading.grouping, self.position, reading.delimiter
        )
        self._at = self.position

    async def _end_of_file(self, *, last: bool, flush: bool) -> None:
        assert self._reader is not None  # noqa: S101 -- called after _read
        if last:
            await self._reader.feed_eof()
        elif flush:
            await self._reader.flush()

    def _mark_done(self, look: Look) -> None:
        self.record.state, self.record.size, self.record.mtime_ns = "done", look.size, look.mtime_ns


class CompressedFile(WatchedFile):
    """A compressed file, which does not grow. Offsets are those of its content."""

    _content: Content | None = None

    @property
    def waits(self) -> bool:
        """Nothing waits: its end ends the last line."""
        return False

    def close(self) -> None:
        """Close it; it is read from its start again."""
        if self._content is not None:
            self._content.close()
        self._content = None
        super().close()

    async def turn(self, *, last: bool = False, flush: bool = False) -> None:
        """Read on, up to ``turn_bytes`` of the content.

        Raises:
            OSError: It cannot be read.
            ContentError: It is damaged or cut off; what comes before that was read.
            ReplacedError: It is another file by now.
        """
        self.open()
        self.inspect()
        look = self.look
        if self._content is None:
            if (self.position or self.record.is_done) and not self._is_known():
                raise ReplacedError
            if self._reading.check_archives:
                await self._check()
            self._content = Content(Path(self.path))
            self._start()
            await self._skip(self._content)
        assert self._reader is not None  # noqa: S101 -- _start made it
        left, self.behind = self._reading.turn_bytes, True
        try:
            while left > 0:
                await self._reading.sink.wait_until_resumed()
                data = self._content.read(self._reading.chunk_bytes)
                if not data:
                    await self._reader.feed_eof()
                    self.behind = False
                    self._mark_done(look)
                    break
                left -= len(data)
                await self._reader.feed(data)
                await asyncio.sleep(0)
        finally:
            self.position = self._at = self._reader.position
        self.record.offset, self.read = self.position, look

    def _is_known(self) -> bool:
        """Return whether the content starts as before: an inode number is used again, often by the next archive."""
        size = self.record.start_bytes
        with closing(Content(Path(self.path))) as content:
            start = b""
            while len(start) < size and (data := content.read(size - len(start))):
                start += data
        return size > 0 and digest(start) == self.record.start

    async def _check(self) -> None:
        with closing(Content(Path(self.path))) as content:
            while content.read(self._reading.chunk_bytes):  # noqa: ASYNC110 -- it lets others run
                await asyncio.sleep(0)

    async def _skip(self, content: Content) -> None:
        """Skip what is stored."""
        left = self.position
        while left and (data := content.read(min(left, self._reading.chunk_bytes))):
            left -= len(data)
            await asyncio.sleep(0)
