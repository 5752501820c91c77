"""``ingestd actions``: what was done by hand, when, by whom and from where."""

from __future__ import annotations

import datetime

import click
import msgspec

from ingestd.action_log import Action, ActionLog
from ingestd.cli.common.errors import os_errors
from ingestd.cli.common.options import json_option, limit_option, settings_options
from ingestd.cli.common.terminal import write_json, write_table
from ingestd.settings import Settings

_WHO = {
    "session": "signed in to the dashboard",
    "token": "token",
    "page": "page without password",
    "cli": "command line",
}


@click.command()
@limit_option(50, "Show at most this many actions, newest first.")
@json_option
@settings_options("data_dir")
def actions(settings: Settings, limit: int, *, as_json: bool) -> None:
    """List what was done by hand, in the dashboard and with commands, newest first.

    Backups, restores, deletions, imports, reprocessing, replays of dead letters, reloads and upgrades, changes of
    alerts and views, problems that were resolved or muted, with the note.

    Each has its time, who did it (a Unix user, the dashboard or the token), from which address, and the outcome;
    `started` means that it was interrupted or is still running. What the daemon does on schedule is in its log.
    """
    with os_errors("the action log"):
        found = ActionLog(settings.data_dir).read(limit)
    if as_json:
        write_json([msgspec.to_builtins(action) for action in found])
    elif not found:
        click.echo("nothing was done by hand yet", err=True)
    else:
        rows = [
            (_time(action, settings), _who(action), action.action, action.target, action.outcome, action.text)
            for action in found
        ]
        write_table(("TIME", "WHO", "ACTION", "TARGET", "OUTCOME", "WHAT"), rows)


def _time(action: Action, settings: Settings) -> str:
    time = datetime.datetime.fromisoformat(action.time)
    return time.astimezone(settings.site_zone).isoformat(" ", "seconds")


def _who(action: Action) -> str:
    who = f"{action.user} at the command line" if action.user else _WHO.get(action.by, action.by)
    return f"{who}, {action.address}" if action.address else who
