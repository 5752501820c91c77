"""``ingestd run``: start the daemon."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click

from ingestd.app.assemble import Configs
from ingestd.app.pipelines import pipeline_configs, pipeline_options
from ingestd.cli.common.flags import settings_options
from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import Plugin
from ingestd.pipeline.delivery import OutputGoneError
from ingestd.plugins.registry import find
from ingestd.settings import Settings, SettingsError
from ingestd.supervisor.logs import set_up_logging


@click.command()
@pipeline_options
@settings_options()
def run(settings: Settings, config_paths: tuple[Path, ...], config_string: str | None, named: tuple[str, ...]) -> None:
    """Run the daemon: with no config, the built-in pipeline for Django sites on port 5959.

    Signals: SIGTERM and SIGINT stop it, SIGHUP loads the config again, SIGUSR2 upgrades it in place.

    Exit codes: 0 it ended as it was told to; 1 the config is wrong, something cannot be opened, or events were
    lost; 2 wrong usage or settings.
    """
    set_up_logging(settings.log_format, settings.log_level)

    def load() -> Configs:
        return pipeline_configs(config_paths, config_string, named, settings)

    try:
        configs = load()
        if _listens(configs):
            from ingestd.app.daemon import run_daemon  # noqa: PLC0415 -- only one of the two is needed
            from ingestd.app.helpers import helpers  # noqa: PLC0415

            code = run_daemon(settings, configs, load, helpers(settings))
        else:
            from ingestd.app.direct import run_here  # noqa: PLC0415

            code = run_here(settings, configs)
    except ConfigErrors as errors:
        click.echo(errors.render(), err=True)
        code = 1
    except (OSError, OutputGoneError) as error:
        click.echo(f"error: {error}", err=True)
        code = 1
    except SettingsError as error:
        click.echo(error, err=True)
        code = 2
    _leave(code)


def _listens(configs: Configs) -> bool:
    """Return whether an input reads connections, which must outlive the process that does."""
    specs = [find("input", one.name) for config in configs.values() for one in config.inputs if isinstance(one, Plugin)]
    return any(spec is not None and spec.listens for spec in specs)


def _leave(code: int) -> None:
    """End the process without taking the interpreter apart, which costs as much as a quarter of the start."""
    logging.shutdown()  # the last word of the rate limit
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = code or 1
    os._exit(code)
