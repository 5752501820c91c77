"""Fixtures of the tests of the stores."""

from tests.stores.shared_duckdb import duckdb_for_all, shared_duckdb, shared_sealing

__all__ = ["duckdb_for_all", "shared_duckdb", "shared_sealing"]
