"""How the fields of a source are read: from columns, or from the text of its documents.

An append log has no columns. A sealed file of format 1 has some fields as text, with a bit for each that says whether
the value is not a string; all others are in its documents. A sealed file has columns of many types; what they do not
hold is in ``rest``, and the manifest says which fields may be there. So its documents are made from the columns only
where they are to be shown, or where a name may mean two fields: ``a.b`` and ``b`` in ``a``.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ingestd.stores.local.duckdb import column_sql
from ingestd.stores.local.duckdb.sql import extract_one, field_paths, quoted_name
from ingestd.stores.local.index.document_columns import TIME, WHOLE_DOCUMENTS, Columns, Type
from ingestd.stores.local.index.trigrams import TrigramFilter
from ingestd.stores.query import DECODED_FIELDS, INDEX_FIELD

ALWAYS, NEVER = "true", "false"

INDEX_NAME = "string_split(filename, '/')[-2]"
"""The expression for the name of an event's index."""


class FieldColumn(NamedTuple):
    """The expressions for a field.

    Attributes:
        text: A string as it is, any other value as JSON; NULL if it is missing.
        other: Whether it is not a string.
        value: The same as a value of ``type``, if all its values are of this SQL type; else empty.
        type: VARCHAR, BIGINT, DOUBLE, BOOLEAN, or empty.
    """

    text: str
    other: str
    value: str = ""
    type: str = ""

    @property
    def number(self) -> str:
        """The value, if it is a number; else empty."""
        return self.value if self.type in NUMBERS else ""


NUMBERS = ("BIGINT", "DOUBLE")
"""The types of columns of numbers."""

MISSING = FieldColumn("NULL::VARCHAR", NEVER)
"""The expressions for a field that no row has."""


@dataclass(frozen=True, slots=True)
class SourceColumns:
    """The columns of a source.

    Attributes:
        fields: Of a file of format 1: the fields that have columns, in the order of their bits in ``not_text``.
        typed: The columns of another sealed file as JSON, as the manifest has them; else empty.
        rest: The fields that may be in its ``rest``; None: any.
        trigrams: The filters of fields with a column of texts that have one, by field.
    """

    fields: tuple[str, ...] = ()
    typed: str = ""
    rest: tuple[str, ...] | None = ()
    trigrams: Mapping[str, TrigramFilter] = field(default_factory=dict, compare=False)

    @classmethod
    def of_file(cls, columns: tuple[str, ...] | Columns, rest: tuple[str, ...] | None) -> SourceColumns:
        """Return the columns of a sealed file, given what the manifest says."""
        return cls(columns) if isinstance(columns, tuple) else cls((), json.dumps(columns), rest)

    def document(self) -> str:
        """Return the expression for the document of a row."""
        return column_sql.document(_columns(self.typed)) if self.typed else "doc"

    def find(self, field: str) -> FieldColumn | None:
        """Return how a field is read; None: from the document."""
        if field == INDEX_FIELD:
            return FieldColumn(INDEX_NAME, NEVER)
        if self.typed:
            return _find_typed(self.typed, self.rest, field)
        if field not in self.fields:
            return None
        return FieldColumn(quoted_name(field), f"(not_text & {1 << self.fields.index(field)}) <> 0")

    def may_hold(self, name: str, words: Sequence[str]) -> bool:
        """Return whether a value of a field may contain all of some words of lower case, in any case."""
        column = self.find(name)
        if column is None or column.type != "VARCHAR" or name not in self.trigrams:
            return column != MISSING
        return all(map(self.trigrams[name].may_hold, words))

    def spellings(self, name: str, word: str) -> tuple[str, ...] | None:
        """Return how the column of a field may spell a word of lower case; None: in any way, or it is encoded."""
        if name in DECODED_FIELDS or name not in self.trigrams or (column := self.find(name)) is None:
            return None
        return self.trigrams[name].spellings(word) if column.type == "VARCHAR" else None


@functools.lru_cache(256)
def _find_typed(typed: str, rest: tuple[str, ...] | None, name: str) -> FieldColumn | None:
    columns = _columns(typed)
    if columns == WHOLE_DOCUMENTS:
        return None
    paths = field_paths(name)
    found = [column for path in paths if (column := _resolve(columns, path)) is not None]
    if len(found) > 1:
        return None
    in_rest = [path for path in paths if rest is None or path[0] in rest]
    if not in_rest:
        return found[0] if found else MISSING
    column, value = MISSING, extract_one(in_rest, "rest")
    if found:
        column = found[0]
        json_type = f"WHEN {column.other} THEN {column.text}::JSON ELSE to_json({column.text}) END"
        value = f"in_one([CASE WHEN {column.text} IS NOT NULL THEN CASE {json_type} END, {value}])"
    text = f"CASE WHEN rest IS NULL THEN {column.text} ELSE {value}->>'$' END"
    other = f"coalesce(NOT starts_with({value}, '\"'), true)"
    return FieldColumn(text, f"CASE WHEN rest IS NULL THEN {column.other} ELSE {other} END")


@functools.lru_cache(256)
def _columns(typed: str) -> Columns:
    columns: Columns = json.loads(typed)
    return columns


def _resolve(columns: Columns, path: tuple[str, ...]) -> FieldColumn | None:
    """Return how the field at a path is read from its column; None: there is none."""
    kind: Type | None = columns.get(path[0])
    if kind is None:
        return None
    if path == (TIME,):
        return FieldColumn(column_sql.time_text(columns), NEVER)
    value = quoted_name(column_sql.column_name(path[0]))
    for at, name in enumerate(path[1:], 1):
        if kind == "JSON":
            return _inside(value, path[at:])
        if kind is None or isinstance(kind, str):
            return None
        kind, value = kind.get(name), f"{value}.{quoted_name(name)}"
    return None if kind is None else _of_kind(value, kind)


def _of_kind(value: str, kind: Type) -> FieldColumn:
    if not isinstance(kind, str):
        return FieldColumn(column_sql.object_text(kind, value), ALWAYS)
    if kind == "VARCHAR":
        return FieldColumn(value, NEVER, value, kind)
    if kind == "JSON":
        return FieldColumn(value, ALWAYS)
    return FieldColumn(f"to_json({value})::VARCHAR", ALWAYS, value, kind)


def _inside(value: str, path: tuple[str, ...]) -> FieldColumn:
    """Return how a value inside of JSON is read."""
    inner = extract_one([path], value, is_member=True)
    return FieldColumn(f"({inner}->>'$')", f"NOT starts_with({inner}, '\"')")
