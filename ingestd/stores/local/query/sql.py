# ruff: noqa: S608 - building SQL is what this module is for
"""The SQL of the built-in store's queries. All input from outside passes ``duckdb.sql.literal``.

A query reads groups of files of one kind. Rows of append logs have ``doc`` and ``id``; sealed files also have columns
(``columns``), which are used if there is one for a field. Their documents may have to be made from these; that is part
of a query only if it uses ``doc``, as DuckDB takes 3 ms to plan it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingestd.stores.local.duckdb.sql import (
    APPEND_LOG_ID,
    TEXTS,
    append_log_rows,
    extract,
    file_literals,
    literal,
    may_contain,
    quoted_name,
)
from ingestd.stores.local.query.columns import SourceColumns
from ingestd.stores.local.query.conditions import sql_condition
from ingestd.stores.query import And, Query, Text
from ingestd.stores.words import words

_TIME_TEXT = extract([("@timestamp",)], TEXTS) + "[1]"

TIME_COLUMN = quoted_name("@timestamp")
"""The time of a row that `events` selects, a TIMESTAMP; NULL if it has none."""
ID_COLUMN = "id"
"""The id of a row that `events` selects, empty if it has none."""
_DOC = re.compile(r"\bdoc\b")
_LONG_BYTES = 1 << 16
_UNTIMED = -(1 << 62)  # microseconds that no event has
_TIE = (
    f"CASE WHEN strlen(doc) > {_LONG_BYTES} THEN md5(doc) ELSE "
    "coalesce(array_to_string(list_sort(string_split(TRY(translate(json(doc), '{}:', ',,,')), ',')), ','), '') || doc "
    "END"
)
"""What documents with the same time and id are sorted by: first their tokens in order, as sealing may reorder keys.
Splitting long ones would take too much memory."""


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Files that are read alike. ``timed``: rows must be filtered by time. ``columns``: None for append logs."""

    files: tuple[str, ...]
    timed: bool
    columns: SourceColumns | None = None

    def source(self, uses: str) -> str:
        """Return the FROM clause; ``uses``: the SQL that reads the rows."""
        if self.columns is None:
            return append_log_rows(self.files)
        rows = f"read_parquet([{file_literals(self.files)}], filename=true, file_row_number=true)"
        if not self.columns.typed or not _DOC.search(uses):
            return rows
        return f"(SELECT *, {self.columns.document()} AS doc FROM {rows})"

    def raw_time(self) -> str:
        """Return the expression for `TIME_COLUMN` in conditions."""
        return f"TRY_CAST({_TIME_TEXT} AS TIMESTAMP)" if self.columns is None else TIME_COLUMN

    def raw_id(self) -> str:
        """Return the expression for `ID_COLUMN` in conditions."""
        return APPEND_LOG_ID if self.columns is None else ID_COLUMN

    def rows(self, select: str, conditions: Sequence[str]) -> str:
        """Return the FROM and WHERE clauses for ``select`` of the rows that meet all conditions.

        Append logs get the columns that sealed files have: DuckDB plans and calculates each once, however often a query
        uses it.
        """
        where = " WHERE " + " AND ".join(conditions) if conditions else ""
        if self.columns is not None:
            return self.source(select + where) + where
        columns = f"doc, filename, {self.raw_time()} AS {TIME_COLUMN}, {self.raw_id()} AS {ID_COLUMN}"
        return f"(SELECT {columns} FROM {self.source(columns)}{where})"


@dataclass(frozen=True, slots=True)
class SortKey:
    """What results are sorted by: time in microseconds and id, both descending; events without a time come last.

    As the start of a page it selects events with this key or after it; its range must end with that microsecond.
    """

    time: int | None
    id: str

    def test(self, group: FileGroup) -> str:
        """Return the condition."""
        key, time = f"{group.raw_id()} <= {literal(self.id)}", group.raw_time()
        if self.time is None:
            return f"{time} IS NULL AND {key}"
        return f"({key} OR {time} <> make_timestamp({self.time:d}))"

    def equals(self, group: FileGroup) -> str:
        """Return the condition for the events with this key."""
        time = "IS NULL" if self.time is None else f"= make_timestamp({self.time:d})"
        return f"({group.raw_time()} {time} AND {group.raw_id()} = {literal(self.id)})"


@dataclass(frozen=True, slots=True)
class _Timed(SortKey):
    def test(self, group: FileGroup) -> str:
        return f"{group.raw_time()} IS NOT NULL"


TIMED = _Timed(None, "")
"""The start of the events with a time, where the range of a query does not exclude the others."""

UNTIMED = SortKey(None, chr(0x10FFFF))
"""The start of the events without a time."""


def bound(time: str) -> str:
    """Return a time that ``@timestamp`` can be compared with as text: without ``Z`` and trailing zeros of a fraction.

    ``@timestamp`` has 3 to 9 fraction digits, so it is never the shorter of the two.
    """
    time = time.removesuffix("Z")
    return time.rstrip("0").rstrip(".") if "." in time else time


def in_range(since: str | None, until: str | None) -> list[str]:
    """Return the conditions for ``since <= @timestamp < until`` on the rows of append logs."""
    first, end = bound(since or ""), bound(until or "")
    # Down to milliseconds the Z cannot change the comparison; not stripping it saves a fifth of the query.
    short = max(len(first), len(end)) <= len("2026-11-22T10:00:00.000")
    time = _TIME_TEXT if short else f"rtrim({_TIME_TEXT}, 'Z')"
    if not first or not end:
        return [f"{time} >= {literal(first)}"] if first else [f"{time} < {literal(end)}"] if end else []
    if first >= end:
        return ["false"]
    # BETWEEN parses the document once where two comparisons parse it twice. It includes both ends, so the upper
    # one is the last text before `end`: '~' sorts after every character of a time.
    before_end = end[:-1] + chr(ord(end[-1]) - 1) + "~"
    between = f"{time} BETWEEN {literal(first)} AND {literal(before_end)}"
    prefix = _common_prefix(first, end)
    return [may_contain([prefix], "\\u00"), between] if len(prefix) >= len("2026-11-22T") else [between]


def _common_prefix(first: str, last: str) -> str:
    """Return the common prefix of two texts; all texts that sort between them have it too."""
    size = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:size]


def _in_columns(since: str | None, until: str | None) -> list[str]:
    """Return the conditions for the range on the rows of sealed files; columns hold microseconds."""
    conditions = []
    if since:
        conditions.append(f"{TIME_COLUMN} >= TIMESTAMP {literal(bound(since)[:26])}")
    if until:
        fine = len(bound(until)) > 26
        conditions.append(f"{TIME_COLUMN} <{'=' * fine} TIMESTAMP {literal(bound(until)[:26])}")
    if max(len(bound(time)) for time in (since or "", until or "")) > 26:
        conditions += in_range(since, until)
    return conditions


def events(group: FileGroup, query: Query, select: str, more: Sequence[str] = ()) -> str:
    """Return the SELECT of the matching rows of a group of files."""
    conditions = list(more)
    if group.timed:
        conditions += (in_range if group.columns is None else _in_columns)(query.since, query.until)
    if query.condition is not None:
        conditions.append(sql_condition(query.condition, group.columns or SourceColumns()))
    return f"SELECT {select} FROM {group.rows(select, conditions)}"


def read_all(file: str) -> str:
    """Return a query that reads every value of a sealed file."""
    return f"SELECT bit_xor(hash(COLUMNS(*))) FROM read_parquet([{file_literals([file])}])"


def _all(groups: Sequence[FileGroup], select: Callable[[FileGroup], str]) -> str:
    return " UNION ALL ".join(select(group) for group in groups)


def newest(groups: Sequence[FileGroup], query: Query, sort_key: SortKey | None, limit: int) -> str:
    """Return the query for ``(time in us or NULL, id, doc, file, tie)`` of matching documents, newest first.

    ``limit`` 0: no limit, and documents with the same time and id come in any order. ``tie`` is NULL where no other
    document has them.
    """

    def select(group: FileGroup) -> str:
        more = [] if sort_key is None else [sort_key.test(group)]
        return events(group, query, f"{TIME_COLUMN} AS time, {ID_COLUMN} AS key, doc, filename", more)

    rows, order = _all(groups, select), "time DESC NULLS LAST, key DESC"
    if not limit:
        return f"SELECT epoch_us(time), key, doc, filename, NULL FROM ({rows}) ORDER BY {order}"
    counted = f"SELECT *, count(*) OVER (PARTITION BY time, key) AS n FROM ({rows})"
    return (
        f"SELECT epoch_us(time), key, doc, filename, CASE WHEN n > 1 THEN {_TIE} END AS tie FROM ({counted}) "
        f"ORDER BY {order}, tie DESC LIMIT {limit:d}"
    )


def tied(groups: Sequence[FileGroup], query: Query, sort_key: SortKey, limit: int) -> str:
    """Return the query for the same of the documents that all have a sort key, in their order."""

    def select(group: FileGroup) -> str:
        columns = f"{TIME_COLUMN} AS time, {ID_COLUMN} AS key, doc, filename"
        return events(group, query, columns, [sort_key.equals(group)])

    return (
        f"SELECT epoch_us(time), key, doc, filename, {_TIE} AS tie FROM ({_all(groups, select)}) "
        f"ORDER BY tie DESC LIMIT {limit:d}"
    )


def newest_rows(
    groups: Sequence[FileGroup], query: Query, sort_key: SortKey | None, limit: int, *, is_rare: bool = False
) -> str:
    """Return the query for ``(time in us or NULL, id, doc, file, tie, row)`` of matching documents, newest first.

    For sealed files ``row`` is the number of the row and ``doc`` is NULL: it is by far the largest column, so
    `documents` reads it later, only for the rows that are returned. For append logs ``doc`` is set and ``row`` is NULL.
    Documents with the same time and id come in any order.

    ``is_rare``: few documents match, as far as is known; see `_rare_rows`.
    """
    order = "time DESC NULLS LAST, key DESC"

    def select(group: FileGroup) -> str:
        more = [] if sort_key is None else [sort_key.test(group)]
        if is_rare and group.columns is not None and group.columns.typed:
            return _rare_rows(group, query, more, limit)
        columns = "doc AS text, filename, NULL::BIGINT AS row"
        if group.columns is not None:
            columns = "NULL::VARCHAR AS text, filename, file_row_number AS row"
        return events(group, query, f"{TIME_COLUMN} AS time, {ID_COLUMN} AS key, {columns}", more)

    tie = f"CASE WHEN doc IS NOT NULL THEN {_TIE} END"
    return (
        f"SELECT epoch_us(time), key, doc, filename, {tie}, row FROM ("
        f"SELECT time, key, text AS doc, filename, row FROM ({_all(groups, select)}) ORDER BY {order} LIMIT {limit:d}) "
        f"ORDER BY {order}"
    )


def _rare_rows(group: FileGroup, query: Query, more: Sequence[str], limit: int) -> str:
    """Return the query for the newest rows of sealed files, at least ``limit``, if few match.

    To stop early, DuckDB would read the times of all rows first. And a word that may be in any of some fields is
    searched for in one after the other: a column that a condition is about alone is read alone, and each of its
    distinct values is tested once.
    """
    microseconds = f"coalesce(epoch_us({TIME_COLUMN}), {_UNTIMED:d})"
    row = f"struct_pack(us := {microseconds}, key := {ID_COLUMN}, filename := filename, row := file_row_number)"
    newest = [events(group, part, f"max({row}, {limit:d}) AS found", more) for part in _by_field(query)]
    rows = " UNION ".join(f"SELECT unnest(found, recursive := true) FROM ({part})" for part in newest)
    time = f"make_timestamp(nullif(us, {_UNTIMED:d}))"
    return f"SELECT {time} AS time, key, NULL::VARCHAR AS text, filename, row FROM ({rows})"


def _by_field(query: Query) -> list[Query]:
    """Return queries that together find what a query finds: one for each field that a word of it may be in."""
    condition = query.condition
    parts = condition.parts if isinstance(condition, And) else (condition,)
    for at, part in enumerate(parts):
        if isinstance(part, Text) and len(words(part.value)) == 1:
            alternatives = [dataclasses.replace(part, fields=(field,)) for field in part.fields]
            others = (*parts[:at], *parts[at + 1 :])
            return [dataclasses.replace(query, condition=And((other, *others))) for other in alternatives] or [query]
    return [query]


def documents(rows: Mapping[str, Sequence[int]], groups: Sequence[FileGroup]) -> str:
    """Return the query for ``(time in us or NULL, id, doc, file, tie)`` of rows of sealed files, in any order."""
    columns = {file: group.columns for group in groups for file in group.files}
    return " UNION ALL ".join(
        f"SELECT epoch_us({TIME_COLUMN}), {ID_COLUMN}, doc, filename, {_TIE} "
        f"FROM {FileGroup((file,), False, columns[file]).source('doc')} "
        f"WHERE file_row_number IN ({', '.join(map(str, numbers))})"
        for file, numbers in rows.items()
    )


def count(groups: Sequence[FileGroup], query: Query) -> str:
    """Return the query for the number of matching documents."""
    return f"SELECT sum(n)::BIGINT FROM ({_all(groups, lambda group: events(group, query, 'count(*) AS n'))})"


def count_by_time(groups: Sequence[FileGroup], query: Query, step_us: int) -> str:
    """Return the query for numbers of intervals of ``step_us`` since 1970, and how many matching events each has."""
    number = f"epoch_us({TIME_COLUMN}) // {step_us:d} AS number"
    rows = _all(groups, lambda group: events(group, query, number))
    return f"SELECT number, count(*) FROM ({rows}) WHERE number IS NOT NULL GROUP BY number"
