"""What a dead letter of a running pipeline needs besides its reason: the bytes as they came, and from where.

An output knows only the document it was to deliver. But the journal still has the chunk that it was made of: it is
committed after the letter is on the disk. So the letter gets the frame as it was received, and can be sent through a
config that was mended, under the same id.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ingestd.journal.base import START, Entry, JournalError, Position, Record, RecordQueue
from ingestd.logs import get_logger

log = get_logger(__name__)

_ID = re.compile(r"(?P<origin>.+?)-(?P<offset>[0-9a-f]{12,})(?:-.*)?", re.DOTALL)
_STEP_BYTES = 1 << 20
_MAX_BYTES = 256 << 20
"""How far a frame is searched: more is never under way to one output."""


class Frame(NamedTuple):
    """The bytes of one event as they came, and what the journal knows of them."""

    raw: bytes
    offset: int
    record: Record


class FrameLookup:
    """Finds frames in a journal. Letters come in about the order of the journal, so it goes on where it was."""

    def __init__(self, journal: RecordQueue) -> None:
        self._journal = journal
        self._last: Record | None = None
        self._next: Position = START

    def find(self, consumer: str, event_id: str) -> Frame | None:
        """Return the frame of an event that ``consumer`` has not committed yet, None if there is none."""
        match = _ID.fullmatch(event_id)
        if match is None:
            return None
        origin, offset = match["origin"], int(match["offset"], 16)
        if self._last is None or not _holds(self._last, origin, offset):
            try:
                entry = self._search(consumer, origin, offset)
            except (JournalError, KeyError):  # KeyError: no output of this name has a place in the journal
                return None
            if entry is None:
                return None
            self._last, self._next = entry.record, entry.end
        return _frame(self._last, offset)

    def _search(self, consumer: str, origin: str, offset: int) -> Entry | None:
        begin = self._journal.committed(consumer)[0]
        if self._next > begin and (found := self._scan(self._next, origin, offset)) is not None:
            return found
        return self._scan(begin, origin, offset)

    def _scan(self, begin: Position, origin: str, offset: int) -> Entry | None:
        position = begin
        while position.offset - begin.offset < _MAX_BYTES and (entries := self._journal.read(position, _STEP_BYTES)):
            for entry in entries:
                if _holds(entry.record, origin, offset):
                    return entry
            position = entries[-1].end
        return None


def _holds(record: Record, origin: str, offset: int) -> bool:
    return record.connection == origin and record.offset <= offset < record.offset + len(record.data)


def _frame(record: Record, offset: int) -> Frame:
    """Cut the frame that holds the byte ``offset`` of the stream; only line feeds part frames."""
    data, at = record.data, offset - record.offset
    if record.frames < 2:
        return Frame(data, record.offset, record)
    begin = data.rfind(b"\n", 0, at) + 1
    end = data.find(b"\n", at)
    return Frame(data[begin : end + 1 or None], record.offset + begin, record)
