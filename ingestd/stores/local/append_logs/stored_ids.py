"""Which of some ids an index has already: for events that come again because it is not known how far delivery came."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import orjson

from ingestd.stores.base import StoreError
from ingestd.stores.local.duckdb.core import connect, load_duckdb
from ingestd.stores.local.duckdb.sql import append_log_rows, equals_any, file_literals, literal
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.sealed_files import fault, log_fault

_MEMORY_BYTES = 256 << 20
_ATTEMPTS = 20
_ROWS = 10_000


def stored_ids(folder: Path, ids: Iterable[str]) -> set[str]:
    """Return those of ``ids`` that are in an index. Reads all ids of the index; files that are damaged are left out.

    Raises:
        StoreError: The index cannot be read.
    """
    wanted = [event_id for event_id in ids if event_id]
    if not wanted or not folder.is_dir():
        return set()
    as_json = [orjson.dumps(event_id).decode() for event_id in wanted]
    return set(_ids(folder, equals_any("id", as_json), equals_any("id", wanted)))


def ids_with_prefix(folder: Path, prefixes: Sequence[str]) -> Iterator[str]:
    """Yield the ids of an index that start with one of ``prefixes``, some perhaps twice; see `stored_ids`."""
    as_json, as_text = (
        " OR ".join(f"starts_with(id, {literal(quote + prefix)})" for prefix in prefixes) for quote in ('"', "")
    )
    return _ids(folder, as_json, as_text)


def _ids(folder: Path, in_logs: str, in_files: str) -> Iterator[str]:
    """Yield the ids for which a condition on JSON or text holds; some twice if files are sealed meanwhile."""
    error: Exception | None = None
    for _ in range(_ATTEMPTS):
        try:
            if queries := _queries(folder, in_logs, in_files):
                with connect({"memory_limit": f"{_MEMORY_BYTES}B", "threads": 1}) as connection:
                    for sql in queries:
                        connection.execute(sql)
                        while rows := connection.fetchmany(_ROWS):
                            yield from (event_id for (event_id,) in rows)
            return
        except (load_duckdb().Error, OSError) as reason:  # sealed or merged meanwhile
            error = reason
    raise StoreError(f"the ids of {folder.name} cannot be read: {str(error).partition(os.linesep)[0]}")


def _queries(folder: Path, in_logs: str, in_files: str) -> list[str]:
    append_logs, sealed = manifest.contents(folder)
    logs = [folder / str(name) for name in append_logs if not log_fault(folder / str(name))]
    files = [folder / file.name for file in sealed.files if not fault(folder, file)]
    queries = []
    if logs:
        queries.append(f"SELECT TRY(id->>'$') FROM {append_log_rows(logs)} WHERE {in_logs}")  # noqa: S608
    if files:
        queries.append(f"SELECT id FROM read_parquet([{file_literals(files)}]) WHERE {in_files}")  # noqa: S608
    return queries
