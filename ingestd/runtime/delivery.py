"""Delivery: one queue for each output, joined into loads of the size that the output wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingestd import metrics
from ingestd.compiler.pipeline import BuiltOutput
from ingestd.event.record import Batch
from ingestd.logs import get_logger

log = get_logger(__name__)

_RETRY_SECONDS = 1.0


class OutputGoneError(Exception):
    """An output can never take anything again: its reader has closed the pipe."""


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What an output made of one batch. ``size``: bytes of the frames it came from; ``done`` is called at the end."""

    load: Any
    events: int
    size: int
    done: Callable[[], None]


class Delivery:
    """Hands the loads of one output over, in order, as few and as large at a time as traffic allows.

    An output that is busy lets its loads gather; one that is idle waits at most ``max_delay`` seconds for
    ``batch_bytes``, so that quiet times see every event soon and busy ones send large loads.
    """

    def __init__(self, built: BuiltOutput, pipeline_id: str, max_delay: float) -> None:
        self._output, self._name = built.output, built.step.plugin_id
        self._pipeline_id, self._max_delay = pipeline_id, max_delay
        self._queue: deque[_Parcel] = deque()
        self._queued = 0  # bytes
        self._wake = asyncio.Event()
        self._enough = asyncio.Event()
        self._closing = False
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the output and begin. Raises what ``Output.open`` raises."""
        await self._output.open()
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._output.concurrency)]

    def put(self, batch: Batch, size: int, done: Callable[[], None]) -> None:
        """Queue what the output makes of ``batch``; ``done`` is called when it is delivered."""
        self._queue.append(_Parcel(self._output.prepare(batch), len(batch), size, done))
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
        """Stop at once; what is queued is not delivered."""
        for task in self._tasks:
            task.cancel()

    async def _work(self) -> None:
        while (parcels := await self._next_parcels()) is not None:
            await self._deliver(parcels)
            metrics.EVENTS_DELIVERED.add(sum(one.events for one in parcels), self._pipeline_id, self._name)
            metrics.BYTES_DELIVERED.add(sum(one.size for one in parcels), self._pipeline_id, self._name)
            for parcel in parcels:
                parcel.done()

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
                raise OutputGoneError(f"the reader of {self._name} has gone") from error
            except Exception:  # a fault in an output must neither end the daemon nor lose the load
                events = sum(parcel.events for parcel in parcels)
                log.exception("an output failed; it is tried again", output=self._name, events=events)
                await asyncio.sleep(_RETRY_SECONDS)
