"""The lines of append logs that can be read, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingestd.files import open_synced
from ingestd.stores.local.index.layout import MAX_DOCUMENT_BYTES


def without_unreadable(append_logs: Sequence[Path], scratch: Path) -> tuple[list[Path], int]:
    """Return copies in ``scratch`` of locked append logs without their unreadable lines, and the number of lines.

    Lines may be unreadable: not UTF-8, too long, or without their tab. The pipeline writes none, but disks fail and
    people edit files; sealing must neither stop forever nor lose such lines. They are kept in files next to the logs,
    ``.unreadable`` instead of ``.ndjson``.

    Raises:
        OSError: The disk fails.
    """
    counts = [_copy_readable(append_log, scratch / append_log.name) for append_log in append_logs]
    return [scratch / append_log.name for append_log in append_logs], sum(counts)


def _copy_readable(append_log: Path, copy: Path) -> int:
    other = append_log.with_suffix(".unreadable")
    count = 0
    with append_log.open("rb") as lines, copy.open("wb") as kept, open_synced(other) as rejected:
        for line in lines:
            is_readable = _is_readable(line)
            count += is_readable
            (kept if is_readable else rejected).write(line)
        empty = not rejected.tell()
    if empty:
        other.unlink()
    return count


def _is_readable(line: bytes) -> bool:
    if len(line) > MAX_DOCUMENT_BYTES or line.count(b"\t") != 1:
        return False
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
