"""Delivery: how far an output has come in the journal, and what is on its way to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ingestd import metrics
from ingestd.compiler.pipeline import BuiltOutput
from ingestd.dead_letters.counted import CountedDeadLetters
from ingestd.event.record import Batch
from ingestd.journal.base import Position, RecordQueue
from ingestd.logs import get_logger
from ingestd.pipeline.ledger import Due, Ledger
from ingestd.plugins.interfaces import Outcome

log = get_logger(__name__)

_RETRY_SECONDS = 1.0


class OutputGoneError(Exception):
    """An output can never take anything again: its reader has closed the pipe."""


@dataclass(slots=True)
class _Parcel:
    """What an output made of the record before ``end``, in one load or several; ``size``: bytes of its frames.

    ``due`` is None for a part of the journal that cannot be read, ``outcome`` until it is known.
    """

    loads: Sequence[Any]
    due: Due | None
    size: int
    end: Position
    delivered: bool = False
    outcome: Outcome | None = None


class Delivery:
    """Hands the loads of one output over, in order, as few and as large at a time as traffic allows.

    An output that is busy lets its loads gather; one that is idle waits at most ``max_delay`` seconds for
    ``batch_bytes``, so that quiet times see every event soon and busy ones send large loads. What an output has
    for good is committed to the journal, with the ledger of what became of it; loads may be done in any order, but
    are committed in theirs.

    Attributes:
        position: Everything in the journal before it was taken over.
    """

    def __init__(
        self,
        built: BuiltOutput,
        journal: RecordQueue,
        letters: CountedDeadLetters,
        pipeline_id: str,
        max_delay: float,
        max_bytes: int,
    ) -> None:
        self._output, self.name = built.output, built.step.plugin_id
        self._journal, self._letters, self._pipeline_id = journal, letters, pipeline_id
        self._plugin = built.step.spec.name
        self._ledger = Ledger(self._plugin, None, 0)
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
        self.position, state = self._journal.committed(self.name)
        self._ledger = Ledger(self._plugin, state, self.position.events)
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

    def prepare(self, batch: Batch) -> tuple[list[Any], int]:
        """Return the loads that the output makes of ``batch``, and the dead letters among it.

        Usually that is one load. An output that fails on the batch gets its events one by one, so that only those at
        fault become dead letters.
        """
        self._letters.take(self.name)
        try:
            return [self._output.prepare(batch)], self._letters.take(self.name)
        except Exception:  # a fault of ours: these events are set aside, those behind them must go on
            log.exception("an output failed on events; those at fault become dead letters", output=self.name)
        self._letters.take(self.name)
        loads = []
        for number in range(len(batch)):
            one = batch.part([number])
            try:
                loads.append(self._output.prepare(one))
            except Exception as error:  # noqa: BLE001 -- told above
                reason = f"the daemon failed on it: {error!r}"
                self._letters.add(stage="output", reason=reason, raw=b"", plugin=self.name, event_id=one.ids()[0])
        return loads, self._letters.take(self.name)

    def take(self, loads: Sequence[Any], due: Due | None, size: int, end: Position) -> None:
        """Take over what lies between ``position`` and ``end``: ``loads`` are what this output gets of it.

        ``due`` is what the ledger is to hold of it, None for what cannot be read; ``size`` the bytes of the frames.
        """
        self.position = end
        parcel = _Parcel(loads, due, size, end)
        self._under_way.append(parcel)
        self._idle.clear()
        if not loads and not self._letters.unsynced:  # else its letters go to the disk first, as those of others do
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
            outcomes = await self._deliver(parcels)
            await self._letters_kept()
            for parcel, outcome in zip(parcels, outcomes, strict=True):
                parcel.outcome = outcome
            self._held -= sum(one.size for one in parcels)
            if self._held <= self._max_bytes * 3 // 4:
                self._room.set()
            self._count(parcels)
            self._done(parcels)

    async def _letters_kept(self) -> None:
        """Return when the dead letters so far are on the disk: what is committed is forgotten by the journal."""
        while self._letters.unsynced:
            try:
                await asyncio.to_thread(self._letters.sync)
            except OSError:  # they say so themselves
                await asyncio.sleep(_RETRY_SECONDS)

    def _count(self, parcels: list[_Parcel]) -> None:
        outcomes = [one.outcome for one in parcels if one.outcome is not None]
        labels = self._pipeline_id, self.name
        metrics.EVENTS_DELIVERED.add(sum(one.delivered for one in outcomes), *labels)
        if duplicates := sum(one.duplicates for one in outcomes):
            metrics.EVENTS_DUPLICATE.add(duplicates, *labels)
        metrics.BYTES_DELIVERED.add(sum(one.size for one in parcels if one.loads), *labels)

    def _done(self, parcels: list[_Parcel]) -> None:
        """Note that ``parcels`` need nothing more, and commit as far as no earlier one does."""
        for parcel in parcels:
            parcel.delivered, parcel.loads = True, ()
        end = None
        while self._under_way and self._under_way[0].delivered:
            parcel = self._under_way.popleft()
            end = parcel.end
            if parcel.due is not None:
                self._ledger.enter(parcel.due, parcel.outcome)
        if end is not None:
            self._journal.commit(self.name, end, self._ledger.state)
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

    async def _deliver(self, parcels: list[_Parcel]) -> Sequence[Outcome]:
        """Return what became of each parcel."""
        loads = [load for parcel in parcels for load in parcel.loads]
        outcomes = iter(await self._deliver_loads(loads) or ())
        return [_sum(list(islice(outcomes, len(one.loads)))) or _all_of(one) for one in parcels]

    async def _deliver_loads(self, loads: list[Any]) -> Sequence[Outcome] | None:
        while loads:
            try:
                return await self._output.deliver(loads)
            except BrokenPipeError as error:
                raise OutputGoneError(f"the reader of {self.name} has gone") from error
            except Exception:  # a fault in an output must neither end the daemon nor lose the load
                log.exception("an output failed; it is tried again", output=self.name, loads=len(loads))
                await asyncio.sleep(_RETRY_SECONDS)
        return None


def _sum(outcomes: Sequence[Outcome]) -> Outcome | None:
    """Return the outcome of all the loads of a parcel; None: the output has nothing particular to tell of them."""
    if len(outcomes) < 2:
        return outcomes[0] if outcomes else None
    indices: Counter[str] = Counter()
    for one in outcomes:
        indices.update(one.indices)
    delivered, duplicates, dead = (sum(numbers) for numbers in zip(*(one[:3] for one in outcomes), strict=True))
    return Outcome(delivered, duplicates, dead, indices)


def _all_of(parcel: _Parcel) -> Outcome:
    """Return the outcome of a parcel of which everything was delivered."""
    return Outcome(parcel.due.sent - parcel.due.dead if parcel.due else 0)
