"""Run pipelines in this process: when all their inputs end, they make a command rather than a daemon."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from typing import Any

from ingestd.logs import get_logger
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.supervisor.processes.worker import tune_memory
from ingestd.tasks import BackgroundTasks

log = get_logger(__name__)


async def run_direct(pipelines: Sequence[RunningPipeline], shutdown_timeout: float) -> bool:
    """Run until all inputs have ended or a signal comes, and deliver everything. Returns whether that worked.

    Raises:
        OSError: An input or output cannot be opened.
        OutputGoneError: An output cannot accept anything any more.
        Exception: Whatever else ended an input or a background task of a pipeline; it is logged as well.
    """
    signalled, reading_ended = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        signalled.set()
        reading_ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    tasks = BackgroundTasks("pipelines of this process", expected=(Exception,))  # the pipelines log what ends them
    started: list[RunningPipeline] = []
    try:
        for pipeline in pipelines:
            await pipeline.start()
            started.append(pipeline)
        tune_memory()
        _watch(tasks, pipelines, reading_ended)
        await tasks.until(reading_ended.wait())
        for pipeline in pipelines:
            pipeline.stop_inputs("drain")
        await tasks.until(_drain(pipelines, signalled, shutdown_timeout))
    except TimeoutError:
        lost = sum(pipeline.waiting for pipeline in pipelines)
        log.error("the shutdown time is over; events were not delivered", events=lost)
        return False
    finally:
        await tasks.close()
        for pipeline in started:
            with contextlib.suppress(asyncio.CancelledError):
                await pipeline.close()
    return not any(pipeline.lost for pipeline in pipelines)


async def _drain(pipelines: Sequence[RunningPipeline], signalled: asyncio.Event, limit: float) -> None:
    """Deliver everything; once there is a signal, for at most ``limit`` seconds. Raises TimeoutError."""
    drained: asyncio.Future[Any] = asyncio.gather(*(pipeline.drain() for pipeline in pipelines))
    signal_came: asyncio.Future[Any] = asyncio.ensure_future(signalled.wait())
    try:
        await asyncio.wait({drained, signal_came}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait_for(drained, limit)
    finally:
        drained.cancel()
        signal_came.cancel()


def _watch(tasks: BackgroundTasks, pipelines: Sequence[RunningPipeline], reading_ended: asyncio.Event) -> None:
    """Let what ends a pipeline end the run."""

    async def wait_for_inputs() -> None:
        await asyncio.gather(*(pipeline.inputs_ended() for pipeline in pipelines))
        reading_ended.set()

    for pipeline in pipelines:
        tasks.start(f"pipeline {pipeline.name}", pipeline.failed())
    tasks.start("inputs", wait_for_inputs())
