"""The built-in store: a folder per index, appended as text, queried by DuckDB."""

from ingestd.stores.local.layout import store_root
from ingestd.stores.local.store import LocalStore
from ingestd.stores.local.writer import LocalWriter

__all__ = ["LocalStore", "LocalWriter", "store_root"]
