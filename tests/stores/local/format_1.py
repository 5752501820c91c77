"""Sealed files as older versions wrote them: documents as text, and columns for some fields."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import msgspec

from ingestd.stores.local.duckdb.sql import extract, field_paths, literal, quoted_name
from ingestd.stores.local.index.document_columns import Columns
from ingestd.stores.local.sealing.document_sources import log_source
from ingestd.stores.local.sealing.index_sealer import IndexSealer
from ingestd.stores.local.sealing.parquet import ParquetWriter
from ingestd.stores.local.sealing.sealed_content import Footer, SealedContent

CORE_FIELDS = (
    *("level", "logger_name", "search_word", "method", "request_path", "status_code"),
    *("client_ip", "geoip.country_code2", "host", "type", "tags", "message", "stack_trace", "visit"),
)

_CORE_PATHS = [field_paths(field) for field in CORE_FIELDS]
_PATHS = [("@timestamp",), *(path for paths in _CORE_PATHS for path in paths)]


@contextlib.contextmanager
def sealed() -> Iterator[None]:
    """Let the sealer write such files; it merges none."""
    with (
        mock.patch.object(ParquetWriter, "seal", _seal),
        mock.patch.object(IndexSealer, "_of_format_1", return_value=[]),
        mock.patch.object(IndexSealer, "_due_for_merge", return_value=[]),
    ):
        yield


def _seal(
    writer: ParquetWriter,
    append_logs: Sequence[Path],
    target: Path,
    footer: Footer,
    known: Columns | None,
    max_line_bytes: int,
    *,
    are_strict: bool,
) -> SealedContent:
    rows = f"(SELECT {_columns()} FROM (SELECT doc, id, {extract(_PATHS)} AS f FROM {log_source(append_logs)}))"
    text = literal(msgspec.json.encode({"sealed": footer.sealed, "merged": []}).decode())
    options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480, KV_METADATA {{ingestd: {text}}}"
    writer._run(
        f"COPY (SELECT * FROM {rows} ORDER BY 1 DESC NULLS LAST, id DESC) TO {literal(str(target))} ({options})"
    )
    found = writer.read_all(target)
    assert (found.columns, found.stats.events) == (CORE_FIELDS, writer.count_lines(append_logs))
    return found


def _columns() -> str:
    columns, bits, at = [f"TRY_CAST(f[1]->>'$' AS TIMESTAMP) AS {quoted_name('@timestamp')}"], [], 2
    for bit, (field, paths) in enumerate(zip(CORE_FIELDS, _CORE_PATHS, strict=True)):
        values = [f"f[{at + offset}]" for offset in range(len(paths))]
        value = values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"
        columns.append(f"{value}->>'$' AS {quoted_name(field)}")
        bits.append(f"CASE WHEN starts_with({value}, '\"') OR {value} IS NULL THEN 0 ELSE {1 << bit} END")
        at += len(paths)
    return ", ".join([*columns, f"({' + '.join(bits)})::INTEGER AS not_text", "id", "doc"])
