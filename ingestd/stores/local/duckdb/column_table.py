# ruff: noqa: S608 - building SQL is what this module is for
"""Documents in a table of DuckDB, a column for each field: what a sealed file is written from.

DuckDB divides nearly all documents into columns, and proves that these hold all of them (see ``division_sql``). The
others are divided one by one, and read back: one that did not come back equal is kept as a whole. So whatever is in the
table is what was put in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import orjson

from ingestd.stores.local.duckdb import column_sql
from ingestd.stores.local.duckdb.division_sql import Traits, divided, raw_numbers
from ingestd.stores.local.duckdb.sql import extract, literal, quoted_name
from ingestd.stores.local.index.document_columns import TIME, WHOLE, WHOLE_DOCUMENTS, Columns, Fitted, fields_in, fit

MAX_REST_FIELDS = 1000
"""If the ``rest`` of a file's documents has more fields, it is not noted which."""

_BATCH, _BATCH_BYTES = 2048, 8 << 20
_SIZE, _UNDIVIDED, _ROW = '"~size"', '"~undivided"', '"~row"'  # no field with a column has such a name
_PARTS = '[{"n":"BIGINT","held":"VARCHAR","rest":"VARCHAR"}]'
_TIME = quoted_name(TIME)
_TIME_OF_DOCUMENT = f"TRY_CAST({extract([(TIME,)])}[1]->>'$' AS TIMESTAMP)"


class Run(Protocol):
    """Runs SQL and returns all rows."""

    def __call__(self, sql: str, parameters: Sequence[object] = (), /) -> list[tuple[Any, ...]]:
        """Raises StoreError."""


class ColumnTable:
    """A table that documents are added to.

    Attributes:
        rest_fields: The fields in the ``rest`` of the documents that were added; None: any.
    """

    def __init__(self, run: Run, columns: Columns, traits: Traits) -> None:
        self.rest_fields: set[str] | None = set()
        self._run, self._columns, self._traits = run, columns, traits
        self._structure = column_sql.structure(columns)
        self._run("DROP TABLE IF EXISTS divided")
        self._run(
            f"CREATE TEMP TABLE divided ({column_sql.definitions(columns)}, {_SIZE} BIGINT, {_UNDIVIDED} VARCHAR)"
        )

    def rows(self) -> str:
        """Return the FROM clause for its rows, with the columns of a sealed file."""
        return f"(SELECT * EXCLUDE ({_SIZE}, {_UNDIVIDED}) FROM divided)"

    def raw_bytes(self) -> int:
        """Return the size of its documents, as they came."""
        ((size,),) = self._run(f"SELECT coalesce(sum({_SIZE}), 0)::BIGINT FROM divided")
        return int(size)

    def clear(self) -> None:
        """Remove all rows."""
        self._run("DELETE FROM divided")

    def drop(self) -> None:
        """Free its memory."""
        self._run("DROP TABLE divided")

    def add(self, source: str) -> None:
        """Add the documents of a FROM clause with the columns ``doc`` and ``id``.

        Raises:
            StoreError: The source cannot be read, or the disk is full.
        """
        if self._columns is WHOLE_DOCUMENTS:
            self.rest_fields = None
            values = f"{_TIME_OF_DOCUMENT}, id, NULL, {literal(WHOLE)} || doc, strlen(doc), NULL"
            self._run(f"INSERT INTO divided SELECT {values} FROM {source}")
            return
        time = f"CASE WHEN held THEN TRY_CAST(x.{_TIME} AS TIMESTAMP) END"
        values = column_sql.values(self._columns, time, "rest", raw_numbers(self._columns))
        proved = divided(self._columns, source, self._traits)
        self._run(f"INSERT INTO divided SELECT {values}, strlen(doc), CASE WHEN NOT held THEN doc END FROM ({proved})")
        noted = self._run("SELECT DISTINCT unnest(json_keys(rest)) FROM divided WHERE rest IS NOT NULL")
        self._note({str(name) for (name,) in noted})
        self._add_others()

    def _add_others(self) -> None:
        """Divide the documents that DuckDB did not divide."""
        sizes = self._run(f"SELECT rowid, {_SIZE} FROM divided WHERE {_UNDIVIDED} IS NOT NULL ORDER BY rowid")
        for first, last in _ranges(sizes):
            rows = f"FROM divided WHERE {_UNDIVIDED} IS NOT NULL AND rowid BETWEEN {first} AND {last}"
            documents = dict(self._run(f"SELECT rowid, {_UNDIVIDED} {rows}"))
            fitted = {row: fit(document, self._columns) for row, document in documents.items()}
            self._divide(fitted, rows)
            if unequal := {row for row, text in self._read_back() if not _is_equal(text, documents[row])}:
                fitted |= {row: Fitted("{}", WHOLE + documents[row]) for row in unequal}
                self._divide(fitted, rows)
            self._run(f"INSERT INTO divided SELECT * EXCLUDE ({_ROW}) FROM fixed")
            for rest in {found.rest for found in fitted.values() if found.rest is not None}:
                self._note(fields_in(rest))
        if sizes:
            self._run(f"DELETE FROM divided WHERE {_UNDIVIDED} IS NOT NULL")

    def _divide(self, fitted: Mapping[int, Fitted], rows: str) -> None:
        """Make the table of rows of documents that were divided, from their ``rows``."""
        texts = orjson.dumps([{"n": row, "held": found.held, "rest": found.rest} for row, found in fitted.items()])
        parts = f"SELECT unnest(from_json($1, '{_PARTS}'), recursive := true)"
        divided = (
            f"SELECT n, TRY(from_json(held, {self._structure})) AS x, id, rest, doc, size "
            f"FROM ({parts}) JOIN (SELECT rowid AS n, id, {_UNDIVIDED} AS doc, {_SIZE} AS size {rows}) USING (n)"
        )
        values = column_sql.values(self._columns, _TIME_OF_DOCUMENT, "rest")
        self._run("DROP TABLE IF EXISTS fixed")
        self._run(
            f"CREATE TEMP TABLE fixed ({column_sql.definitions(self._columns)}, "
            f"{_SIZE} BIGINT, {_UNDIVIDED} VARCHAR, {_ROW} BIGINT)"
        )
        self._run(f"INSERT INTO fixed SELECT {values}, size, NULL, n FROM ({divided})", [texts.decode()])

    def _read_back(self) -> list[tuple[int, str]]:
        return [
            (int(row), text)
            for row, text in self._run(f"SELECT {_ROW}, {column_sql.document(self._columns)} FROM fixed")
        ]

    def _note(self, fields: set[str] | None) -> None:
        if self.rest_fields is not None:
            self.rest_fields = None if fields is None else self.rest_fields | fields
        if self.rest_fields is not None and len(self.rest_fields) > MAX_REST_FIELDS:
            self.rest_fields = None


def _ranges(sizes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the first and last rows of batches of at most `_BATCH` rows and `_BATCH_BYTES`; one row always fits."""
    start = size = 0
    for at, (_, row_bytes) in enumerate(sizes):
        if at > start and (at - start == _BATCH or size + row_bytes > _BATCH_BYTES):
            yield sizes[start][0], sizes[at - 1][0]
            start, size = at, 0
        size += row_bytes
    if sizes:
        yield sizes[start][0], sizes[-1][0]


def _is_equal(text: str, document: str) -> bool:
    """Return whether a document came back with the same values."""
    if text == document:
        return True
    try:
        return bool(orjson.loads(text) == orjson.loads(document))
    except orjson.JSONDecodeError:
        return False
