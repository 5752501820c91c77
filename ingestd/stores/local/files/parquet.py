# ruff: noqa: S608 - building SQL is what this module is for
"""Sealed files: what is in them, and how DuckDB makes them of tails and of other sealed files.

A row is an event, the newest first, so that a search for the latest reads the first row groups alone::

    @timestamp    TIMESTAMP     in UTC, to microseconds; NULL if the event has none
    level, ...    VARCHAR       the fields of CORE_FIELDS: a string as it is, other values as JSON, NULL if missing
    not_text      INTEGER       bit n is set if the n-th of CORE_FIELDS is something else than a string
    id            VARCHAR       the document id, empty if there is none
    doc           VARCHAR       the document, byte for byte

The core fields are those that dashboards count and filter by, whose values repeat so that their columns cost little,
and the two that are searched for words: reading all documents for that takes five times as long. They are stored once
more in ``doc``. Plain strings rather than JSON, so that other programs can read the files as well; ``not_text`` keeps
``200`` and ``"200"`` apart.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingestd.stores.base import StoreError, StoreFullError
from ingestd.stores.local.files.duckdb_sql import extract, places, text
from ingestd.stores.local.query.conditions import name
from ingestd.stores.local.query.engine import connect
from ingestd.stores.local.query.sql import quoted_files, read_lines

if TYPE_CHECKING:
    import duckdb

CORE_FIELDS = (
    *("level", "logger_name", "search_word", "method", "request_path", "status_code"),
    *("client_ip", "geoip.country_code2", "host", "type", "tags", "message", "stack_trace"),
)
"""A file says in the manifest which ones it has, so that the list may change."""

ROW_GROUP_ROWS = 20_480
"""So many rows are skipped, or read, together."""

SORT_BYTES = 256 << 20
"""Up to so many bytes of documents are sorted as a whole when files are joined; more are laid behind each other."""


@dataclass(frozen=True, slots=True)
class Content:
    """What files hold: ``check`` is the same for the same pairs of document and id, in any order."""

    events: int
    untimed: int
    first: int | None
    last: int | None
    raw_bytes: int
    check: int


class Maker:
    """Makes sealed files, with one thread and bounded memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def count_lines(self, tails: Sequence[Path]) -> int:
        """Return how many lines of tails can be read."""
        (row,) = self._run(f"SELECT count(*) FROM {read_lines(tails)}")
        return int(row[0])

    def seal(self, tails: Sequence[Path], target: Path) -> Content:
        """Write the lines of tails to a new file, and return what it holds after reading it again.

        Raises:
            StoreError: The disk refuses, or the file does not hold what the tails do.
        """
        rows = f"(SELECT doc, coalesce(id->>'$', '') AS id FROM {read_lines(tails)})"
        self._copy(f"SELECT {_columns()} FROM (SELECT doc, id, {_core()} AS f FROM {rows}) ORDER BY {_ORDER}", target)
        return self._checked(rows, target)

    def join(self, files: Sequence[Path], raw_bytes: int, target: Path) -> Content:
        """Write the rows of sealed files of the same columns, the newest file first, to a new one."""
        rows = f"read_parquet([{quoted_files(files)}])"
        order = f" ORDER BY {_ORDER}" if raw_bytes <= SORT_BYTES else ""
        self._copy(f"SELECT * FROM {rows}{order}", target)
        return self._checked(rows, target)

    def _copy(self, query: str, target: Path) -> None:
        self._run(
            f"COPY ({query}) TO {text(str(target))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS})"
        )

    def _checked(self, source: str, target: Path) -> Content:
        made = self._content(f"read_parquet([{quoted_files([target])}])", name("@timestamp"))
        wanted = self._content(source, "NULL::TIMESTAMP")
        if (made.events, made.raw_bytes, made.check) != (wanted.events, wanted.raw_bytes, wanted.check):
            raise StoreError(f"{target} does not hold what it was made of: {made.events} of {wanted.events} events")
        return made

    def _content(self, source: str, time: str) -> Content:
        (row,) = self._run(
            f"SELECT count(*), count(*) FILTER ({time} IS NULL), epoch_us(min({time})), epoch_us(max({time})), "
            f"coalesce(sum(strlen(doc)), 0)::BIGINT, coalesce(sum(hash(doc, id)), 0)::HUGEINT FROM {source}"
        )
        return Content(*row)

    def _run(self, sql: str) -> list[tuple[int, ...]]:
        import duckdb  # noqa: PLC0415

        try:
            return list(self._connection.execute(sql).fetchall())
        except duckdb.Error as error:
            sentence = str(error).partition("\n")[0]
            if (full := os.strerror(errno.ENOSPC)) in sentence:
                raise StoreFullError(f"cannot seal: {full}") from error
            raise StoreError(f"cannot seal: {sentence}") from error


@contextlib.contextmanager
def maker(scratch: Path, memory_bytes: int) -> Iterator[Maker]:
    """Open a DuckDB that may take ``memory_bytes`` and spills into ``scratch``."""
    with connect({"memory_limit": f"{memory_bytes}B", "threads": 1, "temp_directory": str(scratch)}) as connection:
        yield Maker(connection)


_ORDER = f"{name('@timestamp')} DESC NULLS LAST, id DESC"
_PLACES = [places(field) for field in CORE_FIELDS]


def _core() -> str:
    """Return the expression of the list of values of ``@timestamp`` and of all places of the core fields."""
    return extract([("@timestamp",), *(path for paths in _PLACES for path in paths)])


def _columns() -> str:
    """Return the columns of a row of ``doc``, ``id`` and ``f``, the list that `_core` gives."""
    columns, bits, at = [f"TRY_CAST(f[1]->>'$' AS TIMESTAMP) AS {name('@timestamp')}"], [], 2
    for bit, (field, paths) in enumerate(zip(CORE_FIELDS, _PLACES, strict=True)):
        values = [f"f[{at + offset}]" for offset in range(len(paths))]
        value = values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"
        columns.append(f"{value}->>'$' AS {name(field)}")
        bits.append(f"CASE WHEN starts_with({value}, '\"') OR {value} IS NULL THEN 0 ELSE {1 << bit} END")
        at += len(paths)
    return ", ".join([*columns, f"({' + '.join(bits)})::INTEGER AS not_text", "id", "doc"])
