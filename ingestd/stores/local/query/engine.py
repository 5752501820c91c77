"""Queries on DuckDB: bounded in memory and time, interruptible, with errors as sentences for the user."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestd.stores.base import QueryMemoryError, QueryTimeoutError, QueryTooLongError, StoreError
from ingestd.stores.local.duckdb.core import connect, load_duckdb
from ingestd.stores.local.duckdb.sql import literal, pattern_literal

if TYPE_CHECKING:
    import duckdb

_FETCH = 2048

_TEMP_BYTES = 4 << 30

_SPILL = ".spill-"
"""Start of the names of folders for what does not fit into memory; the id of the process follows."""

_SIGNAL_ERROR = "Query interrupted"
"""The text of the RuntimeError that DuckDB raises in place of what a signal handler raised during a query."""


class VanishedError(Exception):
    """A file no longer exists or could not be read; the text says which."""


_TOO_LARGE = "pattern too large"
"""What RE2 says of a pattern that takes more than its 8 MiB."""

_TOO_LONG = "a phrase of the query is too long for the built-in store: it takes about 100 words"


class QueryFailedError(StoreError):
    """DuckDB could not run a query: usually a file is damaged."""


class OtherColumnsError(QueryFailedError):
    """A file does not have the columns that it was listed with: another one has its name now."""


class QuerySession:
    """The queries of one call. Created only by `Engine.session`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.interrupted = ""

    def run(self, sql: str) -> Iterator[Any]:
        """Return the rows of a query.

        Raises:
            VanishedError: A file does not exist.
            OtherColumnsError: A file does not have the columns of the query.
            QueryTimeoutError: The query was interrupted.
            QueryFailedError: DuckDB cannot read a file, or fails for another reason.
            QueryMemoryError: It needs too much memory.
            QueryTooLongError: A pattern in it is too large.
            StoreError: No thread can be started.
        """
        duckdb = load_duckdb()
        try:
            self._check()
            result = self._connection.execute(sql)
            rows = result.fetchmany(_FETCH)
            while rows:
                yield from rows
                self._check()
                rows = result.fetchmany(_FETCH)
        except duckdb.InterruptException as error:
            raise self._cancelled() from error
        except duckdb.IOException as error:
            raise VanishedError(f"cannot read the store: {_first_line(error)}") from error
        except duckdb.BinderException as error:
            raise OtherColumnsError(f"the query failed: {_first_line(error)}") from error
        except duckdb.OutOfMemoryException as error:
            raise QueryMemoryError(
                "the query needs too much memory; shorten it, or choose a shorter time range"
            ) from error
        except RuntimeError as error:
            if str(error) == _SIGNAL_ERROR:
                raise self._cancelled() from error
            raise StoreError(f"the query failed: {_first_line(error)}") from error
        except duckdb.Error as error:
            if str(error) == _SIGNAL_ERROR:
                raise self._cancelled() from error
            if _TOO_LARGE in str(error):
                raise QueryTooLongError(_TOO_LONG) from error
            raise QueryFailedError(f"the query failed: {_first_line(error)}") from error

    @property
    def columns(self) -> list[str]:
        """The names of the columns of the rows that `run` returns, from its first row on or if there is none."""
        return [column[0] for column in self._connection.description or ()]

    def restrict(self, files: Sequence[str]) -> None:
        """Allow SQL that is not ours: no files but these, no network, no Python variables, no settings, for good.

        Its times are in UTC. Raises what `run` does.
        """
        allowed = ", ".join(dict.fromkeys([*map(literal, files), *map(pattern_literal, files)]))
        for setting in (
            "TimeZone = 'UTC'",
            f"allowed_paths = [{allowed}]",
            "enable_external_access = false",
            "python_enable_replacements = false",
            "lock_configuration = true",
        ):
            list(self.run(f"SET {setting}"))

    def interrupt(self, reason: str) -> None:
        """Make `run` raise, now or at the next call."""
        self.interrupted = reason
        self._connection.interrupt()

    def close(self) -> None:
        """Close DuckDB."""
        self._connection.close()

    def _check(self) -> None:
        if self.interrupted:
            raise self._cancelled()

    def _cancelled(self) -> QueryTimeoutError:
        return QueryTimeoutError(self.interrupted or "the query was cancelled")


class Engine:
    """Opens sessions and can interrupt all of them.

    They share a DuckDB, as opening and closing one takes 10 ms. It caches nothing of the files. After a session that
    failed, the next one opens another, as DuckDB is of no use after some errors; and when none is open after one had
    too little memory, it is closed, which removes what was written to disk.

    Args:
        root: Root of the store: what a query has no memory for goes to a folder in there, as events are no one's
            business in /tmp.
        memory_bytes: Limit of all sessions that are open at a time.
        threads: Of each session.
        timeout_s: Time limit of each session.
    """

    def __init__(self, root: Path, memory_bytes: int, threads: int | None, timeout_s: float | None) -> None:
        self._spill = root / f"{_SPILL}{os.getpid()}"
        self._memory_bytes = memory_bytes
        self._threads = threads or min(4, os.cpu_count() or 1)
        self._timeout_s = timeout_s
        self._shared: duckdb.DuckDBPyConnection | None = None
        self._sessions: set[QuerySession] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def session(self, *, separate: bool = False) -> Iterator[QuerySession]:
        """Open a session; it ends with the block, or is interrupted after ``timeout_s``.

        ``separate``: with a DuckDB of its own, whose settings it may change.
        """
        self._remove_stale()
        with self._lock:
            session = QuerySession(self._connect() if separate else self._cursor())
            self._sessions.add(session)
        timer = None
        if self._timeout_s is not None:
            sentence = f"the query took longer than {self._timeout_s:g} s; choose a shorter time range"
            timer = threading.Timer(min(self._timeout_s, threading.TIMEOUT_MAX), self._interrupt, [session, sentence])
            timer.daemon = True
        failed = True
        try:
            if timer is not None:
                timer.start()
            yield session
            failed = False
        finally:
            if timer is not None:
                timer.cancel()
            with self._lock:
                self._sessions.discard(session)
                session.close()
                if (failed and not separate) or (not self._sessions and self._spill.exists()):
                    self._close()

    def close(self) -> None:
        """Close the DuckDB that sessions share; the next session opens another."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._shared is not None and not self._sessions:  # else it ends with the last of them
            self._shared.close()
            with contextlib.suppress(OSError):  # DuckDB leaves a folder that it did not make, or that others used
                self._spill.rmdir()
        self._shared = None

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if self._shared is None:
            self._shared = self._connect()
        return self._shared.cursor()

    def interrupt(self) -> None:
        """Interrupt all open sessions."""
        with self._lock:
            for session in self._sessions:
                session.interrupt("the query was cancelled")

    def _interrupt(self, session: QuerySession, reason: str) -> None:
        """Interrupt a session, unless it is closed: it may end while its timer fires."""
        with self._lock:
            if session in self._sessions:
                session.interrupt(reason)

    def _remove_stale(self) -> None:
        """Remove what killed processes left."""
        _remove_once(self._spill)  # in a container, a killed process often had the same id
        for folder in self._spill.parent.glob(f"{_SPILL}*"):
            if not Path(f"/proc/{folder.name.removeprefix(_SPILL)}").exists():
                shutil.rmtree(folder, ignore_errors=True)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return connect(
            {
                "memory_limit": f"{self._memory_bytes}B",
                "threads": self._threads,
                "preserve_insertion_order": False,
                "enable_external_file_cache": False,
                "temp_directory": str(self._spill),
                "max_temp_directory_size": f"{_TEMP_BYTES}B",
            },
            with_macros=True,
        )


@functools.cache
def _remove_once(folder: Path) -> None:
    """Remove a folder, but not again in this process, which may use it by then."""
    shutil.rmtree(folder, ignore_errors=True)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
