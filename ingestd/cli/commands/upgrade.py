"""``ingestd upgrade``: restart a running daemon with the code that is installed now."""

from __future__ import annotations

import signal

import click

from ingestd.cli.common.flags import settings_options
from ingestd.cli.common.signals import send_signal
from ingestd.settings import Settings


@click.command()
@settings_options("data_dir")
def upgrade(settings: Settings) -> None:
    """Restart the daemon in place with the code that is installed now; no connection is closed."""
    send_signal(settings, signal.SIGUSR2)
