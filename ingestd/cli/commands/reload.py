"""``ingestd reload``: reload the config of a running daemon."""

from __future__ import annotations

import signal

import click

from ingestd.cli.common.options import settings_options
from ingestd.cli.common.signals import send_signal
from ingestd.settings import Settings


@click.command()
@settings_options("data_dir")
def reload(settings: Settings) -> None:
    """Make the daemon reload its config. A bad config is logged and rejected, and the old one stays in force."""
    send_signal(settings, signal.SIGHUP)
