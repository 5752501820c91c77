"""The commands that read the store: ``indices``, ``search``, ``top``. Times on the screen are local times."""

from __future__ import annotations

import datetime
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from ingestd.cli import tables
from ingestd.cli.flags import settings_options
from ingestd.cli.times import parse_moment
from ingestd.event.fields import FieldError, parse_path
from ingestd.event.jsontext import NotJsonError, dumps, loads
from ingestd.settings import Settings
from ingestd.stores.base import LogStore, StoreError
from ingestd.stores.query import And, Condition, Equal, Query, Text, level_at_least

Command = Callable[..., Any]

_NO_EVENTS = "no events yet; point logging at port 5959: see ingestd config default"
_TIME_CELLS = len("2026-11-22 10:00:00.000")
_LEVEL_CELLS = len("CRITICAL")


class Moment(click.ParamType[str]):
    """A moment as ``times`` reads it; ``end``: a day means the end of it."""

    name = "time"

    def __init__(self, end: bool = False) -> None:
        self._end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the moment in UTC."""
        try:
            return parse_moment(value, datetime.datetime.now(datetime.UTC), end=self._end)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class FieldName(click.ParamType[Any]):
    """A field: ``name``, ``[a][b]`` or ``a.b``."""

    name = "field"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the field if it is well-formed."""
        try:
            parse_path(value)
        except FieldError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class FieldValue(FieldName):
    """A field and its value: ``name=value``."""

    name = "field=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the pair of both."""
        if isinstance(value, tuple):
            return value
        field, equals, wanted = value.partition("=")
        if not equals:
            self.fail(f"expected name=value, found {value!r}", param, ctx)
        return super().convert(field, param, ctx), wanted


_settings = settings_options("data_dir")
_since = click.option("--since", type=Moment(), help="Not before: 15m, 2h, 2d, 1w (ago), today, a date, date and time.")
_until = click.option("--until", type=Moment(end=True), help="Before this time; a day is taken in as a whole.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@_settings
@_json
def indices(settings: Settings, as_json: bool) -> None:
    """List the indices: events and bytes of each day."""
    with _output() as write:
        found = _store(settings).indices()
        if as_json:
            write(dumps([{"index": one.index, "events": one.events, "bytes": one.bytes} for one in found]))
        elif not found:
            click.echo(_NO_EVENTS, err=True)
        else:
            rows = [(one.index, f"{one.events:,}", tables.size(one.bytes)) for one in found]
            for line in tables.table(("INDEX", "EVENTS", "SIZE"), rows, _screen_cells(), numbers=2):
                write(line.encode())


@click.command()
@click.argument("text", nargs=-1)
@click.option("--level", help="This level and above: WARNING shows WARNING, ERROR and CRITICAL.")
@_since
@_until
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many, the newest.")
@click.option("--field", "fields", type=FieldValue(), multiple=True, help="Only with this value; may be repeated.")
@_settings
@_json
def search(  # noqa: PLR0913, PLR0917 - click passes one argument for each option
    text: tuple[str, ...],
    level: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    fields: tuple[tuple[str, str], ...],
    settings: Settings,
    as_json: bool,
) -> None:
    """Show events, the newest first, that have TEXT in their message or stack trace."""
    conditions: list[Condition] = [Equal(field, value) for field, value in fields]
    conditions += [level_at_least(level)] if level else []
    conditions += [Text(" ".join(text))] if text else []
    query = Query(since, until, And(tuple(conditions)) if conditions else None)
    with _output() as write:
        store = _store(settings)
        documents = (hit.document for hit in store.search(query, limit))
        if as_json:
            for document in documents:
                write(document)
            return
        cells = _screen_cells()
        lines = (line for document in documents for line in _event_lines(document, cells))
        if (first := next(lines, None)) is None:
            _tell_nothing_found(store)
            return
        zone = datetime.datetime.now().astimezone().strftime("%Z")
        heads = (tables.pad(f"TIME ({zone})", _TIME_CELLS), tables.pad("LEVEL", _LEVEL_CELLS), "MESSAGE")
        write(tables.GAP.join(heads).encode())
        write(first.encode())
        for line in lines:
            write(line.encode())


@click.command()
@click.argument("field", type=FieldName())
@_since
@_until
@click.option("-n", "n", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many values.")
@_settings
@_json
def top(field: str, since: str | None, until: str | None, n: int, settings: Settings, as_json: bool) -> None:
    """Count the most frequent values of FIELD, such as search_word."""
    with _output() as write:
        store = _store(settings)
        found = store.top(field, Query(since, until), n)
        if as_json:
            write(dumps([{"value": one.value, "count": one.count} for one in found]))
        elif not found:
            _tell_nothing_found(store)
        else:
            values = [one.value if isinstance(one.value, str) else dumps(one.value).decode() for one in found]
            rows = [(value, f"{one.count:,}") for value, one in zip(values, found, strict=True)]
            for line in tables.table((tables.printable(field).upper(), "COUNT"), rows, _screen_cells(), numbers=1):
                write(line.encode())


def add_commands(group: click.Group) -> None:
    """Add the commands of this module to a group."""
    for command in (indices, search, top):
        group.add_command(command)


def _store(settings: Settings) -> LogStore:
    from ingestd.stores.local import LocalStore, store_root  # noqa: PLC0415 - other commands need no store

    return LocalStore(store_root(Path(settings.data_dir)))


@contextmanager
def _output() -> Iterator[Callable[[bytes], None]]:
    """Give a function that writes one line to stdout; an error of the store becomes one sentence and exit code 1."""
    stream = sys.stdout.buffer
    try:
        yield lambda line: _write_line(stream, line)
        stream.flush()
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        raise SystemExit(0) from None


def _write_line(stream: BinaryIO, line: bytes) -> None:
    stream.write(line + b"\n")


def _screen_cells() -> int | None:
    """Return the width of the terminal; ``None`` if stdout is none, so that a file or pipe gets everything."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _tell_nothing_found(store: LogStore) -> None:
    click.echo("no events match" if store.indices() else _NO_EVENTS, err=True)


def _event_lines(document: bytes, cells: int | None) -> Iterator[str]:
    """Return an event as lines: time, level and message, below them its stack trace."""
    try:
        event = loads(document)
    except NotJsonError:
        event = {}
    message = event.get("message")
    text = tables.printable(message if isinstance(message, str) else document.decode(errors="replace"))
    if isinstance(word := event.get("search_word"), str):
        text = f"[{tables.printable(word)}] {text}"
    head = (
        tables.pad(_local_time(event.get("@timestamp")), _TIME_CELLS),
        tables.pad(tables.fit(tables.printable(str(event.get("level", ""))), _LEVEL_CELLS), _LEVEL_CELLS),
    )
    line = tables.GAP.join([*head, text])
    yield (line if cells is None else tables.fit(line, cells)).rstrip()
    if isinstance(trace := event.get("stack_trace"), str):
        for part in trace.rstrip().splitlines():
            yield "    " + tables.printable(part)


def _local_time(timestamp: Any) -> str:
    try:
        moment = datetime.datetime.fromisoformat(timestamp).astimezone()
    except (TypeError, ValueError, OverflowError):
        return tables.fit(tables.printable(str(timestamp or "")), _TIME_CELLS)
    return moment.replace(tzinfo=None).isoformat(" ", "milliseconds")
