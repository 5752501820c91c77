"""``ingestd upgrade``: restart a running daemon with the newly installed code."""

from __future__ import annotations

import signal

import click

from ingestd.cli.common.options import settings_options
from ingestd.cli.common.signals import send_request
from ingestd.settings import Settings


@click.command()
@settings_options("data_dir")
def upgrade(settings: Settings) -> None:
    """Restart the daemon in place with the newly installed code; no connection is closed.

    The daemon checks the code, the settings and the config first, in a process of its own.

    Exit codes: 0 the new code runs; 1 it was refused and the daemon keeps running as before, or no daemon is running.
    """
    send_request(settings, signal.SIGUSR2)
