"""The built-in store: a folder per index, appended as text, queried by DuckDB.

What a name needs is imported with the name: a worker only writes, and has no use for queries.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingestd.stores.local.append_logs.writer import LocalWriter
    from ingestd.stores.local.index.layout import store_root
    from ingestd.stores.local.query.store import LocalStore

__all__ = ["LocalStore", "LocalWriter", "store_root"]

_MODULES = {"store_root": "index.layout", "LocalWriter": "append_logs.writer", "LocalStore": "query.store"}


def __getattr__(name: str) -> Any:
    """Return what is imported from here, from the module that has it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
