"""Files as an input that ends: each is a stream of lines whose ids come from its content, and goes on where it was."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ingestd.event.chunk import Chunk, Stream
from ingestd.jobs.import_files import BLOCK_BYTES, Content, ContentError
from ingestd.jobs.import_places import EMPTY, HEAD_BYTES, Checks, Place, Places
from ingestd.journal.base import Position
from ingestd.journal.memory import MemoryJournal
from ingestd.plugins.inputs._streams import put, reject_long_line
from ingestd.plugins.interfaces import Sink, StopMode
from ingestd.protocols.lines import Cut, LineCutter


@dataclass(slots=True)
class _Source:
    """A file that is being read. ``begin`` is where its content goes on, ``waiting`` what was read ahead of it."""

    place: Place
    content: Content
    begin: int
    waiting: deque[bytes]
    checks: Checks = field(default_factory=Checks)

    def read(self) -> bytes:
        """Return the next bytes of the content, empty at the end. Raises ContentError."""
        data = self.waiting.popleft() if self.waiting else self.content.read()
        if data:
            self.checks.add(data)
        return data

    def pass_over(self, size: int) -> bool:
        """Read so many bytes and no more; False if there are fewer."""
        while size:
            data = self.waiting.popleft() if self.waiting else self.content.read()
            if not data:
                return False
            if len(data) > size:
                self.waiting.appendleft(data[size:])
                data = data[:size]
            self.checks.add(data)
            size -= len(data)
        return True


class Imports:
    """The files of one import: which they are, where they go on, and how far each has been delivered.

    Args:
        places: Held by this process.
        again: Read every file from its begin, whatever was imported of it.
    """

    def __init__(self, places: Places, *, again: bool = False) -> None:
        self._places, self._again = places, again
        self._sources: dict[str, _Source] = {}
        self._delivered: dict[str, int] = {}
        self.turn = asyncio.Lock()
        """One file at a time: whether the next one is the same is known when this one was read."""

    def open(self, path: Path) -> _Source:
        """Open a file and pass over what was imported of it. Raises OSError, ContentError."""
        source = self._found(path)
        self._sources[source.place.origin] = source
        if source.place.head_bytes:  # a kill may come between the first events and the note of them
            self._places.save(msgspec.structs.replace(source.place, path=str(path), under_way=True))
        return source

    def _found(self, path: Path) -> _Source:
        content = Content(path)
        try:
            head = _head(content)
            for place in self._places.candidates(head, path):
                source = _Source(place, content, 0, _blocks(head))
                if source.pass_over(place.checked_bytes) and source.checks.digest == (place.checked or EMPTY):
                    if self._again and place.origin not in self._sources:
                        return self._from_begin(path, place, content)
                    source.begin = place.offset
                    source.pass_over(place.offset - place.checked_bytes)
                    return source
                content.close()
                content = Content(path)
                head = _head(content)
            return _Source(self._places.new(head, path), content, 0, _blocks(head))
        except BaseException:
            content.close()
            raise

    def _from_begin(self, path: Path, place: Place, content: Content) -> _Source:
        content.close()
        self._delivered[place.origin] = place.offset  # after a kill, what comes next was still imported before
        return _Source(place, Content(path), 0, deque())

    def ended(self, source: _Source, path: Path) -> None:
        """Note that a file was read to its end: the same one under another name has nothing new."""
        size = source.checks.size
        if size:
            self._places.remember(_moved(source.place, size, (size, source.checks.digest), path))

    def delivered(self, origin: str, offset: int) -> None:
        """Put on the disk that everything before ``offset`` of a stream has been delivered. Raises OSError."""
        source = self._sources[origin]
        # The line end that is counted behind a line that is too long may be missing at the end of a file.
        offset = min(offset, source.checks.size)
        if offset >= self._delivered.get(origin, 0):
            self._delivered[origin] = offset
            place = _moved(source.place, offset, source.checks.at(offset), Path(source.place.path))
            self._places.save(msgspec.structs.replace(place, under_way=True))


def _moved(place: Place, offset: int, check: tuple[int, str], path: Path) -> Place:
    size, checked = check
    return Place(place.origin, place.head, place.head_bytes, offset, checked, size, str(path))


def _blocks(data: bytes) -> deque[bytes]:
    return deque(data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES))


def _head(content: Content) -> bytes:
    """Return what the place of a file is found by; a fault in it is told when the file is read."""
    parts: list[bytes] = []
    left = HEAD_BYTES
    with contextlib.suppress(ContentError):
        while left and (data := content.read(left)):
            parts.append(data)
            left -= len(data)
    return b"".join(parts)


class FileInput:
    """Reads files, one after the other; text lines get the fields ``host`` and ``path``, as of Logstash's ``file``.

    Args:
        paths: The files.
        imports: What knows them.
        max_line_bytes: Longer lines become dead letters.
        tell: Called with how many bytes of the files, compressed or not, were read since the last call.
    """

    finite = True

    def __init__(
        self, paths: Sequence[Path], imports: Imports, max_line_bytes: int, tell: Callable[[int], None]
    ) -> None:
        self._paths, self._imports, self._max, self._tell = paths, imports, max_line_bytes, tell
        self._stopped = False
        self.problems: list[str] = []
        """What went wrong with files, a sentence each."""
        self.known: list[Path] = []
        """Files of which everything was imported before."""
        self.finished = False
        """Whether all files were read as far as they can be."""

    async def open(self) -> None:
        """Do nothing: files are opened when their turn comes."""

    async def run(self, sink: Sink) -> None:
        """Read until the end of all files or ``stop``."""
        async with self._imports.turn:
            for path in self._paths:
                if self._stopped:
                    return
                try:
                    await self._read(path, sink)
                except ContentError as error:  # what was read is imported, and the other files are
                    self.problems.append(str(error))
                except OSError as error:
                    self.problems.append(f"{path}: {error.strerror or error}")
            self.finished = not self._stopped

    async def _read(self, path: Path, sink: Sink) -> None:
        source = self._imports.open(path)
        cutter = LineCutter(self._max)
        stream = Stream(source.place.origin, {"host": socket.gethostname(), "path": str(path)})
        told = 0
        try:
            while not self._stopped:
                await sink.room()
                data = source.read()
                cuts = cutter.feed(data) if data else cutter.feed_eof()
                await self._put(sink, cuts, stream, source.begin)
                self._tell(source.content.position - told)
                told = source.content.position
                if not data:
                    self._imports.ended(source, path)
                    if source.begin and source.checks.size == source.begin:
                        self.known.append(path)
                    return
                await asyncio.sleep(0)  # a file never blocks: let the outputs run
        finally:
            source.content.close()

    async def _put(self, sink: Sink, cuts: list[Cut], stream: Stream, begin: int) -> None:
        for cut in cuts:
            if cut.data:
                await put(sink, cut.data, stream, begin + cut.offset)
            offset = begin + cut.offset + len(cut.data)
            for line in cut.too_long:
                reject_long_line(sink, stream, line, self._max, offset)
                offset += line.size + 1

    def stop(self, mode: StopMode) -> None:
        """Stop reading; half a line stays for the next time."""
        self._stopped = True


class TrackedJournal(MemoryJournal):
    """Tells how far each stream has been delivered to all outputs.

    Args:
        delivered: Called with the id of a stream and the offset in it before which everything is delivered.
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
        """Note how far an output is; see ``RecordQueue``."""
        super().commit(name, position, state)
        offsets: dict[str, int] = {}
        while self._ends and self._ends[0][0] <= self.tail:
            _, stream, offset = self._ends.popleft()
            offsets[stream] = offset
        for stream, offset in offsets.items():
            self._delivered(stream, offset)
