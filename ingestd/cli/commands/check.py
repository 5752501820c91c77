"""``ingestd check``: what is wrong with a config."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from ingestd.alerts.config import alerts_config
from ingestd.app.assemble import Configs, compile_all
from ingestd.app.conflicts import dashboard_conflicts
from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.errors import config_errors, show_error
from ingestd.cli.common.logstash import LogstashFlags
from ingestd.cli.common.options import files_argument, pipeline_options, settings_options
from ingestd.compiler.pipeline import inspect
from ingestd.config.errors import ConfigError, ConfigErrors
from ingestd.config.nodes import Config
from ingestd.names import worker_name
from ingestd.plugins.registry import BuildContext
from ingestd.settings import Settings, SettingsError


@click.command()
@files_argument
@pipeline_options
@settings_options(logstash=True)
def check(
    settings: Settings,
    files: tuple[Path, ...],
    config_paths: tuple[Path, ...],
    config_string: str | None,
    named: tuple[str, ...],
    logstash: LogstashFlags,
) -> None:
    """Check a config: print every error with its position. Exit code 0 if it can run, else 1.

    The lines shown have * in place of values that may be secrets.
    """
    check_pipelines(settings, (*files, *config_paths), config_string, named, logstash)


def check_pipelines(
    settings: Settings,
    paths: tuple[Path, ...],
    config_string: str | None,
    named: tuple[str, ...],
    logstash: LogstashFlags,
) -> None:
    """Print every error of the configs, and of the alerts in the settings, with its position.

    Raises:
        SystemExit: They cannot run.
    """
    for note in logstash.notes:
        click.echo(f"note: {note}", err=True)
    alerts_good = _alerts_are_good(settings)
    with config_errors():
        configs = pipeline_configs(
            paths, config_string, named, settings, logstash.pipelines, support_escapes=logstash.support_escapes
        )
    of_plugins = Settings(pipeline=settings.pipeline)
    findings = {name: inspect(config, BuildContext(settings=of_plugins)) for name, config in configs.items()}
    if not any(_errors(found) for found in findings.values()):
        for name, finding in _together(settings, of_plugins, configs):
            findings[name].append(finding)
    for name, config in configs.items():
        for finding in findings[name]:
            click.echo(finding.render(config.sources.get(finding.span.file, "")), err=True)
        errors = _errors(findings[name])
        click.echo(_verdict(name, errors, len(findings[name]) - errors, config), err=errors > 0)
    if not alerts_good or any(_errors(found) for found in findings.values()):
        raise SystemExit(1)


def _alerts_are_good(settings: Settings) -> bool:
    try:
        alerts_config(settings)
    except SettingsError as error:
        show_error(str(error))
        return False
    return True


def _errors(findings: list[ConfigError]) -> int:
    return sum(finding.severity == "error" for finding in findings)


def _together(settings: Settings, of_plugins: Settings, configs: Configs) -> Iterator[tuple[str, ConfigError]]:
    """Yield what is wrong only with all of them in one process, and the pipeline that has to be changed."""
    try:
        pipelines = compile_all(of_plugins, configs, worker_name(0))
    except ConfigErrors as errors:
        for error in errors.errors:
            yield next(name for name, config in configs.items() if error.span.file in config.sources), error
        return
    severity = "error" if settings.explicit("http") else "warning"  # then the daemon runs without a dashboard
    yield from dashboard_conflicts(pipelines, settings.http, severity)


def _verdict(name: str, errors: int, warnings: int, config: Config) -> str:
    files = ", ".join(config.sources)
    rest = f", {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
    if errors:
        return f"{files}: {errors} error{'s' * (errors != 1)}{rest}"
    return f"{files}: pipeline {name} is good{rest}"
