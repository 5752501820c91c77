"""``ingestd run``: start the daemon."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from ingestd.cli.flags import settings_options
from ingestd.cli.pipelines import pipeline_configs, pipeline_options
from ingestd.compiler.pipeline import Pipeline, compile_pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import Config
from ingestd.journal.base import RecordQueue
from ingestd.journal.dead_letters import DeadLetterFiles
from ingestd.journal.journal import Journal
from ingestd.journal.memory import MemoryJournal
from ingestd.logs import get_logger
from ingestd.plugins.inputs._streams import Origins
from ingestd.plugins.interfaces import SocketInput
from ingestd.plugins.registry import BuildContext
from ingestd.runtime.channel import Channel
from ingestd.runtime.clock import ReceiveClock
from ingestd.runtime.delivery import OutputGoneError
from ingestd.runtime.direct import run_direct
from ingestd.runtime.keeper import Keeper, Plan
from ingestd.runtime.logs import set_up_logging
from ingestd.runtime.pipeline import RunningPipeline, report_failures
from ingestd.runtime.sockets import Listener
from ingestd.runtime.worker import run_worker
from ingestd.settings import Settings
from ingestd.web.health import Health
from ingestd.web.process import serve_for_keeper
from ingestd.web.server import HttpServer

log = get_logger(__name__)

Configs = dict[str, Config]


@click.command()
@pipeline_options
@settings_options()
def run(
    settings: Settings, config_paths: tuple[Path, ...], config_string: str | None, named: tuple[str, ...]
) -> None:
    """Run the daemon: with no config, the built-in pipeline for Django sites on port 5959.

    Signals: SIGTERM and SIGINT stop it, SIGHUP loads the config again, SIGUSR2 upgrades it in place.

    Exit codes: 0 it ended as it was told to; 1 the config is wrong, something cannot be opened, or events were
    lost; 2 wrong usage or settings.
    """
    set_up_logging(settings.log_format, settings.log_level)

    def configs() -> Configs:
        return pipeline_configs(config_paths, config_string, named, settings)

    try:
        first = configs()
        listeners = _listeners(first, settings)
        code = _keep(settings, first, listeners, configs) if listeners else _run_here(settings, first)
    except ConfigErrors as errors:
        click.echo(errors.render(), err=True)
        code = 1
    except (OSError, OutputGoneError) as error:
        click.echo(f"error: {error}", err=True)
        code = 1
    _leave(code)


def _listeners(configs: Configs, settings: Settings) -> tuple[Listener, ...]:
    """Build the pipelines, which finds every mistake, and return what their inputs listen on."""
    found: list[Listener] = []
    for name, config in configs.items():
        for warning in config.warnings:
            log.warning("the config may not mean what it says", pipeline=name, warning=warning)
        for built in compile_pipeline(config, BuildContext(settings=settings, pipeline_id=name)).inputs:
            if isinstance(built.input, SocketInput):
                host, port = built.input.address
                found.append(Listener(name, built.step.plugin_id, host, port, built.input.max_connections))
    return tuple(found)


def _keep(settings: Settings, configs: Configs, listeners: tuple[Listener, ...], again: Any) -> int:
    """Be the keeper of worker processes."""

    def reload() -> Plan:
        try:
            new = again()
            return _plan(settings, new, _listeners(new, settings))
        except ConfigErrors as errors:
            raise ValueError(errors.render()) from None

    origins = Origins()
    keeper = Keeper(
        _plan(settings, configs, listeners), reload, lambda: origins.new().id, settings.shutdown_timeout, os.environ
    )
    return keeper.run()


def _plan(settings: Settings, configs: Configs, listeners: tuple[Listener, ...]) -> Plan:
    workers = settings.workers or len(os.sched_getaffinity(0))

    def work(number: int, channel: Channel) -> int:
        def build() -> list[RunningPipeline]:
            return _pipelines(settings, configs, number, workers)

        return run_worker(number, build, channel, settings.shutdown_timeout)

    def serve(channel: Channel) -> int:
        assert settings.http is not None  # noqa: S101 -- see below
        return serve_for_keeper(settings.http, channel, explicit=settings.explicit("http"))

    return Plan(listeners, workers, _journals(settings), work, serve if settings.http is not None else None)


def _journals(settings: Settings) -> int:
    """Return how many workers have left a journal."""
    folder = settings.data_dir / "journal"
    names = [re.match(r"w(\d+)", path.name) for path in folder.iterdir()] if folder.is_dir() else []
    return max((int(match[1]) + 1 for match in names if match), default=0)


def _pipelines(settings: Settings, configs: Configs, number: int, workers: int) -> list[RunningPipeline]:
    """Return the pipelines of one worker, each with its journal."""
    letters = _letters(settings, f"w{number}", workers)
    running = []
    for name, config in configs.items():
        folder = settings.data_dir / "journal" / (f"w{number}" if name == "main" else f"w{number}-{name}")
        limits = settings.journal
        journal = Journal(folder, max_bytes=limits.max_bytes, segment_bytes=limits.segment_bytes)
        running.append(_running(name, config, settings, letters, journal, number))
    return running


def _letters(settings: Settings, writer: str, writers: int) -> DeadLetterFiles:
    folder = settings.data_dir / "deadletters"
    return DeadLetterFiles(folder, settings.dead_letters.max_bytes // writers, time.time, writer)


def _running(
    name: str, config: Config, settings: Settings, letters: DeadLetterFiles, journal: RecordQueue, number: int
) -> RunningPipeline:
    clock = ReceiveClock()
    context = BuildContext(
        settings=settings, dead_letters=letters, pipeline_id=name, clock=clock, writer_id=f"w{number}"
    )
    pipeline: Pipeline = compile_pipeline(config, context, report_failures(name))
    return RunningPipeline(name, pipeline, journal, clock, settings, letters, first=number == 0)


def _run_here(settings: Settings, configs: Configs) -> int:
    """Run pipelines that listen on nothing in this process."""

    async def main() -> bool:
        letters = _letters(settings, "w0", 1)
        pipelines = [
            _running(name, config, settings, letters, MemoryJournal(max_bytes=settings.queue_bytes), 0)
            for name, config in configs.items()
        ]

        async def health() -> Health:
            for pipeline in pipelines:
                pipeline.measure()
            return Health()

        endless = not all(pipeline.finite for pipeline in pipelines)
        server = None
        if settings.http is not None and (settings.explicit("http") or endless):
            server = HttpServer(settings.http, health, explicit=settings.explicit("http"))
            await server.start()
        try:
            return await run_direct(pipelines, settings.shutdown_timeout)
        finally:
            if server is not None:
                await server.stop()
            letters.close()

    return 0 if _run_loop(main()) else 1


def _run_loop(main: Coroutine[Any, Any, bool]) -> bool:
    import uvloop  # noqa: PLC0415 -- the keeper and other commands do without

    return bool(uvloop.run(main))


def _leave(code: int) -> None:
    """End the process without taking the interpreter apart, which costs as much as a quarter of the start."""
    logging.shutdown()  # the last word of the rate limit
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = code or 1
    os._exit(code)


