"""The daemon's life: start the pipelines, run until their inputs end or a signal comes, drain, stop."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Sequence

from ingestd.logs import get_logger
from ingestd.runtime.notify import Notifier
from ingestd.runtime.pipeline import RunningPipeline

log = get_logger(__name__)

_GC_THRESHOLDS = (200_000, 20, 100)
"""Batches are freed by reference counting; the collector's frequent looks at them cost 5 to 10 % of all CPU."""


class Daemon:
    """Runs pipelines together; they start and stop as one.

    Args:
        pipelines: The pipelines, built but not started.
        shutdown_timeout: Seconds that a stop may take to deliver what was taken in.
    """

    def __init__(self, pipelines: Sequence[RunningPipeline], shutdown_timeout: float) -> None:
        self._pipelines = pipelines
        self._shutdown_timeout = shutdown_timeout
        self._stop = asyncio.Event()
        self._notifier = Notifier()
        self.ready = False
        self.stopping = False

    @property
    def finite(self) -> bool:
        """Whether every input ends by itself, so that this is a command rather than a daemon."""
        return all(pipeline.finite for pipeline in self._pipelines)

    @property
    def full(self) -> list[str]:
        """Names of the pipelines that take nothing in because their outputs are behind."""
        return [pipeline.name for pipeline in self._pipelines if pipeline.flow.full]

    async def run(self, started: Callable[[], Awaitable[None]]) -> bool:
        """Run to the end; ``started`` is awaited once everything is open. Returns whether all was delivered.

        Raises:
            OSError: An input or output cannot be opened.
            OutputGoneError: An output can take nothing any more.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, signal.Signals(number).name)
        try:
            for pipeline in self._pipelines:
                await pipeline.start()
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_GC_THRESHOLDS)
            self.ready = True
            await started()
            self._notifier.ready()
            await self._until_the_end()
            return await self._drain()
        finally:
            self._notifier.close()

    async def _until_the_end(self) -> None:
        """Return when a signal came or all inputs have ended; raise what made a pipeline impossible."""
        ended = asyncio.gather(*(pipeline.inputs_ended() for pipeline in self._pipelines))
        deliveries = [delivery.failed() for pipeline in self._pipelines for delivery in pipeline.deliveries]
        broken = asyncio.gather(*deliveries) if deliveries else asyncio.get_running_loop().create_future()
        stopped = asyncio.ensure_future(self._stop.wait())
        for one in (ended, broken):  # what cancels them later, in vain drained, is no news for the log
            one.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            waits: list[asyncio.Future[object]] = [ended, broken, stopped]  # type: ignore[list-item]
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            stopped.cancel()

    async def _drain(self) -> bool:
        self.stopping = True
        self._notifier.stopping()
        for pipeline in self._pipelines:
            pipeline.stop()
        drained = asyncio.gather(*(pipeline.drain() for pipeline in self._pipelines))
        try:
            await asyncio.wait_for(drained, self._shutdown_timeout)
        except TimeoutError:
            lost = sum(pipeline.flow.events for pipeline in self._pipelines)
            for pipeline in self._pipelines:
                pipeline.cancel()
            log.error("the shutdown time is over; events were not delivered", events=lost)
            return False
        return True

    def _signalled(self, name: str) -> None:
        log.info("stopping", signal=name)
        self._stop.set()
