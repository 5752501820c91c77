"""Run pipelines in this very process: for those whose inputs all end by themselves, a command rather than a daemon."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from typing import Any

from ingestd.logs import get_logger
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.supervisor.worker import tune_garbage_collector

log = get_logger(__name__)


async def run_direct(pipelines: Sequence[RunningPipeline], shutdown_timeout: float) -> bool:
    """Run until all inputs have ended or a signal comes, and deliver everything. Returns whether that worked.

    Raises:
        OSError: An input or output cannot be opened.
        OutputGoneError: An output can take nothing any more.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    for pipeline in pipelines:
        await pipeline.start()
    tune_garbage_collector()
    ended = asyncio.gather(*(pipeline.inputs_ended() for pipeline in pipelines))
    broken = asyncio.gather(*(delivery.failed() for pipeline in pipelines for delivery in pipeline.deliveries))
    stopped = asyncio.ensure_future(stop.wait())
    for future in (ended, broken):  # what cancels them later, in vain drained, is no news for the log
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
    waits: list[asyncio.Future[Any]] = [ended, broken, stopped]
    for one in (await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED))[0]:
        one.result()
    for pipeline in pipelines:
        pipeline.stop_inputs("drain")
    drained = asyncio.gather(*(pipeline.drain() for pipeline in pipelines), broken)
    try:
        if stop.is_set():
            await asyncio.wait_for(drained, shutdown_timeout)
        else:
            await drained
    except TimeoutError:
        lost = sum(pipeline.waiting for pipeline in pipelines)
        log.error("the shutdown time is over; events were not delivered", events=lost)
        return False
    finally:
        stopped.cancel()
        for pipeline in pipelines:
            with contextlib.suppress(asyncio.CancelledError):
                await pipeline.close()
    return True
