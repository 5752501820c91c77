"""``ingestd run``: start the daemon."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click

import ingestd
from ingestd.app.assemble import Configs
from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.errors import show_error
from ingestd.cli.common.logstash import LogstashFlags
from ingestd.cli.common.options import load_settings_again, pipeline_options, settings_options
from ingestd.cli.common.owner import with_hint
from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import PluginBlock
from ingestd.logs import get_logger
from ingestd.pipeline.delivery import OutputGoneError
from ingestd.plugins.registry import find
from ingestd.settings import Settings, SettingsError
from ingestd.supervisor.logs import set_up_logging
from ingestd.supervisor.state import CHECK_FLAG, UpgradeError

log = get_logger(__name__)


@click.command()
@pipeline_options
@settings_options(logstash=True)
@click.version_option(ingestd.__version__, "--version", "-V", prog_name="ingestd")
@click.option(CHECK_FLAG, "check_only", is_flag=True, hidden=True, help="See ingestd.app.upgrade_check.")
def run(
    settings: Settings,
    config_paths: tuple[Path, ...],
    config_string: str | None,
    named: tuple[str, ...],
    check_only: bool,
    logstash: LogstashFlags,
) -> None:
    """Run the daemon. Without a config it runs the built-in pipeline for Django sites, on port 5959.

    Signals: SIGTERM and SIGINT stop it, SIGHUP reloads the config, SIGUSR2 upgrades it in place.

    Exit codes: 0 it was stopped or its inputs ended; 1 the config is wrong, something cannot be opened, or a stop
    had to give up events that it had received; 2 wrong usage or settings.
    """
    if logstash.test_only:
        from ingestd.cli.commands.check import check_pipelines  # noqa: PLC0415 -- as below

        check_pipelines(settings, config_paths, config_string, named, logstash)
        return
    if not check_only:
        set_up_logging(settings.log_format, settings.log_level)

    def load(settings: Settings) -> Configs:
        return pipeline_configs(
            config_paths,
            config_string,
            named,
            settings,
            logstash.pipelines,
            support_escapes=logstash.support_escapes,
        )

    for note in logstash.notes:
        log.note("a setting of Logstash has no effect", setting=note)
    try:
        configs = load(settings)
        if check_only:
            _check(settings, configs)
            code = 0
        elif _needs_daemon(configs):
            from ingestd.app.daemon import run_daemon  # noqa: PLC0415 -- only one of the two is needed
            from ingestd.app.helpers import helpers  # noqa: PLC0415

            code = run_daemon(settings, configs, load_settings_again, load, helpers(settings))
        else:
            from ingestd.app.jobs.direct import run_here  # noqa: PLC0415

            code = run_here(settings, configs)
    except ConfigErrors as errors:
        show_error(errors.render())
        code = 1
    except (OSError, OutputGoneError, UpgradeError) as error:
        show_error(f"error: {with_hint(error, str(error))}")
        code = 1
    except SettingsError as error:
        show_error(str(error))
        code = 2
    _leave(code)


def _check(settings: Settings, configs: Configs) -> None:
    if not _needs_daemon(configs):
        raise UpgradeError("the config has no input that listens or keeps its position: it is not for a daemon")
    from ingestd.app.daemon import make_plan  # noqa: PLC0415 -- as in ``run``
    from ingestd.app.helpers import helpers  # noqa: PLC0415
    from ingestd.app.upgrade_check import check_upgrade  # noqa: PLC0415

    helpers(settings)
    check_upgrade(settings, make_plan(settings, configs))


def _needs_daemon(configs: Configs) -> bool:
    """Return whether any input has connections or positions that must outlive the process that reads."""
    inputs = [node for config in configs.values() for node in config.inputs if isinstance(node, PluginBlock)]
    specs = [find("input", node.name) for node in inputs]
    return any(spec is not None and (spec.listens or spec.journaled) for spec in specs)


def _leave(code: int) -> None:
    """Exit without tearing down the interpreter, which takes as long as a quarter of the start."""
    logging.shutdown()  # writes what the rate limit still holds back
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = code or 1
    os._exit(code)
