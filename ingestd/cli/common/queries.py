"""The argument QUERY and the options of the commands that search, and how mistakes in a query are shown."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from ingestd.cli.common import tables
from ingestd.cli.common.times import Moment
from ingestd.display import point_at
from ingestd.event.fields import FieldError
from ingestd.stores.lucene import parse
from ingestd.stores.query import And, Condition, Equal, Query, QueryError, check_field, level_at_least

Command = Callable[..., Any]

_SHOWN_CHARS = 160
"""How much of a long query is shown around a mistake."""


class FieldName(click.ParamType[Any]):
    """A field: ``name``, ``[a][b]`` or ``a.b``."""

    name = "field"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the field if it is well-formed."""
        try:
            check_field(value)
        except FieldError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class FieldValue(FieldName):
    """A field and its value: ``name=value``."""

    name = "field=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the pair."""
        if isinstance(value, tuple):
            return value
        field, equals, wanted = value.partition("=")
        if not equals:
            self.fail(f"expected name=value, found {value!r}", param, ctx)
        return super().convert(field, param, ctx), wanted


def query_options(*, times: bool = True) -> Callable[[Command], Command]:
    """Give a command the argument QUERY and the options of a query; it is called with ``query=``.

    ``times``: whether it has ``--since`` and ``--until``. A mistake in the query ends the command with exit code 2.
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

        decorated: Command = with_query
        for option in reversed(_options(times=times)):
            decorated = option(decorated)
        return decorated

    return decorate


def _options(*, times: bool) -> list[Callable[[Command], Command]]:
    options: list[Callable[[Command], Command]] = [
        click.argument("text", metavar="[QUERY]...", nargs=-1),
        click.option("--level", help="Minimum level: WARNING shows WARNING, ERROR and CRITICAL."),
        click.option(
            "--field", "fields", type=FieldValue(), multiple=True, help="Only events with this value; repeatable."
        ),
    ]
    return [*options, time_options] if times else options


def time_options(command: Command) -> Command:
    """Give a command ``--since`` and ``--until``."""
    since = "Start: 15m, 2h, 2d, 1w (ago), today, yesterday, a date, or a date and time."
    until = click.option("--until", type=Moment(end=True), help="End; a day is included as a whole.")
    decorated: Command = click.option("--since", type=Moment(), help=since)(until(command))
    return decorated


def _condition(text: str, level: str | None, fields: tuple[tuple[str, str], ...]) -> Condition | None:
    conditions: list[Condition] = [Equal(field, value) for field, value in fields]
    conditions += [level_at_least(level)] if level else []
    try:
        parsed = parse(text)
    except QueryError as error:
        click.echo(render(error, text), err=True)
        raise SystemExit(2) from None
    conditions += [parsed] if parsed is not None else []
    return And(tuple(conditions)) if conditions else None


def render(error: QueryError, text: str) -> str:
    """Return an error in a query as lines: the message, the query, a caret under the mistake, the hint."""
    start = max(error.column - 1 - _SHOWN_CHARS // 2, 0) if len(text) > _SHOWN_CHARS else 0
    ellipsis = "…" if start else ""
    shown = ellipsis + tables.printable(text[start : start + _SHOWN_CHARS])
    message = f"query:{error.column}: error: {error.message}"
    return point_at(message, shown, error.column - start + len(ellipsis), error.length, error.hint)
