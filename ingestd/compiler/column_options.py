"""The common options of a filter for many events at once, where all names of fields are top-level and fixed.

They do what ``FilterCommonOptions.build`` does to one event; other options need that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ingestd.compiler.common_options import FilterCommonOptions, array, texts
from ingestd.event.fields import FieldRef
from ingestd.event.sprintf import Template, render_rows
from ingestd.event.table import ABSENT, Rows, Table

ChangeRows = Callable[[Table, Rows], None]


def column_options(options: FilterCommonOptions) -> ChangeRows | None:
    """Return the function to run on the rows for which a filter succeeded; None if they need whole events."""
    added = [*map(Template, options.add_field)]
    if not all(map(_is_plain, [*added, *options.remove_field])) or any(map(_is_timestamp, added)):
        return None
    actions = [
        _adder(FieldRef(name).top, Template(text)) for name, value in options.add_field.items() for text in texts(value)
    ]
    actions += [_remover(FieldRef(name.text).top) for name in options.remove_field]
    if options.add_tag:
        actions.append(_tagger(options.add_tag))
    if options.remove_tag:
        actions.append(_untagger(options.remove_tag))

    def run(table: Table, rows: Rows) -> None:
        for action in actions if rows else ():
            action(table, rows)

    return run


def _is_plain(name: Template) -> bool:
    return name.static is not None and len(FieldRef(name.static).path) == 1


def _is_timestamp(name: Template) -> bool:
    return FieldRef(name.text).path == ("@timestamp",)


def _adder(name: str, value: Template) -> ChangeRows:
    """Return a function that adds a field; an existing value becomes an array, as in Logstash."""

    def add(table: Table, rows: Rows) -> None:
        held = table.pick(table.column(name), rows)
        new = [
            text if old is ABSENT else [*array(old), text]
            for old, text in zip(held, render_rows(value, table, rows), strict=True)
        ]
        table.replace(name, rows, new)

    return add


def _remover(name: str) -> ChangeRows:
    return lambda table, rows: table.replace(name, rows, [ABSENT] * len(rows))


def _tagger(tags: list[Template]) -> ChangeRows:
    """Return a function that appends tags, even if they exist already, as in Logstash."""

    def tag_all(table: Table, rows: Rows) -> None:
        held = table.pick(table.column("tags"), rows)
        pairs = zip(held, _rendered(tags, table, rows), strict=True)
        table.replace("tags", rows, [[*_tags(old), *added] for old, added in pairs])

    return tag_all


def _untagger(tags: list[Template]) -> ChangeRows:
    """Return a function that removes tags; a single tag becomes an array, as in Logstash."""

    def untag(table: Table, rows: Rows) -> None:
        held = table.pick(table.column("tags"), rows)
        new = []
        for old, removed in zip(held, _rendered(tags, table, rows), strict=True):
            kept = [tag for tag in _tags(old) if type(tag) is not str or tag not in removed]
            new.append(old if old is ABSENT or old is None or kept == old else kept)
        table.replace("tags", rows, new)

    return untag


def _rendered(tags: list[Template], table: Table, rows: Rows) -> Iterator[tuple[str, ...]]:
    """Yield the tags for each row."""
    return zip(*[render_rows(tag, table, rows) for tag in tags], strict=True)


def _tags(value: Any) -> list[Any]:
    return [] if value is ABSENT else array(value)
