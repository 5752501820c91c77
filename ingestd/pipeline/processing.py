"""From a chunk to the payload of each output: decode, filter, prepare, count.

A defect in a codec, filter or output must not cost a whole chunk: then its frames or events are processed one by one,
and only those that fail become dead letters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ingestd import metrics
from ingestd.compiler.pipeline import BuiltInput, BuiltOutput, Pipeline
from ingestd.dead_letters.base import DeadLetters, DurableDeadLetters
from ingestd.dead_letters.dead_letter import Stage
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk, join_chunks
from ingestd.event.event_id import stream_keys
from ingestd.event.tally import Tally
from ingestd.journal.base import START, Entry, Position
from ingestd.logs import get_logger
from ingestd.plugins.interfaces import Rejection, UndecodableError
from ingestd.protocols.framing.lines import split_lines

log = get_logger(__name__)

Routes = list[list[Batch]]
"""The events for each route of a pipeline: one batch, or several if a chunk had to be processed in parts."""


class Processed(NamedTuple):
    """What one output gets of a chunk.

    ``payloads``: usually one, none if no event is for the output; ``size``: bytes of text in them. ``tally``: its
    ``queued`` events are those of the payloads and of ``rejected``.
    """

    payloads: Sequence[Any]
    rejected: Sequence[Rejection]
    size: int
    tally: Tally


class Processing:
    """Runs the codec, the filters and ``Output.prepare`` over chunks, as if they had just been received."""

    def __init__(self, name: str, pipeline: Pipeline, dead_letters: DurableDeadLetters) -> None:
        self._name, self._pipeline, self._dead_letters = name, pipeline, dead_letters
        self._always = pipeline.code.always

    def process(
        self,
        chunks: Sequence[Chunk],
        built: BuiltInput,
        outputs: Sequence[tuple[int, BuiltOutput]],
        *,
        count: bool,
        repeated: bool = False,
    ) -> list[Processed]:
        """Return what each of ``outputs``, given with the numbers of their routes, gets of chunks.

        Args:
            chunks: One, or several that `may_join`.
            built: The input that received them.
            outputs: The numbers of their routes, and the outputs.
            count: Also count the events in the metrics.
            repeated: Some of it may be dead letters already, which stay dead: see ``DeadLetters.given_up``.
        """
        routes, tally = self._filter(chunks, built, repeated=repeated)
        if count:
            self._count(tally)
        return [
            self._prepare(routes[route], tally.copy(), output, route, repeated=repeated) for route, output in outputs
        ]

    def batches(self, chunks: Sequence[Chunk], built: BuiltInput, route: int) -> Sequence[Batch]:
        """Return the events of chunks for one route, once more, but for frames that are dead letters."""
        routes, _ = self._filter(chunks, built, repeated=True)
        return routes[route]

    def _filter(self, chunks: Sequence[Chunk], built: BuiltInput, *, repeated: bool = False) -> tuple[Routes, Tally]:
        frames = _frames(chunks, built) if repeated else []
        if not any(self._dead_letters.frame_given_up(frame.stream_id, frame.offset) for frame in frames):
            try:
                return self._run(chunks, built)
            except UndecodableError:
                frames = frames or _frames(chunks, built)
            except Exception:  # a defect of ours: the rest of the chunk must continue
                text = "the daemon failed on a chunk; the events at fault become dead letters"
                log.exception(text, pipeline=self._name)
        routes: Routes = [[] for _ in self._pipeline.routes]
        tally = Tally()
        for frame in frames or _frames(chunks, built):
            found, counts = self._run_frame(frame, built)
            for batches, more in zip(routes, found, strict=True):
                batches.extend(more)
            tally.add(counts)
        return routes, tally

    def _run(self, chunks: Sequence[Chunk], built: BuiltInput) -> tuple[Routes, Tally]:
        chunk = join_chunks(chunks)
        table = built.decode(chunk)
        if len(chunks) > 1 and not table.has_ids:
            table.keys = stream_keys(table.keys, chunks)
        tally = Tally(received=len(table))
        routes = self._pipeline.process(table, built.decorate, chunk.time_ns, tally)
        return [[Batch(table, rows, chunk.stream_id, chunk.time_ns)] for rows in routes], tally

    def _run_frame(self, frame: Chunk, built: BuiltInput) -> tuple[Routes, Tally]:
        try:
            if not self._dead_letters.frame_given_up(frame.stream_id, frame.offset):
                return self._run([frame], built)
        except UndecodableError as error:
            self._give_up(frame, "codec", str(error))
        except Exception as error:  # noqa: BLE001 -- logged above
            self._give_up(frame, "filter", _reason(error))
        return [[] for _ in self._pipeline.routes], Tally(received=1, dead=1)

    def _give_up(self, frame: Chunk, stage: Stage, reason: str) -> None:
        self._dead_letters.add(
            stage=stage,
            reason=reason,
            raw=frame.data,
            stream_id=frame.stream_id,
            offset=frame.offset,
            received=frame.time_ns,
            fields=frame.fields,
            input_id=frame.input_id,
        )

    def _count(self, tally: Tally) -> None:
        metrics.BATCH_EVENTS.observe(tally.received, self._name)
        metrics.EVENTS_FILTERED.add(tally.received - tally.dead - tally.dropped_events, self._name)
        for name, number in tally.dropped.items():
            metrics.EVENTS_DROPPED.add(number, self._name, name)

    def _prepare(
        self, batches: Sequence[Batch], tally: Tally, output: BuiltOutput, route: int, *, repeated: bool
    ) -> Processed:
        tally.queued = sum(map(len, batches))
        if route not in self._always:
            tally.elsewhere = tally.passed - tally.dead - tally.queued
        if repeated:
            batches = without_given_up(batches, self._dead_letters, output, tally)
        payloads, rejected, size = list[Any](), list[Rejection](), 0
        for batch in batches:
            if len(batch):
                more, refused, more_bytes = prepare(output, batch)
                payloads += more
                rejected += refused
                size += more_bytes
        return Processed(payloads, rejected, size, tally)


def _frames(chunks: Sequence[Chunk], built: BuiltInput) -> list[Chunk]:
    return [frame for chunk in chunks for frame in split_chunk(chunk, built.codec.delimiter, 1)]


def without_given_up(
    batches: Sequence[Batch], dead_letters: DeadLetters, built: BuiltOutput, tally: Tally
) -> list[Batch]:
    """Return the events of ``batches`` that are not dead letters of an output yet; count those that are in ``tally``.

    ``tally``: its ``queued`` events are those of ``batches`` that are not counted as dead yet.
    """
    left: list[Batch] = []
    for batch in batches:
        dead = dead_letters.given_up(built.step.plugin_id, batch.ids())
        positions = (position for position, event_id in enumerate(batch.ids()) if event_id not in dead)
        left.append(batch.part(positions) if dead else batch)
    dead_events = tally.queued - sum(map(len, left))
    tally.queued -= dead_events
    tally.dead += dead_events
    return left


def add_rejected(
    dead_letters: DeadLetters, built: BuiltOutput, rejected: Sequence[Rejection], tally: Tally | None = None
) -> None:
    """Make dead letters of the events that an output rejected, and count them as dead instead of queued."""
    for reason, raw, event_id, index in rejected:
        plugin = built.step.plugin_id
        dead_letters.add(stage="output", reason=reason, raw=raw, plugin=plugin, event_id=event_id, index=index)
    if tally is not None:
        tally.queued -= len(rejected)
        tally.dead += len(rejected)


def prepare(built: BuiltOutput, batch: Batch) -> tuple[list[Any], list[Rejection], int]:
    """Return the payloads that an output makes of ``batch``, what it rejects, and the size of the payloads in bytes.

    Usually that is one payload. If the output fails, it gets the events one by one, and only those that fail are
    rejected.
    """
    name = built.step.plugin_id
    try:
        payload, size, rejected = built.output.prepare(batch)
    except Exception:  # a defect of ours, as above
        log.exception("an output failed on events; those at fault become dead letters", output=name)
    else:
        return [payload], list(rejected), size
    payloads, rejections, total = list[Any](), list[Rejection](), 0
    for number, event_id in enumerate(batch.ids()):
        try:
            payload, size, rejected = built.output.prepare(event := batch.part([number]))
        except Exception as error:  # noqa: BLE001 -- logged above
            rejections.append(Rejection(_reason(error), _document(event), event_id))
        else:
            payloads.append(payload)
            rejections += rejected
            total += size
    return payloads, rejections, total


def _document(batch: Batch) -> bytes:
    """Return the document of a single event; empty: it is what cannot be written."""
    try:
        [document] = batch.documents()
    except Exception:  # noqa: BLE001 -- the output has failed on the event already
        return b""
    return document


def _reason(error: Exception) -> str:
    return f"the daemon failed on it: {error!r}"


def split_chunk(chunk: Chunk, delimiter: bytes | None, max_frames: int) -> list[Chunk]:
    """Return a chunk in parts of at most ``max_frames`` frames; None as the delimiter: it is one frame."""
    if delimiter is None or 0 < chunk.frames <= max_frames:
        return [chunk]
    parts, offset, lines = [], chunk.offset, iter(split_lines(chunk.data, delimiter))
    while frames := list(islice(lines, max_frames)):
        parts.append(chunk._replace(offset=offset, frames=len(frames), data=b"".join(frames)))
        offset += len(parts[-1].data)
    return parts


def may_join(first: Chunk, second: Chunk, built: BuiltInput) -> bool:
    """Return whether chunks can be processed together: they came to one input at one time, as one batch of reads."""
    same = first.input_id == second.input_id and first.time_ns == second.time_ns
    return same and built.codec.joins_streams and first.data.endswith(b"\n") and second.data.endswith(b"\n")


def join_entries(
    entries: Sequence[Entry],
    input_of: Callable[[Chunk], BuiltInput],
    max_frames: int,
    cuts: Collection[int] = (),
) -> Iterator[tuple[list[Chunk], Position]]:
    """Yield the chunks of entries, together those that were put together, and the position after them.

    Args:
        entries: Of the journal, in its order.
        input_of: Returns the input of a chunk.
        max_frames: Maximum number of frames of chunks that are joined.
        cuts: Offsets of the journal across which nothing is joined.
    """
    chunks: list[Chunk] = []
    frames, end = 0, START
    for chunk, chunk_end in entries:
        frames += chunk.events
        joins = frames <= max_frames and end.offset not in cuts
        if chunks and not (joins and may_join(chunks[-1], chunk, input_of(chunk))):
            yield chunks, end
            chunks, frames = [], chunk.events
        chunks.append(chunk)
        end = chunk_end
    if chunks:
        yield chunks, end
