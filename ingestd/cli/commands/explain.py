"""``ingestd explain``: what a config does."""

from __future__ import annotations

from pathlib import Path

import click

from ingestd.app.pipelines import pipeline_configs
from ingestd.cli.common.errors import config_errors
from ingestd.cli.common.options import files_argument, pipeline_options, settings_options
from ingestd.compiler.explain import explain as explain_pipeline
from ingestd.settings import Settings


@click.command()
@files_argument
@click.option("--code", is_flag=True, help="Print the Python function that the config is compiled to.")
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
    """Show which fields a config reads, sets and removes, and how much of a record it decodes."""
    with config_errors():
        configs = pipeline_configs((*files, *config_paths), config_string, named, settings)
        for config in configs.values():
            click.echo(explain_pipeline(config, settings, code=code), nl=False)
