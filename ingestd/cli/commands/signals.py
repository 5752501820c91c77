"""``ingestd reload`` and ``ingestd upgrade``: orders to the daemon that runs on a data folder."""

from __future__ import annotations

import os
import signal

import click

from ingestd.cli.common.flags import settings_options
from ingestd.settings import Settings
from ingestd.supervisor.pidfile import find


@click.command()
@settings_options("data_dir")
def reload(settings: Settings) -> None:
    """Let the daemon load its config again; a bad one is refused in its log, and the old one goes on."""
    _signal(settings, signal.SIGHUP)


@click.command()
@settings_options("data_dir")
def upgrade(settings: Settings) -> None:
    """Let the daemon start anew with the code that is installed now; no connection is closed."""
    _signal(settings, signal.SIGUSR2)


def _signal(settings: Settings, number: signal.Signals) -> None:
    pid = find(settings.data_dir)
    if pid is None:
        click.echo(f"error: no ingestd runs on {settings.data_dir}; is it another --data-dir?", err=True)
        raise SystemExit(1)
    try:
        os.kill(pid, number)
    except PermissionError:
        click.echo(f"error: process {pid} belongs to another user", err=True)
        raise SystemExit(1) from None
    click.echo(f"told process {pid}; its log says what came of it")
