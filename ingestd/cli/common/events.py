"""Events as lines on the screen: time in the site's zone, level, message and stack trace."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from ingestd.cli.common import tables
from ingestd.cli.common.terminal import colour_of, coloured, screen_cells
from ingestd.cli.common.times import local_time, zone_name
from ingestd.display import readable_message
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.settings import SETTINGS, Settings
from ingestd.stores.base import LogStore
from ingestd.stores.known_fields import TRACE_FIELDS, level_of, text_getter
from ingestd.stores.misspelt import misspelt, not_searched
from ingestd.stores.open import LOCAL, is_builtin
from ingestd.stores.query import Query

_trace = text_getter(TRACE_FIELDS)

_TIME_CELLS = len("2026-11-22 10:00:00.000")
_LEVEL_CELLS = len("CRITICAL")


SYSTEMD_DATA_DIR = Path("/var/lib/ingestd")
"""The data folder of the unit in packaging/ingestd.service."""


def report_no_match(store: LogStore, settings: Settings, query: Query, *also: str) -> None:
    """Say why there is nothing to print; ``also`` are fields that were asked for besides those in the query."""
    if not store.indices():
        report_no_events(settings)
        return
    lines = misspelt(store, query.condition, also) or ["no events match"]
    for line in [*lines, *not_searched(store, query.condition)]:
        click.echo(line, err=True)


def report_no_events(settings: Settings) -> None:
    """Say where there are no events, and where else they may be."""
    url = settings.store or settings.elasticsearch
    if not is_builtin(url):
        click.echo(f"no events in {SETTINGS['store'].kind.show(url)}", err=True)
        return
    folder = settings.data_dir if url in {"", LOCAL} else Path(url)
    click.echo(f"no events in {folder}", err=True)
    if folder != SYSTEMD_DATA_DIR:
        click.echo(f"  under systemd they are in {SYSTEMD_DATA_DIR}: --data-dir {SYSTEMD_DATA_DIR}", err=True)
    click.echo("  on a server: --store http://HOST:9200; if there are none yet: ingestd doctor", err=True)


def event_head(zone: datetime.tzinfo | None) -> str:
    """Return the heads of the columns that `event_printer` prints."""
    heads = (tables.pad(f"TIME ({zone_name(zone)})", _TIME_CELLS), tables.pad("LEVEL", _LEVEL_CELLS), "MESSAGE")
    return tables.GAP.join(heads)


def event_printer(zone: datetime.tzinfo | None) -> Callable[[bytes], Iterator[str]]:
    """Return a function from a document to its lines, made for the current terminal, with times in ``zone``."""
    cells, colours = screen_cells(), coloured()
    return lambda document: _event_lines(document, zone, cells, colours=colours)


def _event_lines(document: bytes, zone: datetime.tzinfo | None, cells: int | None, *, colours: bool) -> Iterator[str]:
    """Return an event as lines: time, level and message, then its stack trace."""
    try:
        event = loads(document)
    except NotJsonError:
        event = {}
    message = event.get("message")
    text = readable_message(message if isinstance(message, str) else document.decode(errors="replace"), event)
    text = tables.printable(text)
    if isinstance(word := event.get("search_word"), str):
        text = f"[{tables.printable(word)}] {text}"
    time = tables.fit(tables.printable(local_time(event.get("@timestamp"), zone=zone)), _TIME_CELLS)
    name = level_of(event)
    level = tables.pad(tables.fit(tables.printable(name), _LEVEL_CELLS), _LEVEL_CELLS)
    if cells is not None:
        text = tables.fit(text, max(cells - _TIME_CELLS - _LEVEL_CELLS - 2 * len(tables.GAP), 8))
    if colours and (colour := colour_of(name)):
        level = click.style(level, fg=colour)
    yield tables.GAP.join([tables.pad(time, _TIME_CELLS), level, text]).rstrip()
    if trace := _trace(event):
        for part in trace.rstrip().splitlines():
            yield "    " + tables.printable(part)
