"""Finds what a dead letter of a running pipeline needs besides its reason: the bytes as received, and from where.

An output knows only the document it was to deliver. But the journal still has the chunk that it came from, because it
is committed only after the dead letter is on the disk. So the dead letter gets the frame as it was received, and can be
replayed under the same id through a config that was fixed.
"""

from __future__ import annotations

from typing import NamedTuple

from ingestd.event.chunk import Chunk
from ingestd.event.event_id import is_own_id, parse_event_id
from ingestd.journal.base import START, Entry, JournalError, Position, RecordQueue
from ingestd.logs import get_logger

log = get_logger(__name__)

_FIRST_STEP_BYTES, _STEP_BYTES = 4 << 10, 1 << 20
"""How much of the journal is read at once: little at first, since the next frame is usually near the last one, and a
server may refuse thousands of events that each have a chunk of their own."""

_MAX_BYTES = 256 << 20
"""How far to search for a frame: one output never has more in flight."""


class Frame(NamedTuple):
    """The bytes of one event as received, and the chunk in the journal that holds them."""

    raw: bytes
    offset: int
    chunk: Chunk


class FrameLookup:
    """Finds frames in a journal: roughly in its order, so each search starts where the last one ended."""

    def __init__(self, journal: RecordQueue) -> None:
        self._journal = journal
        self._last: Chunk | None = None
        self._next: Position = START

    def find(self, consumer: str, event_id: str) -> Frame | None:
        """Return the frame of an event that ``consumer`` has not committed yet, None if there is none."""
        if is_own_id(event_id) or (parts := parse_event_id(event_id)) is None:
            return None  # an own id does not say where the event is in the journal
        stream_id, offset = parts.stream_id, parts.offset
        if self._last is None or not _holds(self._last, stream_id, offset):
            try:
                entry = self._search(consumer, stream_id, offset)
            except (JournalError, KeyError):  # KeyError: no output of this name has a place in the journal
                return None
            if entry is None:
                return None
            self._last, self._next = entry.chunk, entry.end
        return _frame(self._last, offset)

    def _search(self, consumer: str, stream_id: str, offset: int) -> Entry | None:
        start = self._journal.committed(consumer)[0]
        if self._next > start and (found := self._scan(self._next, stream_id, offset)) is not None:
            return found
        return self._scan(start, stream_id, offset)

    def _scan(self, start: Position, stream_id: str, offset: int) -> Entry | None:
        position, step = start, _FIRST_STEP_BYTES
        while position.offset - start.offset < _MAX_BYTES and (entries := self._journal.read(position, step)):
            for entry in entries:
                if _holds(entry.chunk, stream_id, offset):
                    return entry
            position, step = entries[-1].end, min(4 * step, _STEP_BYTES)
        return None


def _holds(chunk: Chunk, stream_id: str, offset: int) -> bool:
    return chunk.stream_id == stream_id and chunk.offset <= offset < chunk.offset + len(chunk.data)


def _frame(chunk: Chunk, offset: int) -> Frame:
    """Cut the frame that holds the byte ``offset`` of the stream; only line feeds part frames."""
    data, at = chunk.data, offset - chunk.offset
    if chunk.frames < 2:
        return Frame(data, chunk.offset, chunk)
    start = data.rfind(b"\n", 0, at) + 1
    end = data.find(b"\n", at)
    return Frame(data[start : end + 1 or None], chunk.offset + start, chunk)
