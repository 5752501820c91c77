"""Finds what a dead letter of a running pipeline needs besides its reason: the bytes as received, and from where.

An output knows only the document it was to deliver. But the journal still has the chunk that it came from, because it
is committed only after the dead letter is on the disk. So the dead letter gets the frame as it was received, and can be
replayed under the same id through a config that was fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ingestd.event.chunk import HANDOVER, Chunk
from ingestd.event.event_id import HANDED_OVER_ID, is_own_id, parse_event_id, possible_originals
from ingestd.journal.base import START, Entry, JournalError, Position, RecordQueue
from ingestd.logs import get_logger
from ingestd.protocols.framing.lines import LINE_FEED, whole_lines

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


OwnIds = Callable[[Chunk], Mapping[str, int]]
"""Returns the own ids of events in a chunk (see ``event_id.own_id``), and the offsets of their frames."""


DelimiterOf = Callable[[Chunk], bytes]
"""Returns what ends a frame in a chunk of several."""

PlaceIn = Callable[[Chunk], int | None]
"""Returns the offset of an event in its stream if a chunk has it."""


class FrameLookup:
    """Finds frames in a journal: roughly in its order, so each search starts where the last one ended.

    Attributes:
        own_ids: Finds events that name themselves.
        delimiter_of: Finds frames in a chunk.
    """

    def __init__(self, journal: RecordQueue) -> None:
        self._journal = journal
        self.own_ids: OwnIds = lambda chunk: {}
        self.delimiter_of: DelimiterOf = lambda chunk: LINE_FEED
        self._last: Chunk | None = None
        self._owned: tuple[Chunk, Mapping[str, int]] | None = None  # of the chunk that was looked at last
        self._next: Position = START

    def find(self, consumer: str, event_id: str) -> Frame | None:
        """Return the frame of an event that ``consumer`` has not committed yet, None if there is none."""
        if handed_over := HANDED_OVER_ID.match(event_id):
            place_in: PlaceIn | None = _handed_over_place(handed_over[0])
        else:
            place_in = self._own_place(event_id) if is_own_id(event_id) else _place(event_id)
        if place_in is None:
            return None
        chunk = self._last
        offset = place_in(chunk) if chunk is not None else None
        if chunk is None or offset is None:
            try:
                found = self._search(consumer, place_in)
            except (JournalError, KeyError):  # KeyError: no output of this name has a place in the journal
                return None
            if found is None:
                return None
            (chunk, self._next), offset = found
            self._last = chunk
        return _frame(chunk, offset, self.delimiter_of(chunk))

    def _own_place(self, event_id: str) -> PlaceIn:
        """Return a function that finds an event which names itself, or the one that it is a copy or part of."""
        names = possible_originals(event_id)

        def place_in(chunk: Chunk) -> int | None:
            if self._owned is None or self._owned[0] is not chunk:
                self._owned = (chunk, self.own_ids(chunk))
            return next((self._owned[1][name] for name in names if name in self._owned[1]), None)

        return place_in

    def _search(self, consumer: str, place_in: PlaceIn) -> tuple[Entry, int] | None:
        start = self._journal.committed(consumer)[0]
        if self._next > start and (found := self._scan(self._next, place_in)) is not None:
            return found
        return self._scan(start, place_in)

    def _scan(self, start: Position, place_in: PlaceIn) -> tuple[Entry, int] | None:
        position, step = start, _FIRST_STEP_BYTES
        while position.offset - start.offset < _MAX_BYTES and (entries := self._journal.read(position, step)):
            for entry in entries:
                if (offset := place_in(entry.chunk)) is not None:
                    return entry, offset
            position, step = entries[-1].end, min(4 * step, _STEP_BYTES)
        return None


def _handed_over_place(event_id: str) -> PlaceIn:
    """Return a function that finds an event of another pipeline: its line starts with its id."""
    head = event_id.encode("utf-8", "surrogatepass") + b"\0"

    def place_in(chunk: Chunk) -> int | None:
        if not chunk.stream_id.startswith(HANDOVER):
            return None
        if chunk.data.startswith(head):
            return chunk.offset
        at = chunk.data.find(b"\n" + head)
        return chunk.offset + at + 1 if at >= 0 else None

    return place_in


def _place(event_id: str) -> PlaceIn | None:
    """Return a function that finds an event by its stream and offset."""
    if (parts := parse_event_id(event_id)) is None:
        return None
    stream_id, offset = parts.stream_id, parts.offset

    def place_in(chunk: Chunk) -> int | None:
        holds = chunk.stream_id == stream_id and chunk.offset <= offset < chunk.offset + len(chunk.data)
        return offset if holds else None

    return place_in


def _frame(chunk: Chunk, offset: int, delimiter: bytes) -> Frame:
    """Cut the frame that holds the byte ``offset`` of the stream."""
    data, at = chunk.data, offset - chunk.offset
    if chunk.frames < 2:
        return Frame(data, chunk.offset, chunk)
    start = whole_lines(data, at, delimiter)
    end = data.find(delimiter, max(start, at - len(delimiter) + 1))
    return Frame(data[start : end + len(delimiter) if end >= 0 else None], chunk.offset + start, chunk)
