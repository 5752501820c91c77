"""SQL of the columns of a sealed file: from a document to columns, and back.

``x`` is what ``from_json`` makes of a document: a struct with all columns, `TIME` as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from ingestd.stores.local.duckdb.sql import literal, quoted_name
from ingestd.stores.local.index.document_columns import TIME, TIME_FORMS, WHOLE, Columns, Type

TIME_TEXT = "@timestamp.text"
"""The column for the text of `TIME` where its type is VARCHAR."""

_RESERVED = {"id", "rest", "doc", "filename", "file_row_number", TIME_TEXT}


def column_name(field: str) -> str:
    """Return the name of a field's column. Those of the store's own columns get a ``_``."""
    return field + "_" if field.lower().rstrip("_") in _RESERVED else field


def structure(columns: Columns) -> str:
    """Return the structure that ``from_json`` takes to make ``x``, as a literal."""
    return literal(json.dumps({**columns, TIME: "VARCHAR"}, ensure_ascii=False))


def definitions(columns: Columns) -> str:
    """Return the columns of a table for such rows; see ``parquet`` for what they hold."""
    fields = [f"{quoted_name(column_name(field))} {sql_type(kind)}" for field, kind in fields_of(columns)]
    text = [f"{quoted_name(TIME_TEXT)} VARCHAR"] if columns[TIME] == "VARCHAR" else []
    return ", ".join([f"{quoted_name(TIME)} TIMESTAMP", "id VARCHAR", *text, *fields, "rest VARCHAR"])


def values(columns: Columns, time: str, rest: str, raw: Mapping[str, str] | None = None) -> str:
    """Return the values of such a row, from ``x`` and ``id``; ``time``, ``rest``: expressions for these.

    ``raw``: for some fields an expression that is not NULL if their value is in ``rest``.
    """
    fields = [
        f"CASE WHEN {raw[field]} IS NULL THEN x.{quoted_name(field)} END"
        if raw and field in raw
        else f"x.{quoted_name(field)}"
        for field, _ in fields_of(columns)
    ]
    text = [f"x.{quoted_name(TIME)}"] if columns[TIME] == "VARCHAR" else []
    return ", ".join([time, "id", *text, *fields, rest])


def fields_of(columns: Columns) -> list[tuple[str, Type]]:
    """Return the fields with columns and their types, without `TIME`."""
    return [(field, kind) for field, kind in columns.items() if field != TIME]


def sql_type(kind: Type) -> str:
    """Return the SQL type of a column."""
    if isinstance(kind, str):
        return "VARCHAR" if kind == "JSON" else kind
    return f"STRUCT({', '.join(f'{quoted_name(name)} {sql_type(member)}' for name, member in kind.items())})"


def paths(columns: Columns) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield the path of each column that is not a struct, as in documents and as in a file."""
    for path in _paths(columns):
        is_text = path == (TIME,) and columns[TIME] == "VARCHAR"
        yield path, (TIME_TEXT if is_text else column_name(path[0]), *path[1:])


def _paths(columns: Columns) -> Iterator[tuple[str, ...]]:
    for name, kind in columns.items():
        yield from [(name,)] if isinstance(kind, str) else ((name, *path) for path in _paths(kind))


def names(columns: Columns) -> list[str]:
    """Return the names of all columns of a file."""
    text = [TIME_TEXT] if columns[TIME] == "VARCHAR" else []
    return [TIME, "id", *text, *(column_name(field) for field, _ in fields_of(columns)), "rest"]


def document(columns: Columns) -> str:
    """Return the expression for the document of a row."""
    parts = [
        member_text(TIME, "VARCHAR", time_text(columns)),
        *(member_text(field, kind, quoted_name(column_name(field))) for field, kind in fields_of(columns)),
    ]
    members = f"'{{' || concat_ws(',', {', '.join(parts)}, rest[2:-2]) || '}}'"
    return f"CASE WHEN starts_with(rest, {literal(WHOLE)}) THEN rest[2:] ELSE {members} END"


def time_text(columns: Columns) -> str:
    """Return the expression for the text of a row's time; NULL if there is none, or it is in ``rest``."""
    if columns[TIME] == "VARCHAR":
        return quoted_name(TIME_TEXT)
    in_rest = f"""coalesce(starts_with(rest, '{{"{TIME}":'), false)"""
    return f"CASE WHEN NOT {in_rest} THEN {formatted_time(quoted_name(TIME), columns)} END"


def member_text(name: str, kind: Type, value: str) -> str:
    """Return the expression for a member of an object as it stands in JSON; NULL if it is missing."""
    key = literal(json.dumps(name, ensure_ascii=False) + ":")
    if kind == "JSON":
        return f"{key} || {value}"
    return f"{key} || to_json({value})" if isinstance(kind, str) else f"{key} || {object_text(kind, value)}"


def object_text(members: Columns, value: str) -> str:
    """Return the expression for the JSON text of a struct; NULL if it is."""
    parts = [member_text(name, kind, f"{value}.{quoted_name(name)}") for name, kind in members.items()]
    return f"CASE WHEN {value} IS NOT NULL THEN '{{' || concat_ws(',', {', '.join(parts)}) || '}}' END"


def formatted_time(time: str, columns: Columns) -> str:
    """Return the expression for a time as it is written in nearly all documents of a file."""
    form = columns[TIME]
    assert isinstance(form, str)  # noqa: S101 -- a time is not an object
    return f"strftime({time}, '{TIME_FORMS[form]}')"
