"""SQL that turns a row of a sealed file into one of a file with other columns, without a look at its document.

A value stays in its column if the new file has that column, with the same type; otherwise it moves to ``rest``.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingestd.stores.local.duckdb.column_sql import (
    TIME_TEXT,
    column_name,
    fields_of,
    formatted_time,
    member_text,
    sql_type,
    time_text,
)
from ingestd.stores.local.duckdb.sql import literal, quoted_name
from ingestd.stores.local.index.document_columns import TIME, WHOLE, Columns, Type

_NEVER = "false"


def converted(columns: Columns, of: Columns) -> str:
    """Return the values of a row of a file with ``of`` as its columns, from a row of a file with ``columns``."""
    values = [f"{_value(columns.get(name), kind, _column(name))} AS {_column(name)}" for name, kind in fields_of(of)]
    text = [f"{time_text(columns)} AS {quoted_name(TIME_TEXT)}"] if of[TIME] == "VARCHAR" else []
    return ", ".join([quoted_name(TIME), "id", *text, *values, f"{_rest(columns, of)} AS rest"])


def moved_fields(columns: Columns, of: Columns) -> set[str]:
    """Return the fields that may move to ``rest``."""
    time = {TIME} if _moved_time(columns, of) else set()
    return time | {name for name, kind in fields_of(columns) if _fits(kind, of.get(name), _column(name))}


def _column(field: str) -> str:
    return quoted_name(column_name(field))


def _value(kind: Type | None, of: Type, value: str) -> str:
    fits = _NEVER if kind is None else _fits(kind, of, value)
    if kind is None or fits == _NEVER:
        return f"NULL::{sql_type(of)}"
    part = _part(kind, of, value)
    return f"CASE WHEN {fits} THEN {part} END" if fits else part


def _part(kind: Type | None, of: Type, value: str) -> str:
    """Return the part of a value that the new column has."""
    if kind == of:
        return value
    if kind is None or isinstance(kind, str) or isinstance(of, str):
        return f"NULL::{sql_type(of)}"
    members = [
        f"{quoted_name(name)} := {_part(kind.get(name), member, f'{value}.{quoted_name(name)}')}"
        for name, member in of.items()
    ]
    return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({', '.join(members)}) END"


def _fits(kind: Type, of: Type | None, value: str) -> str:
    """Return the test that the new column can hold a value; empty if it always can."""
    if kind == of:
        return ""
    if of is None or isinstance(kind, str) or isinstance(of, str):
        return _NEVER
    return " AND ".join(f"{member} IS NULL" for member in _missing(kind, of, value))


def _missing(columns: Columns, of: Columns, value: str) -> Iterator[str]:
    """Yield the members of an object that the new column does not have."""
    for name, kind in columns.items():
        member, other = f"{value}.{quoted_name(name)}", of.get(name)
        if isinstance(kind, str) or other is None or isinstance(other, str):
            if kind != other:
                yield member
        else:
            yield from _missing(kind, other, member)


def _rest(columns: Columns, of: Columns) -> str:
    moved = [_moved(name, kind, of.get(name)) for name, kind in fields_of(columns)]
    time = _moved_time(columns, of)
    members = [*([time] if time else []), "rest[2:-2]", *filter(None, moved)]  # a time comes first: see `time_text`
    if len(members) == 1:
        return "rest"
    joined = f"nullif(concat_ws(',', {', '.join(members)}), '')"
    return f"CASE WHEN starts_with(rest, {literal(WHOLE)}) THEN rest ELSE '{{' || {joined} || '}}' END"


def _moved(name: str, kind: Type, of: Type | None) -> str:
    column = _column(name)
    member, fits = member_text(name, kind, column), _fits(kind, of, column)
    return f"CASE WHEN NOT ({fits}) THEN {member} END" if fits and fits != _NEVER else member if fits else ""


def _moved_time(columns: Columns, of: Columns) -> str:
    """Return the expression for the time as a member of ``rest``, NULL if it is not; empty if it never is."""
    if of[TIME] in {columns[TIME], "VARCHAR"}:
        return ""
    text = time_text(columns)
    fits = f"coalesce({formatted_time(quoted_name(TIME), of)} = {text}, false)"
    return f"CASE WHEN NOT {fits} THEN {member_text(TIME, 'VARCHAR', text)} END"
