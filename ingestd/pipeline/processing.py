"""From a chunk to the events for each output: decode, filter, count.

A fault of the daemon's own in a codec or filter is no reason to give up a whole chunk: then its frames are taken one
by one, and only those at fault become dead letters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ingestd import metrics
from ingestd.compiler.pipeline import BuiltInput, Pipeline
from ingestd.dead_letters.counted import CountedDeadLetters
from ingestd.event.chunk import Chunk
from ingestd.event.record import Record
from ingestd.logs import get_logger
from ingestd.protocols.lines import split_lines

log = get_logger(__name__)


class Processed(NamedTuple):
    """What came of a chunk, or of one of its frames: the events for each route, and how many there were.

    ``dead``: the frame became a dead letter; it is counted as one event.
    """

    routes: Sequence[list[Record]]
    received: int
    created: int
    dropped: Mapping[str, int]
    dead: int = 0

    @property
    def left(self) -> int:
        """Events that came out of the filters."""
        return self.received + self.created - sum(self.dropped.values())


class Processing:
    """Runs codec and filters of one pipeline over chunks, as if they had just come."""

    def __init__(self, name: str, pipeline: Pipeline, letters: CountedDeadLetters) -> None:
        self._name, self._pipeline, self._letters = name, pipeline, letters

    def process(self, chunk: Chunk, built: BuiltInput) -> list[Processed]:
        """Return what becomes of a chunk: in one piece, or in as many as it has frames if one of them is at fault."""
        try:
            return [self._run(chunk, built)]
        except Exception:  # a fault of ours: what it is about is set aside, what comes behind must go on
            log.exception("the daemon failed on a chunk; the events at fault become dead letters", pipeline=self._name)
        return [self._run_frame(frame, built) for frame in _frames(chunk, built.codec.delimiter)]

    def _run(self, chunk: Chunk, built: BuiltInput) -> Processed:
        try:
            decoded = built.codec.decode(chunk)
            routes = self._pipeline.process(decoded, built.decorate, chunk.time_ns)
        except Exception:
            self._take_counts()
            raise
        return Processed(routes, len(decoded.events), *self._take_counts())

    def _run_frame(self, frame: Chunk, built: BuiltInput) -> Processed:
        try:
            return self._run(frame, built)
        except Exception as error:  # noqa: BLE001 -- told above
            self._letters.add(
                stage="filter",
                reason=f"the daemon failed on it: {error!r}",
                raw=frame.data,
                origin=frame.stream_id,
                offset=frame.offset,
                received=frame.time_ns,
                fields=frame.fields,
                input_id=frame.input_id,
            )
        return Processed([[] for _ in self._pipeline.routes], 1, 0, {}, dead=1)

    def _take_counts(self) -> tuple[int, dict[str, int]]:
        """Return how many events the filters created since the last call, and which of them dropped how many."""
        created, dropped = self._pipeline.created, self._pipeline.dropped
        if not created and not dropped:
            return 0, {}
        counts = sum(created.values()), dict(dropped)
        created.clear()
        dropped.clear()
        return counts

    def count(self, work: Sequence[Processed]) -> None:
        """Count in the metrics what became of a chunk."""
        metrics.BATCH_EVENTS.observe(sum(one.received for one in work), self._name)
        for one in work:
            metrics.EVENTS_FILTERED.add(one.received - one.dead - sum(one.dropped.values()), self._name)
            for name, number in one.dropped.items():
                metrics.EVENTS_DROPPED.add(number, self._name, name)


def _frames(chunk: Chunk, delimiter: bytes | None) -> list[Chunk]:
    """Return each frame of a chunk as a chunk of its own."""
    if delimiter is None:
        return [chunk]
    frames, offset = [], chunk.offset
    for line in split_lines(chunk.data):
        frames.append(chunk._replace(offset=offset, frames=1, data=line))
        offset += len(line)
    return frames
