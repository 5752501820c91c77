"""``ingestd config``: the built-in pipeline and the effective settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

import ingestd
from ingestd.app.pipelines import default_text
from ingestd.cli.common.options import json_option, settings_options
from ingestd.cli.common.terminal import write_table
from ingestd.settings import Setting, Settings


@click.group("config")
def config() -> None:
    """Show the built-in pipeline, the effective settings, and files for systemd and Grafana."""


@config.command("systemd")
def systemd() -> None:
    """Print the unit for systemd; its first lines say how to install it."""
    click.echo(_packaged("ingestd.service"), nl=False)


@config.command("grafana")
def grafana() -> None:
    """Print the Grafana dashboard of the metrics, as JSON to import."""
    click.echo(_packaged("grafana/ingestd.json"), nl=False)


def _packaged(name: str) -> str:
    package = Path(ingestd.__file__).parent
    files = (package / "packaging" / name, package.parent / "packaging" / name)  # installed; in a checkout
    return next((file for file in files if file.exists()), files[0]).read_text("utf-8")


@config.command("default")
@settings_options("elasticsearch")
def default(settings: Settings) -> None:
    """Print the pipeline that runs when no config is given; it is a plain Logstash config."""
    click.echo(default_text(settings), nl=False)


@config.command("settings")
@json_option
@settings_options()
def show_settings(settings: Settings, as_json: bool) -> None:
    """Print the effective settings and where each value comes from. Passwords are masked."""
    declared, origins = settings.declared, settings.origins
    if as_json:
        document = {
            name: {"value": _json_value(setting, settings.get(name)), "origin": origins.get(name, "default")}
            for name, setting in declared.items()
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    rows = [
        (name, setting.kind.show(settings.get(name)), origins.get(name, "default"))
        for name, setting in declared.items()
    ]
    write_table(("SETTING", "VALUE", "FROM"), rows)


def _json_value(setting: Setting, value: Any) -> Any:
    """Return numbers as they are (bytes, seconds) and everything else as text, passwords masked."""
    return value if isinstance(value, int | float) else setting.kind.show(value)
