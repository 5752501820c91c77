# ruff: noqa: S608 - building SQL is what this module is for
"""Sealed files: their columns, and how DuckDB writes them from append logs and from other sealed files.

A row is an event, newest first, so that a search for the latest events reads only the first row groups::

    @timestamp    TIMESTAMP     in UTC, to microseconds; NULL if the event has none
    level, ...    VARCHAR       the fields of CORE_FIELDS: strings as they are, other values as JSON, NULL if missing
    not_text      INTEGER       bit n is set if the n-th of CORE_FIELDS is not a string
    id            VARCHAR       the document id, empty if there is none
    doc           VARCHAR       the document, byte for byte

The core fields are those that dashboards count and filter by - their values repeat, so columns cost little - and two
that are searched for words: reading whole documents for that takes five times as long. ``doc`` holds them as well.
They are plain strings rather than JSON so that other programs can read the files; ``not_text`` distinguishes ``200``
from ``"200"``.

The footer says what the file was made of (`Sources`), so that a lost manifest can be made from the files.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ingestd.files import open_synced
from ingestd.stores.base import StoreError, StoreFullError
from ingestd.stores.local.files.append_log import count_bytes
from ingestd.stores.local.files.duckdb_core import connect, load_duckdb
from ingestd.stores.local.files.duckdb_sql import (
    APPEND_LOG_ID,
    any_repeated_key,
    append_log_rows,
    extract,
    field_paths,
    file_literals,
    first_values,
    literal,
    quoted_name,
)
from ingestd.stores.local.files.layout import MAX_DOCUMENT_BYTES

if TYPE_CHECKING:
    import duckdb

CORE_FIELDS = (
    *("level", "logger_name", "search_word", "method", "request_path", "status_code"),
    *("client_ip", "geoip.country_code2", "host", "type", "tags", "message", "stack_trace", "visit"),
)
"""The manifest says which of them a file has, so this list may change."""

ROW_GROUP_ROWS = 20_480
"""Rows that are read, or skipped, together."""

ZSTD_LEVEL = 6
"""A tenth smaller than with the default, 3, for 4 us more per event; 9 saves another twentieth for 3 us more."""

_OTHER_COLUMNS = ("@timestamp", "not_text", "id", "doc")
_KEY = "ingestd"

SORT_BYTES = 256 << 20
"""When files are merged, up to this size of documents is sorted as a whole; larger ones are concatenated."""


@dataclass(frozen=True, slots=True)
class FileStats:
    """What is in a file. ``checksum``: of all pairs of document and id, whatever their order."""

    events: int
    untimed: int
    first: int | None
    last: int | None
    raw_bytes: int
    checksum: int


class UnreadableError(StoreError):
    """DuckDB cannot read or write files for another reason than a full disk."""


class Sources(msgspec.Struct, frozen=True):
    """What a sealed file was made of; JSON in its footer, under the key ``ingestd``.

    Attributes:
        sealed: Highest number of a sealed append log, by writer, as in the manifest that first named the file.
        merged: The sealed files that it replaces.
    """

    sealed: Mapping[str, int] = {}
    merged: tuple[str, ...] = ()


class SealedContent(NamedTuple):
    """What a sealed file holds, found by reading all of it. ``sources`` None: an older version wrote it."""

    stats: FileStats
    columns: tuple[str, ...]
    sources: Sources | None


class ParquetWriter:
    """Writes and reads sealed files, with one thread and bounded memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

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
        names = [str(name) for name, *_ in self._run(f"DESCRIBE SELECT * FROM {source}")]
        if missing := [name for name in _OTHER_COLUMNS if name not in names]:
            raise UnreadableError(f"{path} is not a file of the store: it has no column {missing[0]}")
        self._run(f"SELECT {', '.join(f'count(hash({quoted_name(name)}))' for name in names)} FROM {source}")
        stats = self._stats(source, quoted_name("@timestamp"))
        columns = tuple(name for name in names if name not in _OTHER_COLUMNS)
        footer = self._run(f"SELECT value FROM parquet_kv_metadata({literal(str(path))}) WHERE key = {literal(_KEY)}")
        try:
            sources = msgspec.json.decode(bytes(footer[0][0]), type=Sources) if footer else None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UnreadableError(f"the footer of {path} cannot be read: {error}") from None
        return SealedContent(stats, columns, sources)

    def count_rows(self, paths: Sequence[Path]) -> int:
        """Return the number of rows of sealed files, from their footers."""
        if not paths:
            return 0
        (row,) = self._run(f"SELECT sum(num_rows) FROM parquet_file_metadata([{file_literals(paths)}])")
        return int(row[0])

    def count_unsealed(self, append_log: Path, files: Sequence[Path]) -> int:
        """Return how many readable lines of an append log are in none of some sealed files."""
        rows = f"SELECT doc, {APPEND_LOG_ID} AS id FROM {append_log_rows([append_log])}"
        if files:
            sealed = f"SELECT hash(doc, id) FROM read_parquet([{file_literals(files)}])"
            rows += f" WHERE hash(doc, {APPEND_LOG_ID}) NOT IN ({sealed})"
        (row,) = self._run(f"SELECT count(*) FROM ({rows})")
        return int(row[0])

    def count_missing(self, file: Path, append_logs: Sequence[Path], files: Sequence[Path]) -> int:
        """Return how many rows of a sealed file are neither in some append logs nor in some other sealed files.

        Raises:
            UnreadableError: A file cannot be read.
        """
        others = []
        if append_logs:
            others.append(f"SELECT hash(doc, {APPEND_LOG_ID}) FROM {append_log_rows(append_logs)}")
        if files:
            others.append(f"SELECT hash(doc, id) FROM read_parquet([{file_literals(files)}])")
        rows = f"SELECT hash(doc, id) FROM read_parquet([{file_literals([file])}])"
        if others:
            rows += f" EXCEPT ALL ({' UNION ALL '.join(others)})"
        (row,) = self._run(f"SELECT count(*) FROM ({rows})")
        return int(row[0])

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

    def seal(self, append_logs: Sequence[Path], target: Path, sources: Sources) -> FileStats:
        """Write the lines of append logs to a new file, read it again and return what is in it.

        Raises:
            StoreError: The disk fails, or the file does not hold what the append logs do.
        """
        rows = f"(SELECT doc, coalesce(id->>'$', '') AS id FROM {append_log_rows(append_logs)})"
        ((repeated,),) = self._run(any_repeated_key(_PATHS, rows))
        core = (extract if repeated else first_values)(_PATHS)
        self._copy(
            f"SELECT {_columns()} FROM (SELECT doc, id, {core} AS f FROM {rows}) ORDER BY {_ORDER}", target, sources
        )
        return self._checked(rows, target)

    def join(self, files: Sequence[Path], raw_bytes: int, target: Path, sources: Sources) -> FileStats:
        """Write the rows of sealed files with the same columns, newest file first, to a new one."""
        rows = f"read_parquet([{file_literals(files)}])"
        order = f" ORDER BY {_ORDER}" if raw_bytes <= SORT_BYTES else ""
        self._copy(f"SELECT * FROM {rows}{order}", target, sources)
        return self._checked(rows, target)

    def _copy(self, query: str, target: Path, sources: Sources) -> None:
        options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {ZSTD_LEVEL}, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
        options += f", KV_METADATA {{{_KEY}: {literal(msgspec.json.encode(sources).decode())}}}"
        self._run(f"COPY ({query}) TO {literal(str(target))} ({options})")

    def _checked(self, source: str, target: Path) -> FileStats:
        written = self._stats(f"read_parquet([{file_literals([target])}])", quoted_name("@timestamp"))
        expected = self._stats(source, "NULL::TIMESTAMP")
        if (written.events, written.raw_bytes, written.checksum) != (
            expected.events,
            expected.raw_bytes,
            expected.checksum,
        ):
            raise StoreError(f"{target} does not match its sources: {written.events} of {expected.events} events")
        return written

    def _stats(self, source: str, time: str) -> FileStats:
        (row,) = self._run(
            f"SELECT count(*), count(*) FILTER ({time} IS NULL), epoch_us(min({time})), epoch_us(max({time})), "
            f"coalesce(sum(strlen(doc)), 0)::BIGINT, coalesce(sum(hash(doc, id)), 0)::HUGEINT FROM {source}"
        )
        return FileStats(*row)

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return list(self._connection.execute(sql).fetchall())
        except load_duckdb().Error as error:
            sentence = str(error).partition("\n")[0]
            if (no_space := os.strerror(errno.ENOSPC)) in sentence:
                raise StoreFullError(f"cannot seal: {no_space}") from error
            raise UnreadableError(f"cannot seal: {sentence}") from error


@contextlib.contextmanager
def parquet_writer(scratch: Path, memory_bytes: int) -> Iterator[ParquetWriter]:
    """Open a DuckDB that may use ``memory_bytes`` and spills to ``scratch``."""
    with connect({"memory_limit": f"{memory_bytes}B", "threads": 1, "temp_directory": str(scratch)}) as connection:
        yield ParquetWriter(connection)


_ORDER = f"{quoted_name('@timestamp')} DESC NULLS LAST, id DESC"
_CORE_PATHS = [field_paths(field) for field in CORE_FIELDS]
_PATHS = [("@timestamp",), *(path for paths in _CORE_PATHS for path in paths)]


def _columns() -> str:
    """Return the columns of a sealed row, from ``doc``, ``id`` and ``f``, the list of the values at `_PATHS`."""
    columns, bits, at = [f"TRY_CAST(f[1]->>'$' AS TIMESTAMP) AS {quoted_name('@timestamp')}"], [], 2
    for bit, (field, paths) in enumerate(zip(CORE_FIELDS, _CORE_PATHS, strict=True)):
        values = [f"f[{at + offset}]" for offset in range(len(paths))]
        value = values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"
        columns.append(f"{value}->>'$' AS {quoted_name(field)}")
        bits.append(f"CASE WHEN starts_with({value}, '\"') OR {value} IS NULL THEN 0 ELSE {1 << bit} END")
        at += len(paths)
    return ", ".join([*columns, f"({' + '.join(bits)})::INTEGER AS not_text", "id", "doc"])


def without_unreadable(append_logs: Sequence[Path], writer: ParquetWriter, scratch: Path) -> list[Path]:
    """Return files with the readable lines of locked append logs: usually the logs themselves.

    Lines may be unreadable: not UTF-8, too long, or without their tab. The pipeline writes none, but disks fail and
    people edit files; sealing must neither stop forever nor lose such lines. If there are any, the result is
    copies in ``scratch`` without them; they are in files next to the logs, ``.unreadable`` instead of ``.ndjson``.

    Raises:
        OSError: The disk fails.
        StoreError: Lines cannot be read for another reason.
    """
    lines = sum(count_bytes(append_log, b"\n") for append_log in append_logs)
    if writer.count_lines(append_logs) == lines == sum(count_bytes(append_log, b"\t") for append_log in append_logs):
        return list(append_logs)
    return [_readable_lines(append_log, writer, scratch) for append_log in append_logs]


def _readable_lines(append_log: Path, writer: ParquetWriter, scratch: Path) -> Path:
    readable, other = scratch / append_log.name, append_log.with_suffix(".unreadable")
    count = 0
    with append_log.open("rb") as lines, readable.open("wb") as kept, open_synced(other) as rejected:
        for line in lines:
            is_readable = _is_readable(line)
            count += is_readable
            (kept if is_readable else rejected).write(line)
        empty = not rejected.tell()
    if empty:
        other.unlink()
    if writer.count_lines([readable]) != count:
        raise StoreError(f"cannot seal {append_log}: some of its lines cannot be read")
    return readable


def _is_readable(line: bytes) -> bool:
    if len(line) > MAX_DOCUMENT_BYTES or line.count(b"\t") != 1:
        return False
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
