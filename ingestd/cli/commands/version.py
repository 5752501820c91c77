"""``ingestd version``: the version, as ``ingestd --version`` prints it."""

from __future__ import annotations

import platform

import click

import ingestd
from ingestd.cli.common.options import json_option
from ingestd.cli.common.terminal import write_json


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Print the version of ingestd, and with --json also that of Python."""
    if as_json:
        write_json({"version": ingestd.__version__, "python": platform.python_version()})
    else:
        click.echo(f"ingestd, version {ingestd.__version__}")
