"""The dead letters of one running pipeline, each written once, with the bytes as they were received."""

from __future__ import annotations

from itertools import islice
from typing import Any

from ingestd.dead_letters.dead_letter import Key, key
from ingestd.dead_letters.frames import Frame, FrameLookup
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.event.fields import Event
from ingestd.journal.base import JournalError, Position, RecordQueue
from ingestd.logs import get_logger

log = get_logger(__name__)

_CLOCK_STEP_SECONDS = 600.0
"""A letter is written after its event was received: by a clock that may have been set back as much meanwhile."""


_LAST_LETTERS = 1000
"""How many letters may have been written right before a crash without a trace in the journal."""


class PipelineDeadLetters:
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

    def __init__(self, files: DeadLetterWriter, pipeline: str, config: str, journal: RecordQueue) -> None:
        self._files, self._pipeline, self._config, self._journal = files, pipeline, config, journal
        self._originals = FrameLookup(journal)
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
        """Learn which letters there are of what lies behind ``position``; see ``DurableDeadLetters``."""
        head = self._journal.head.offset
        try:
            entries = self._journal.read(position, 1)
            if entries:
                letters = self._files.recent(entries[0].chunk.time_ns / 1e9 - _CLOCK_STEP_SECONDS)
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
        """Keep one event; ``raw`` of an output is the document. See ``DeadLetterWriter.add``."""
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
    chunk = frame.chunk
    return {
        "origin": chunk.stream_id,
        "offset": frame.offset,
        "received": chunk.time_ns,
        "fields": chunk.fields,
        "input_id": chunk.input_id,
    }
