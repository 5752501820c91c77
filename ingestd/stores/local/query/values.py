# ruff: noqa: S608 - building SQL is what this module is for
"""The values of several fields of each event as SQL, whether they are in columns or in the document.

``t`` and ``o``, numbered, are the value of a field as text and whether it is not a string, as in ``conditions``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ingestd.stores.local.files.duckdb_sql import extract, field_paths, quoted_name
from ingestd.stores.local.query.columns import SourceColumns
from ingestd.stores.local.query.sql import FileGroup, events
from ingestd.stores.query import Query

More = Callable[[FileGroup], Mapping[str, str]]
"""Returns further columns of the rows of a group of files: their names and expressions."""


def value_rows(groups: Sequence[FileGroup], query: Query, fields: Sequence[str], more: More) -> str:
    """Return the query for the matching events, with ``t`` and ``o`` of each field, and ``more``."""
    return " UNION ALL ".join(_rows_of(group, query, fields, more(group)) for group in groups)


def _rows_of(group: FileGroup, query: Query, fields: Sequence[str], more: Mapping[str, str]) -> str:
    """Return the rows of a group of files; all fields without a column are read from the document at once."""
    columns = [f"{expression} AS {quoted_name(name)}" for name, expression in more.items()]
    outer = list(map(quoted_name, more))
    paths: list[tuple[str, ...]] = []
    for number, field in enumerate(fields):
        column = (group.columns or SourceColumns()).find(field)
        if column is not None:
            columns += [f"{column.text} AS t{number}", f"{column.other} AS o{number}"]
            outer += [f"t{number}", f"o{number}"]
            continue
        start = len(paths) + 1
        paths += field_paths(field)
        value = ", ".join(f"f[{at}]" for at in range(start, len(paths) + 1))
        value = f"coalesce({value})" if len(paths) > start else value
        outer += [f"({value}->>'$') AS t{number}", f"NOT starts_with({value}, '\"') AS o{number}"]
    if paths:
        columns.append(f"{extract(paths)} AS f")
    return f"SELECT {', '.join(outer)} FROM ({events(group, query, ', '.join(columns))})"
