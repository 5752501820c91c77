"""A running pipeline: chunks from the inputs into the journal, and out of it to the outputs.

Usually a chunk goes to the outputs from memory. An output that has fallen behind reads it from the journal later, so no
output holds up another, and memory stays bounded however long one is unavailable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from ingestd import metrics
from ingestd.compiler.pipeline import BuiltInput, Pipeline
from ingestd.dead_letters.base import DurableDeadLetters
from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.tally import Tally
from ingestd.journal.base import JournalError, JournalSizeLimitError, Position, RecordQueue
from ingestd.logs import Outage, get_logger
from ingestd.pipeline.delivery import Delivery, OutputGoneError
from ingestd.pipeline.journal_sync import JournalSync
from ingestd.pipeline.processing import Processed, Processing, join_entries, split_chunk
from ingestd.pipeline.sink import PipelineSink
from ingestd.pipeline.stall import Stall
from ingestd.plugins.interfaces import (
    DatagramInput,
    HandsOver,
    ReceivesEvents,
    ResumingInput,
    SocketInput,
    StopMode,
    WithProblems,
)
from ingestd.settings import Settings
from ingestd.tasks import BackgroundTasks, TaskEndedError

log = get_logger(__name__)

_CATCH_UP_BYTES = 1 << 20
"""Bytes that an output which is behind reads from the journal at once."""

_MAX_FRAMES = 4096
"""Maximum number of frames in one record of the journal: the events of a record are in memory together, as objects."""

_DISK_RETRY_SECONDS = 1.0


class RunningPipeline:
    """Runs one compiled pipeline until its inputs end or it is stopped.

    Args:
        name: The pipeline's name, in metrics and logs.
        pipeline: Compiled from its config.
        journal: Keeps the chunks until every output has them.
        settings: Of the daemon.
        dead_letters: Of this pipeline.
        first: Whether this is the first of several processes: only that one reads inputs that are not sockets.
    """

    def __init__(
        self,
        name: str,
        pipeline: Pipeline,
        journal: RecordQueue,
        settings: Settings,
        dead_letters: DurableDeadLetters,
        *,
        first: bool = True,
    ) -> None:
        self.name, self.journal, self._first = name, journal, first
        self._pipeline, self._dead_letters = pipeline, dead_letters
        self._processing = Processing(name, pipeline, dead_letters)
        self._tasks = BackgroundTasks(f"pipeline {name}", expected=(OutputGoneError,))
        outputs = [(route, output) for route, outputs in enumerate(pipeline.routes) for output in outputs]
        share = settings.queue_bytes // max(len(outputs), 1)
        deliver = partial(Delivery, max_delay=settings.batch.max_delay, max_bytes=share, zone=settings.index_zone)
        parts = (journal, dead_letters, name, self._tasks)
        self._deliveries: list[tuple[int, Delivery]] = []
        for route, output in outputs:
            batches_of = partial(self._batches_of, route)
            delivery = deliver(output, *parts, batches_of=batches_of)
            self._deliveries.append((route, delivery))
        self._sync = JournalSync(name, journal, dead_letters, self._tasks)
        self._sync_interval = settings.journal.sync_interval
        self._sinks = {built.step.plugin_id: PipelineSink(self, built, dead_letters) for built in pipeline.inputs}
        for sink in self._sinks.values():
            if isinstance(sink.built.input, ReceivesEvents):
                sink.built.input.attach(sink)
        self._inputs: list[asyncio.Task[None]] = []
        self._receivers: list[asyncio.Task[None]] = []  # inputs that end after the outputs of other pipelines
        self.stopping = False
        """Whether the inputs were asked to end."""
        self.lost = False
        """Whether an input had to give up what it had received, as the stop could not wait for room."""
        self._behind = {delivery.name: asyncio.Event() for _, delivery in self._deliveries}
        self._repairs = 0  # of the journal, logged so far
        self._repeated_until = 0.0  # offset in the journal up to which events may be dead letters already
        self._resumed = asyncio.Event()  # cleared while inputs are paused
        self._resumed.set()
        self._retry_at = 0.0  # on the loop's clock: when to try a full or failing disk again
        text = "the journal cannot be written; inputs wait until it can"
        self._journal_outage = Outage(log.error, text, log.info, "the journal can be written again")

    @property
    def deliveries(self) -> list[Delivery]:
        """The delivery of each output."""
        return [delivery for _, delivery in self._deliveries]

    @property
    def receives_at(self) -> list[str]:
        """The addresses at which other pipelines send to it."""
        inputs = [built.input for built in self._pipeline.inputs]
        return [source.receive_address for source in inputs if isinstance(source, ReceivesEvents)]

    @property
    def sends_to(self) -> list[str]:
        """The addresses of other pipelines that it sends to."""
        outputs = [delivery.built.output for delivery in self.deliveries]
        return [address for output in outputs if isinstance(output, HandsOver) for address in output.addresses]

    @property
    def finite(self) -> bool:
        """Whether every input ends on its own."""
        return all(built.input.finite for built in self._pipeline.inputs)

    @property
    def paused(self) -> bool:
        """Whether inputs must stop reading.

        The journal has reached its size limit, or the disk refuses the journal or dead letters.
        """
        return not self._resumed.is_set()

    def problems(self) -> list[str]:
        """Return what needs attention at the inputs and outputs, in sentences."""
        inputs = [sink.built.input for sink in self._read_here().values()]
        plugins = [*(delivery.built.output for delivery in self.deliveries), *inputs]
        return [text for plugin in plugins if isinstance(plugin, WithProblems) for text in plugin.problems()]

    def stalls(self) -> list[Stall]:
        """Return the outputs that deliver nothing although events wait for them."""
        return [stall for delivery in self.deliveries if (stall := delivery.stall()) is not None]

    async def start(self) -> None:
        """Open outputs, then inputs, and start.

        Raises:
            OSError: An input or output cannot be opened; the message says which and why.
        """
        for name, lost in self.journal.consumers([delivery.name for delivery in self.deliveries]).items():
            text = "an output was removed from the config with events waiting for it"
            log.error(text, output=name, events=lost.events)
        for delivery in self.deliveries:
            await delivery.start()
        self._repairs = len(self.journal.repairs)
        first = min((delivery.position for delivery in self.deliveries), default=self.journal.end)
        self._repeated_until = self._dead_letters.recall(first)
        for sink in self._read_here().values():
            if isinstance(sink.built.input, ResumingInput):
                sink.built.input.resume(self.journal.streams)
            await sink.built.input.open()
        for name, sink in self._read_here().items():
            tasks = self._receivers if isinstance(sink.built.input, ReceivesEvents) else self._inputs
            tasks.append(self._tasks.start(f"input {name}", self._run_input(sink)))
        for route, delivery in self._deliveries:
            self._tasks.start(f"catch-up of {delivery.name}", self._catch_up(route, delivery), endless=True)
        self._tasks.start("sync", self._sync_periodically(), endless=True)
        await asyncio.sleep(0)  # let the inputs start to run

    def _read_here(self) -> dict[str, PipelineSink]:
        """Return the sinks of the inputs that this process reads: of several processes, only one reads stdin."""
        if self._first:
            return self._sinks
        of_each = (SocketInput, DatagramInput, ReceivesEvents)
        return {name: sink for name, sink in self._sinks.items() if isinstance(sink.built.input, of_each)}

    async def _run_input(self, sink: PipelineSink) -> None:
        await sink.built.input.run(sink)
        if not (self.stopping or sink.built.input.finite):
            raise TaskEndedError(f"the input {sink.built.step.plugin_id} returned")

    def socket_input(self, input_id: str) -> SocketInput | None:
        """Return the input with this id if it reads connections."""
        sink = self._sinks.get(input_id)
        return sink.built.input if sink is not None and isinstance(sink.built.input, SocketInput) else None

    def datagram_input(self, input_id: str) -> DatagramInput | None:
        """Return the input with this id if it reads datagrams."""
        sink = self._sinks.get(input_id)
        return sink.built.input if sink is not None and isinstance(sink.built.input, DatagramInput) else None

    async def failed(self) -> NoReturn:
        """Wait for the first failure of a background task, which is logged by then, and raise it.

        Nothing is lost: what was received is in the journal, and the next process continues from there. Raises
        OutputGoneError where that would not help.
        """
        await self._tasks.failure()

    async def inputs_ended(self) -> None:
        """Return when every input has ended that reads from outside of the process.

        Raises what ends the pipeline, as an input that fails.
        """
        await self._tasks.until(_wait_for(self._inputs))

    def stop_inputs(self, mode: StopMode) -> None:
        """Ask the inputs to end."""
        self.stopping = True
        for sink in self._sinks.values():
            sink.built.input.stop(mode)

    async def drain(self) -> None:
        """Wait for the inputs, then deliver everything in the journal. Raises what ends the pipeline."""
        await self._tasks.until(self._deliver_all())

    async def _deliver_all(self) -> None:
        await _wait_for([*self._inputs, *self._receivers])
        for delivery in self.deliveries:
            while delivery.position < self.journal.end:
                self._behind[delivery.name].set()
                await delivery.wait_for_room()
                await asyncio.sleep(0.005)
        await asyncio.gather(*(delivery.close() for delivery in self.deliveries))

    async def close(self) -> None:
        """Give up what is in flight and close the journal; what was not delivered stays in it."""
        await self._tasks.close()
        self.journal.close()

    @property
    def waiting(self) -> int:
        """Events that the slowest output has not delivered."""
        return max((self.journal.pending(delivery.name).events for delivery in self.deliveries), default=0)

    def put(self, chunks: Sequence[Chunk], built: BuiltInput, *, whole: bool = False) -> bool:
        """Append chunks to the journal and hand them to the outputs that are not behind; False: try again later.

        Args:
            chunks: One, or several that `may_join`.
            built: The input that received them.
            whole: Each is one record of the journal, however many frames it has: a part would pass for all of it.
        """
        start = self.journal.end
        frames = [chunk.frames for chunk in chunks]
        records = chunks
        if not (whole or 0 < min(frames) <= max(frames) <= _MAX_FRAMES):
            records = [part for chunk in chunks for part in split_chunk(chunk, built.codec.delimiter, _MAX_FRAMES)]
        if (end := self._append(records)) is None:
            return False
        input_id = built.step.plugin_id
        metrics.EVENTS_RECEIVED.add(sum(frames), self.name, input_id)
        metrics.BYTES_RECEIVED.add(sum([len(chunk.data) for chunk in chunks]), self.name, input_id)
        try:
            if len(records) == len(chunks):
                self._hand_over(chunks, built, start, end)
            else:  # one after the other, as far as there is room
                self._wake_catch_up()
        except Exception as error:  # noqa: BLE001 -- the next process reads it from the journal
            self._tasks.fail("hand-over", error)
        return True

    def _append(self, chunks: Sequence[Chunk]) -> Position | None:
        """Append chunks to the journal, all or none; None: not possible now.

        Then the inputs pause, and later offer again what they hold. That the journal has reached its size limit is no
        error and not logged: the outputs are slow or unavailable.
        """
        try:
            end = self.journal.append(chunks)
        except JournalSizeLimitError:
            self._resumed.clear()
            return None
        except JournalError as error:
            self._journal_outage.failed(pipeline=self.name, error=error)
            self.pause_for_disk()
            return None
        self._journal_outage.recovered(pipeline=self.name)
        return end

    def pause_for_disk(self) -> None:
        """Let the inputs wait before they ask a full or failing disk again."""
        self._resumed.clear()
        self._retry_at = asyncio.get_running_loop().time() + _DISK_RETRY_SECONDS

    def _hand_over(self, chunks: Sequence[Chunk], built: BuiltInput, start: Position, end: Position) -> None:
        """Hand chunks that were just appended to the outputs that are not behind; wake the catch-up of the others."""
        current = [target for target in self._deliveries if target[1].position == start and target[1].has_room]
        if current:
            self._process(chunks, built, current, end)
        if len(current) < len(self._deliveries):
            self._wake_catch_up()

    def _wake_catch_up(self) -> None:
        for event in self._behind.values():
            event.set()

    def _process(
        self, chunks: Sequence[Chunk], built: BuiltInput, targets: list[tuple[int, Delivery]], end: Position
    ) -> None:
        """Make payloads of chunks, see ``put``, and hand them to ``targets``."""
        if not chunks[0].data:  # it stands for a line that was rejected
            for _, delivery in targets:
                delivery.take(chunks, Processed((), (), 0, Tally(received=chunks[0].events, dead=1)), end)
            return
        outputs = [(route, delivery.built) for route, delivery in targets]
        first = targets[0][1] is self._deliveries[0][1]  # outputs that are behind process the same events again
        repeated = targets[0][1].position.offset < self._repeated_until
        work = self._processing.process(chunks, built, outputs, count=first, repeated=repeated)
        for (_, delivery), processed in zip(targets, work, strict=True):
            delivery.take(chunks, processed, end)

    async def _catch_up(self, route: int, delivery: Delivery) -> None:
        """Feed one output from the journal whenever it is behind."""
        behind = self._behind[delivery.name]
        if delivery.position < self.journal.end:
            behind.set()
        while True:
            await behind.wait()
            behind.clear()
            while delivery.position < self.journal.end:
                await delivery.wait_for_room()
                try:
                    entries = self.journal.read(delivery.position, _CATCH_UP_BYTES)
                    delivery.read_error = ""
                except JournalError as error:
                    delivery.read_error = f"the journal cannot be read: {error}"
                    log.error("the journal cannot be read; trying again", pipeline=self.name, error=error)
                    await asyncio.sleep(_DISK_RETRY_SECONDS)
                    continue
                self._report_repairs()
                if not entries:  # the rest is damaged
                    delivery.take((), Processed((), (), 0, Tally()), self.journal.end)
                for chunks, end in join_entries(entries, self._input_of, _MAX_FRAMES, delivery.cuts):
                    await delivery.wait_for_room()
                    self._process(chunks, self._input_of(chunks[0]), [(route, delivery)], end)
                    await asyncio.sleep(0)  # let the inputs run

    def _report_repairs(self) -> None:
        """Log what turned out to be damaged while the journal is open; the worker logs what was found at its start."""
        for repair in self.journal.repairs[self._repairs :]:
            log.warning("the journal was repaired", pipeline=self.name, repair=str(repair))
        self._repairs = len(self.journal.repairs)

    def _batches_of(self, route: int, chunks: Sequence[Chunk]) -> Sequence[Batch]:
        return self._processing.batches(chunks, self._input_of(chunks[0]), route)

    def _input_of(self, chunk: Chunk) -> BuiltInput:
        """Return the input of a chunk; if the config no longer has it, the first one, whose codec is the best guess."""
        sink = self._sinks.get(chunk.input_id)
        return (sink or next(iter(self._sinks.values()))).built

    async def _sync_periodically(self) -> None:
        """Sync the journal at its interval, which also frees what is delivered."""
        while True:
            await asyncio.sleep(self._sync_interval)
            await self._sync.sync_all()
            self._resume_inputs()

    def _resume_inputs(self) -> None:
        """Let the inputs continue if the journal is below its size limit, and the pause after a disk error is over."""
        if self.journal.free_bytes > 0 and asyncio.get_running_loop().time() >= self._retry_at:
            self._resumed.set()

    async def wait_until_resumed(self) -> None:
        """Return as soon as inputs may read."""
        await self._resumed.wait()

    async def synced(self) -> None:
        """Return as soon as everything received before the call is on the disk.

        Raises:
            OSError: It cannot be synced, or could not be before; that is logged.
        """
        try:
            await self._sync.synced()
        except OSError:
            self.pause_for_disk()
            raise

    def measure(self) -> None:
        """Set the gauges; called when the metrics are read."""
        pending = [self.journal.pending(delivery.name) for delivery in self.deliveries]
        for delivery, waiting in zip(self.deliveries, pending, strict=True):
            stalled = waiting.events if delivery.stall() is not None else 0
            metrics.EVENTS_STALLED.set(stalled, self.name, delivery.name)
        metrics.QUEUE_BYTES.set(max((waiting.bytes for waiting in pending), default=0), self.name)
        metrics.QUEUE_EVENTS.set(max((waiting.events for waiting in pending), default=0), self.name)


async def _wait_for(inputs: Sequence[asyncio.Task[None]]) -> None:
    """Return when inputs have ended; raises what one of them failed with."""
    if inputs:
        await asyncio.wait(inputs)
    for task in inputs:
        task.result()
