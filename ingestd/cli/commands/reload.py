"""``ingestd reload``: reload the config of a running daemon."""

from __future__ import annotations

import signal

import click

from ingestd.cli.common.options import settings_options
from ingestd.cli.common.signals import send_request
from ingestd.settings import Settings


@click.command()
@settings_options("data_dir")
def reload(settings: Settings) -> None:
    """Make the daemon reload its config, and wait until every process runs it.

    Exit codes: 0 every process runs it; 1 the config is wrong and the old one stays in force, or no daemon is running.
    """
    send_request(settings, signal.SIGHUP)
