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
"""A dead letter is written after its event was received, but the clock may have been set back this far meanwhile."""

_MAX_UNJOURNALED = 1000
"""How many dead letters may have been written right before a crash without a trace in the journal."""


class PipelineDeadLetters:
    """The dead letters of one pipeline, each written once.

    An event fails again when it is read again: after a crash between its dead letter and the commit, when an output
    retries, or because several outputs reach it at different times. So the keys of the dead letters of all events that
    the journal still holds are remembered.

    Args:
        writer: Where they go.
        pipeline: The name of the pipeline.
        config: The version of its config, see ``config_version``.
        journal: Where its events come from.
    """

    def __init__(self, writer: DeadLetterWriter, pipeline: str, config: str, journal: RecordQueue) -> None:
        self._writer, self._pipeline, self._config, self._journal = writer, pipeline, config, journal
        self._frames = FrameLookup(journal)
        self._known: dict[Key, int] = {}  # each with the journal's end at that time

    @property
    def unsynced(self) -> bool:
        """Whether ``sync`` has something to do."""
        return self._writer.unsynced

    def recall(self, position: Position) -> None:
        """Load the keys of dead letters of what follows ``position``; see ``DurableDeadLetters``."""
        end = self._journal.end.offset
        try:
            entries = self._journal.read(position, 1)
            if entries:
                dead_letters = self._writer.recent(entries[0].chunk.time_ns / 1e9 - _CLOCK_STEP_SECONDS)
            else:  # lines that are not in the journal yet are still in their sockets, and come again
                dead_letters = islice(self._writer.recent(0), _MAX_UNJOURNALED)
            for dead_letter in dead_letters:
                if dead_letter.pipeline == self._pipeline and (found := dead_letter.key) is not None:
                    self._known[found] = end
        except (JournalError, OSError) as error:
            text = "earlier dead letters cannot be read; some may be written twice"
            log.warning(text, pipeline=self._pipeline, error=error)

    def sync(self) -> None:
        """Return when all dead letters are on the disk."""
        self._writer.sync()

    def add(self, *, stage: str, raw: bytes, plugin: str = "", event_id: str = "", **dead_letter: Any) -> None:
        """Keep one event; for an output, ``raw`` is the document. See ``DeadLetterWriter.add``."""
        self._add(stage=stage, raw=raw, plugin=plugin, event_id=event_id, **dead_letter)

    def try_add(self, *, stage: str, raw: bytes, plugin: str = "", event_id: str = "", **dead_letter: Any) -> bool:
        """Keep one event if it can be written at once; see ``DurableDeadLetters``."""
        return self._add(stage=stage, raw=raw, plugin=plugin, event_id=event_id, wait=False, **dead_letter)

    def _add(self, *, stage: str, raw: bytes, plugin: str, event_id: str, **dead_letter: Any) -> bool:
        new = key(stage, plugin, event_id, dead_letter.get("stream_id", ""), dead_letter.get("offset"))
        if new in self._known:
            return True
        parts: dict[str, Any] = {
            "pipeline": self._pipeline,
            "config": self._config,
            "event_id": event_id,
            **dead_letter,
        }
        if stage == "output":
            frame = self._frames.find(plugin, event_id)
            parts |= _source_of(frame) if frame is not None else {}
            parts["document"], raw = raw, frame.raw if frame is not None else b""
        added = self._writer.add(stage=stage, plugin=plugin, raw=raw, **parts)
        if added and new is not None:
            self._remember(new)
        return added

    def _remember(self, new: Key) -> None:
        start = self._journal.start.offset
        while self._known and (oldest := next(iter(self._known.items())))[1] <= start:
            del self._known[oldest[0]]  # its event is no longer in the journal
        self._known[new] = self._journal.end.offset


def _source_of(frame: Frame) -> dict[str, str | int | Event]:
    chunk = frame.chunk
    return {
        "stream_id": chunk.stream_id,
        "offset": frame.offset,
        "received": chunk.time_ns,
        "fields": chunk.fields,
        "input_id": chunk.input_id,
    }
