"""One DuckDB for tests that run many queries or seal often: the fixture ``shared_duckdb``, or ``shared_sealing``.

A store opens a DuckDB for each call, and the sealer one for each file. That takes longer than most queries of tests;
that they do is tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any
from unittest import mock

import duckdb
import pytest

from ingestd.stores.local.duckdb import session as duckdb_session
from ingestd.stores.local.duckdb.core import connect
from ingestd.stores.local.query import statement
from ingestd.stores.local.query.engine import Engine

_connect = Engine._connect


class SharedDuckDB:
    """Opened when it is used first.

    Args:
        bounded: One is opened for each bound of memory and threads; otherwise the first is used with any.
    """

    def __init__(self, *, bounded: bool = True) -> None:
        self._bounded = bounded
        self._opened: dict[object, duckdb.DuckDBPyConnection] = {}

    @contextmanager
    def used(self, *, queries: bool = True) -> Iterator[None]:
        """Let all stores, sealers and parsers of SQL use it, each call with a connection of its own."""
        with ExitStack() as patches:
            if queries:
                patches.enter_context(mock.patch.object(Engine, "_connect", lambda engine: self._query(engine)))  # noqa: PLW0108
            patches.enter_context(mock.patch.object(duckdb_session, "connect", self._connect_bounded))
            patches.enter_context(mock.patch.object(statement, "connect", self._connect_bounded))
            yield

    def close(self) -> None:
        """Close it."""
        for opened in self._opened.values():
            opened.close()

    def _query(self, engine: Engine) -> duckdb.DuckDBPyConnection:
        return self._cursor((engine._memory_bytes, engine._threads), lambda: _connect(engine))

    def _connect_bounded(self, config: dict[str, Any], *, with_macros: bool = False) -> duckdb.DuckDBPyConnection:
        bounds = {name: value for name, value in config.items() if name != "temp_directory"}
        key = (*bounds.items(), with_macros)
        return self._cursor(key, lambda: connect(bounds, with_macros=with_macros or not self._bounded))

    def _cursor(self, key: object, opened: Callable[[], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
        key = key if self._bounded else None
        if key not in self._opened:
            self._opened[key] = opened()
            self._opened[key].execute("SET enable_external_file_cache = false")  # each call reads the files anew
        return self._opened[key].cursor()


@pytest.fixture(scope="session")
def duckdb_for_all() -> Iterator[SharedDuckDB]:
    """The DuckDB of this process."""
    with closing(SharedDuckDB()) as shared:
        yield shared


@pytest.fixture
def shared_duckdb(duckdb_for_all: SharedDuckDB) -> Iterator[None]:
    """All stores of the test share a DuckDB with other tests."""
    with duckdb_for_all.used():
        yield


@pytest.fixture
def shared_sealing(duckdb_for_all: SharedDuckDB) -> Iterator[None]:
    """The same for all but the queries: each has a DuckDB of its own."""
    with duckdb_for_all.used(queries=False):
        yield
