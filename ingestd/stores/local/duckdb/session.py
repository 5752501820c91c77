"""One DuckDB for all files of a pass: opened when it is needed, with one thread and bounded memory."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestd.stores.base import StoreError, StoreFullError
from ingestd.stores.local.duckdb.core import connect, load_duckdb

if TYPE_CHECKING:
    import duckdb

_BATCH = 512


class UnreadableError(StoreError):
    """DuckDB cannot read or write files for another reason than a full disk."""


class OutOfMemoryError(UnreadableError):
    """DuckDB needs more memory than it may have."""


class DuckDBSession:
    """A DuckDB that may use ``memory_bytes`` and spills to ``scratch``.

    After an error it is reopened, as some errors leave it unusable; so its temporary tables are gone then.
    """

    def __init__(self, scratch: Path, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self._scratch = scratch
        self._opened: duckdb.DuckDBPyConnection | None = None

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._opened is None:
            memory, scratch = f"{self.memory_bytes}B", str(self._scratch)
            self._opened = connect({"memory_limit": memory, "threads": 1, "temp_directory": scratch}, with_macros=True)
            self._opened.execute("SET enable_external_file_cache = false")  # what was written is read from the disk
        return self._opened

    def close(self) -> None:
        """Close it; it can be used again."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def run(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows.

        Raises:
            StoreFullError: There is no space left.
            UnreadableError: DuckDB cannot do it for another reason.
        """
        return list(self._rows(self._connection, sql, parameters))

    def table_rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Yield rows as they are read, of temporary tables, too; no other statement may run meanwhile."""
        return self._rows(self._connection, sql, ())

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Yield rows as they are read; other statements may run meanwhile. Raises as `run`."""
        return self._rows(self._connection.cursor(), sql, ())

    def _rows(
        self, connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object]
    ) -> Iterator[tuple[Any, ...]]:
        try:
            connection.execute(sql, parameters)
            while rows := connection.fetchmany(_BATCH):
                yield from rows
        except load_duckdb().Error as error:
            self.close()
            raise _store_error(error) from error


def _store_error(error: Exception) -> StoreError:
    sentence = f"cannot seal: {str(error).partition(chr(10))[0]}"
    if isinstance(error, load_duckdb().OutOfMemoryException):
        return OutOfMemoryError(sentence)
    if (no_space := os.strerror(errno.ENOSPC)) in sentence:
        return StoreFullError(f"cannot seal: {no_space}")
    return UnreadableError(sentence)


@contextlib.contextmanager
def duckdb_session(scratch: Path, memory_bytes: int) -> Iterator[DuckDBSession]:
    """Yield a `DuckDBSession`, and close it at the end."""
    session = DuckDBSession(scratch, memory_bytes)
    try:
        yield session
    finally:
        session.close()
