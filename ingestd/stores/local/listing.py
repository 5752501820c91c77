"""Which files a query must read, and how many events they hold."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from ingestd.stores.base import IndexInfo
from ingestd.stores.local import sql
from ingestd.stores.local.layout import Folder
from ingestd.stores.query import Query


class Listing:
    """Lists files; remembers how many lines a tail had."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[tuple[int, int, int], int]] = {}  # path: (inode, size, mtime), lines

    def parts(self, window: Sequence[Folder], query: Query) -> list[sql.Part]:
        """Return the files that can hold events of the range: those all within it apart from those at its ends."""
        since = None if query.since is None else sql.bound(query.since)
        until = None if query.until is None else sql.bound(query.until)
        inner: list[str] = []
        edge: list[str] = []
        for folder in window:
            first, after = folder.span() or ("", "~")
            if (since is not None and after <= since) or (until is not None and first >= until):
                continue
            within = (since is None or since <= first) and (until is None or after <= until)
            (inner if within else edge).extend(map(str, folder.tails()))
        return [sql.Part(tuple(files), timed) for files, timed in ((inner, False), (edge, True)) if files]

    def info(self, folder: Folder) -> IndexInfo:
        """Return what ``LogStore.indices`` tells of an index."""
        size = 0
        for entry in folder.path.iterdir():
            with contextlib.suppress(FileNotFoundError):
                size += entry.stat().st_size
        return IndexInfo(folder.index, folder.day, sum(map(self._count, folder.tails())), size)

    def _count(self, path: Path) -> int:
        """Return the number of whole lines of a tail; 0 if it was deleted meanwhile."""
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            state = (found.st_ino, found.st_size, found.st_mtime_ns)
            known = self._lines.get(str(path))
            if known is None or known[0] != state:
                known = self._lines[str(path)] = (state, _count_lines(path))
            return known[1]
        return 0


def _count_lines(path: Path) -> int:
    count, buffer = 0, bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            count += buffer.count(b"\n", 0, size)
    return count
