# ruff: noqa: S608 - building SQL is what this module is for
"""The SQL of the built-in store. A source of rows is a SELECT of ``doc`` and ``id``; more join it by UNION ALL.
Everything that comes from outside passes ``text``, which makes a literal of it.

Two habits of DuckDB (2.0) shape the text. It computes an expression again in each operator, so a condition
names its fields in one expression, and each condition reads the document on its own. And ``contains`` on the
raw text costs next to nothing beside reading JSON, so each condition brings, where one exists, a *mention*:
a test on the text that every matching document passes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingestd.event.fields import parse_path
from ingestd.stores.base import Query, levels_from
from ingestd.stores.local.layout import MAX_DOCUMENT_BYTES

_BUFFER_BYTES = 2 * MAX_DOCUMENT_BYTES  # what a thread takes at a time; the default, 16 longest lines, is too much
_SURROGATE = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_REPLACEMENT = r"\\ufffd"  # RE2 takes the first backslash away
_PLAIN = re.compile(r'[^"\\/\x00-\x1f\x7f]+')
_GLOB = re.compile(r"([*?\[])")


@dataclass(frozen=True, slots=True)
class Part:
    """Files whose rows are all wanted for their time, or (``timed``) must be asked for it."""

    files: tuple[str, ...]
    timed: bool


def text(value: str) -> str:
    """Return a string as an SQL literal."""
    quoted = "'" + value.replace("'", "''") + "'"
    return quoted if "\0" not in value else "(" + quoted.replace("\0", "' || chr(0) || '") + ")"


def read_lines(files: Iterable[str | os.PathLike[str]]) -> str:
    """Return the source of rows that tails hold; broken lines are left out. ``layout`` tells the format."""
    names = ", ".join(text(_GLOB.sub(r"[\1]", os.fspath(file))) for file in files)
    return (
        f"SELECT doc, id FROM read_csv([{names}], columns={{'doc': 'VARCHAR', 'id': 'VARCHAR'}}, delim='\t', "
        "header=false, auto_detect=false, quote='', escape='', new_line='\\n', strict_mode=false, "
        f"ignore_errors=true, max_line_size={MAX_DOCUMENT_BYTES}, buffer_size={_BUFFER_BYTES})"
    )


def places(field: str) -> list[tuple[str, ...]]:
    """Return where a field may be: ``[a][b]`` is there, ``a.b`` is the field of this name or ``[a][b]``.

    Raises:
        FieldError: The brackets do not pair.
    """
    path = parse_path(field)
    parts = tuple(field.split("."))
    if len(path) == 1 and "[" not in field and len(parts) > 1 and all(parts):
        return [path, parts]
    return [path]


def _extract(function: str, paths: Sequence[tuple[str, ...]]) -> str:
    """Return the values at several places of a document, a list; NULL if it is no JSON.

    DuckDB takes a lone surrogate for broken JSON; such a document is read with U+FFFD in its place.
    """
    pointers = ["".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path) for path in paths]
    what = "[" + ", ".join(map(text, pointers)) + "]"
    mended = f"regexp_replace(doc, {text(_SURROGATE)}, {text(_REPLACEMENT)}, 'g')"
    return f"coalesce(TRY({function}(doc, {what})), TRY({function}({mended}, {what})))"


def as_text(field: str) -> str:
    """Return a field of the top level as text, NULL if it is missing."""
    return f"{_extract('json_extract_string', [(field,)])}[1]"


def as_json(field: str) -> str:
    """Return a field as JSON text, NULL if it is missing."""
    paths = places(field)
    values = _extract("json_extract", paths)
    return f"{values}[1]" if len(paths) == 1 else f"list_any_value({values})"


TIME = as_text("@timestamp")

SORT_KEY = f"coalesce(rtrim({TIME}, 'Z'), '')"
"""Sorts as the time does; with the ``Z``, one of 3 fraction digits would come after one of 6."""


def bound(time: str) -> str:
    """Return a time so that ``@timestamp`` compares with it as text: without ``Z`` and zeros at the end of a fraction.

    ``@timestamp`` has 3 to 9 fraction digits, so it is never the shorter one.
    """
    time = time.removesuffix("Z")
    return time.rstrip("0").rstrip(".") if "." in time else time


def _mention(needles: Iterable[str], escape: str = "\\u") -> str:
    """Return the test that the text has one of ``needles``, or an escape that could hide one."""
    return "(" + " OR ".join(f"contains(doc, {text(needle)})" for needle in [*needles, escape]) + ")"


def in_range(since: str | None, until: str | None) -> list[str]:
    """Return the conditions of ``since <= @timestamp < until``."""
    first, end = bound(since or ""), bound(until or "")
    # Down to milliseconds the Z stands where it does not matter; left on, it saves a fifth of the query.
    time = TIME if max(len(first), len(end)) <= len("2026-11-22T10:00:00.000") else f"rtrim({TIME}, 'Z')"
    if not first or not end:
        return [f"{time} >= {text(first)}"] if first else [f"{time} < {text(end)}"] if end else []
    if first >= end:
        return ["false"]
    # BETWEEN reads the document once where two comparisons read it twice; it takes both ends, so
    # the upper one is the last text before `end`: '~' sorts after all that a time is written with.
    before_end = end[:-1] + chr(ord(end[-1]) - 1) + "~"
    between = f"{time} BETWEEN {text(first)} AND {text(before_end)}"
    prefix = _common_prefix(first, end)
    return [_mention([prefix], "\\u00"), between] if len(prefix) >= len("2026-11-22T") else [between]


def _common_prefix(one: str, other: str) -> str:
    """Return what both begin with; all texts between the two begin with it too."""
    size = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:size]


def of_level(level: str) -> list[str]:
    """Return the conditions of a level or one above it."""
    names = sorted(levels_from(level), key=len)
    distinct = [name for name in names if not any(short in name for short in names if short != name)]
    conditions = [f"upper({as_text('level')}) IN ({', '.join(map(text, names))})"]
    if all(_PLAIN.fullmatch(name[1:]) and name.isascii() for name in distinct):
        ends = [name[1:] for name in distinct]  # without the first letter: "WARN", "warn" and "Warn"
        conditions.insert(0, _mention([case for end in ends for case in (end, end.lower())], "\\u00"))
    return conditions


def with_text(part: str) -> list[str]:
    """Return the conditions that ``message`` or ``stack_trace`` has ``part``, in any case."""
    fields = f"array_to_string({_extract('json_extract_string', [('message',), ('stack_trace',)])}, chr(1))"
    conditions = [f"contains(lower({fields}), lower({text(part)}))"]
    if _PLAIN.fullmatch(part) and part.lower() == part.upper():
        conditions.insert(0, _mention([part]))
    return conditions


def with_value(field: str, value: str) -> list[str]:
    """Return the conditions that a field is ``value``, or an array that has it; numbers as JSON writes them."""
    wanted = [f"to_json({text(value)}::VARCHAR)"]
    number = _is_json(value)
    if number:
        wanted.append(f"json_extract({text(value)}, '$')")
    same = " OR ".join(f"v = {one}" for one in wanted)
    inside = " OR ".join(f"list_contains(json_extract(v, '$[*]'), {one})" for one in wanted)
    found = _extract("json_extract", places(field))
    conditions = [f"len(list_filter({found}, lambda v: {same} OR (starts_with(v, '[') AND ({inside})))) > 0"]
    if _PLAIN.fullmatch(value) and (not number or value.lstrip("-").isdigit() or value.isalpha()):
        conditions.insert(0, _mention([value]))  # of a number like 1e2 or 1.50 JSON has several spellings
    return conditions


def _is_json(value: str) -> bool:
    """Tell whether a text is a number, ``true`` or ``false`` in JSON."""
    try:
        return isinstance(json.loads(value), (int, float))
    except ValueError:
        return False


def events(parts: Sequence[Part], query: Query) -> str:
    """Return the SELECT of all rows that match; at least one part is needed."""
    wanted: list[str] = []
    if query.level is not None:
        wanted += of_level(query.level)
    for field, value in query.fields:
        wanted += with_value(field, value)
    if query.text:
        wanted += with_text(query.text)
    timed = in_range(query.since, query.until)
    selects = []
    for part in parts:
        conditions = (timed if part.timed else []) + wanted
        selects.append(read_lines(part.files) + (" WHERE " + " AND ".join(conditions) if conditions else ""))
    return " UNION ALL ".join(selects)


def newest(parts: Sequence[Part], query: Query) -> str:
    """Return the query of ``(time, id, doc)`` of matching documents, newest first."""
    return (
        f"SELECT {SORT_KEY}, coalesce(id, ''), doc FROM ({events(parts, query)}) "
        f"ORDER BY 1 DESC, 2 DESC LIMIT {query.limit:d}"
    )


def top(parts: Sequence[Part], query: Query, field: str, n: int) -> str:
    """Return the query of ``(value as JSON text, count)``: grouped first, the few arrays taken apart after.

    NULL is left out at the end: ``IS NOT NULL`` at the begin would read each document twice.
    """
    return (
        f"WITH grouped AS (SELECT {as_json(field)} AS v, count(*) AS n FROM ({events(parts, query)}) GROUP BY 1), "
        "single AS (SELECT unnest(CASE WHEN starts_with(v, '[') THEN list_distinct(json_extract(v, '$[*]')) "
        "ELSE [v] END) AS v, n FROM grouped) "
        "SELECT v::VARCHAR, sum(n)::BIGINT FROM single "
        "WHERE v NOT IN ('null', '\"\"', 'NaN', 'Infinity', '-Infinity') "
        "AND NOT starts_with(v, '{') AND NOT starts_with(v, '[') "
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {n:d}"
    )
