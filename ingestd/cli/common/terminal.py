"""Writing to stdout, which may be a terminal, a pipe or a file."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.event.jsontext import dumps

COLOURS = {"DEBUG": "bright_black", "INFO": "green", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "magenta"}
"""The colours of levels, as on the dashboard."""

_LEVEL_ALIASES = {"WARN": "WARNING", "FATAL": "CRITICAL"}


def write(line: bytes) -> None:
    """Write one line of bytes, whatever the encoding of stdout."""
    sys.stdout.buffer.write(line + b"\n")


def write_text(line: str) -> None:
    """Write one line of text."""
    write(line.encode(errors="replace"))


def write_json(document: Any) -> None:
    """Write a document of JSON types on one line, as commands do with ``--json``."""
    click.echo(dumps(document))


def write_table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0, *, fit: bool = False) -> None:
    """Write a table, see `tables.table`; ``fit``: cut its first column to the width of the terminal."""
    for line in tables.table(heads, rows, screen_cells() if fit else None, numbers):
        write_text(line)
    sys.stdout.flush()


def screen_cells() -> int | None:
    """Return the width of the terminal; ``None`` if stdout is a file or pipe, which get full lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def coloured() -> bool:
    """Return whether to use colours on stdout (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def colour_of(level: str) -> str | None:
    """Return the colour of a level, or ``None``."""
    name = level.upper()
    return COLOURS.get(_LEVEL_ALIASES.get(name, name))


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr if that is a terminal; gives the function to call with (done, total)."""
    with click.progressbar(length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def update(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield update
