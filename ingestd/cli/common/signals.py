"""Signals to the daemon of a data folder."""

from __future__ import annotations

import os
import signal

import click

from ingestd.settings import Settings
from ingestd.supervisor.pidfile import find


def send_signal(settings: Settings, number: signal.Signals) -> None:
    """Send a signal to the daemon of the data folder; ends the command with exit code 1 if none is running."""
    pid = find(settings.data_dir)
    if pid is None:
        raise click.ClickException(f"no ingestd is running on {settings.data_dir}; does it use another --data-dir?")
    try:
        os.kill(pid, number)
    except PermissionError:
        raise click.ClickException(f"process {pid} belongs to another user") from None
    click.echo(f"sent {number.name} to process {pid}; see its log for the result")
