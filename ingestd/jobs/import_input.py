"""Files as a finite input: each is a stream of lines whose ids come from its content, and continues where it ended.

A last line without a line end may be the first half of one that is still being written. It waits for its end, that is
for the next import, if the file was changed within the last minute, is not compressed, and the line is not a whole
JSON object.

The position of each file keeps lines from being read twice; where it is not enough (a killed import, ``--again``),
``import_stored`` skips what is stored by its id. ``ingestd.app.jobs.file_import`` uses both.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ingestd.event.chunk import Chunk, Stream
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.files import readable_path
from ingestd.jobs.import_checkpoints import EMPTY, PREFIX_BYTES, ImportCheckpoint, ImportCheckpoints, PrefixDigests
from ingestd.journal.base import Position
from ingestd.journal.memory import MemoryJournal
from ingestd.plugins.inputs._file_content import BLOCK_BYTES, Content, ContentError
from ingestd.plugins.inputs._file_reader import FileReader
from ingestd.plugins.interfaces import Sink, StopMode
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.lines import LINE_FEED


@dataclass(slots=True)
class _Source:
    """A file that is being read. ``start``: where reading continues; ``buffered``: blocks that were read ahead."""

    checkpoint: ImportCheckpoint
    content: Content
    start: int
    buffered: deque[bytes]
    digests: PrefixDigests = field(default_factory=PrefixDigests)
    delimiter: bytes = LINE_FEED

    def read(self) -> bytes:
        """Return the next bytes of the content, empty at the end. Raises ContentError."""
        data = self.buffered.popleft() if self.buffered else self.content.read()
        end = data.rfind(self.delimiter[-1:]) + 1  # an import may end there
        for part in (data[:end], data[end:]):
            if part:
                self.digests.add(part)
        return data

    def skip(self, size: int) -> bool:
        """Read exactly ``size`` bytes; False if there are fewer."""
        while size:
            data = self.buffered.popleft() if self.buffered else self.content.read()
            if not data:
                return False
            if len(data) > size:
                self.buffered.appendleft(data[size:])
                data = data[:size]
            self.digests.add(data)
            size -= len(data)
        return True


class Imports:
    """The files of one import: which they are, where each continues, and how far each has been delivered.

    Args:
        checkpoints: Locked by this process.
        again: Read every file from its start, whatever was imported of it.
        charset: Of all files, see ``Content``.
    """

    def __init__(self, checkpoints: ImportCheckpoints, *, again: bool = False, charset: str | None = None) -> None:
        self._checkpoints, self._again, self._charset = checkpoints, again, charset
        self._sources: dict[str, _Source] = {}
        self._delivered: dict[str, int] = {}
        self.lock = asyncio.Lock()
        """One file at a time: only then is it known whether the next file has the same content."""

    def open(self, path: Path) -> _Source:
        """Open a file and skip what was imported of it. Raises OSError, ContentError."""
        source = self._find(path)
        self._sources[source.checkpoint.stream_id] = source
        if source.checkpoint.prefix_bytes:  # a kill may come between the first events and the next checkpoint
            self._checkpoints.save(
                msgspec.structs.replace(source.checkpoint, path=readable_path(path), in_progress=True)
            )
        return source

    def _find(self, path: Path) -> _Source:
        content = Content(path, self._charset)
        try:
            prefix = _prefix(content)
            for checkpoint in self._checkpoints.candidates(prefix, path):
                source = _Source(checkpoint, content, 0, _blocks(prefix))
                if source.skip(checkpoint.checked_bytes) and source.digests.digest == (checkpoint.checked or EMPTY):
                    if self._again and checkpoint.stream_id not in self._sources:
                        return self._from_start(path, checkpoint, content)
                    source.start = checkpoint.offset
                    source.skip(checkpoint.offset - checkpoint.checked_bytes)
                    return source
                content.close()
                content = Content(path, self._charset)
                prefix = _prefix(content)
            return _Source(self._checkpoints.new(prefix, path), content, 0, _blocks(prefix))
        except BaseException:
            content.close()
            raise

    def _from_start(self, path: Path, checkpoint: ImportCheckpoint, content: Content) -> _Source:
        content.close()
        # If this import is killed, what follows has still been imported before.
        self._delivered[checkpoint.stream_id] = checkpoint.offset
        return _Source(checkpoint, Content(path, self._charset), 0, deque())

    def ended(self, source: _Source, path: Path, waiting: int = 0) -> None:
        """Remember that a file was read to its end: the same content under another name has nothing new.

        ``waiting``: the bytes of its last line, if that has no end yet and was not taken.
        """
        size = source.digests.size - waiting
        if size:
            self._checkpoints.remember(_advanced(source.checkpoint, size, source.digests.up_to(size), path))

    def delivered(self, stream_id: str, offset: int) -> None:
        """Save that everything before ``offset`` of a stream has been delivered. Raises OSError."""
        source = self._sources[stream_id]
        # The line end that is counted after a line that is too long may be missing at the end of a file.
        offset = min(offset, source.digests.size)
        if offset >= self._delivered.get(stream_id, 0):
            self._delivered[stream_id] = offset
            checkpoint = _advanced(source.checkpoint, offset, source.digests.at(offset), Path(source.checkpoint.path))
            self._checkpoints.save(msgspec.structs.replace(checkpoint, in_progress=True))


def _advanced(old: ImportCheckpoint, offset: int, check: tuple[int, str], path: Path) -> ImportCheckpoint:
    size, checked = check
    return ImportCheckpoint(old.stream_id, old.prefix, old.prefix_bytes, offset, checked, size, readable_path(path))


def _blocks(data: bytes) -> deque[bytes]:
    return deque(data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES))


def _prefix(content: Content) -> bytes:
    """Return the bytes by which a file is looked up; an error in them is reported when the file is read."""
    parts: list[bytes] = []
    left = PREFIX_BYTES
    with contextlib.suppress(ContentError):
        while left and (data := content.read(left)):
            parts.append(data)
            left -= len(data)
    return b"".join(parts)


class ImportInput:
    """Reads files, one after the other; text lines get the fields ``host`` and ``path``, as with Logstash's ``file``.

    Args:
        paths: The files.
        imports: Knows how far each was imported.
        max_line_bytes: Longer lines become dead letters.
        on_read: Called with the number of bytes of the files, compressed or not, read since its last call.
    """

    finite = True

    def __init__(
        self, paths: Sequence[Path], imports: Imports, max_line_bytes: int, on_read: Callable[[int], None]
    ) -> None:
        self._paths, self._imports, self._max, self._on_read = paths, imports, max_line_bytes, on_read
        self._stopped = False
        self.problems: list[str] = []
        """What went wrong with files, a sentence each."""
        self.known: list[Path] = []
        """Files of which everything was imported before."""
        self.waiting: list[tuple[Path, int]] = []
        """Files whose last line has no end yet and was left, and how many bytes of it are there."""
        self.grouping: Grouping | None = None
        """How the codec groups lines to messages."""
        self.delimiter = LINE_FEED
        """What ends a line."""
        self.finished = False
        """Whether all files were read as far as they can be."""

    async def open(self) -> None:
        """Do nothing: each file is opened when it is read."""

    async def run(self, sink: Sink) -> None:
        """Read until the end of all files or ``stop``."""
        async with self._imports.lock:
            for path in self._paths:
                if self._stopped:
                    return
                try:
                    await self._read(path, sink)
                except ContentError as error:  # what was read is imported, and so are the other files
                    self.problems.append(str(error))
                except OSError as error:
                    self.problems.append(f"{readable_path(path)}: {error.strerror or error}")
            self.finished = not self._stopped

    async def _read(self, path: Path, sink: Sink) -> None:
        source = self._imports.open(path)
        source.delimiter = self.delimiter
        stream = Stream(source.checkpoint.stream_id, {"host": socket.gethostname(), "path": readable_path(path)})
        reader = FileReader(sink, stream, self._max, self.grouping, source.start, self.delimiter)
        reported = 0
        try:
            while not self._stopped:
                await sink.wait_until_resumed()
                data = source.read()
                waiting = 0 if data else _waiting(reader, source.content)
                if data:
                    await reader.feed(data)
                elif not waiting:
                    await reader.feed_eof()
                self._on_read(source.content.position - reported)
                reported = source.content.position
                if not data:
                    self._imports.ended(source, path, waiting)
                    if waiting:
                        self.waiting.append((path, waiting))
                    elif source.start and source.digests.size == source.start:
                        self.known.append(path)
                    return
                await asyncio.sleep(0)  # a file never blocks: let the outputs run
        finally:
            source.content.close()

    def stop(self, mode: StopMode) -> None:
        """Stop reading; an incomplete line is read again by the next import."""
        self._stopped = True


def _waiting(reader: FileReader, content: Content) -> int:
    """Return how many bytes wait for the end of the last line, 0 if the line is complete as it is."""
    half = reader.half_line
    return reader.waiting_bytes if half and content.is_being_written(time.time()) and not _is_object(half) else 0


def _is_object(line: bytes) -> bool:
    with contextlib.suppress(NotJsonError):
        return isinstance(loads(line), dict)
    return False


class TrackedJournal(MemoryJournal):
    """Reports how far each stream has been delivered to all outputs.

    Args:
        delivered: Called with a stream id and the offset before which everything is delivered.
        max_bytes: As for the journal in memory.
    """

    def __init__(self, delivered: Callable[[str, int], None], max_bytes: int) -> None:
        super().__init__(max_bytes=max_bytes)
        self._delivered = delivered
        self._ends: deque[tuple[Position, str, int]] = deque()

    def append(self, chunks: Sequence[Chunk]) -> Position:
        """Add chunks; see ``RecordQueue``."""
        end = super().append(chunks)
        self._ends.extend((end, chunk.stream_id, chunk.offset + len(chunk.data)) for chunk in chunks if chunk.stream_id)
        return end

    def commit(self, name: str, position: Position, state: object = None) -> None:
        """Save how far an output is; see ``RecordQueue``."""
        super().commit(name, position, state)
        offsets: dict[str, int] = {}
        while self._ends and self._ends[0][0] <= self.start:
            _, stream, offset = self._ends.popleft()
            offsets[stream] = offset
        for stream, offset in offsets.items():
            self._delivered(stream, offset)
