# ruff: noqa: S608 - building SQL is what this module is for
"""FROM clauses for documents, ``doc``, and their ids, ``id``: of append logs and of sealed files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ingestd.stores.local.duckdb import column_sql
from ingestd.stores.local.duckdb.sql import APPEND_LOG_ID, append_log_rows, file_literals
from ingestd.stores.local.index.document_columns import Columns
from ingestd.stores.local.index.layout import MAX_DOCUMENT_BYTES
from ingestd.stores.local.index.manifest import SealedFile

PART_BYTES = 32 << 20
"""Size of the documents that are divided into columns at a time."""


def log_source(append_logs: Sequence[Path], max_bytes: int = MAX_DOCUMENT_BYTES) -> str:
    """Return the FROM clause for the documents of append logs, without lines longer than ``max_bytes``."""
    return f"(SELECT doc, {APPEND_LOG_ID} AS id FROM {append_log_rows(append_logs, max_bytes)})"


def file_source(file: Path, columns: Columns | None, condition: str = "true") -> str:
    """Return the FROM clause for the documents of a sealed file; ``columns`` None: it has format 1."""
    document = "doc" if columns is None else column_sql.document(columns)
    rows = f"read_parquet([{file_literals([file])}], file_row_number=true)"
    return f"(SELECT {document} AS doc, id FROM {rows} WHERE {condition})"


def file_parts(folder: Path, file: SealedFile) -> Iterator[str]:
    """Yield the FROM clauses for the documents of a file, of at most `PART_BYTES` each."""
    columns = file.columns if isinstance(file.columns, dict) else None
    size = max(1, file.events * PART_BYTES // max(1, file.raw_bytes))
    for start in range(0, file.events, size):
        condition = f"file_row_number >= {start} AND file_row_number < {start + size}"
        yield file_source(folder / file.name, columns, condition)
