"""Lines of tails that no query can read: not UTF-8, too long, or without their tab. Sealing keeps them aside.

The pipeline writes none. But a disk may err, and people edit files; then sealing must neither stop for ever nor
lose what it does not understand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingestd.files import open_synced
from ingestd.stores.base import StoreError
from ingestd.stores.local.files.layout import MAX_DOCUMENT_BYTES
from ingestd.stores.local.files.parquet import Maker
from ingestd.stores.local.query.listing import count_bytes


def without(tails: Sequence[Path], make: Maker, scratch: Path) -> list[Path]:
    """Return files with the readable lines of locked tails: most often just the tails.

    Otherwise copies of them in ``scratch``; the other lines are then on the disk in files beside the tails, with
    ``.unreadable`` in place of ``.ndjson``.

    Raises:
        OSError: The disk refuses.
        StoreError: There are lines that are none of these, and still cannot be read.
    """
    lines = sum(count_bytes(tail, b"\n") for tail in tails)
    if make.count_lines(tails) == lines == sum(count_bytes(tail, b"\t") for tail in tails):
        return list(tails)
    return [_sorted_out(tail, make, scratch) for tail in tails]


def _sorted_out(tail: Path, make: Maker, scratch: Path) -> Path:
    readable, other = scratch / tail.name, tail.with_suffix(".unreadable")
    good = 0
    with tail.open("rb") as lines, readable.open("wb") as kept, open_synced(other) as aside:
        for line in lines:
            fine = _is_readable(line)
            good += fine
            (kept if fine else aside).write(line)
        empty = not aside.tell()
    if empty:
        other.unlink()
    if make.count_lines([readable]) != good:
        raise StoreError(f"cannot seal {tail}: some of its lines cannot be read")
    return readable


def _is_readable(line: bytes) -> bool:
    if len(line) > MAX_DOCUMENT_BYTES or line.count(b"\t") != 1:
        return False
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
