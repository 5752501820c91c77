"""Queries of the built-in store, run by DuckDB."""
