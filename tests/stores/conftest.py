"""Fixtures of the tests of the stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.stores.shared_duckdb import SharedDuckDB


@pytest.fixture(scope="module")
def _shared_duckdb() -> Iterator[SharedDuckDB]:
    with closing(SharedDuckDB()) as shared:
        yield shared


@pytest.fixture
def shared_duckdb(_shared_duckdb: SharedDuckDB) -> Iterator[None]:
    """All stores of the test share a DuckDB, which saves it much time."""
    with _shared_duckdb.used():
        yield
