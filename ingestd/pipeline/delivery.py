"""Delivery: how far an output is in the journal, and what is in flight to it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from ingestd import metrics
from ingestd.compiler.pipeline import BuiltOutput
from ingestd.dead_letters.base import DurableDeadLetters
from ingestd.event.batch import Batch
from ingestd.event.chunk import HANDOVER, Chunk, summary
from ingestd.event.tally import Tally
from ingestd.journal.base import JournalError, Position, RecordQueue
from ingestd.logs import Outage, get_logger
from ingestd.pipeline.in_flight import InFlight
from ingestd.pipeline.isolation import MAY_HEAL, RETRY_SECONDS, TRIES, Isolation, OutputFailedError
from ingestd.pipeline.ledger import Ledger
from ingestd.pipeline.processing import Processed, add_rejected
from ingestd.pipeline.stall import STALLED_SECONDS, Stall
from ingestd.plugins.inputs._streams import StreamIds
from ingestd.plugins.interfaces import HandsOver, SkipsRepeats, WithRetries
from ingestd.tasks import BackgroundTasks

log = get_logger(__name__)

_DOCUMENT_BYTES = 256
"""Memory that a document in flight takes besides its text: the objects for it, its action line, its ids."""

_RECORD_BYTES = 2048
"""Memory that a record in flight takes besides its payloads, however few events it has."""


class OutputGoneError(Exception):
    """An output can never accept anything again: the reader of its pipe has closed it."""


class Delivery:
    """Hands payloads to one output, in order, in calls as few and as large as traffic allows.

    While an output is busy its payloads gather. Unless there is enough for a call, it comes ``max_delay`` seconds after
    the one before: what arrives after a pause is delivered at once, and calls grow with traffic. What an output has for
    good is committed to the journal, with the ledger of what became of it. Payloads may be delivered in any order, but
    are committed in that of the journal.

    Args:
        built: The output.
        journal: Where to commit.
        dead_letters: Where rejected events go.
        pipeline_id: Of the pipeline, for metrics.
        tasks: Of the pipeline: they end it when the output fails for good.
        batches_of: Returns the events that the output gets of chunks that are processed together.
        max_delay: Seconds from one call to the next, unless ``batch_bytes`` come earlier.
        max_bytes: Bytes of memory for what is in flight from which on ``has_room`` is false.
        zone: The time zone of the ledger's days.

    Attributes:
        built: The output.
        name: Its plugin id.
        position: Everything in the journal before it was accepted.
        read_error: Why the journal cannot be read for it now; set by its pipeline.
        cuts: Offsets of the journal up to which receivers of a hand-over have everything, see ``join_entries``.
    """

    def __init__(  # noqa: PLR0913 -- the parts that it connects
        self,
        built: BuiltOutput,
        journal: RecordQueue,
        dead_letters: DurableDeadLetters,
        pipeline_id: str,
        tasks: BackgroundTasks,
        *,
        batches_of: Callable[[Sequence[Chunk]], Sequence[Batch]],
        max_delay: float,
        max_bytes: int,
        zone: datetime.tzinfo = datetime.UTC,
    ) -> None:
        self.built, self._output, self.name = built, built.output, built.step.plugin_id
        self._journal, self._dead_letters, self._pipeline_id = journal, dead_letters, pipeline_id
        self._plugin = built.step.spec.name
        self._zone = zone
        self._hands_over = isinstance(built.output, HandsOver)
        self._ledger = Ledger(self._plugin, None, 0, zone=zone)
        self._max_delay, self._max_bytes = max_delay, max_bytes
        self._queue: deque[InFlight] = deque()
        self._in_flight: deque[InFlight] = deque()  # in the order of the journal
        self._queued = 0  # bytes of payloads in the queue
        self._held = 0  # bytes of memory in flight
        self._wake = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._batches_of = batches_of
        self._isolation = Isolation(built, dead_letters, self._try)
        text = "an output failed; it is tried again"
        self._failing = Outage(log.exception, text, log.info, "the output works again")
        self.read_error = ""
        self._dead_letters_fail = ""  # why dead letters cannot be written now
        self._progress_at = 0.0  # on the loop's clock: the last commit, or when the first event after it came
        self._gathering = asyncio.Lock()
        self._next_call_at = 0.0  # on the loop's clock, unless there is enough for a call earlier
        self._tasks, self._workers = tasks, list[asyncio.Task[None]]()
        self.position = Position(0, 0)
        self.cuts: frozenset[int] = frozenset()

    async def start(self) -> None:
        """Open the output and start. Raises what ``Output.open`` raises."""
        self.position, state = self._journal.committed(self.name)
        skipped = self._journal.skipped(self.name)
        self._ledger = Ledger(self._plugin, state, self.position.events, skipped, self._zone)
        self._note_lost(self.position.events)
        self._progress_at = asyncio.get_running_loop().time()
        if self._journal.positions_lost:
            self._ledger.state["repeats_until"] = self._journal.end.offset
        self._check_repeats(self.position)
        if isinstance(self._output, HandsOver):
            self._resume(self._output)
        self._journal.commit(self.name, self.position, self._ledger.state)  # what is lost from now on is noticed
        await self._output.open()
        for _ in range(self._output.concurrency):
            self._workers.append(self._tasks.start(f"output {self.name}", self._work()))

    def _resume(self, output: HandsOver) -> None:
        """Learn how far the receivers of an output are, so that they get what follows, and that once.

        Positions in the journal are compared, so they must be those of this journal: its tail may be lost in a power
        failure although a receiver has it.
        """
        stream_id: str = self._ledger.state.setdefault("stream", _new_sender())
        self.cuts = frozenset(output.resume(stream_id))
        if max(self.cuts, default=0) > self._journal.end.offset:
            stream_id = self._ledger.state["stream"] = _new_sender()
            self.cuts = frozenset(output.resume(stream_id))

    @property
    def has_room(self) -> bool:
        """Whether it accepts more; the rest waits in the journal."""
        return self._room.is_set()

    async def wait_for_room(self) -> None:
        """Return as soon as there is room."""
        await self._room.wait()

    def stall(self) -> Stall | None:
        """Return what is known if it delivers nothing although events wait; None: all is well."""
        if not self._in_flight and not self.read_error:
            return None
        seconds = asyncio.get_running_loop().time() - self._progress_at
        if seconds < STALLED_SECONDS:
            return None
        received = (record.chunk.time_ns / 1e9 for record in self._in_flight if record.chunk is not None)
        age = max(time.time() - next(received, time.time()), 0.0)
        return Stall(self._pipeline_id, self.name, seconds, age, self._stall_reason())

    def _stall_reason(self) -> str:
        retried = self._output.retry_reason() if isinstance(self._output, WithRetries) else ""
        return self.read_error or self._failing.reason or retried or self._dead_letters_fail

    async def idle(self) -> None:
        """Return as soon as nothing is in flight."""
        await self._idle.wait()

    def take(self, chunks: Sequence[Chunk], processed: Processed, end: Position) -> None:
        """Accept what lies between ``position`` and ``end``: chunks, none if it cannot be read.

        Events that the output rejected become dead letters.
        """
        start, self.position = self.position, end
        payloads, rejected, size, tally = processed
        if self._hands_over:
            for payload in payloads:
                payload.end = end.offset
        add_rejected(self._dead_letters, self.built, rejected, tally)
        frame_bytes = sum([len(chunk.data) for chunk in chunks])
        held = size + tally.queued * _DOCUMENT_BYTES
        chunk = summary(chunks) if chunks else None
        record = InFlight(chunk, start, payloads, tally, frame_bytes, size, held, end)
        if not self._in_flight:
            self._progress_at = asyncio.get_running_loop().time()
        self._in_flight.append(record)
        self._hold(held + _RECORD_BYTES)
        self._idle.clear()
        if not payloads and not self._dead_letters.unsynced:  # else the dead letters are synced first
            self._done([record])
            return
        self._queue.append(record)
        self._queued += size
        self._wake.set()
        if self._queued >= self._output.batch_bytes:
            self._enough.set()

    def expect_more(self, seconds: float) -> None:
        """Wait with the next call if an input continues at once, in 0 ``seconds``; not if nothing comes in time."""
        if seconds >= self._max_delay:
            self._next_call_at = 0.0
            self._enough.set()
        elif seconds <= 0:
            now = asyncio.get_running_loop().time()
            if self._next_call_at < now:
                self._next_call_at = now + self._max_delay

    def _hold(self, change: int) -> None:
        """Note that more or less memory is in flight."""
        self._held += change
        if self._held >= self._max_bytes:
            self._room.clear()
        elif self._held <= self._max_bytes * 3 // 4:
            self._room.set()

    async def close(self) -> None:
        """Deliver what is queued, without waiting for more, then close the output. Raises what its tasks raised."""
        self._closing = True
        self._wake.set()
        self._enough.set()
        await asyncio.wait(self._workers)
        for worker in self._workers:
            worker.result()
        await self._output.close()

    async def _work(self) -> None:
        while (records := await self._next_records()) is not None:
            await self._deliver(records)
            await self._dead_letters_synced()
            self._count(records)
            self._done(records)

    async def _dead_letters_synced(self) -> None:
        """Return when the dead letters so far are on the disk: the journal forgets what is committed."""
        while self._dead_letters.unsynced:
            try:
                await asyncio.to_thread(self._dead_letters.sync)
            except OSError as error:  # logged there
                self._dead_letters_fail = f"dead letters cannot be written: {error.strerror or error}"
                await asyncio.sleep(RETRY_SECONDS)
        self._dead_letters_fail = ""

    def _count(self, records: list[InFlight]) -> None:
        labels = self._pipeline_id, self.name
        metrics.EVENTS_DELIVERED.add(sum(record.tally.delivered for record in records), *labels)
        if duplicates := sum(record.tally.duplicates for record in records):
            metrics.EVENTS_DUPLICATE.add(duplicates, *labels)
        metrics.BYTES_DELIVERED.add(sum(record.frame_bytes for record in records if record.payloads), *labels)

    def _done(self, records: list[InFlight]) -> None:
        """Mark ``records`` as done, and commit up to the first that is not."""
        for record in records:
            record.done, record.payloads = True, ()
        freed, end = sum(record.held for record in records), None
        while self._in_flight and self._in_flight[0].done:
            record = self._in_flight.popleft()
            freed, end = freed + _RECORD_BYTES, record.end
            self._note_lost(end.events - (record.chunk.events if record.chunk is not None else 0))
            if record.chunk is not None:
                self._ledger.enter(record.chunk, record.tally)
        if end is not None:
            self._progress_at = asyncio.get_running_loop().time()
            self._check_repeats(end)
            self._journal.commit(self.name, end, self._ledger.state)
        self._hold(-freed)
        if not self._in_flight:
            self._idle.set()

    def _check_repeats(self, position: Position) -> None:
        """Let the output look for events that it has, as long as the journal may hold such: its positions were lost."""
        if until := self._ledger.state.get("repeats_until", 0):
            repeats = position.offset < until
            if isinstance(self._output, SkipsRepeats):
                self._output.repeats = repeats
            if not repeats:
                del self._ledger.state["repeats_until"]

    def _note_lost(self, events: int) -> None:
        """Enter and report what is missing from the journal before a position, of which ``events`` is the count."""
        if lost := self._ledger.lost_before(events):
            metrics.EVENTS_LOST.add(lost, self._pipeline_id, self.name)
            text = "events were lost with a damaged or missing part of the journal; see ingestd audit"
            log.error(text, pipeline=self._pipeline_id, output=self.name, events=lost)

    async def _next_records(self) -> list[InFlight] | None:
        """Return the next records for one call of the output, None once the queue is closed and empty."""
        async with self._gathering:  # one worker gathers, the others deliver or wait for it
            while not self._queue:
                if self._closing:
                    return None
                self._wake.clear()
                await self._wake.wait()
            await self._wait_for_more()
            self._next_call_at = asyncio.get_running_loop().time() + self._max_delay
            records = [self._queue.popleft()]
            size = records[0].size
            while self._queue and size + self._queue[0].size <= self._output.batch_bytes:
                size += self._queue[0].size
                records.append(self._queue.popleft())
            self._queued -= size
            return records

    async def _wait_for_more(self) -> None:
        """Wait until it is time for the next call, or there is enough for one."""
        delay = self._next_call_at - asyncio.get_running_loop().time()
        if delay > 0 and self._queued < self._output.batch_bytes and not self._closing:
            self._enough.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), delay)

    async def _deliver(self, records: list[InFlight]) -> None:
        """Deliver the payloads of ``records``, and count in their tallies what became of the events."""
        payloads = [payload for record in records for payload in record.payloads]
        try:
            tallies = await self._try(payloads, TRIES) if payloads else None
        except OutputFailedError:
            await self._isolate(records)
            return
        answers = None if tallies is None else iter(tallies)
        for record in records:
            if answers is None:
                record.tally.delivered += record.tally.queued
            else:
                for tally in islice(answers, len(record.payloads)):
                    record.tally.add(tally)
            record.tally.queued = 0

    async def _try(self, payloads: list[Any], tries: float) -> Sequence[Tally] | None:
        """Deliver payloads; see ``Output.deliver``.

        Tried forever where waiting may help; any other error ``tries`` times, then OutputFailedError is raised.
        """
        while True:
            try:
                tallies = await self._output.deliver(payloads)
            except BrokenPipeError as error:
                raise OutputGoneError(f"the reader of {self.name} has gone") from error
            except Exception as error:  # a defect of an output must neither end the daemon nor lose the payloads
                self._failing.failed(output=self.name, payloads=len(payloads), error=repr(error))
                tries -= not isinstance(error, MAY_HEAL)
                if tries <= 0:
                    raise OutputFailedError from error
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._failing.recovered(output=self.name)
                return tallies

    async def _isolate(self, records: list[InFlight]) -> None:
        """Deliver the events of ``records``, made of the journal again, but for those on which the output fails."""
        again = [(batches, record.tally) for record in records if (batches := await self._read_again(record))]
        await self._isolation.run(again)

    async def _read_again(self, record: InFlight) -> Sequence[Batch]:
        """Return the events of a record, none if there is nothing to deliver (any more)."""
        while record.payloads:
            try:
                if chunks := self._chunks_of(record):
                    return self._batches_of(chunks)
                break
            except JournalError as error:
                log.error("the journal cannot be read; trying again", pipeline=self._pipeline_id, error=error)
                await asyncio.sleep(RETRY_SECONDS)
        if record.payloads:  # damaged since it was read: the payload is all there is
            await self._try(list(record.payloads), math.inf)
            record.tally.delivered += record.tally.queued
            record.tally.queued = 0
        return ()

    def _chunks_of(self, record: InFlight) -> list[Chunk]:
        """Return the chunks of a record, none if any of them is not in the journal any more."""
        chunks, position = list[Chunk](), record.start
        while position.offset < record.end.offset and (entries := self._journal.read(position, 1)):
            chunks.append(entries[0].chunk)
            position = entries[0].end
        events = record.chunk.events if record.chunk is not None else 0
        whole = position == record.end and sum(chunk.events for chunk in chunks) == events
        return chunks if whole else []


def _new_sender() -> str:
    """Return the name of an output for its receivers, which no other one ever has."""
    return HANDOVER + StreamIds().new().id
