"""What the commands that read a store have in common: which store, which events, and mistakes in a query."""

from __future__ import annotations

import datetime
import functools
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.disk import told
from ingestd.cli.common.flags import settings_options
from ingestd.cli.common.times import parse_moment
from ingestd.event.fields import FieldError, parse_path
from ingestd.settings import Settings
from ingestd.stores.base import LogStore, StoreError
from ingestd.stores.lucene import parse
from ingestd.stores.open import open_store
from ingestd.stores.query import And, Condition, Equal, Query, QueryError, level_at_least

Command = Callable[..., Any]

_SHOWN_CHARS = 160
"""Of a longer query only so much is shown, around what is wrong."""

store_settings = settings_options("data_dir", "store", "elasticsearch")
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


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


def query_options(*, times: bool = True) -> Callable[[Command], Command]:
    """Give a command the argument QUERY and the options of a query; it is called with ``query=``.

    ``times``: with ``--since`` and ``--until``. A mistake in the query ends the command with exit code 2.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_query(
            text: tuple[str, ...],
            level: str | None,
            fields: tuple[tuple[str, str], ...],
            since: str | None = None,
            until: str | None = None,
            **arguments: Any,
        ) -> Any:
            return command(query=Query(since, until, _condition(" ".join(text), level, fields)), **arguments)

        options = [
            click.argument("text", metavar="[QUERY]...", nargs=-1),
            click.option("--level", help="This level and above: WARNING shows WARNING, ERROR and CRITICAL."),
            click.option(
                "--field", "fields", type=FieldValue(), multiple=True, help="Only with this value; may be repeated."
            ),
        ]
        if times:
            since = "Not before: 15m, 2h, 2d, 1w (ago), today, a date, date and time."
            until = "Before this time; a day is taken in as a whole."
            options.append(click.option("--since", type=Moment(), help=since))
            options.append(click.option("--until", type=Moment(end=True), help=until))
        decorated: Command = with_query
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def _condition(text: str, level: str | None, fields: tuple[tuple[str, str], ...]) -> Condition | None:
    conditions: list[Condition] = [Equal(field, value) for field, value in fields]
    conditions += [level_at_least(level)] if level else []
    try:
        asked = parse(text)
    except QueryError as error:
        click.echo(render(error, text), err=True)
        raise SystemExit(2) from None
    conditions += [asked] if asked is not None else []
    return And(tuple(conditions)) if conditions else None


def render(error: QueryError, text: str) -> str:
    """Return what is wrong with a query: the message, the query, a caret under the place, the help."""
    begin = max(error.column - 1 - _SHOWN_CHARS // 2, 0) if len(text) > _SHOWN_CHARS else 0
    at = error.column - 1 - begin
    shown = tables.printable(text[begin : begin + _SHOWN_CHARS])
    if begin:
        shown, at = "…" + shown, at + 1
    before, marked = shown[:at], shown[at:][: error.length]
    pad = " " * (tables.width(before) + at - len(before))
    lines = [f"query:{error.column}: error: {error.message}", f"    {shown}"]
    lines.append(f"    {pad}{'^' * max(tables.width(marked), 1)}")
    return "\n".join([*lines, f"  help: {error.hint}"] if error.hint else lines)


@contextmanager
def opened_store(settings: Settings) -> Iterator[LogStore]:
    """Open the store that the settings name; what goes wrong inside becomes one sentence and exit code 1."""
    with told("the data folder"):
        try:
            store = open_store(settings.store or settings.elasticsearch, settings.data_dir)
            try:
                with _interrupted_by_signal(store):
                    yield store
            finally:
                store.close()
        except (StoreError, ValueError) as error:
            raise click.ClickException(str(error)) from None


@contextmanager
def _interrupted_by_signal(store: LogStore) -> Iterator[None]:
    """End the query that runs when Ctrl-C comes: the main thread sees signals only when DuckDB has returned."""
    interrupt = getattr(store, "interrupt", None)
    if interrupt is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    receiver, sender = socket.socketpair()
    sender.setblocking(False)

    def wait() -> None:
        while number := receiver.recv(1):
            if number[0] == signal.SIGINT:
                interrupt()

    before = signal.set_wakeup_fd(sender.fileno())
    thread = threading.Thread(target=wait, name="interrupt", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        sender.close()
        thread.join()
        receiver.close()
