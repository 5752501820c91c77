"""``ingestd alerts``: the alerts and their states, their history, and a test of their channels."""

from __future__ import annotations

import datetime
import time
from typing import Any

import click

from ingestd.alerts.config import AlertsConfig, alerts_config
from ingestd.alerts.messages import local_time
from ingestd.alerts.overview import all_rules, channel_rows, history, not_taken, overview, try_channels
from ingestd.alerts.rules import Rule
from ingestd.alerts.state import AlertsState, PageRules, page_rules_document, state_document
from ingestd.cli.common.errors import os_errors, show_error
from ingestd.cli.common.options import json_option, limit_option, settings_options
from ingestd.cli.common.owner import recorded
from ingestd.cli.common.terminal import write_json, write_table
from ingestd.settings import Settings, SettingsError
from ingestd.suggest import did_you_mean


@click.group(invoke_without_command=True)
@json_option
@settings_options("data_dir")
@click.pass_context
def alerts(context: click.Context, settings: Settings, *, as_json: bool) -> None:
    """List the alerts with their states: those from the settings and those made in the dashboard.

    States: `firing`, `ok`; `unknown`: the store did not respond the last time; `waiting`: not evaluated yet.
    """
    if context.invoked_subcommand is not None:
        return
    config, page, state = _loaded(settings)
    rows = overview(config, page, state, time.time())
    if as_json:
        write_json({"alerts": rows, "channels": channel_rows(config, state)})
        return
    if not rows:
        click.echo("no alert yet; see docs/alerts.md for the settings", err=True)
    else:
        heads = ("ALERT", "STATE", "SINCE", "FIRES AT", "NOW", "CHANNELS")
        write_table(heads, [_row(row, config.zone) for row in rows])
    for channel in channel_rows(config, state):
        if channel["error"]:
            show_error(f"channel {channel['channel']}: {channel['error']}")


@alerts.command("history")
@limit_option(50, "Show at most this many changes, newest first.")
@json_option
@settings_options("data_dir")
def show_history(settings: Settings, limit: int, *, as_json: bool) -> None:
    """List when alerts fired and resolved, newest first."""
    config, _, state = _loaded(settings)
    rows = history(state, limit)
    if as_json:
        write_json(rows)
    elif not rows:
        click.echo("no alert has fired yet", err=True)
    else:
        table = [
            (
                _time(row["time"], config.zone),
                row["alert"],
                row["state"] + " (muted)" * row["muted"],
                "; ".join((row["text"], *row.get("undelivered", ()))),
            )
            for row in rows
        ]
        write_table(("TIME", "ALERT", "STATE", "WHAT"), table)


@alerts.command("test")
@click.argument("name")
@settings_options("data_dir")
def test(settings: Settings, name: str) -> None:
    """Send a test through the channels of an alert, or through the channel NAME; the daemon need not run.

    Exit codes: 0 every channel accepted it; 1 one did not, or there is no such alert or channel.
    """
    config, page, _ = _loaded(settings)
    rule = all_rules(config, page).get(name)
    channels: tuple[str, ...] = (name,) if rule is None and name in config.channels else ()
    if isinstance(rule, Rule):
        channels = rule.channels
    if rule is None and not channels:
        near = did_you_mean(name, [*config.rules, *page.rules, *config.channels])
        hint = f"; did you mean {near}?" if near else "; `ingestd alerts` lists both"
        raise click.ClickException(f"there is no alert or channel {name!r}{hint}")
    if isinstance(rule, str):
        raise click.ClickException(f"the rule {name} cannot be used: {rule}")
    if not channels:
        raise click.ClickException("there is no channel: add a table [alerts.channels.NAME] to the settings")
    with recorded(settings, "alerts.test", name) as record:
        results = try_channels(config, name, channels, time.time(), config.zone)
        if failure := not_taken(results):
            raise click.ClickException(failure)
        record.text = f"the test was accepted by {', '.join(results)}"
    click.echo(record.text)


def _loaded(settings: Settings) -> tuple[AlertsConfig, PageRules, AlertsState]:
    try:
        config = alerts_config(settings)
    except SettingsError as error:
        show_error(str(error))
        raise SystemExit(2) from None
    with os_errors("the data folder"):
        return config, page_rules_document(settings.data_dir).load(), state_document(settings.data_dir).load()


def _row(row: dict[str, Any], zone: datetime.tzinfo | None) -> tuple[str, ...]:
    state = row["state"] + (" (muted)" if row["muted"] else "")
    return (
        row["alert"],
        state,
        _time(row["since"], zone) if row.get("since") else "",
        row.get("condition", ""),
        row["error"] or row.get("text", ""),
        ", ".join(row.get("channels", ())),
    )


def _time(text: str, zone: datetime.tzinfo | None) -> str:
    return local_time(datetime.datetime.fromisoformat(text).timestamp(), zone)
