"""``ingestd run``: start the daemon."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from ingestd.cli.flags import settings_options
from ingestd.cli.pipelines import pipeline_configs, pipeline_options
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import Config
from ingestd.journal.dead_letters import DeadLetterFiles
from ingestd.logs import get_logger
from ingestd.plugins.registry import BuildContext
from ingestd.runtime.daemon import Daemon
from ingestd.runtime.delivery import OutputGoneError
from ingestd.runtime.logs import set_up_logging
from ingestd.runtime.pipeline import RunningPipeline, report_failures
from ingestd.settings import Settings
from ingestd.web.health import Health
from ingestd.web.server import HttpServer

log = get_logger(__name__)


@click.command()
@pipeline_options
@settings_options()
def run(
    settings: Settings, config_paths: tuple[Path, ...], config_string: str | None, named: tuple[str, ...]
) -> None:
    """Run the daemon: with no config, the built-in pipeline for Django sites on port 5959.

    Exit codes: 0 everything was delivered; 1 the config is wrong, something cannot be opened, or events were
    left when the shutdown time was over; 2 wrong usage or settings.
    """
    set_up_logging(settings.log_format, settings.log_level)
    try:
        configs = pipeline_configs(config_paths, config_string, named, settings)
        letters = DeadLetterFiles(settings.data_dir / "deadletters", settings.dead_letters.max_bytes, time.time)
        ok = _run_loop(_serve(settings, configs, letters))
    except ConfigErrors as errors:
        click.echo(errors.render(), err=True)
        raise SystemExit(1) from None
    except (OSError, OutputGoneError) as error:
        click.echo(f"error: {error}", err=True)
        _leave(1)
    _leave(0 if ok else 1)


def _run_loop(main: Coroutine[Any, Any, bool]) -> bool:
    import uvloop  # noqa: PLC0415 -- other commands do not need it

    return bool(uvloop.run(main))


async def _serve(settings: Settings, configs: dict[str, Config], letters: DeadLetterFiles) -> bool:
    pipelines = [_running(name, config, settings, letters) for name, config in configs.items()]
    daemon = Daemon(pipelines, settings.shutdown_timeout)
    http: list[asyncio.Task[None]] = []
    server = None
    if settings.http is not None and (settings.explicit("http") or not daemon.finite):
        server = HttpServer(settings.http, lambda: _health(daemon, pipelines), explicit=settings.explicit("http"))

    async def started() -> None:
        if server is not None:
            if settings.explicit("http"):
                await server.start()
            else:  # events are not kept waiting for a page that may never be asked for
                http.append(asyncio.create_task(server.start()))

    try:
        return await daemon.run(started)
    finally:
        for task in http:
            task.cancel()
        if server is not None:
            await server.stop()
        letters.close()


def _running(name: str, config: Config, settings: Settings, letters: DeadLetterFiles) -> RunningPipeline:
    for warning in config.warnings:
        log.warning("the config may not mean what it says", pipeline=name, warning=warning)
    context = BuildContext(settings=settings, dead_letters=letters, pipeline_id=name)
    return RunningPipeline(name, compile_pipeline(config, context, report_failures(name)), settings, letters)


def _health(daemon: Daemon, pipelines: list[RunningPipeline]) -> Health:
    for pipeline in pipelines:
        pipeline.measure()
    reasons = [] if daemon.ready else ["the daemon is starting"]
    if daemon.stopping:
        reasons.append("the daemon is stopping")
    reasons += [f"the outputs of pipeline {name} are behind: its inputs wait" for name in daemon.full]
    return Health(not_ready=tuple(reasons))


def _leave(code: int) -> None:
    """End the process without taking the interpreter apart, which costs as much as a quarter of the start."""
    logging.shutdown()  # the last word of the rate limit
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = code or 1
    os._exit(code)


