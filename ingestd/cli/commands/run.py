"""``ingestd run``: start the daemon."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click

from ingestd.app.assemble import Configs
from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.options import pipeline_options, settings_options
from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import PluginBlock
from ingestd.pipeline.delivery import OutputGoneError
from ingestd.plugins.registry import find
from ingestd.settings import Settings, SettingsError
from ingestd.supervisor.logs import set_up_logging


@click.command()
@pipeline_options
@settings_options()
def run(settings: Settings, config_paths: tuple[Path, ...], config_string: str | None, named: tuple[str, ...]) -> None:
    """Run the daemon. Without a config it runs the built-in pipeline for Django sites, on port 5959.

    Signals: SIGTERM and SIGINT stop it, SIGHUP reloads the config, SIGUSR2 upgrades it in place.

    Exit codes: 0 it was stopped or its inputs ended; 1 the config is wrong, something cannot be opened, or events
    were lost; 2 wrong usage or settings.
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
    """Return whether any input accepts connections: these must outlive the process that reads them."""
    inputs = [node for config in configs.values() for node in config.inputs if isinstance(node, PluginBlock)]
    specs = [find("input", node.name) for node in inputs]
    return any(spec is not None and spec.listens for spec in specs)


def _leave(code: int) -> None:
    """Exit without tearing down the interpreter, which takes as long as a quarter of the start."""
    logging.shutdown()  # writes what the rate limit still holds back
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = code or 1
    os._exit(code)
