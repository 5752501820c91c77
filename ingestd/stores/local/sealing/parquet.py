# ruff: noqa: S608 - building SQL is what this module is for
"""Sealed files: their columns, and how DuckDB writes them from append logs and from other sealed files.

A row is an event, newest first, so that a search for the latest events reads only the first row groups::

    @timestamp       TIMESTAMP   in UTC, to microseconds; NULL if the event has none
    id               VARCHAR     the document id, empty if there is none
    @timestamp.text  VARCHAR     how the time is written, unless nearly all times of the file are written alike
    level, ...                   a column for each field, of its type: see ``document_columns``
    rest             VARCHAR     JSON of what these columns do not hold; NULL: nothing

The footer says which fields these are, and what the file was made of (`Footer`), so that a lost manifest can be made
from the files, and has filters of the texts in it (``text_filters``).

Files of older versions, of format 1, have the document itself, and columns for a few fields::

    @timestamp    TIMESTAMP     as above
    level, ...    VARCHAR       some fields: strings as they are, other values as JSON, NULL if missing
    not_text      INTEGER       bit n is set if the n-th of them is not a string
    id            VARCHAR       as above
    doc           VARCHAR       the document, byte for byte
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import orjson

from ingestd.stores.base import StoreError
from ingestd.stores.local.append_logs.append_log import sample_documents
from ingestd.stores.local.duckdb import column_sql, text_filters
from ingestd.stores.local.duckdb.column_merge import converted, moved_fields
from ingestd.stores.local.duckdb.column_table import MAX_REST_FIELDS, ColumnTable
from ingestd.stores.local.duckdb.division_sql import Traits
from ingestd.stores.local.duckdb.session import OutOfMemoryError, duckdb_session
from ingestd.stores.local.duckdb.sql import file_literals, literal
from ingestd.stores.local.index.document_columns import (
    MAX_COLUMNS,
    SAMPLE,
    WHOLE_DOCUMENTS,
    Columns,
    ambiguous_texts,
    choose_among,
    choose_columns,
    count_columns,
    union,
)
from ingestd.stores.local.index.layout import MAX_DOCUMENT_BYTES
from ingestd.stores.local.index.manifest import SealedFile
from ingestd.stores.local.sealing.document_sources import file_parts, log_source
from ingestd.stores.local.sealing.parquet_reader import FOOTER_KEY, TIME, ParquetReader
from ingestd.stores.local.sealing.sealed_content import FileStats, Footer, SealedContent

ROW_GROUP_ROWS, ROW_GROUP_BYTES = 61_440, 40 << 20
"""Maximum number of rows read or skipped together, and the size of their documents: both are in memory to write."""

COPY_OPTIONS = "FORMAT parquet, COMPRESSION zstd, WRITE_BLOOM_FILTER false"
"""Bloom filters, which only columns with dictionaries get, make a file 7 % larger. The level is zstd's default, 3: with
6 a file is 5 % smaller, for 0.5 us more per event."""

DICTIONARY_BYTES = 4 << 20
"""Maximum bytes of the distinct values of a column in a row group, if each is written once only. That is done for
columns with up to two thirds as many as there are rows (DuckDB's default is a fifth): to search messages and paths
takes a half less CPU then, a file is 2 % smaller, and an event costs 0.2 us more to write."""

FEW_COLUMNS = 32
"""Maximum number of columns of a file that would need too much memory with more: each takes some for every few rows."""

SORTED_SHARE = 1.0
"""When files are merged, documents of up to this share of the memory are sorted as a whole; larger ones are
concatenated."""

_ORDER = f"{TIME} DESC NULLS LAST"


class ParquetWriter(ParquetReader):
    """Writes sealed files, with one thread and bounded memory."""

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
        own_columns = [(folder / file.name, own) for file, own in divided]
        filters = text_filters.made(self._session, rows, columns, own_columns)
        expected = self._noted_stats(folder, divided, columns) or self._stats(rows, "r", str(raw_bytes))
        completed = _completed(footer, columns, rest, raw_bytes)
        try:
            written = self._copy(rows, target, completed, expected, filters, is_sorted=is_sorted)
        except OutOfMemoryError:
            if is_sorted:
                raise
            # which takes a row group at a time
            written = self._copy(rows, target, completed, expected, filters, is_sorted=True)
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
        filters = text_filters.made(self._session, rows, columns)
        written = self._copy(rows, target, completed, expected, filters, is_sorted=is_sorted)
        table.drop()
        for part in parts:
            part.unlink()
        return written

    def _copy(
        self,
        rows: str,
        target: Path,
        footer: Footer,
        expected: FileStats,
        filters: text_filters.Filters,
        *,
        is_sorted: bool,
    ) -> SealedContent:
        footer = msgspec.structs.replace(footer, checksum=self._checksum(expected))
        order = "" if is_sorted else f" ORDER BY {_ORDER}"
        size = _row_group_rows(expected.events, footer)
        options = f"{COPY_OPTIONS}, ROW_GROUP_SIZE {size}"
        options += f", DICTIONARY_SIZE_LIMIT {size * 2 // 3}, STRING_DICTIONARY_PAGE_SIZE_LIMIT {DICTIONARY_BYTES}"
        metadata = {FOOTER_KEY: msgspec.json.encode(footer).decode(), text_filters.KEY: text_filters.encode(filters)}
        pairs = ", ".join(f"{literal(key)}: {literal(value)}" for key, value in metadata.items())
        options += f", KV_METADATA {{{pairs}}}"
        self._run(f"COPY (SELECT * FROM {rows}{order}) TO {literal(str(target))} ({options})")
        source = f"read_parquet([{file_literals([target])}])"
        written = self._stats(source, "r", str(footer.raw_bytes))
        if (written.events, written.checksum) != (expected.events, expected.checksum):
            raise StoreError(f"{target} does not match its sources: {written.events} of {expected.events} events")
        if self._names(source) != column_sql.names(footer.columns or {}):
            raise StoreError(f"{target} does not have the columns that it should have")
        return SealedContent(written, footer.columns or {}, footer.rest, footer)


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
