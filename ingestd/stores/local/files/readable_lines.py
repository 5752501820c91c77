"""The lines of append logs that can be read, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingestd.files import open_synced
from ingestd.stores.base import StoreError
from ingestd.stores.local.files.append_log import count_bytes
from ingestd.stores.local.files.layout import MAX_DOCUMENT_BYTES
from ingestd.stores.local.files.parquet import ParquetWriter


def without_unreadable(append_logs: Sequence[Path], writer: ParquetWriter, scratch: Path) -> list[Path]:
    """Return files with the readable lines of locked append logs: usually the logs themselves.

    Lines may be unreadable: not UTF-8, too long, or without their tab. The pipeline writes none, but disks fail and
    people edit files; sealing must neither stop forever nor lose such lines. If there are any, the result is
    copies in ``scratch`` without them; they are in files next to the logs, ``.unreadable`` instead of ``.ndjson``.

    Raises:
        OSError: The disk fails.
        StoreError: Lines cannot be read for another reason.
    """
    lines = sum(count_bytes(append_log, b"\n") for append_log in append_logs)
    if writer.count_lines(append_logs) == lines == sum(count_bytes(append_log, b"\t") for append_log in append_logs):
        return list(append_logs)
    return [_readable_lines(append_log, writer, scratch) for append_log in append_logs]


def _readable_lines(append_log: Path, writer: ParquetWriter, scratch: Path) -> Path:
    readable, other = scratch / append_log.name, append_log.with_suffix(".unreadable")
    count = 0
    with append_log.open("rb") as lines, readable.open("wb") as kept, open_synced(other) as rejected:
        for line in lines:
            is_readable = _is_readable(line)
            count += is_readable
            (kept if is_readable else rejected).write(line)
        empty = not rejected.tell()
    if empty:
        other.unlink()
    if writer.count_lines([readable]) != count:
        raise StoreError(f"cannot seal {append_log}: some of its lines cannot be read")
    return readable


def _is_readable(line: bytes) -> bool:
    if len(line) > MAX_DOCUMENT_BYTES or line.count(b"\t") != 1:
        return False
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
