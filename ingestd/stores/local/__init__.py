"""The built-in store: a folder per index, appended as text, queried by DuckDB."""

from ingestd.stores.local.files.layout import store_root
from ingestd.stores.local.files.writer import LocalWriter
from ingestd.stores.local.query.store import LocalStore

__all__ = ["LocalStore", "LocalWriter", "store_root"]
