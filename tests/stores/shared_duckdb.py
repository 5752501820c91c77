"""One DuckDB for tests that run many queries: the fixture ``shared_duckdb``.

A store opens a DuckDB for each call, which takes longer than most queries of tests; that it does is tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from unittest import mock

import duckdb
import pytest

from ingestd.stores.local.query.engine import Engine

_connect = Engine._connect


class SharedDuckDB:
    """Opened when it is used first, one for each bound of memory and threads."""

    def __init__(self) -> None:
        self._opened: dict[tuple[int, int], duckdb.DuckDBPyConnection] = {}

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let all stores use it, each call with a connection of its own."""
        with mock.patch.object(Engine, "_connect", lambda engine: self._cursor(engine)):  # noqa: PLW0108 - a method
            yield

    def close(self) -> None:
        """Close it."""
        for opened in self._opened.values():
            opened.close()

    def _cursor(self, engine: Engine) -> duckdb.DuckDBPyConnection:
        bounds = (engine._memory_bytes, engine._threads)
        if bounds not in self._opened:
            self._opened[bounds] = _connect(engine)
            self._opened[bounds].execute("SET enable_external_file_cache = false")  # each call reads the files anew
        return self._opened[bounds].cursor()


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
