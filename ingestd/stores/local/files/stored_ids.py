"""Which of some ids an index has already: for events that come again because it is not known how far delivery came."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import orjson

from ingestd.stores.base import StoreError
from ingestd.stores.local.files import manifest
from ingestd.stores.local.files.duckdb_core import connect, load_duckdb
from ingestd.stores.local.files.duckdb_sql import append_log_rows, equals_any, file_literals
from ingestd.stores.local.files.sealed_files import fault, log_fault

_MEMORY_BYTES = 256 << 20
_ATTEMPTS = 20


def stored_ids(folder: Path, ids: Iterable[str]) -> set[str]:
    """Return those of ``ids`` that are in an index. Reads all ids of the index; files that are damaged are left out.

    Raises:
        StoreError: The index cannot be read.
    """
    wanted = [event_id for event_id in ids if event_id]
    if not wanted or not folder.is_dir():
        return set()
    error: Exception | None = None
    for _ in range(_ATTEMPTS):
        try:
            with connect({"memory_limit": f"{_MEMORY_BYTES}B", "threads": 1}) as connection:
                return {row[0] for sql in _queries(folder, wanted) for row in connection.execute(sql).fetchall()}
        except (load_duckdb().Error, OSError) as reason:  # sealed or merged meanwhile
            error = reason
    raise StoreError(f"the ids of {folder.name} cannot be read: {str(error).partition(os.linesep)[0]}")


def _queries(folder: Path, wanted: list[str]) -> list[str]:
    append_logs, sealed = manifest.contents(folder)
    logs = [folder / str(name) for name in append_logs if not log_fault(folder / str(name))]
    files = [folder / file.name for file in sealed.files if not fault(folder, file)]
    queries = []
    if logs:
        as_json = [orjson.dumps(event_id).decode() for event_id in wanted]
        queries.append(f"SELECT TRY(id->>'$') FROM {append_log_rows(logs)} WHERE {equals_any('id', as_json)}")  # noqa: S608
    if files:
        source = f"read_parquet([{file_literals(files)}])"
        queries.append(f"SELECT id FROM {source} WHERE {equals_any('id', wanted)}")  # noqa: S608
    return queries
