"""Events and tables on the standard output. Times on the screen are local times."""

from __future__ import annotations

import datetime
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.stores.base import LogStore

NO_EVENTS = "no events yet; point logging at port 5959: see ingestd config default"
COLOURS = {"DEBUG": "bright_black", "INFO": "green", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "magenta"}
"""The colours of levels, as on the dashboard."""

_ALIASES = {"WARN": "WARNING", "FATAL": "CRITICAL"}
_TIME_CELLS = len("2026-11-22 10:00:00.000")
_LEVEL_CELLS = len("CRITICAL")


def write(line: bytes) -> None:
    """Write one line to stdout, which may be a pipe or a file and takes any bytes."""
    sys.stdout.buffer.write(line + b"\n")


def write_text(line: str) -> None:
    """Write one line of text to stdout."""
    write(line.encode(errors="replace"))


def screen_cells() -> int | None:
    """Return the width of the terminal; ``None`` if stdout is none, so that a file or pipe gets everything."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def coloured() -> bool:
    """Return whether stdout takes colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def colour_of(level: str) -> str | None:
    """Return the colour of a level, None if it has none."""
    name = level.upper()
    return COLOURS.get(_ALIASES.get(name, name))


def tell_nothing_found(store: LogStore) -> None:
    """Say why there is nothing to print."""
    click.echo("no events match" if store.indices() else NO_EVENTS, err=True)


def zone_name() -> str:
    """Return the name of the machine's time zone, such as ``KST``."""
    return datetime.datetime.now().astimezone().strftime("%Z")


def event_head() -> str:
    """Return the heads of the columns that `event_printer` prints."""
    heads = (tables.pad(f"TIME ({zone_name()})", _TIME_CELLS), tables.pad("LEVEL", _LEVEL_CELLS), "MESSAGE")
    return tables.GAP.join(heads)


def event_printer() -> Callable[[bytes], Iterator[str]]:
    """Return what makes the lines of an event for the screen that there is now."""
    cells, colours = screen_cells(), coloured()
    return lambda document: _event_lines(document, cells, colours=colours)


def _event_lines(document: bytes, cells: int | None, *, colours: bool) -> Iterator[str]:
    """Return an event as lines: time, level and message, below them its stack trace."""
    try:
        event = loads(document)
    except NotJsonError:
        event = {}
    message = event.get("message")
    text = tables.printable(message if isinstance(message, str) else document.decode(errors="replace"))
    if isinstance(word := event.get("search_word"), str):
        text = f"[{tables.printable(word)}] {text}"
    time = tables.pad(local_time(event.get("@timestamp")), _TIME_CELLS)
    name = str(event.get("level", ""))
    level = tables.pad(tables.fit(tables.printable(name), _LEVEL_CELLS), _LEVEL_CELLS)
    if cells is not None:
        text = tables.fit(text, max(cells - _TIME_CELLS - _LEVEL_CELLS - 2 * len(tables.GAP), 8))
    if colours and (colour := colour_of(name)):
        level = click.style(level, fg=colour)
    yield tables.GAP.join([time, level, text]).rstrip()
    if isinstance(trace := event.get("stack_trace"), str):
        for part in trace.rstrip().splitlines():
            yield "    " + tables.printable(part)


def local_time(timestamp: Any) -> str:
    """Return the ``@timestamp`` of an event as local time to the millisecond; what is none, as it is."""
    try:
        moment = datetime.datetime.fromisoformat(timestamp).astimezone()
    except (TypeError, ValueError, OverflowError):
        return tables.fit(tables.printable(str(timestamp or "")), _TIME_CELLS)
    return moment.replace(tzinfo=None).isoformat(" ", "milliseconds")
