# ruff: noqa: S608 - building SQL is what this module is for
"""SQL that divides documents into columns and ``rest``, and proves that these hold all of them.

``m`` is what ``from_json`` makes of a document: a struct with all columns, those as JSON whose types would not show
otherwise. ``x`` has the same values with the types of the columns, `TIME` as text. Where a document is ``odd``, a text
in it could have been a value of another type: only then the types of all its texts are looked up in it.

The proof: the keys are counted, so the document has no others, none twice and no null; or these others are all known,
and their texts are in ``rest``. Each value has the type of its column, so it was not converted. Where DuckDB reads
different texts in the same way, as the numbers 1.5 and 1.50, the texts are compared; what is not written as DuckDB
writes it is in ``rest`` as well. A document may fail although columns can hold it (``document_columns.fit`` knows).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingestd.stores.local.duckdb.column_sql import formatted_time
from ingestd.stores.local.duckdb.sql import literal, quoted_name
from ingestd.stores.local.index.document_columns import TIME, Columns

_TRAILING_COMMA = r",\s*[\]}]"  # which DuckDB accepts
_NO_NUMBER = r"(?i)[:\[,]\s*-?(?:nan|inf)"  # which it takes for a number
_ESCAPED_KEY = r'\\u[^"]*"\s*:'  # or a text that looks so
_NO_NULL = "[^{}n\\s]|n[^u]"
_READ_AS_JSON = {"BIGINT", "BOOLEAN"}
"""Types that ``from_json`` makes of other values as well, such as texts: the JSON text shows what a value was."""
_FIRST = {45: "-0123456789[f", 102: "t{"}  # bits that are shifted by the code of a character, in two numbers
_RANGES = [("0", ":"), ("-", "."), ("[", "\\"), ("{", "|")]
_ODD_DOUBLE = (
    rf"(?:{_NO_NULL.format('-0-9')}|-?[0-9]+[,\]}}\s]|[-0-9.]+[eE]|[-0-9.]{{17}}|-?0\.0000|-?[0-9]+\.[0-9]+0[,\]}}\s])"
)
"""Values that DuckDB may write in another way than they came: not those of up to 15 digits and a point in them."""
_NUMBER = r"(-?[0-9][-+.0-9eE]*)\s*[,}]"
_PLAIN_ITEM = r'"([^"\\]|\\.)*"|-?[1-9][0-9]{0,17}|true|false|null'
_PLAIN_ARRAY = rf"\[(({_PLAIN_ITEM})(,({_PLAIN_ITEM}))*)?\]"
_SIMPLE_TYPES = "'NULL', 'VARCHAR', 'BOOLEAN', 'UBIGINT', 'BIGINT'"


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A column that is not a struct: where it is in a document, its expression, and its type."""

    path: tuple[str, ...]
    value: str
    type: str

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def json(self) -> str:
        """The same value in ``m``, as text."""
        return f"m{self.value.removeprefix('x')}::VARCHAR"

    def has_its_type(self) -> str:
        """Return the test that its value in the document, if there is one, has the type of the column; from ``m``."""
        if self.type == "VARCHAR":
            return f"coalesce(starts_with({self.json}, '\"'), true)"
        return f"coalesce({self.json} = {self.value}::VARCHAR, {self.json} IS NULL)"


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of documents before they are divided.

    Attributes:
        are_strict: All of them are strictly JSON.
        ambiguous: The columns of texts, by path, many of which look like values of other types, such as "200".
    """

    are_strict: bool = False
    ambiguous: Collection[tuple[str, ...]] = ()


def raw_numbers(columns: Columns) -> dict[str, str]:
    """Return the fields of numbers that need not be written as DuckDB writes them, and a column of `divided` for each.

    The column has the text of such a value, which is in ``rest`` then; otherwise it is NULL.
    """
    names = Counter(_names(columns))
    fields = [name for name, kind in columns.items() if kind == "DOUBLE" and names[name] == 1]
    return {name: f"raw{at}" for at, name in enumerate(fields)}


def divided(columns: Columns, source: str, traits: Traits) -> str:
    """Return the query for the documents of a FROM clause: ``doc``, ``id``, ``x``, ``held``, ``rest``, `raw_numbers`.

    ``held``: whether columns and ``rest`` hold the document, exactly.
    """
    raw = raw_numbers(columns)
    raws = "".join(f", {column}" for column in raw.values())
    plain_or_raw = "".join(f" AND coalesce({column} <> '', true)" for column in raw.values())
    texts = [leaf for leaf in _leaves(columns) if _is_read_as_text(leaf, columns, traits)]
    structure = literal(json.dumps(_structure(columns, traits), ensure_ascii=False))
    parsed = f"SELECT doc, id, TRY(from_json(doc, {structure})) AS m FROM {source}"
    parsed = f"SELECT *, {_typed(columns, traits)} AS x FROM ({parsed})"
    parsed = f"SELECT *, {_is_odd(columns, texts, traits)} AS odd FROM ({parsed})"
    checked = f"SELECT doc, id, x, {_checks(columns, raw, texts, traits)} FROM ({parsed})"
    counted = (
        f"SELECT *, {_others(columns)} AS others FROM "
        f"(SELECT * REPLACE (sound{plain_or_raw} AS sound), sizes = expected AS exact FROM ({checked}))"
    )
    held = f"CASE WHEN sound THEN CASE WHEN exact THEN true ELSE {_ARE_ALL_OTHERS} END END"
    proved = f"SELECT *, coalesce({held}, false) AS held FROM ({counted})"
    needed = " OR ".join(f"{part} IS NOT NULL" for part in ["others", *raw.values()])
    rest = f"CASE WHEN held THEN CASE WHEN {needed} THEN {_rest(raw)} END END"
    return f"SELECT doc, id, x, held, {rest} AS rest{raws} FROM ({proved})"


def _structure(columns: Columns, traits: Traits, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the structure that ``from_json`` takes to make ``m``."""
    found: dict[str, Any] = {}
    for name, kind in columns.items():
        own = (*path, name)
        if not isinstance(kind, str):
            found[name] = _structure(kind, traits, own)
        else:
            found[name] = "VARCHAR" if own == (TIME,) else "JSON" if _is_read_as_json(own, kind, traits) else kind
    return found


def _is_read_as_json(path: tuple[str, ...], kind: str, traits: Traits) -> bool:
    return path != (TIME,) and (kind in _READ_AS_JSON or (kind == "VARCHAR" and path in traits.ambiguous))


def _is_read_as_text(leaf: _Leaf, columns: Columns, traits: Traits) -> bool:
    """Return whether a column has texts of which ``m`` does not show what they were; a time is known by its form."""
    if leaf.path == (TIME,):
        return columns[TIME] == "VARCHAR"
    return leaf.type == "VARCHAR" and not _is_read_as_json(leaf.path, leaf.type, traits)


def _typed(columns: Columns, traits: Traits, path: tuple[str, ...] = (), value: str = "m") -> str:
    """Return the expression for ``x``, or for an object in it."""
    members = []
    for name, kind in columns.items():
        member, own = f"{value}.{quoted_name(name)}", (*path, name)
        if not isinstance(kind, str):
            inner = _typed(kind, traits, own, member)
            member = f"CASE WHEN {member} IS NOT NULL THEN {inner} END"
        elif _is_read_as_json(own, kind, traits):
            text = f"{member}::VARCHAR"
            unquoted = f"CASE WHEN contains({text}, '\\') THEN {member}->>'$' ELSE ({text})[2:-2] END"
            member = unquoted if kind == "VARCHAR" else f"TRY_CAST({text} AS {kind})"
        members.append(f"{quoted_name(name)} := {member}")
    return f"struct_pack({', '.join(members)})"


def _checks(columns: Columns, raw: Mapping[str, str], texts: Sequence[_Leaf], traits: Traits) -> str:
    """Return ``sizes``, the numbers of keys of the document's objects, ``expected``, how many of them columns hold,
    ``sound``, whether values in columns are as they came, and the columns of `raw_numbers`."""
    objects = list(_objects(columns))
    pointers = ", ".join(literal(pointer) for pointer, _ in objects)
    numbers = [f"{_raw_number(field)} AS {column}" for field, column in raw.items()]
    return ", ".join(
        [
            f"TRY(list_transform(json_keys(doc, [{pointers}]), lambda k: len(k))) AS sizes",
            f"[{', '.join(count for _, count in objects)}] AS expected",
            f"{_are_as_they_came(columns, raw, texts, traits)} AS sound",
            *numbers,
        ]
    )


def _are_as_they_came(columns: Columns, raw: Mapping[str, str], texts: Sequence[_Leaf], traits: Traits) -> str:
    leaves = list(_leaves(columns))
    names = Counter(_names(columns))
    tests = ["starts_with(doc, '{')", _is_not_odd(texts, _repeated_doubles(leaves, names), traits)]
    tests += (leaf.has_its_type() for leaf in leaves if _is_read_as_json(leaf.path, leaf.type, traits))
    tests += (
        test
        for leaf in leaves
        if leaf.path[0] not in raw and (test := _written_plainly(leaf, unique=names[leaf.name] == 1))
    )
    if columns[TIME] != "VARCHAR":
        time = f"x.{quoted_name(TIME)}"
        tests.append(f"({time} IS NULL OR {formatted_time(f'TRY_CAST({time} AS TIMESTAMP)', columns)} = {time})")
    return " AND ".join(tests)


def _others(columns: Columns) -> str:
    """Return the members of the document that columns do not hold, as structs of key, value and type.

    NULL if there are none, if a nested object has any, or if they cannot be taken from the document as they came.
    """
    names = ", ".join(literal(name) for name in columns)
    members = "list_zip(json_keys(doc), json_extract(doc, '$.*'), json_type(doc, '$.*'))"
    missing = f"list_filter({members}, lambda m: m[1] NOT IN ({names}) OR m[3] = 'NULL')"
    nested = "sizes[2:] IS NOT DISTINCT FROM expected[2:]"
    no_negative_zero = "NOT regexp_matches(doc, ':\\s*-0')"  # it would be written as 0
    unique = "len(list_distinct(json_keys(doc))) = sizes[1]"
    conditions = ("sound AND NOT exact", nested, no_negative_zero, unique)  # nested: AND looks at all of them
    return "".join(f"CASE WHEN {condition} THEN " for condition in conditions) + missing + " END" * len(conditions)


_IS_TAKEN = (
    f"(m[3] IN ({_SIMPLE_TYPES}) OR regexp_full_match(m[2]::VARCHAR, '{_PLAIN_ARRAY}')) "
    f"AND m[1] <> {literal(TIME)} AND NOT contains(m[1], '\"') AND NOT contains(m[1], '\\')"
)
_ARE_ALL_OTHERS = (
    f"(sizes[1] = expected[1] + len(others) AND len(list_filter(others, lambda m: {_IS_TAKEN})) = len(others))"
)


def _rest(raw: Mapping[str, str]) -> str:
    texts = "list_transform(others, lambda m: to_json(m[1])::VARCHAR || ':' || m[2]::VARCHAR)"
    numbers = [f"{literal(json.dumps(field, ensure_ascii=False) + ':')} || {column}" for field, column in raw.items()]
    members = ", ".join([*numbers, f"list_aggregate({texts}, 'string_agg', ',')"])
    return f"'{{' || nullif(concat_ws(',', {members}), '') || '}}'"


def _is_odd(columns: Columns, texts: Sequence[_Leaf], traits: Traits) -> str:
    """Return the test that a text in ``x`` could have been a value of another type, or the document is not JSON.

    Of floats in different objects under the same name, the text of the document is searched for those that are not
    written plainly.
    """
    starts = " OR ".join(_starts_like_other(leaf.value) for leaf in texts)
    exact = " OR ".join(_may_be_other(leaf.value) for leaf in texts)
    tests = [f"CASE WHEN {starts} THEN {exact} ELSE false END"] if texts else []
    patterns = [] if traits.are_strict else [_TRAILING_COMMA, _NO_NUMBER]
    if doubles := [leaf.name for leaf in _repeated_doubles(list(_leaves(columns)), Counter(_names(columns)))]:
        patterns += [_ESCAPED_KEY, _keys(doubles) + _ODD_DOUBLE]
    if patterns:
        tests.append(f"regexp_matches(doc, {literal('|'.join(patterns))})")
    return " OR ".join(tests) or "false"


def _starts_like_other(text: str) -> str:
    """Return the test that a text starts like a value of another type: one of `_FIRST`, looked up in bits."""
    return " OR ".join(
        f"(({sum(1 << ord(char) - first for char in chars)} >> (ascii({text}) - {first})) & 1) = 1"
        for first, chars in _FIRST.items()
    )


def _may_be_other(text: str) -> str:
    """Return the test that a text looks like a value of another type; see `document_columns.ambiguous_texts`."""
    ranges = " OR ".join(f"({text} >= '{first}' AND {text} < '{after}')" for first, after in _RANGES)
    return f"{ranges} OR {text} IN ('true', 'false')"


def _is_not_odd(texts: Sequence[_Leaf], doubles: Sequence[_Leaf], traits: Traits) -> str:
    """Return the test that all texts were texts, and that there is no trailing comma."""
    pointers = ", ".join(literal("/" + "/".join(leaf.path)) for leaf in texts)
    others = f"list_filter(TRY(json_type(doc, [{pointers}])), lambda t: t NOT IN ('VARCHAR', 'NULL'))"
    tests = [f"coalesce(len({others}) = 0, false)"] if texts else []
    tests += [f"{leaf.value} IS NULL" for leaf in doubles]
    if not traits.are_strict:
        tests.append(f"NOT regexp_matches(doc, {literal(_TRAILING_COMMA)})")
    return f"CASE WHEN odd THEN {' AND '.join(tests) or 'true'} ELSE true END"


def _repeated_doubles(leaves: Sequence[_Leaf], names: Mapping[str, int]) -> list[_Leaf]:
    """Return the columns of floats whose names other members have, too: their texts are not found by their keys."""
    return [leaf for leaf in leaves if leaf.type == "DOUBLE" and names[leaf.name] > 1]


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
    if leaf.type == "BIGINT":
        zero = f"starts_with({_text_after_key(leaf.name)}, '0')" if unique else "false"
        return f"CASE WHEN {leaf.value} = 0 THEN {zero} ELSE true END"
    if leaf.type == "DOUBLE":
        same = _same_number(leaf) if unique else f"isfinite({leaf.value})"  # the text of the others is plain
        return f"CASE WHEN {leaf.value} IS NOT NULL THEN {same} ELSE true END"
    return ""


def _same_number(leaf: _Leaf) -> str:
    text = f"to_json({leaf.value})::VARCHAR"
    written = _text_after_key(leaf.name)
    after = f"substr({written}, len({text}) + 1, 1) IN (',', '}}', ' ')"
    return f"isfinite({leaf.value}) AND NOT contains({text}, 'e') AND starts_with({written}, {text}) AND {after}"


def _raw_number(field: str) -> str:
    """Return the text of a number that is not written as DuckDB writes it; empty if it is not known."""
    leaf = _Leaf((field,), f"x.{quoted_name(field)}", "DOUBLE")
    text = f"regexp_extract(doc, {literal(_keys([field]) + _NUMBER)}, 1)"
    known = f"CASE WHEN TRY_CAST({text} AS DOUBLE) = {leaf.value} THEN {text} ELSE '' END"
    return f"CASE WHEN {leaf.value} IS NULL OR ({_same_number(leaf)}) THEN NULL ELSE {known} END"


def _keys(names: Sequence[str]) -> str:
    """Return the pattern of the keys of members, up to their values."""
    alternatives = "|".join(rf"\Q{name}\E" for name in sorted(set(names)))
    return rf'"(?:{alternatives})"\s*:\s*'


def _text_after_key(name: str) -> str:
    return f"ltrim(split_part(doc, {literal(json.dumps(name, ensure_ascii=False) + ':')}, 2))"
