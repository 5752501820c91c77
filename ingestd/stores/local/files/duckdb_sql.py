# ruff: noqa: S608 - building SQL is what this module is for
"""DuckDB on the files of the store: connections, SQL literals, reading files, fields of a document."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ingestd.event.fields import parse_path
from ingestd.stores.local.files.layout import MAX_DOCUMENT_BYTES

if TYPE_CHECKING:
    import duckdb

PLAIN = re.compile(r'[^"\\/\x00-\x1f\x7f]+')
"""Text that JSON writes unchanged, unless it escapes more than it must."""

_SURROGATE = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_REPLACEMENT = r"\\ufffd"  # RE2 removes the first backslash
_BUFFER_BYTES = 2 * MAX_DOCUMENT_BYTES  # what a thread reads at a time; the default, 16 longest lines, is too much
_GLOB = re.compile(r"([*?\[])")


def literal(value: str) -> str:
    """Return a string as an SQL literal."""
    quoted = "'" + value.replace("'", "''") + "'"
    return quoted if "\0" not in value else "(" + quoted.replace("\0", "' || chr(0) || '") + ")"


def equals_any(operand: str, values: Iterable[str]) -> str:
    """Return the test that an expression equals one of ``values``."""
    literals = [literal(value) for value in values]
    return f"{operand} = {literals[0]}" if len(literals) == 1 else f"{operand} IN ({', '.join(literals)})"


def field_paths(field: str) -> list[tuple[str, ...]]:
    """Return the paths where a field may be: ``[a][b]`` has one, ``a.b`` is the field of this name or ``[a][b]``.

    Raises:
        FieldError: The brackets do not match.
    """
    path = parse_path(field)
    parts = tuple(field.split("."))
    if len(path) == 1 and "[" not in field and len(parts) > 1 and all(parts):
        return [path, parts]
    return [path]


def extract(paths: Sequence[tuple[str, ...]], function: str = "json_extract") -> str:
    """Return the values at several paths of the column ``doc``, a list of JSON; NULL if ``doc`` is not JSON.

    To DuckDB a lone surrogate is invalid JSON; such a document is read with U+FFFD instead.
    """
    pointers = ["".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path) for path in paths]
    path_list = "[" + ", ".join(map(literal, pointers)) + "]"
    repaired = f"regexp_replace(doc, {literal(_SURROGATE)}, {literal(_REPLACEMENT)}, 'g')"
    return f"coalesce(TRY({function}(doc, {path_list})), TRY({function}({repaired}, {path_list})))"


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
    return ", ".join(literal(_GLOB.sub(r"[\1]", os.fspath(file))) for file in files)


def append_log_rows(files: Iterable[str | os.PathLike[str]]) -> str:
    """Return the FROM clause for the rows of append logs, without broken lines; see ``layout`` for the format."""
    return (
        f"(SELECT coalesce(doc, '') AS doc, id, filename FROM read_csv([{file_literals(files)}], "
        "columns={'doc': 'VARCHAR', 'id': 'VARCHAR'}, delim='\t', filename=true, "
        "header=false, auto_detect=false, quote='', escape='', new_line='\\n', strict_mode=false, "
        f"ignore_errors=true, max_line_size={MAX_DOCUMENT_BYTES}, buffer_size={_BUFFER_BYTES}))"
    )


def connect(config: dict[str, str | bool | int | float | list[str]]) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB that loads nothing from the network and prints nothing."""
    import duckdb  # noqa: PLC0415 - takes 90 ms, which other commands need not pay

    offline = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = duckdb.connect(config=config | offline)
    connection.execute("SET enable_progress_bar = false")
    return connection
