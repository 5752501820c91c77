# ruff: noqa: S608 - building SQL is what this module is for
"""The queries of the built-in store. Everything that comes from outside passes ``literals.text``.

A query reads *parts*: files of one kind that all are asked the same. Rows of tails are ``doc`` and ``id``; sealed
files have columns besides (``conditions.Columns``), which are used where there is one for a field.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingestd.stores.local.files.duckdb_sql import extract, mention, places, text
from ingestd.stores.local.files.layout import MAX_DOCUMENT_BYTES
from ingestd.stores.local.query.conditions import Columns, name, where
from ingestd.stores.query import Query

_BUFFER_BYTES = 2 * MAX_DOCUMENT_BYTES  # what a thread takes at a time; the default, 16 longest lines, is too much
_GLOB = re.compile(r"([*?\[])")
_TIME_TEXT = extract([("@timestamp",)], "json_extract_string") + "[1]"
_TIME_COLUMN = name("@timestamp")


@dataclass(frozen=True, slots=True)
class Part:
    """Files whose rows are all wanted for their time, or (``timed``) must be asked for it; ``None`` columns: tails."""

    files: tuple[str, ...]
    timed: bool
    columns: Columns | None = None

    def source(self) -> str:
        """Return the FROM clause."""
        if self.columns is None:
            return read_lines(self.files)
        return f"read_parquet([{quoted_files(self.files)}], filename=true, file_row_number=true)"

    def time(self) -> str:
        """Return the expression of ``@timestamp``, a TIMESTAMP; NULL if there is none."""
        return f"TRY_CAST({_TIME_TEXT} AS TIMESTAMP)" if self.columns is None else _TIME_COLUMN

    def key(self) -> str:
        """Return the expression of the id, empty if there is none."""
        return "coalesce(TRY(id->>'$'), '')" if self.columns is None else "id"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of a search: a time in microseconds, and an id. Events without a time come last.

    Wanted is what comes at this place or behind it; at a time, a query must not reach behind that microsecond.
    """

    time: int | None
    id: str

    def test(self, part: Part) -> str:
        """Return the condition."""
        key, time = f"{part.key()} <= {text(self.id)}", part.time()
        if self.time is None:
            return f"{time} IS NULL AND {key}"
        return f"({key} OR {time} <> make_timestamp({self.time:d}))"


UNTIMED = Place(None, chr(0x10FFFF))
"""The begin of the events without a time."""


def quoted_files(files: Iterable[str | os.PathLike[str]]) -> str:
    """Return paths as a list of literals that are no patterns."""
    return ", ".join(text(_GLOB.sub(r"[\1]", os.fspath(file))) for file in files)


def read_lines(files: Iterable[str | os.PathLike[str]]) -> str:
    """Return the source of rows that tails hold; broken lines are left out. ``layout`` tells the format."""
    return (
        f"(SELECT coalesce(doc, '') AS doc, id, filename FROM read_csv([{quoted_files(files)}], "
        "columns={'doc': 'VARCHAR', 'id': 'VARCHAR'}, delim='\t', filename=true, "
        "header=false, auto_detect=false, quote='', escape='', new_line='\\n', strict_mode=false, "
        f"ignore_errors=true, max_line_size={MAX_DOCUMENT_BYTES}, buffer_size={_BUFFER_BYTES}))"
    )


def bound(time: str) -> str:
    """Return a time so that ``@timestamp`` compares with it as text: without ``Z`` and zeros at the end of a fraction.

    ``@timestamp`` has 3 to 9 fraction digits, so it is never the shorter one.
    """
    time = time.removesuffix("Z")
    return time.rstrip("0").rstrip(".") if "." in time else time


def in_range(since: str | None, until: str | None) -> list[str]:
    """Return the conditions of ``since <= @timestamp < until`` on the rows of tails."""
    first, end = bound(since or ""), bound(until or "")
    # Down to milliseconds the Z stands where it does not matter; left on, it saves a fifth of the query.
    short = max(len(first), len(end)) <= len("2026-11-22T10:00:00.000")
    time = _TIME_TEXT if short else f"rtrim({_TIME_TEXT}, 'Z')"
    if not first or not end:
        return [f"{time} >= {text(first)}"] if first else [f"{time} < {text(end)}"] if end else []
    if first >= end:
        return ["false"]
    # BETWEEN reads the document once where two comparisons read it twice; it takes both ends, so
    # the upper one is the last text before `end`: '~' sorts after all that a time is written with.
    before_end = end[:-1] + chr(ord(end[-1]) - 1) + "~"
    between = f"{time} BETWEEN {text(first)} AND {text(before_end)}"
    prefix = _common_prefix(first, end)
    return [mention([prefix], "\\u00"), between] if len(prefix) >= len("2026-11-22T") else [between]


def _common_prefix(one: str, other: str) -> str:
    """Return what both begin with; all texts between the two begin with it too."""
    size = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:size]


def _in_columns(since: str | None, until: str | None) -> list[str]:
    """Return the conditions of the range on the rows of sealed files; columns hold microseconds."""
    conditions = []
    if since:
        conditions.append(f"{_TIME_COLUMN} >= TIMESTAMP {text(bound(since)[:26])}")
    if until:
        fine = len(bound(until)) > 26
        conditions.append(f"{_TIME_COLUMN} <{'=' * fine} TIMESTAMP {text(bound(until)[:26])}")
    if max(len(bound(one)) for one in (since or "", until or "")) > 26:
        conditions += in_range(since, until)
    return conditions


def events(part: Part, query: Query, select: str, more: Sequence[str] = ()) -> str:
    """Return the SELECT of the rows of a part that match."""
    conditions = list(more)
    if part.timed:
        conditions += (in_range if part.columns is None else _in_columns)(query.since, query.until)
    if query.where is not None:
        conditions.append(where(query.where, part.columns or Columns()))
    return f"SELECT {select} FROM {part.source()}" + (" WHERE " + " AND ".join(conditions) if conditions else "")


def _all(parts: Sequence[Part], select: Callable[[Part], str]) -> str:
    return " UNION ALL ".join(select(part) for part in parts)


def newest(parts: Sequence[Part], query: Query, place: Place | None, limit: int) -> str:
    """Return the query of ``(time in us or NULL, id, doc, file)`` of matching documents, newest first; 0: no limit."""

    def select(part: Part) -> str:
        more = [] if place is None else [place.test(part)]
        return events(part, query, f"{part.time()} AS time, {part.key()} AS key, doc, filename", more)

    return (
        f"SELECT epoch_us(time), key, doc, filename FROM ({_all(parts, select)}) "
        "ORDER BY time DESC NULLS LAST, key DESC, doc DESC" + (f" LIMIT {limit:d}" if limit else "")
    )


def newest_rows(parts: Sequence[Part], query: Query, place: Place | None, limit: int) -> str:
    """Return the query of ``(time in us or NULL, id, doc, file, row)`` of matching documents, newest first.

    Sealed files have the number of the row and NULL for the document, by far their largest column: `documents` reads
    it of the rows that are wanted. Tails have the document and no row. Documents of one time and id come in any order.
    """

    def select(part: Part) -> str:
        columns = "doc, filename, NULL::BIGINT AS row"
        if part.columns is not None:
            columns = "NULL::VARCHAR AS doc, filename, file_row_number AS row"
        more = [] if place is None else [place.test(part)]
        return events(part, query, f"{part.time()} AS time, {part.key()} AS key, {columns}", more)

    return (
        f"SELECT epoch_us(time), key, doc, filename, row FROM ({_all(parts, select)}) "
        f"ORDER BY time DESC NULLS LAST, key DESC LIMIT {limit:d}"
    )


def documents(rows: Mapping[str, Sequence[int]]) -> str:
    """Return the query of ``(time in us or NULL, id, doc, file)`` of rows of sealed files, by file, in any order."""
    return " UNION ALL ".join(
        f"SELECT epoch_us({_TIME_COLUMN}), id, doc, filename FROM {Part((file,), False, Columns()).source()} "
        f"WHERE file_row_number IN ({', '.join(map(str, numbers))})"
        for file, numbers in rows.items()
    )


def count(parts: Sequence[Part], query: Query) -> str:
    """Return the query of the number of matching documents."""
    return f"SELECT sum(n)::BIGINT FROM ({_all(parts, lambda part: events(part, query, 'count(*) AS n'))})"


def top(parts: Sequence[Part], query: Query, field: str, n: int) -> str:
    """Return the query of ``(value as JSON text, count)`` of a field, the most frequent values first.

    Equal values are counted before arrays are taken apart: there are fewer of them than documents. Values that are
    equally frequent come in their order: texts, then numbers.
    """
    counted = _all(parts, lambda part: _counted(part, query, field, "0", missing=False))
    return (
        f"{_values(counted)} SELECT v, sum(n)::BIGINT FROM single "
        "WHERE v NOT IN ('null', '\"\"', 'NaN', 'Infinity', '-Infinity') "
        "AND NOT starts_with(v, '{') AND NOT starts_with(v, '[') "
        f"GROUP BY 1 ORDER BY 2 DESC, TRY_CAST(v AS DOUBLE) NULLS FIRST, TRY(v->>'$'), v LIMIT {n:d}"
    )


def histogram(parts: Sequence[Part], query: Query, field: str, seconds: int, offset: int) -> str:
    """Return the query of ``(begin in seconds since 1970, value as JSON text or NULL, count)`` in order of time."""
    width, shift = seconds * 1_000_000, offset * 1_000_000

    def select(part: Part) -> str:
        micros = f"epoch_us({part.time()}) + {shift:d}"
        # % has the sign of the dividend: twice, so that times before 1970 fall into their stretch too
        begin = f"({micros} - (({micros}) % {width:d} + {width:d}) % {width:d} - {shift:d}) // 1000000"
        return _counted(part, query, field, begin, missing=True)

    return (
        f"{_values(_all(parts, select))} SELECT bucket, v, sum(n)::BIGINT FROM single "
        "WHERE bucket IS NOT NULL GROUP BY 1, 2 ORDER BY 1"
    )


def _counted(part: Part, query: Query, field: str, bucket: str, *, missing: bool) -> str:
    """Return the SELECT of ``bucket``, ``v`` (JSON text, NULL if missing) and their number ``n``.

    Unless ``missing`` values are wanted, rows without one are left out where that is cheaper than to group them.
    """
    column = None if part.columns is None else part.columns.find(field)
    if column is None:
        values = extract(places(field))
        value = f"{values}[1]" if len(places(field)) == 1 else f"list_any_value({values})"
        return events(part, query, f"{bucket} AS bucket, {value}::VARCHAR AS v, count(*) AS n") + " GROUP BY 1, 2"
    there = [] if missing else [f"{column[0]} IS NOT NULL"]
    rows = events(part, query, f"{bucket} AS bucket, {column[0]} AS t, {column[1]} AS other, count(*) AS n", there)
    json = "CASE WHEN other THEN t ELSE to_json(t)::VARCHAR END"
    return f"SELECT bucket, {json} AS v, n FROM ({rows} GROUP BY 1, 2, 3)"


def _values(counted: str) -> str:
    """Return the WITH clause of ``single``: ``bucket, v, n`` with arrays taken apart, each element once."""
    elements = "list_distinct(json_extract(v, '$[*]'))"
    return (
        f"WITH counted AS ({counted}), single AS (SELECT bucket, unnest(CASE WHEN starts_with(v, '[') AND v <> '[]' "
        f"THEN {elements}::VARCHAR[] ELSE [v] END) AS v, n FROM counted)"
    )
