"""Fixtures of the tests of the web processes."""

from pathlib import Path

import pytest

from tests.stores.shared_duckdb import duckdb_for_all, shared_duckdb
from tests.web.processes.store import fill

__all__ = ["duckdb_for_all", "shared_duckdb"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return fill(tmp_path)
