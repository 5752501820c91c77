# ruff: noqa: S608 - building SQL is what this module is for
"""DuckDB on the files of the store: SQL literals, reading files, fields of a document."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from ingestd.stores.local.index.layout import MAX_DOCUMENT_BYTES
from ingestd.stores.query import field_path

PLAIN = re.compile(r'[^"\\/\x00-\x1f\x7f]+')
"""Text that JSON writes unchanged, unless it escapes more than it must."""

_NEEDLE = re.compile(r"[A-Za-z0-9@._-]+")  # what JSON usually does not escape
_MAX_NEEDLES = 6
_MAX_DOTTED = 4
VALUES, TEXTS = "values_at", "texts_at"
"""What `extract` returns: JSON, or texts. See `duckdb.macros`."""

_GLOB = re.compile(r"([*?\[])")


def literal(value: str) -> str:
    """Return a string as an SQL literal."""
    quoted = "'" + value.replace("'", "''") + "'"
    return quoted if "\0" not in value else "(" + quoted.replace("\0", "' || chr(0) || '") + ")"


def equals_any(operand: str, values: Iterable[str]) -> str:
    """Return the test that an expression equals one of ``values``."""
    literals = [literal(value) for value in values]
    return f"{operand} = {literals[0]}" if len(literals) == 1 else f"{operand} IN ({', '.join(literals)})"


def url_decoded(operand: str) -> str:
    """Return the expression for what ``stores.query.decoded`` returns."""
    return f"coalesce(TRY(url_decode(replace({operand}, '+', ' '))), {operand})"


def field_paths(field: str) -> list[tuple[str, ...]]:
    """Return the paths where a field may be.

    ``[a][b]`` has one. A dot in ``a.b.c`` may be part of a name or stand between two: it is the field of this name, or
    ``[a.b][c]``, ``[a][b.c]`` or ``[a][b][c]``. Of names with more than `_MAX_DOTTED` parts: the first and the last.

    Raises:
        FieldError: The brackets do not match.
    """
    path = field_path(field)
    parts = tuple(field.split("."))
    if len(path) != 1 or "[" in field or len(parts) == 1 or not all(parts):
        return [path]
    return _joined_by_dots(parts) if len(parts) <= _MAX_DOTTED else [path, parts]


def _joined_by_dots(parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the paths that parts make if neighbours are joined by a dot or not, the path of one name first."""
    if len(parts) == 1:
        return [parts]
    paths: list[tuple[str, ...]] = []
    for size in range(len(parts), 0, -1):
        name = ".".join(parts[:size])
        paths += [(name, *path) for path in _joined_by_dots(parts[size:])] if size < len(parts) else [(name,)]
    return paths


def extract(
    paths: Sequence[tuple[str, ...]], function: str = VALUES, document: str = "doc", *, is_member: bool = False
) -> str:
    """Return the values at several paths of a column, a list of JSON or `TEXTS`; NULL if its text is not JSON.

    ``is_member``: it is not a document, but a value in one, and may be an array.

    A field of the objects in an array has an array of their values, as the servers index it. To DuckDB a lone surrogate
    is invalid JSON; such a document is read with U+FFFD instead. Of a key that an object has twice DuckDB takes the
    first value. Every other part takes the last, as RFC 8259 (4) says most parsers do. Documents with such a key, or
    with an array on the way to a value, are read key by key.
    """
    keys = " OR ".join([_repeats_key(paths, document), *_has_array(paths, document, is_member)])
    by_key = _values_by_key(paths, function, document, is_member)
    return f"(CASE WHEN {keys} THEN {by_key} ELSE {function}({document}, {_list(map(_pointer, paths))}) END)"


def extract_one(paths: Sequence[tuple[str, ...]], document: str = "doc", *, is_member: bool = False) -> str:
    """Return the value at some paths of a column, JSON; if several have one, an array of these."""
    values = extract(paths, document=document, is_member=is_member)
    return f"{values}[1]" if len(paths) == 1 else f"in_one({values})"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]"


def _pointer(path: Sequence[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _repeats_key(paths: Sequence[tuple[str, ...]], document: str) -> str:
    """Return the test that an object on one of the paths has a key twice; true if the document is not JSON.

    Its text then has one of the names twice, in quotes, or spelt with escapes. To search the text for a few names costs
    an eighth of comparing all keys.
    """
    objects = dict.fromkeys(_pointer(path[:size]) for path in paths for size in range(len(path)))
    exact = f"repeats_key({document}, {_list(objects)})"
    names = dict.fromkeys(part for path in paths for part in path)
    if len(names) > _MAX_NEEDLES or not all(_NEEDLE.fullmatch(name) for name in names):
        return exact
    needles = [f'"{name}"'.replace("_", "%") for name in names]  # LIKE without _ is fast
    twice = " OR ".join(f"{document} LIKE '%{needle}%{needle}%'" for needle in needles)
    return f"(CASE WHEN {twice} THEN {exact} ELSE false END)"


def _has_array(paths: Sequence[tuple[str, ...]], document: str, is_member: bool) -> list[str]:
    """Return the tests that there may be an array on one of the paths, before its end."""
    tests = [f"starts_with({document}, '[')"] if is_member else []
    if names := dict.fromkeys(name for path in paths for name in path[:-1]):
        escape = r"\\u00" if all(map(_NEEDLE.fullmatch, names)) else r"\\"
        pattern = rf'"({"|".join(map(re.escape, names))})"\s*:\s*\[|{escape}'
        tests.append(f"regexp_matches({document}, {literal(pattern)})")
    return tests


def _values_by_key(paths: Sequence[tuple[str, ...]], function: str, document: str, is_member: bool) -> str:
    """Return the list of the values at paths, each the last of its key; of an array, those of all its objects."""
    if any(len(path) > 1 for path in paths) or is_member:
        values = f"[{', '.join(_value_by_key(document, path, is_member) for path in paths)}]"
    else:
        values = f"last_members({document}, {_list(name for (name,) in paths)})"
    if function == TEXTS:
        values = f"list_transform({values}, lambda v: v->>'$')"
    return f"TRY({values})"


def _value_by_key(document: str, path: Sequence[str], is_member: bool) -> str:
    """Return the value at a path. A document is an object: only what is in it may be an array.

    DuckDB plans this for each query, although few documents need it: it has no more steps than the path needs.
    """
    values, may_be_array = f"[parsed({document})]", is_member
    for name in path:
        objects = f"flattened({values})" if may_be_array else values
        values = f"list_transform({objects}, lambda o: last_member(o, {literal(name)}))"
        may_be_array = True
    return f"in_one({values})" if is_member or len(path) > 1 else f"{values}[1]"


def may_contain(needles: Iterable[str], escape: str = "\\u", document: str = "doc") -> str:
    """Return the test that the document's text has one of ``needles``, or an escape that could hide one.

    ``contains`` on the raw text costs next to nothing compared with parsing JSON, so conditions start with such a test
    wherever there is one that every matching document passes.
    """
    tests = [f"contains({document}, {literal(needle)})" for needle in needles]
    return "(" + " OR ".join([*tests, f"contains(doc, {literal(escape)})"]) + ")"


def quoted_name(field: str) -> str:
    """Return a field as a column name."""
    return '"' + field.replace('"', '""') + '"'


def file_literals(files: Iterable[str | os.PathLike[str]]) -> str:
    """Return paths as a list of literals, with the characters of glob patterns escaped."""
    return ", ".join(map(pattern_literal, files))


def pattern_literal(file: str | os.PathLike[str]) -> str:
    """Return a path as a literal that as a glob pattern matches nothing else."""
    return literal(_GLOB.sub(r"[\1]", os.fspath(file)))


APPEND_LOG_ID = "coalesce(TRY(id->>'$'), '')"
"""The id of a row of `append_log_rows`, as sealed files have it: there it is JSON, and may be broken or missing."""


def append_log_rows(files: Iterable[str | os.PathLike[str]], max_bytes: int = MAX_DOCUMENT_BYTES) -> str:
    """Return the FROM clause for the rows of append logs, without broken lines; see ``layout`` for the format.

    ``max_bytes``: longer lines are left out. A thread reads twice as much at a time; by default it would be 16 times.
    """
    return (
        f"(SELECT coalesce(doc, '') AS doc, id, filename FROM read_csv([{file_literals(files)}], "
        "columns={'doc': 'VARCHAR', 'id': 'VARCHAR'}, delim='\t', filename=true, "
        "header=false, auto_detect=false, quote='', escape='', new_line='\\n', strict_mode=false, "
        f"ignore_errors=true, max_line_size={max_bytes}, buffer_size={2 * max_bytes}))"
    )
