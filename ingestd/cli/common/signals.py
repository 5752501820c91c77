"""Signals to the daemon that runs on a data folder."""

from __future__ import annotations

import os
import signal

import click

from ingestd.settings import Settings
from ingestd.supervisor.pidfile import find


def send_signal(settings: Settings, number: signal.Signals) -> None:
    """Send a signal to the daemon of the data folder; ends the command with exit code 1 if there is none."""
    pid = find(settings.data_dir)
    if pid is None:
        raise click.ClickException(f"no ingestd is running on {settings.data_dir}; is it another --data-dir?")
    try:
        os.kill(pid, number)
    except PermissionError:
        raise click.ClickException(f"process {pid} belongs to another user") from None
    click.echo(f"sent {number.name} to process {pid}; its log says what came of it")
