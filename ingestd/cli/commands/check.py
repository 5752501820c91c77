"""``ingestd check`` and ``ingestd explain``: what is wrong with a config, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import click

from ingestd.app.pipelines import pipeline_configs, pipeline_options
from ingestd.cli.common.flags import settings_options
from ingestd.compiler.explain import explain as explain_pipeline
from ingestd.compiler.pipeline import inspect
from ingestd.config.errors import ConfigErrors
from ingestd.config.nodes import Config
from ingestd.settings import Settings


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@pipeline_options
@settings_options()
def check(
    settings: Settings,
    files: tuple[Path, ...],
    config_paths: tuple[Path, ...],
    config_string: str | None,
    named: tuple[str, ...],
) -> None:
    """Check a config: print every mistake with its place. Exit code 0: it can run; 1: it cannot."""
    try:
        configs = pipeline_configs((*files, *config_paths), config_string, named, settings)
    except ConfigErrors as errors:
        _end(errors)
    failed = False
    for name, config in configs.items():
        findings = inspect(config)
        for finding in findings:
            click.echo(finding.render(config.sources.get(finding.span.file, "")), err=True)
        wrong = sum(finding.severity == "error" for finding in findings)
        failed |= wrong > 0
        click.echo(_verdict(name, wrong, len(findings) - wrong, config), err=wrong > 0)
    raise SystemExit(1 if failed else 0)


def _verdict(name: str, wrong: int, warnings: int, config: Config) -> str:
    files = ", ".join(config.sources)
    rest = f", {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
    if wrong:
        return f"{files}: {wrong} error{'s' * (wrong != 1)}{rest}"
    return f"{files}: pipeline {name} is good{rest}"


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--code", is_flag=True, help="Print the Python function that the config becomes.")
@pipeline_options
@settings_options()
def explain(
    settings: Settings,
    files: tuple[Path, ...],
    code: bool,
    config_paths: tuple[Path, ...],
    config_string: str | None,
    named: tuple[str, ...],
) -> None:
    """Explain a config: what it reads, sets and removes, and how far records are decoded."""
    try:
        configs = pipeline_configs((*files, *config_paths), config_string, named, settings)
        for config in configs.values():
            click.echo(explain_pipeline(config, code=code), nl=False)
    except ConfigErrors as errors:
        _end(errors)


def _end(errors: ConfigErrors) -> None:
    click.echo(errors.render(), err=True)
    raise SystemExit(1)
