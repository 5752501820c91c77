"""Delivery: how far an output has come in the journal, and what is on its way to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import Any

from ingestd import metrics
from ingestd.compiler.pipeline import BuiltOutput
from ingestd.event.record import Batch
from ingestd.journal.base import Position, RecordQueue
from ingestd.logs import get_logger
from ingestd.runtime.letters import CountedLetters

log = get_logger(__name__)

_RETRY_SECONDS = 1.0


class OutputGoneError(Exception):
    """An output can never take anything again: its reader has closed the pipe."""


@dataclass(slots=True)
class _Parcel:
    """What an output made of the records before ``end``; ``size``: bytes of the frames they came from."""

    load: Any
    events: int
    size: int
    end: Position
    delivered: bool = False


class Delivery:
    """Hands the loads of one output over, in order, as few and as large at a time as traffic allows.

    An output that is busy lets its loads gather; one that is idle waits at most ``max_delay`` seconds for
    ``batch_bytes``, so that quiet times see every event soon and busy ones send large loads. What an output has
    for good is committed to the journal; loads may be done in any order, but are committed in theirs.

    Attributes:
        position: Everything in the journal before it was taken over.
    """

    def __init__(
        self,
        built: BuiltOutput,
        journal: RecordQueue,
        letters: CountedLetters,
        pipeline_id: str,
        max_delay: float,
        max_bytes: int,
    ) -> None:
        self._output, self.name = built.output, built.step.plugin_id
        self._journal, self._letters, self._pipeline_id = journal, letters, pipeline_id
        self._dead = 0  # dead letters not yet taken off the delivered events
        self._max_delay, self._max_bytes = max_delay, max_bytes
        self._queue: deque[_Parcel] = deque()
        self._under_way: deque[_Parcel] = deque()  # in the order of the journal
        self._queued = 0  # bytes in the queue
        self._held = 0  # bytes under way
        self._wake = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self.position = Position(0, 0)

    async def start(self) -> None:
        """Open the output and begin. Raises what ``Output.open`` raises."""
        self.position, _ = self._journal.committed(self.name)
        await self._output.open()
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._output.concurrency)]

    @property
    def has_room(self) -> bool:
        """Whether more may be taken over; what there is no room for waits in the journal."""
        return self._room.is_set()

    async def room(self) -> None:
        """Return as soon as there is room."""
        await self._room.wait()

    async def idle(self) -> None:
        """Return as soon as nothing is under way."""
        await self._idle.wait()

    def prepare(self, batch: Batch | None) -> Any:
        """Return what the output makes of ``batch``, None for nothing; to be given to ``take``."""
        return None if batch is None else self._output.prepare(batch)

    def take(self, load: Any, events: int, size: int, end: Position) -> None:
        """Take over what lies between ``position`` and ``end``: ``load`` is what this output gets of it, or None.

        ``size`` is the bytes of the frames.
        """
        self.position = end
        parcel = _Parcel(load, events, size, end)
        self._under_way.append(parcel)
        self._idle.clear()
        if load is None:
            self._done([parcel])
            return
        self._held += size
        if self._held >= self._max_bytes:
            self._room.clear()
        self._queue.append(parcel)
        self._queued += size
        self._wake.set()
        if self._queued >= self._output.batch_bytes:
            self._enough.set()

    async def close(self) -> None:
        """Deliver what is queued, without waiting for more, then close the output."""
        self._closing = True
        self._wake.set()
        self._enough.set()
        await asyncio.gather(*self._tasks)
        await self._output.close()

    async def failed(self) -> None:
        """Return never, unless the output is gone: then raise OutputGoneError."""
        await asyncio.gather(*self._tasks)

    def cancel(self) -> None:
        """Stop at once; what is under way stays in the journal."""
        for task in self._tasks:
            task.cancel()

    async def _work(self) -> None:
        while (parcels := await self._next_parcels()) is not None:
            await self._deliver(parcels)
            self._count(parcels)
            self._held -= sum(one.size for one in parcels)
            if self._held <= self._max_bytes * 3 // 4:
                self._room.set()
            self._done(parcels)

    def _count(self, parcels: list[_Parcel]) -> None:
        events = sum(one.events for one in parcels)
        self._dead += self._letters.take(self.name)
        dead = min(self._dead, events)
        self._dead -= dead
        metrics.EVENTS_DELIVERED.add(events - dead, self._pipeline_id, self.name)
        metrics.BYTES_DELIVERED.add(sum(one.size for one in parcels), self._pipeline_id, self.name)

    def _done(self, parcels: list[_Parcel]) -> None:
        """Note that ``parcels`` need nothing more, and commit as far as no earlier one does."""
        for parcel in parcels:
            parcel.delivered, parcel.load = True, None
        end = None
        while self._under_way and self._under_way[0].delivered:
            end = self._under_way.popleft().end
        if end is not None:
            self._journal.commit(self.name, end)
        if not self._under_way:
            self._idle.set()

    async def _next_parcels(self) -> list[_Parcel] | None:
        """Return the next parcels, None once the queue is closed and empty."""
        async with self._turn:  # one worker gathers, the others are delivering or wait behind it
            while not self._queue:
                if self._closing:
                    return None
                self._wake.clear()
                await self._wake.wait()
            if self._queued < self._output.batch_bytes and not self._closing:
                self._enough.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), self._max_delay)
            parcels = [self._queue.popleft()]
            size = parcels[0].size
            while self._queue and size + self._queue[0].size <= self._output.batch_bytes:
                size += self._queue[0].size
                parcels.append(self._queue.popleft())
            self._queued -= size
            return parcels

    async def _deliver(self, parcels: list[_Parcel]) -> None:
        while True:
            try:
                await self._output.deliver([parcel.load for parcel in parcels])
                return
            except BrokenPipeError as error:
                raise OutputGoneError(f"the reader of {self.name} has gone") from error
            except Exception:  # a fault in an output must neither end the daemon nor lose the load
                events = sum(parcel.events for parcel in parcels)
                log.exception("an output failed; it is tried again", output=self.name, events=events)
                await asyncio.sleep(_RETRY_SECONDS)
