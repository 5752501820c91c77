# ruff: noqa: S608 - building SQL is what this module is for
"""Sealed files: their columns, and how DuckDB writes them from append logs and from other sealed files.

A row is an event, newest first, so that a search for the latest events reads only the first row groups::

    @timestamp       TIMESTAMP   in UTC, to microseconds; NULL if the event has none
    id               VARCHAR     the document id, empty if there is none
    @timestamp.text  VARCHAR     how the time is written, unless nearly all times of the file are written alike
    level, ...                   a column for each field, of its type: see ``document_columns``
    rest             VARCHAR     JSON of what these columns do not hold; NULL: nothing

The footer says which fields these are, and what the file was made of (`Footer`), so that a lost manifest can be made
from the files.

Files of older versions, of format 1, have the document itself, and columns for a few fields::

    @timestamp    TIMESTAMP     as above
    level, ...    VARCHAR       some fields: strings as they are, other values as JSON, NULL if missing
    not_text      INTEGER       bit n is set if the n-th of them is not a string
    id            VARCHAR       as above
    doc           VARCHAR       the document, byte for byte
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from ingestd.stores.base import StoreError
from ingestd.stores.local.append_logs.append_log import sample_documents
from ingestd.stores.local.duckdb import column_sql
from ingestd.stores.local.duckdb.column_merge import converted, moved_fields
from ingestd.stores.local.duckdb.column_table import MAX_REST_FIELDS, ColumnTable
from ingestd.stores.local.duckdb.division_sql import Traits
from ingestd.stores.local.duckdb.session import (
    DuckDBSession,
    OutOfMemoryError,
    UnreadableError,
    duckdb_session,
)
from ingestd.stores.local.duckdb.sql import (
    append_log_rows,
    file_literals,
    literal,
    quoted_name,
)
from ingestd.stores.local.index.document_columns import (
    MAX_COLUMNS,
    SAMPLE,
    WHOLE_DOCUMENTS,
    Columns,
    ambiguous_texts,
    are_valid,
    choose_among,
    choose_columns,
    count_columns,
    union,
)
from ingestd.stores.local.index.layout import MAX_DOCUMENT_BYTES
from ingestd.stores.local.index.manifest import SealedFile
from ingestd.stores.local.sealing.document_sources import file_parts, file_source, log_source
from ingestd.stores.local.sealing.sealed_content import FileStats, Footer, SealedContent

ROW_GROUP_ROWS, ROW_GROUP_BYTES = 61_440, 40 << 20
"""Most rows that are read, or skipped, together, and the size of their documents: all are in memory when written."""

COPY_OPTIONS = "FORMAT parquet, COMPRESSION zstd, WRITE_BLOOM_FILTER false"
"""Bloom filters, which only columns with dictionaries get, make a file 7 % larger. The level is zstd's default, 3: with
6 a file is 5 % smaller, for 0.5 us more per event."""

DICTIONARY_BYTES = 4 << 20
"""Most bytes of the distinct values of a column in a row group, if each is written once only. That is done for columns
with up to two thirds as many as there are rows (DuckDB's default is a fifth): to search messages and paths takes a half
less CPU then, a file is 2 % smaller, and an event costs 0.2 us more to write."""

FEW_COLUMNS = 32
"""Most columns of a file for which there is too little memory with more: each takes some for every few rows."""

SORTED_SHARE = 1.0
"""When files are merged, documents of up to this share of the memory are sorted as a whole; larger ones are
concatenated."""

_FORMAT_1_COLUMNS = ("@timestamp", "not_text", "id", "doc")
_KEY = "ingestd"
_TIME = quoted_name("@timestamp")
_ORDER = f"{_TIME} DESC NULLS LAST"
_BATCH = 512


class ParquetWriter:
    """Writes and reads sealed files, with one thread and bounded memory."""

    def __init__(self, session: DuckDBSession) -> None:
        self._session = session

    def count_lines(self, append_logs: Sequence[Path]) -> int:
        """Return the number of readable lines in append logs."""
        (row,) = self._run(f"SELECT count(*) FROM {append_log_rows(append_logs)}")
        return int(row[0])

    def read_all(self, path: Path) -> SealedContent:
        """Read every column of a sealed file.

        Raises:
            StoreError: It cannot be read.
        """
        source = f"read_parquet([{file_literals([path])}])"
        found = self._names(source)
        footer = self._footer(path)
        columns = None if footer is None else footer.columns
        expected = _FORMAT_1_COLUMNS if columns is None else column_sql.names(columns)
        if missing := [name for name in expected if name not in found]:
            raise UnreadableError(f"{path} is not a file of the store: it has no column {missing[0]}")
        if footer is None or columns is None:
            self._run(f"SELECT {', '.join(f'bit_xor(hash({quoted_name(name)}))' for name in found)} FROM {source}")
            fields = tuple(name for name in found if name not in _FORMAT_1_COLUMNS)
            return SealedContent(self._stats(source, "doc, id", "sum(strlen(doc))"), fields, (), footer)
        stats = self._stats(source, "r", str(footer.raw_bytes))
        checksum = self._checksum(stats)
        if footer.checksum.partition(" ")[0] == checksum.partition(" ")[0] and footer.checksum != checksum:
            raise UnreadableError(f"{path} is damaged: it does not have its checksum")
        return SealedContent(stats, columns, footer.rest, footer)

    def _checksum(self, stats: FileStats) -> str:
        return f"{self._version} {stats.checksum}"

    @functools.cached_property
    def _version(self) -> str:
        ((version,),) = self._run("SELECT version()")
        return str(version)

    def _names(self, source: str) -> list[str]:
        return [str(name) for name, *_ in self._run(f"DESCRIBE SELECT * FROM {source}")]

    def _footer(self, path: Path) -> Footer | None:
        rows = self._run(f"SELECT value FROM parquet_kv_metadata({literal(str(path))}) WHERE key = {literal(_KEY)}")
        try:
            footer = msgspec.json.decode(bytes(rows[0][0]), type=Footer) if rows else None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UnreadableError(f"the footer of {path} cannot be read: {error}") from None
        if footer is not None and footer.columns is not None and not are_valid(footer.columns):
            raise UnreadableError(f"the footer of {path} cannot be read: there are no such columns")
        return footer

    def count_rows(self, paths: Sequence[Path]) -> int:
        """Return the number of rows of sealed files, from their footers."""
        if not paths:
            return 0
        (row,) = self._run(f"SELECT sum(num_rows) FROM parquet_file_metadata([{file_literals(paths)}])")
        return int(row[0])

    def count_unsealed(self, append_log: Path, files: Sequence[Path]) -> int:
        """Return how many readable lines of an append log are in none of some sealed files."""
        return self._count_missing([log_source([append_log])], self._sources(files), "NOT IN")

    def count_missing(self, file: Path, append_logs: Sequence[Path], files: Sequence[Path]) -> int:
        """Return how many rows of a sealed file are neither in some append logs nor in some other sealed files.

        Raises:
            UnreadableError: A file cannot be read.
        """
        logs = [log_source(append_logs)] if append_logs else []
        return self._count_missing(self._sources([file]), [*logs, *self._sources(files)], "EXCEPT ALL")

    def count_repeated(self, append_logs: Sequence[Path], files: Sequence[Path]) -> int:
        """Return how many events have an id that another event before them has.

        Raises:
            UnreadableError: A file cannot be read.
        """
        sources = []
        if append_logs:
            sources.append(f"SELECT TRY(id->>'$') AS id FROM {append_log_rows(append_logs)}")
        if files:
            sources.append(f"SELECT id FROM read_parquet([{file_literals(files)}])")
        if not sources:
            return 0
        (row,) = self._run(f"SELECT count(id) - count(DISTINCT id) FROM ({' UNION ALL '.join(sources)}) WHERE id <> ''")
        return int(row[0])

    def _sources(self, files: Sequence[Path]) -> list[str]:
        """Return the FROM clause for documents and ids of each of some sealed files."""
        footers = [(file, self._footer(file)) for file in files]
        return [file_source(file, None if footer is None else footer.columns) for file, footer in footers]

    def _count_missing(self, sources: Sequence[str], others: Sequence[str], operator: str) -> int:
        """Return how many documents are not among others. Only their values count, as sealing rewrites them."""
        for table, selected in (("wanted", sources), ("present", others)):
            self._run(f"CREATE OR REPLACE TEMP TABLE {table} (key BIGINT)")
            for source in selected:
                self._insert_keys(table, source)
        query = "SELECT key FROM wanted EXCEPT ALL SELECT key FROM present"
        if operator == "NOT IN":
            query = "SELECT key FROM wanted WHERE key NOT IN (SELECT key FROM present)"
        ((count,),) = self._run(f"SELECT count(*) FROM ({query})")
        return int(count)

    def _insert_keys(self, table: str, source: str) -> None:
        rows = self._session.rows(f"SELECT doc, id FROM {source}")
        while batch := list(itertools.islice(rows, _BATCH)):
            keys = orjson.dumps([hash((_canonical(document), event_id)) for document, event_id in batch]).decode()
            self._run(f"INSERT INTO {table} SELECT unnest(from_json($1, '[\"BIGINT\"]'))", [keys])

    def seal(
        self,
        append_logs: Sequence[Path],
        target: Path,
        footer: Footer,
        known: Columns | None = None,
        max_line_bytes: int = MAX_DOCUMENT_BYTES,
        *,
        are_strict: bool = False,
    ) -> SealedContent:
        """Write the lines of append logs to a new file, read it again and return what is in it.

        Longer lines than ``max_line_bytes`` are left out; less memory is needed if that is little.
        ``known`` are the columns of another file of the index, which the new one then has, too.
        ``are_strict``: all documents are known to be strictly JSON.

        Raises:
            OutOfMemoryError: It takes too much memory; fewer logs may take less.
            StoreError: The disk fails, or the file does not hold what the append logs do.
        """
        sources = [log_source(append_logs, max_line_bytes)]
        sample = list(sample_documents(append_logs))
        for known_columns, most in ((known, MAX_COLUMNS), (None, FEW_COLUMNS)):
            columns = choose_columns(sample, known_columns, most)
            traits = Traits(are_strict, ambiguous_texts(sample, columns))
            try:
                return self._write(sources, target, footer, columns, is_sorted=False, traits=traits)
            except OutOfMemoryError:  # for documents that are very large, or have very many fields
                if len(append_logs) > 1:
                    raise
        return self._write(sources, target, footer, WHOLE_DOCUMENTS, is_sorted=False)

    def merge(self, folder: Path, files: Sequence[SealedFile], target: Path, footer: Footer) -> SealedContent:
        """Write the rows of sealed files, newest file first, to a new one; documents are split again if they must be.

        Raises:
            StoreError: The disk fails, a file cannot be read, or the new one does not hold what they do.
        """
        sorted_bytes = self._session.memory_bytes * SORTED_SHARE
        is_sorted = sum(file.raw_bytes for file in files) > sorted_bytes or _follow_each_other(files)
        divided = [(file, file.columns) for file in files if isinstance(file.columns, dict)]
        if len(divided) < len(files):
            sources = [source for file in files for source in file_parts(folder, file)]
            sample = list(self._sample(sources))
            columns = choose_columns(sample, divided[0][1] if divided else None)
            traits = Traits(ambiguous=ambiguous_texts(sample, columns))
            return self._write(sources, target, footer, columns, is_sorted=is_sorted, traits=traits)
        columns = union([own for _, own in divided]) or self._choose_among(folder, divided)
        sources = [f"read_parquet([{file_literals([folder / file.name])}])" for file in files]
        selects = [
            f"SELECT {converted(own, columns)} FROM {source}" for (_, own), source in zip(divided, sources, strict=True)
        ]
        moved = {field for _, own in divided for field in moved_fields(own, columns)}
        rest = None if any(file.rest is None for file in files) else moved.union(*(file.rest or () for file in files))
        raw_bytes = sum(file.raw_bytes for file in files)
        rows = f"({' UNION ALL '.join(selects)})"
        expected = self._noted_stats(folder, divided, columns) or self._stats(rows, "r", str(raw_bytes))
        completed = _completed(footer, columns, rest, raw_bytes)
        try:
            written = self._copy(rows, target, completed, expected, is_sorted=is_sorted)
        except OutOfMemoryError:
            if is_sorted:
                raise
            written = self._copy(rows, target, completed, expected, is_sorted=True)  # which takes a row group at a time
        if moved:
            before = sum(self._document_bytes(source, own) for (_, own), source in zip(divided, sources, strict=True))
            if self._document_bytes(f"read_parquet([{file_literals([target])}])", columns) != before:
                raise StoreError(f"{target} does not match its sources: its documents have another size")
        return written

    def _noted_stats(
        self, folder: Path, files: Sequence[tuple[SealedFile, Columns]], columns: Columns
    ) -> FileStats | None:
        """Return the number of rows and the checksum that files must have together, if their footers show it."""
        if any(orjson.dumps(own) != orjson.dumps(columns) for _, own in files):
            return None
        checksum = 0
        for file, _ in files:
            footer = self._footer(folder / file.name)
            version, _, own_checksum = (footer.checksum if footer else "").rpartition(" ")
            if version != self._version:
                return None
            checksum += int(own_checksum)
        return FileStats(sum(file.events for file, _ in files), 0, None, None, 0, checksum)

    def _choose_among(self, folder: Path, files: Sequence[tuple[SealedFile, Columns]]) -> Columns:
        return choose_among([(columns, self._filled(folder / file.name, columns)) for file, columns in files])

    def _filled(self, path: Path, columns: Columns) -> dict[tuple[str, ...], int]:
        """Return how many rows of a file have a value in each column, by the column's path."""
        found = self._run(
            "SELECT path_in_schema, sum(num_values - coalesce(stats_null_count, 0)) "
            f"FROM parquet_metadata({literal(str(path))}) GROUP BY 1"
        )
        filled = {str(name): int(count) for name, count in found}
        return {path: filled.get(", ".join(names), 0) for path, names in column_sql.paths(columns)}

    def _document_bytes(self, source: str, columns: Columns) -> int:
        ((size,),) = self._run(f"SELECT coalesce(sum(strlen({column_sql.document(columns)})), 0)::BIGINT FROM {source}")
        return int(size)

    def _sample(self, sources: Sequence[str]) -> Iterator[str]:
        share = -(-SAMPLE // len(sources))
        for source in sources:
            yield from (str(document) for (document,) in self._session.rows(f"SELECT doc FROM {source} LIMIT {share}"))

    def _write(
        self,
        sources: Sequence[str],
        target: Path,
        footer: Footer,
        columns: Columns,
        *,
        is_sorted: bool,
        traits: Traits | None = None,
    ) -> SealedContent:
        """Write documents to a new file: first in parts, if there are several sources."""
        table = ColumnTable(self._run, columns, traits or Traits())
        rows, parts, raw_bytes = table.rows(), list[Path](), 0
        totals: list[FileStats] = []
        for source in sources:
            table.add(source)
            raw_bytes += table.raw_bytes()
            totals.append(self._stats(rows, "r", "0"))
            if len(sources) > 1:
                parts.append(target.with_name(f"{target.stem}-{len(parts)}.part"))
                self._run(
                    f"COPY (SELECT * FROM {rows} ORDER BY {_ORDER}) TO {literal(str(parts[-1]))} (FORMAT parquet)"
                )
                table.clear()
        if parts:
            rows = f"read_parquet([{file_literals(parts)}])"
        expected = FileStats(
            sum(total.events for total in totals), 0, None, None, raw_bytes, sum(total.checksum for total in totals)
        )
        completed = _completed(footer, columns, table.rest_fields, raw_bytes)
        written = self._copy(rows, target, completed, expected, is_sorted=is_sorted)
        table.drop()
        for part in parts:
            part.unlink()
        return written

    def _copy(self, rows: str, target: Path, footer: Footer, expected: FileStats, *, is_sorted: bool) -> SealedContent:
        footer = msgspec.structs.replace(footer, checksum=self._checksum(expected))
        order = "" if is_sorted else f" ORDER BY {_ORDER}"
        size = _row_group_rows(expected.events, footer)
        options = f"{COPY_OPTIONS}, ROW_GROUP_SIZE {size}"
        options += f", DICTIONARY_SIZE_LIMIT {size * 2 // 3}, STRING_DICTIONARY_PAGE_SIZE_LIMIT {DICTIONARY_BYTES}"
        options += f", KV_METADATA {{{_KEY}: {literal(msgspec.json.encode(footer).decode())}}}"
        self._run(f"COPY (SELECT * FROM {rows}{order}) TO {literal(str(target))} ({options})")
        source = f"read_parquet([{file_literals([target])}])"
        written = self._stats(source, "r", str(footer.raw_bytes))
        if (written.events, written.checksum) != (expected.events, expected.checksum):
            raise StoreError(f"{target} does not match its sources: {written.events} of {expected.events} events")
        if self._names(source) != column_sql.names(footer.columns or {}):
            raise StoreError(f"{target} does not have the columns that it should have")
        return SealedContent(written, footer.columns or {}, footer.rest, footer)

    def _stats(self, source: str, hashed: str, raw_bytes: str) -> FileStats:
        (row,) = self._run(
            f"SELECT count(*), count(*) FILTER ({_TIME} IS NULL), epoch_us(min({_TIME})), epoch_us(max({_TIME})), "
            f"coalesce({raw_bytes}, 0)::BIGINT, coalesce(sum(hash({hashed})), 0)::HUGEINT FROM {source} AS r"
        )
        return FileStats(*row)

    def _run(self, sql: str, parameters: Sequence[object] = (), /) -> list[tuple[Any, ...]]:
        return self._session.run(sql, parameters)


@contextlib.contextmanager
def parquet_writer(scratch: Path, memory_bytes: int) -> Iterator[ParquetWriter]:
    """Yield a writer whose DuckDB may use ``memory_bytes`` and spills to ``scratch``."""
    with duckdb_session(scratch, memory_bytes) as session:
        yield ParquetWriter(session)


def _follow_each_other(files: Sequence[SealedFile]) -> bool:
    """Return whether each file, newest first, has only later events than the next one."""
    return all(
        later.first is not None and earlier.last is not None and later.first > earlier.last and not later.untimed
        for later, earlier in itertools.pairwise(files)
    )


def _row_group_rows(events: int, footer: Footer) -> int:
    """Return the size of the row groups of a file: about the same for all, as they share a limit of distinct values."""
    most = ROW_GROUP_ROWS // (1 + count_columns(footer.columns or {}) // 64)  # it is in memory as a whole
    most = max(1, min(most, events * ROW_GROUP_BYTES // max(1, footer.raw_bytes)))
    return -(-events // max(1, -(-events // most))) or 1


def _completed(footer: Footer, columns: Columns, rest: set[str] | None, raw_bytes: int) -> Footer:
    fields = None if rest is None or len(rest) > MAX_REST_FIELDS else tuple(sorted(rest))
    return msgspec.structs.replace(footer, columns=dict(columns), rest=fields, raw_bytes=raw_bytes)


def _canonical(document: str) -> bytes:
    """Return a text that two documents have alike if their values are the same."""
    try:
        return orjson.dumps(orjson.loads(document), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return document.encode()
