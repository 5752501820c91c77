# ruff: noqa: S608 - building SQL is what this module is for
"""The values of several fields of each event as SQL, whether they are in columns or in the document.

``t`` and ``o``, numbered, are the value of a field as text and whether it is not a string, as in ``conditions``; ``c``
is the column itself, where all values of the field are in a column of one type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ingestd.stores.local.duckdb.sql import extract, field_paths, quoted_name
from ingestd.stores.local.query.columns import SourceColumns
from ingestd.stores.local.query.sql import FileGroup, events
from ingestd.stores.query import Query

More = Callable[[FileGroup], Mapping[str, str]]
"""Returns further columns of the rows of a group of files: their names and expressions."""

Values = Callable[[int, str], Mapping[str, str]]
"""Returns the columns that are made of a field, by name: given are its number and the type of ``c``, empty if it has
none."""


def texts(number: int, _: str) -> dict[str, str]:
    """Return ``t`` and ``o`` as they are: one of `Values`."""
    return {f"t{number}": f"t{number}", f"o{number}": f"o{number}"}


def value_rows(
    groups: Sequence[FileGroup], query: Query, fields: Sequence[str], more: More, values: Values = texts
) -> str:
    """Return the query for the matching events, with what ``values`` makes of each field, and ``more``."""
    return " UNION ALL ".join(_rows_of(group, query, fields, more(group), values) for group in groups)


def _rows_of(group: FileGroup, query: Query, fields: Sequence[str], more: Mapping[str, str], values: Values) -> str:
    """Return the rows of a group of files; all fields without a column are read from the document at once."""
    columns = _select(more)
    texts, made = list(map(quoted_name, more)), list(map(quoted_name, more))
    paths: list[tuple[str, ...]] = []
    for number, field in enumerate(fields):
        column = (group.columns or SourceColumns()).find(field)
        made += _select(values(number, column.type if column is not None else ""))
        if column is not None:
            of_column = {f"t{number}": column.text, f"o{number}": column.other}
            of_column |= {f"c{number}": column.value} if column.type else {}
            columns += _select(of_column)
            texts += of_column
            continue
        start = len(paths) + 1
        paths += field_paths(field)
        value = f"f[{start}]" if len(paths) == start else f"in_one(f[{start}:{len(paths)}])"
        texts += [f"({value}->>'$') AS t{number}", f"NOT starts_with({value}, '\"') AS o{number}"]
    if paths:
        columns.append(f"{extract(paths)} AS f")
    rows = events(group, query, ", ".join(columns))
    return f"SELECT {', '.join(made)} FROM (SELECT {', '.join(texts)} FROM ({rows}))"


def _select(columns: Mapping[str, str]) -> list[str]:
    return [f"{expression} AS {quoted_name(name)}" for name, expression in columns.items()]
