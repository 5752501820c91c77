"""``ingestd config``: the pipeline and the settings that hold when nobody says otherwise, or as said."""

from __future__ import annotations

import json
from typing import Any

import click

from ingestd.app.pipelines import default_text
from ingestd.cli.common.flags import settings_options
from ingestd.settings import SETTINGS, Settings


@click.group("config")
def config() -> None:
    """Show the built-in pipeline and the settings in force."""


@config.command("default")
@settings_options("elasticsearch")
def default(settings: Settings) -> None:
    """Print the pipeline that runs when no config is given; it is a plain Logstash config."""
    click.echo(default_text(settings), nl=False)


@config.command("settings")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: name -> value and origin.")
@settings_options()
def show_settings(settings: Settings, as_json: bool) -> None:
    """Print the settings in force, and where each value came from. Passwords are masked."""
    if as_json:
        document = {name: {"value": _json_value(settings, name), "origin": settings.origins[name]} for name in SETTINGS}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    rows = [("SETTING", "VALUE", "FROM")]
    rows += ((name, one.kind.show(settings.get(name)), settings.origins[name]) for name, one in SETTINGS.items())
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, value, origin in rows:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}")


def _json_value(settings: Settings, name: str) -> Any:
    """Return numbers as they are (bytes, seconds) and everything else as text, passwords masked."""
    value = settings.get(name)
    return value if isinstance(value, int | float) else SETTINGS[name].kind.show(value)
