# ruff: noqa: S608 - building SQL is what this module is for
"""Reading sealed files: what is in them and what their footers say, and which events they have or lack."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from ingestd.decoders import decoder
from ingestd.stores.local.duckdb import column_sql
from ingestd.stores.local.duckdb.session import DuckDBSession, UnreadableError
from ingestd.stores.local.duckdb.sql import append_log_rows, file_literals, literal, quoted_name
from ingestd.stores.local.index.document_columns import are_valid
from ingestd.stores.local.sealing.document_sources import file_source, log_source
from ingestd.stores.local.sealing.sealed_content import FileStats, Footer, SealedContent

_FORMAT_1_COLUMNS = ("@timestamp", "not_text", "id", "doc")

FOOTER_KEY = "ingestd"
"""The key of the footer in the metadata of a file."""

TIME = quoted_name("@timestamp")
"""The column of times, in SQL."""

_BATCH = 512


class ParquetReader:
    """Reads sealed files, with one thread and bounded memory."""

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
        rows = self._run(
            f"SELECT value FROM parquet_kv_metadata({literal(str(path))}) WHERE key = {literal(FOOTER_KEY)}"
        )
        try:
            footer = decoder(Footer).decode(bytes(rows[0][0])) if rows else None
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

    def _stats(self, source: str, hashed: str, raw_bytes: str) -> FileStats:
        (row,) = self._run(
            f"SELECT count(*), count(*) FILTER ({TIME} IS NULL), epoch_us(min({TIME})), epoch_us(max({TIME})), "
            f"coalesce({raw_bytes}, 0)::BIGINT, coalesce(sum(hash({hashed})), 0)::HUGEINT FROM {source} AS r"
        )
        return FileStats(*row)

    def _run(self, sql: str, parameters: Sequence[object] = (), /) -> list[tuple[Any, ...]]:
        return self._session.run(sql, parameters)


def _canonical(document: str) -> bytes:
    """Return a text that two documents have alike if their values are the same."""
    try:
        return orjson.dumps(orjson.loads(document), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return document.encode()
