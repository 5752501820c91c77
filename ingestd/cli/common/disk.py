"""What commands say when the disk, or the reader of their output, does not go along."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def told(what: str) -> Iterator[None]:
    """Make one sentence and exit code 1 of what the disk refuses; ``what`` is named where no file is."""
    try:
        yield
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        raise SystemExit(0) from None
    except OSError as error:
        text = f"{error.filename or what}: {error.strerror}" if error.strerror else str(error)
        raise click.ClickException(text) from None
