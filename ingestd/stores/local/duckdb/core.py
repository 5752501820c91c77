"""DuckDB itself, without the Python part of its package: that takes 100 ms of CPU to import, and has no use here."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from ingestd.stores.local.duckdb import macros

if TYPE_CHECKING:
    from types import ModuleType

    import duckdb


def load_duckdb() -> ModuleType:
    """Return the module with DuckDB's connections and exceptions; those of the package ``duckdb`` are the same.

    Imported at the first call. Up to DuckDB 1.3 the extension is part of the package.
    """
    try:
        return importlib.import_module("_duckdb")
    except ModuleNotFoundError:
        return importlib.import_module("duckdb")


def connect(
    config: dict[str, str | bool | int | float | list[str]], *, with_macros: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB that loads nothing from the network and prints nothing.

    ``with_macros``: with those that ``duckdb.sql`` uses, which takes 13 ms.
    """
    offline = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = cast("duckdb.DuckDBPyConnection", load_duckdb().connect(config=config | offline))
    connection.execute("SET enable_progress_bar = false")
    if with_macros:
        connection.execute(macros.CREATE)
    return connection
