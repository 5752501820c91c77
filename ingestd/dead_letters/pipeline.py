"""The dead letters of one running pipeline, each written once, with the bytes as they were received."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from ingestd.dead_letters.dead_letter import DeadLetter, Key, key
from ingestd.dead_letters.frames import DelimiterOf, Frame, FrameLookup, OwnIds
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.event.event_id import parse_event_id
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
    retries, or because several outputs reach it at different times. Or an upgrade fixed the fault, so it does not fail
    again, and must not be delivered as well. So the keys of the dead letters of all events that the journal still holds
    are remembered.

    Args:
        writer: Where they go.
        pipeline: The name of the pipeline.
        config: The version of its config, see ``config_version``.
        journal: Where its events come from.
        repeated_streams: Streams that the input brings again, in part: an import of them was killed.
    """

    def __init__(
        self,
        writer: DeadLetterWriter,
        pipeline: str,
        config: str,
        journal: RecordQueue,
        repeated_streams: Collection[str] = (),
    ) -> None:
        self._repeated_streams = repeated_streams
        self._writer, self._pipeline, self._config, self._journal = writer, pipeline, config, journal
        self._frames = FrameLookup(journal)
        self._known: dict[Key, float] = {}  # each with the journal's end at that time

    def find_frames(self, own_ids: OwnIds, delimiter_of: DelimiterOf) -> None:
        """Find events in the chunks of the journal with these functions, see ``FrameLookup``."""
        self._frames.own_ids, self._frames.delimiter_of = own_ids, delimiter_of

    @property
    def unsynced(self) -> bool:
        """Whether ``sync`` has something to do."""
        return self._writer.unsynced

    def recall(self, position: Position) -> float:
        """Load the keys of dead letters of what follows ``position``; see ``DurableDeadLetters``."""
        end = math.inf if self._repeated_streams else self._journal.end.offset
        try:
            for dead_letter in self._recent(position):
                if dead_letter.pipeline == self._pipeline and (found := dead_letter.key) is not None:
                    self._known[found] = end
        except (JournalError, OSError) as error:
            text = "earlier dead letters cannot be read; some may be written twice"
            log.warning(text, pipeline=self._pipeline, error=error)
        return end if self._known else 0

    def _recent(self, position: Position) -> Iterator[DeadLetter]:
        if streams := self._repeated_streams:
            return (dead_letter for dead_letter in self._writer.recent(0) if _stream_of(dead_letter) in streams)
        if entries := self._journal.read(position, 1):
            return self._writer.recent(entries[0].chunk.time_ns / 1e9 - _CLOCK_STEP_SECONDS)
        # lines that are not in the journal yet are still in their sockets, and come again
        return islice(self._writer.recent(0), _MAX_UNJOURNALED)

    def given_up(self, plugin: str, event_ids: Iterable[str]) -> set[str]:
        """Return the dead letters of an output among events; see ``DeadLetters``."""
        known = self._known
        return {event_id for event_id in event_ids if ("output", plugin, event_id) in known} if known else set()

    def frame_given_up(self, stream_id: str, offset: int) -> bool:
        """Return whether a frame is a dead letter; see ``DurableDeadLetters``."""
        return key("filter", "", "", stream_id, offset) in self._known

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


def _stream_of(dead_letter: DeadLetter) -> str:
    if dead_letter.stream_id:
        return dead_letter.stream_id
    parts = parse_event_id(dead_letter.id)
    return parts.stream_id if parts is not None else ""


def _source_of(frame: Frame) -> dict[str, str | int | Event]:
    chunk = frame.chunk
    return {
        "stream_id": chunk.stream_id,
        "offset": frame.offset,
        "received": chunk.time_ns,
        "fields": chunk.fields,
        "input_id": chunk.input_id,
    }
