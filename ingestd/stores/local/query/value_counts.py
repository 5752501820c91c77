# ruff: noqa: S608 - building SQL is what this module is for
"""The SQL that counts the values of a field: the most frequent ones, and those over time.

Equal values are counted before arrays are unnested, as there are fewer of them than documents. A value that is in a
column of texts is counted as such, and becomes JSON, in which numbers and texts differ, after that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestd.stores.known_fields import LEVEL_FIELDS
from ingestd.stores.local.duckdb.sql import extract_one, field_paths
from ingestd.stores.local.query.columns import NEVER, FieldColumn, SourceColumns
from ingestd.stores.local.query.sql import TIME_COLUMN, FileGroup, events
from ingestd.stores.query import Query

if TYPE_CHECKING:
    from ingestd.stores.aggregation import Interval


def top(groups: Sequence[FileGroup], query: Query, field: str, n: int, *, paths: bool = False) -> str:
    """Return the query for ``(value as JSON text, count)`` of a field, most frequent values first.

    ``paths``: texts count without their query string. Equally frequent values are sorted: texts, then numbers.
    """
    values = _Values(query, field, paths=paths).select(groups)
    sums = f"SELECT v, sum(n)::BIGINT AS n FROM ({values}) WHERE is_value(v) GROUP BY v"
    return f"SELECT v, n FROM ({most_frequent(sums, n)}) ORDER BY n DESC, {value_order('v')} LIMIT {n:d}"


def most_frequent(sums: str, size: int, keys: str = "") -> str:
    """Return the query for the rows of another with the greatest ``n``, of each combination of ``keys``.

    Of those with the least of these numbers there may be more than are wanted: to sort values takes longer than to
    count them, so it is done for these rows only.
    """
    partition = f"PARTITION BY {keys} " if keys else ""
    return f"SELECT * FROM ({sums}) QUALIFY rank() OVER ({partition}ORDER BY n DESC) <= {size:d}"


def histogram(groups: Sequence[FileGroup], query: Query, field: str, seconds: int, offset: int) -> str:
    """Return the query for ``(start in seconds since 1970, value as JSON text or NULL, count)`` in order of time."""
    from ingestd.stores.aggregation import Interval  # noqa: PLC0415 -- top values are found without

    start = f"{interval_start(Interval(seconds, ((None, offset),)))} - {offset:d}"
    values = _Values(query, field, start).select(groups)
    sums = f"SELECT bucket, v, sum(n)::BIGINT FROM ({values}) WHERE bucket IS NOT NULL GROUP BY 1, 2"
    return f"{sums} ORDER BY 1"


def interval_start(interval: Interval) -> str:
    """Return the expression for when the interval of an event starts, in seconds since 1970 of local time."""
    micros = f"epoch_us({TIME_COLUMN})"
    (_, first), *others = interval.offsets
    shift = f"{first * 1_000_000:d}"
    if others:
        changes = "".join(
            f" WHEN {micros} >= {start * 1_000_000:d} THEN {offset * 1_000_000:d}"
            for start, offset in reversed(others)
            if start is not None
        )
        shift = f"CASE{changes} ELSE {shift} END"
    local, width = f"({micros} + {shift})", interval.seconds * 1_000_000
    # % has the sign of the dividend: applied twice, so that times before 1970 are in the right interval too
    return f"({local} - ({local} % {width:d} + {width:d}) % {width:d}) // 1000000"


def value_order(json: str) -> str:
    """Return what sorts values, JSON text: texts, then numbers."""
    return f"TRY_CAST({json} AS DOUBLE) NULLS FIRST, TRY({json}->>'$'), {json}"


@dataclass(frozen=True, slots=True)
class _Values:
    """The SELECTs of ``v``, a value as JSON text, and the number ``n`` of events with it; a value may come twice.

    Attributes:
        query: Which events are counted.
        field: The field that has the values.
        bucket: The expression for a column ``bucket``, and ``v`` may be NULL; empty: neither.
        paths: Whether texts count without their query string.
    """

    query: Query
    field: str
    bucket: str = ""
    paths: bool = False

    def select(self, groups: Sequence[FileGroup]) -> str:
        """Return that of all files. An array has a row for each distinct element."""
        texts, others = [], []
        for group in groups:
            column = (group.columns or SourceColumns()).find(self.field)
            if column is not None and column.other == NEVER:
                texts.append(self._of_texts(group, column))
            else:
                others.append(self._of_document(group) if column is None else self._of_column(group, column))
        if others:
            names = f"{self._names}unnest({elements('v', paths=self.paths)}) AS v, n"
            texts.append(f"SELECT {names} FROM ({' UNION ALL '.join(others)})")
        return " UNION ALL ".join(texts)

    @property
    def _names(self) -> str:
        return "bucket, " if self.bucket else ""

    def _count(self, group: FileGroup, values: str, there: Sequence[str] = ()) -> str:
        bucket = f"{self.bucket} AS bucket, " if self.bucket else ""
        return events(group, self.query, f"{bucket}{values}, count(*) AS n", there) + " GROUP BY ALL"

    def _there(self, column: FieldColumn) -> list[str]:
        """Return the condition for events with a value, if others are not wanted: cheaper than to group them."""
        return [] if self.bucket else [f"{column.text} IS NOT NULL"]

    def _of_texts(self, group: FileGroup, column: FieldColumn) -> str:
        text = without_query_string(column.text) if self.paths else column.text
        rows = self._count(group, f"{text} AS t", self._there(column))
        return f"SELECT {self._names}to_json(t)::VARCHAR AS v, n FROM ({rows})"

    def _of_column(self, group: FileGroup, column: FieldColumn) -> str:
        """Return that of a column with values that are not texts, with an array as it is.

        Its texts are cut before they are counted, as there are far fewer of them then.
        """
        cut = f"CASE WHEN {column.other} THEN {column.text} ELSE {without_query_string(column.text)} END"
        text = cut if self.paths else column.text
        rows = self._count(group, f"{text} AS t, {column.other} AS other", self._there(column))
        return f"SELECT {self._names}CASE WHEN other THEN t ELSE to_json(t)::VARCHAR END AS v, n FROM ({rows})"

    def _of_document(self, group: FileGroup) -> str:
        return self._count(group, f"{extract_one(field_paths(self.field))}::VARCHAR AS v")


def without_query_string(text: str) -> str:
    """Return the expression for a text without its query string."""
    return f"split_part({text}, '?', 1)"


def elements(json: str, *, paths: bool = False) -> str:
    """Return the list of the distinct elements of an array, JSON text, and of any other value a list with this alone.

    ``paths``: texts without their query string.
    """
    return f"distinct_paths({json})" if paths else f"distinct_elements({json})"


def label(field: str, value: str | None) -> str:
    """Return the label that a value is counted under; empty if it is missing, null or an object."""
    if value is None or value == "null" or value[0] in "[{":
        return ""
    text = str(json.loads(value)) if value[0] == '"' else value
    return text.upper() if field in LEVEL_FIELDS else text
