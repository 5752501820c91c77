"""What a dead letter of a running pipeline needs besides its reason: the bytes as they came, and from where.

An output knows only the document it was to deliver. But the journal still has the chunk that it was made of: it is
committed after the letter is on the disk. So the letter gets the frame as it was received, and can be sent through a
config that was mended, under the same id.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, NamedTuple

from ingestd.event.fields import Event
from ingestd.journal.base import START, Entry, JournalError, Position, Record, RecordQueue
from ingestd.journal.dead_letters import DeadLetterFiles
from ingestd.journal.letter import Key, key
from ingestd.logs import get_logger

log = get_logger(__name__)

_ID = re.compile(r"(?P<origin>.+?)-(?P<offset>[0-9a-f]{12,})(?:-.*)?", re.DOTALL)
_STEP_BYTES = 1 << 20
_MAX_BYTES = 256 << 20
"""How far a frame is searched: more is never under way to one output."""

_CLOCK_STEP_SECONDS = 600.0
"""A letter is written after its event was received: by a clock that may have been set back as much meanwhile."""


_LAST_LETTERS = 1000
"""How many letters may have been written right before a crash without a trace in the journal."""


class Frame(NamedTuple):
    """The bytes of one event as they came, and what the journal knows of them."""

    raw: bytes
    offset: int
    record: Record


class Originals:
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


class PipelineLetters:
    """The dead letters of one pipeline, each written once.

    An event dies again when it comes again: after a crash between its letter and the commit, when an output is tried
    again, or because several outputs come to it at different times. So the letters of all events that the journal
    still holds are known by their keys.

    Args:
        files: Where they go.
        pipeline: Its name.
        config: Its version, see ``config_version``.
        journal: Where its events come from.
    """

    def __init__(self, files: DeadLetterFiles, pipeline: str, config: str, journal: RecordQueue) -> None:
        self._files, self._pipeline, self._config, self._journal = files, pipeline, config, journal
        self._originals = Originals(journal)
        self._known: dict[Key, int] = {}  # with the offset of the journal's head when the letter came

    @property
    def stuck(self) -> bool:
        """Whether letters wait for the disk."""
        return self._files.stuck

    @property
    def unsynced(self) -> bool:
        """Whether ``sync`` has something to do."""
        return self._files.unsynced

    def recall(self, position: Position) -> None:
        """Learn which letters there are of what lies behind ``position``; see ``KeptLetters``."""
        head = self._journal.head.offset
        try:
            entries = self._journal.read(position, 1)
            if entries:
                letters = self._files.recent(entries[0].record.time_ns / 1e9 - _CLOCK_STEP_SECONDS)
            else:  # but lines of which the journal knows nothing yet, and that are still in their sockets
                letters = islice(self._files.recent(0), _LAST_LETTERS)
            for letter in letters:
                if letter.pipeline == self._pipeline and (found := letter.key) is not None:
                    self._known[found] = head
        except (JournalError, OSError) as error:
            text = "the dead letters of before cannot be looked at; some may be written twice"
            log.warning(text, pipeline=self._pipeline, error=error)

    def sync(self) -> None:
        """Return when all letters are on the disk."""
        self._files.sync()

    def add(self, *, stage: str, raw: bytes, plugin: str = "", event_id: str = "", **letter: Any) -> None:
        """Keep one event; ``raw`` of an output is the document. See ``DeadLetterFiles.add``."""
        if self._is_known(key(stage, plugin, event_id, letter.get("origin", ""), letter.get("offset"))):
            return
        common: dict[str, Any] = {"pipeline": self._pipeline, "config": self._config, "event_id": event_id, **letter}
        if stage == "output":
            frame = self._originals.find(plugin, event_id)
            common |= _whereabouts(frame) if frame is not None else {}
            self._files.add(stage=stage, plugin=plugin, document=raw, raw=frame.raw if frame else b"", **common)
        else:
            self._files.add(stage=stage, plugin=plugin, raw=raw, **common)

    def _is_known(self, new: Key | None) -> bool:
        """Return whether there is a letter with this key; note that there is one now."""
        if new is None:
            return False
        if new in self._known:
            return True
        tail = self._journal.tail.offset
        while self._known and (oldest := next(iter(self._known.items())))[1] <= tail:
            del self._known[oldest[0]]  # its event is gone from the journal
        self._known[new] = self._journal.head.offset
        return False


def _whereabouts(frame: Frame) -> dict[str, str | int | Event]:
    record = frame.record
    return {
        "origin": record.connection,
        "offset": frame.offset,
        "received": record.time_ns,
        "fields": record.fields,
        "input_id": record.input,
    }
