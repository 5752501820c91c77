"""Errors that every command reports in the same way: the disk, a closed pipe, a config."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ingestd.cli.common.owner import with_hint
from ingestd.logs import goes_to_journal, with_priority


def show_error(text: str) -> None:
    """Print an error to stderr; as a service, with its priority for systemd's journal."""
    click.echo(with_priority(logging.ERROR, text) if goes_to_journal(sys.stderr) else text, err=True)


def drop_stdout() -> None:
    """Let the flush at exit succeed, although nobody reads stdout any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def os_errors(what: str) -> Iterator[None]:
    """Turn an OSError into a one-line message and exit code 1; ``what`` stands in for a missing file name."""
    try:
        yield
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        drop_stdout()
        raise SystemExit(0) from None
    except OSError as error:
        text = f"{error.filename or what}: {error.strerror}" if error.strerror else str(error)
        raise click.ClickException(with_hint(error, text)) from None


def check_overwrite(path: Path, *, overwrite: bool) -> None:
    """End the command if a file exists and is not to be replaced."""
    if path.exists() and not overwrite:
        raise click.ClickException(f"{path} exists; replace it with --overwrite, or choose another name")


@contextmanager
def config_errors() -> Iterator[None]:
    """Print every error of a config, and end the command with exit code 1."""
    from ingestd.config.errors import ConfigErrors  # noqa: PLC0415 -- few commands read one

    try:
        yield
    except ConfigErrors as errors:
        show_error(errors.render())
        raise SystemExit(1) from None
