"""Fixtures of the tests of alerts."""

from tests.stores.shared_duckdb import duckdb_for_all, shared_duckdb

__all__ = ["duckdb_for_all", "shared_duckdb"]
