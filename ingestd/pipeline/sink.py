"""Where the inputs of a running pipeline put what they read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ingestd.compiler.common_options import InputCommonOptions
from ingestd.compiler.pipeline import BuiltInput
from ingestd.dead_letters.base import DurableDeadLetters
from ingestd.event.chunk import Chunk, Stream, handover_stream
from ingestd.plugins.codecs._handed_over import mask_handed_over
from ingestd.plugins.interfaces import HandedOver, Piece
from ingestd.protocols.framing.lines import count_lines

if TYPE_CHECKING:
    from ingestd.pipeline.pipeline import RunningPipeline

_new_chunk = partial(tuple.__new__, Chunk)
"""Costs a third of what ``Chunk(...)`` costs."""


class PipelineSink:
    """Makes chunks of the frames of one input, and dead letters of what cannot be a frame; see ``Sink``.

    What the input's option ``redact`` names is masked before anything else sees it. The lengths stay, because the
    place of a frame in its stream is its id.

    Args:
        running: The pipeline that gets the chunks.
        built: The input.
        dead_letters: Of the pipeline.
    """

    def __init__(self, running: RunningPipeline, built: BuiltInput, dead_letters: DurableDeadLetters) -> None:
        self._running, self.built, self._dead_letters = running, built, dead_letters
        self._input_id, self._delimiter = built.step.plugin_id, built.codec.delimiter
        options = built.step.common_options
        self._mask = options.mask() if isinstance(options, InputCommonOptions) else None
        self._positions: dict[str, int] = {}  # in the journals of other pipelines: what they have handed over
        self._untraced: set[tuple[str, int]] = set()  # stream and offset of dead letters that have no trace yet

    @property
    def paused(self) -> bool:
        """Whether the input must stop reading."""
        return self._running.paused

    @property
    def joins_streams(self) -> bool:
        """Whether ``put_all`` costs less than ``put`` for each stream."""
        return self.built.codec.joins_streams

    def put(self, data: bytes, stream: Stream, offset: int) -> bool:
        """Store whole frames of a stream; False: try again later."""
        return self._running.put([self._chunk(data, stream, offset, time.time_ns())], self.built)

    def put_all(self, pieces: Sequence[Piece]) -> bool:
        """Store whole frames of several streams, all or none."""
        now, input_id, framed = time.time_ns(), self._input_id, self._delimiter is not None
        if self._mask is not None:
            pieces = [(self._mask(data), stream, offset, lines) for data, stream, offset, lines in pieces]
        chunks = [
            _new_chunk((input_id, stream_id, fields, offset, now, lines if framed else 1, data))
            for data, (stream_id, fields), offset, lines in pieces
        ]
        return self._running.put(chunks, self.built)

    def _chunk(self, data: bytes, stream: Stream, offset: int, time_ns: int) -> Chunk:
        if self._mask is not None:
            data = self._mask(data)
        frames = 1 if self._delimiter is None else count_lines(data, self._delimiter)
        return Chunk(self._input_id, stream.id, stream.fields, offset, time_ns, frames, data)

    def reject(
        self, raw: bytes, reason: str, stream: Stream, offset: int, end: int, *, size: int | None = None
    ) -> bool:
        """Make a dead letter of bytes that are not a frame; False: try again later.

        First comes the dead letter, which is known if the bytes come again, then its trace in the journal: an empty
        chunk, since ledgers count what is in the journal, and the next reader of the stream starts at its ``end``.
        """
        start = (stream.id, offset)
        written = start in self._untraced or self._dead_letters.try_add(
            stage="framing",
            reason=reason,
            raw=raw if self._mask is None else self._mask(raw),
            size=size,
            plugin=self._input_id,
            input_id=self._input_id,
            stream_id=stream.id,
            offset=offset,
            fields=stream.fields,
        )
        if not written:
            self._running.pause_for_disk()
            return False
        self._untraced.add(start)
        if not self._running.put([Chunk(self._input_id, stream.id, {}, end, time.time_ns(), 1, b"")], self.built):
            return False
        self._untraced.remove(start)
        return True

    def position_of(self, stream_id: str) -> int:
        """Return up to which position of its journal a sending pipeline has handed over everything."""
        if stream_id not in self._positions:
            self._positions[stream_id] = self._running.journal.streams.keep(stream_id)
        return self._positions[stream_id]

    def take_over(self, stream_id: str, records: Sequence[HandedOver]) -> bool:
        """Store what another pipeline hands over; see ``HandoverSink``."""
        known, now, input_id = self.position_of(stream_id), time.time_ns(), self._input_id
        mask = self._mask
        chunks = [
            Chunk(
                input_id,
                handover_stream(stream_id, end),
                {},
                0,
                now,
                events,
                lines if mask is None else mask_handed_over(lines, mask),
            )
            for end, lines, events in records
            if end > known
        ]
        if chunks and not self._running.put(chunks, self.built, whole=True):
            return False
        if chunks:
            self._positions[stream_id] = records[-1].end
        return True

    def goes_on(self, seconds: float) -> None:
        """Note when the input continues."""
        for delivery in self._running.deliveries:
            delivery.expect_more(seconds)

    def note_loss(self) -> None:
        """Note that the input had to give up what it had received; what was before the stop is only in the log."""
        self._running.lost |= self._running.stopping

    async def wait_until_resumed(self) -> None:
        """Return as soon as the input may read."""
        await self._running.wait_until_resumed()

    async def synced(self) -> None:
        """Return as soon as everything put before the call is on the disk; raises OSError."""
        await self._running.synced()
