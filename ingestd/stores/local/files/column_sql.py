"""SQL of the columns of a sealed file: from a document to columns, and back.

``x`` is what ``from_json`` makes of a document: a struct with all columns, `TIME` as text. ``y`` has the JSON texts of
the same values; it is NULL where the text of the document alone shows their types, as it nearly always does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingestd.stores.local.files.document_columns import TIME, TIME_FORMS, WHOLE, Columns, Type
from ingestd.stores.local.files.duckdb_sql import literal, quoted_name

TIME_TEXT = "@timestamp.text"
"""The column for the text of `TIME` where its type is VARCHAR."""

_RESERVED = {"id", "rest", "doc", "filename", "file_row_number", TIME_TEXT}
_TRAILING_COMMA = r",\s*[\]}]"  # which DuckDB accepts
_ESCAPED_KEY = r'\\u[^"]*"\s*:'  # or a text that looks so
_OTHER_TYPES = {"VARCHAR": r'[^"\s]', "BIGINT": r"(?:[^-0-9\s]|-?[0-9]+[.eE])", "BOOLEAN": r"[^tf\s]"}
"""How values start that are of another type than a column, although ``from_json`` takes them for its."""
_PLAIN_ITEM = r'"([^"\\]|\\.)*"|-?[1-9][0-9]{0,17}|true|false|null'
_PLAIN_ARRAY = rf"\[(({_PLAIN_ITEM})(,({_PLAIN_ITEM}))*)?\]"


def column_name(field: str) -> str:
    """Return the name of a field's column. Those of the store's own columns get a ``_``."""
    return field + "_" if field.lower().rstrip("_") in _RESERVED else field


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A column that is no struct: where it is in a document, its expression, and its type."""

    path: tuple[str, ...]
    value: str
    type: str

    @property
    def name(self) -> str:
        return self.path[-1]

    def has_its_type(self) -> str:
        """Return the test that its value in the document, if there is one, has the type of the column."""
        text = f"y{self.value.removeprefix('x')}::VARCHAR"
        if self.type == "VARCHAR":
            return f"coalesce(starts_with({text}, '\"'), true)"
        return f"{text} IS NOT DISTINCT FROM {self.value}::VARCHAR"


def structure(columns: Columns) -> str:
    """Return the structure that ``from_json`` takes to make ``x``, as a literal."""
    return literal(json.dumps({**columns, TIME: "VARCHAR"}, ensure_ascii=False))


def texts(columns: Columns) -> str:
    """Return the expression for ``y``.

    It is needed for documents whose keys may be written with escapes, and if different objects have keys of the same
    name, but with different types.
    """
    kinds = {(leaf.name, leaf.type) for leaf in _leaves(columns)}
    needed = f"CASE WHEN contains(doc, '\\u') THEN regexp_matches(doc, {literal(_ESCAPED_KEY)}) ELSE false END"
    if len({name for name, _ in kinds}) < len(kinds):
        needed = "true"
    wanted = literal(json.dumps(_text_structure(columns), ensure_ascii=False))
    return f"CASE WHEN {needed} THEN TRY(from_json(doc, {wanted})) END"


def _text_structure(columns: Columns) -> dict[str, Type]:
    found = {
        name: "JSON" if isinstance(kind, str) else _text_structure(kind)
        for name, kind in {**columns, TIME: "VARCHAR"}.items()
        if not isinstance(kind, str) or kind in _OTHER_TYPES
    }
    return {name: kind for name, kind in found.items() if kind}


def definitions(columns: Columns) -> str:
    """Return the columns of a table for such rows; see ``parquet`` for what they hold."""
    fields = [f"{quoted_name(column_name(field))} {sql_type(kind)}" for field, kind in fields_of(columns)]
    text = [f"{quoted_name(TIME_TEXT)} VARCHAR"] if columns[TIME] == "VARCHAR" else []
    return ", ".join([f"{quoted_name(TIME)} TIMESTAMP", "id VARCHAR", *text, *fields, "rest VARCHAR"])


def values(columns: Columns, time: str, rest: str) -> str:
    """Return the values of such a row, from ``x`` and ``id``; ``time``, ``rest``: expressions for these."""
    fields = [f"x.{quoted_name(field)}" for field, _ in fields_of(columns)]
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
    """Yield the path of each column that is no struct, as in documents and as in a file."""
    for leaf in _leaves(columns):
        name = column_name(leaf.path[0])
        if leaf.path == (TIME,) and columns[TIME] == "VARCHAR":
            name = TIME_TEXT
        yield leaf.path, (name, *leaf.path[1:])


def names(columns: Columns) -> list[str]:
    """Return the names of all columns of a file."""
    text = [TIME_TEXT] if columns[TIME] == "VARCHAR" else []
    return [TIME, "id", *text, *(column_name(field) for field, _ in fields_of(columns)), "rest"]


def holds_all(columns: Columns) -> str:
    """Return the test that the columns ``x`` hold all of ``doc``, exactly.

    The keys are counted, so the document has no others, none twice and no null. Each value has the type of its column,
    so it was not converted. Where DuckDB reads different texts in the same way, as the numbers 1.5 and 1.50,
    the texts are compared. A document may fail although columns can hold it (``document_columns.fit`` knows).
    """
    leaves = list(_leaves(columns))
    objects = list(_objects(columns))
    counts = ", ".join(count for _, count in objects)
    keys = f"json_keys(doc, [{', '.join(literal(pointer) for pointer, _ in objects)}])"
    tests = [
        "starts_with(doc, '{')",
        f"list_transform({keys}, lambda k: len(k)) = [{counts}]",
        _have_their_types(leaves),
    ]
    names = Counter(_names(columns))
    tests += (test for leaf in leaves if (test := _written_plainly(leaf, unique=names[leaf.name] == 1)))
    if columns[TIME] != "VARCHAR":
        time = f"x.{quoted_name(TIME)}"
        tests.append(f"({time} IS NULL OR {formatted_time(f'TRY_CAST({time} AS TIMESTAMP)', columns)} = {time})")
    return f"coalesce(TRY({' AND '.join(tests)}), false)"


def _have_their_types(leaves: Sequence[_Leaf]) -> str:
    """Return the test that the document has no value of another type than the column's, and no trailing comma.

    A quote that ends a key is nowhere else before a colon, so the text of the document shows it, unless it has a key
    with escapes. To search the text once costs half of reading all values again.
    """
    patterns = [_TRAILING_COMMA]
    for kind, start in _OTHER_TYPES.items():
        if names := "|".join(rf"\Q{name}\E" for name in sorted({leaf.name for leaf in leaves if leaf.type == kind})):
            patterns.append(rf'"(?:{names})"\s*:\s*{start}')
    tests = [leaf.has_its_type() for leaf in leaves if leaf.type in _OTHER_TYPES]
    by_value = f"NOT regexp_matches(doc, {literal(_TRAILING_COMMA)}) AND {' AND '.join(tests)}"
    return f"CASE WHEN y IS NULL THEN NOT regexp_matches(doc, {literal('|'.join(patterns))}) ELSE {by_value} END"


def _leaves(columns: Columns, path: tuple[str, ...] = (), value: str = "x") -> Iterator[_Leaf]:
    for name, kind in columns.items():
        member = f"{value}.{quoted_name(name)}"
        if not isinstance(kind, str):
            yield from _leaves(kind, (*path, name), member)
        else:
            is_time = not path and name == TIME
            yield _Leaf((*path, name), member, "VARCHAR" if is_time else kind)


def _objects(columns: Columns, pointer: str = "", value: str = "x") -> Iterator[tuple[str, str]]:
    """Yield the pointer of each object, and the expression for the number of its keys.

    That is NULL if a member of the document has none: DuckDB reads numbers and texts as empty objects, too.
    """
    members = [f"({value}.{quoted_name(name)} IS NOT NULL)::BIGINT" for name in columns]
    count = " + ".join(members)
    yield pointer, f"nullif({count}, 0)" if pointer else count
    for name, kind in columns.items():
        if not isinstance(kind, str):
            yield from _objects(kind, f"{pointer}/{name}", f"{value}.{quoted_name(name)}")


def _names(columns: Columns) -> Iterator[str]:
    for name, kind in columns.items():
        yield name
        if not isinstance(kind, str):
            yield from _names(kind)


def _written_plainly(leaf: _Leaf, *, unique: bool) -> str:
    """Return the test that a value is written as DuckDB writes it; empty if it cannot be otherwise.

    ``unique``: no other object has such a key, so its text follows the key, wherever that is. A quote that ends a key
    is nowhere else before a colon, and no name of a column has a quote.
    """
    if leaf.type == "JSON":
        return f"CASE WHEN {leaf.value} <> '[]' THEN regexp_full_match({leaf.value}, '{_PLAIN_ARRAY}') ELSE true END"
    written = f"ltrim(split_part(doc, {literal(json.dumps(leaf.name, ensure_ascii=False) + ':')}, 2))"
    if leaf.type == "BIGINT":
        zero = f"starts_with({written}, '0')" if unique else "false"
        return f"CASE WHEN {leaf.value} = 0 THEN {zero} ELSE true END"
    if leaf.type == "DOUBLE":
        text = f"to_json({leaf.value})::VARCHAR"
        after = f"substr({written}, len({text}) + 1, 1) IN (',', '}}', ' ')"
        same = (
            f"isfinite({leaf.value}) AND NOT contains({text}, 'e') AND starts_with({written}, {text}) AND {after}"
            if unique
            else "false"
        )
        return f"CASE WHEN {leaf.value} IS NOT NULL THEN {same} ELSE true END"
    return ""


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
    assert isinstance(form, str)  # noqa: S101 -- a time is no object
    return f"strftime({time}, '{TIME_FORMS[form]}')"
