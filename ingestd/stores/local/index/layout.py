"""The files of the built-in store, and the format of an append log.

::

    <data dir>/indices/                             the root
        .writer-w0.lock                             held by the process that writes as w0
        .sealer.lock  .sealing/                     held by the process that seals; its temporary files
        .sealer-errors.json                         what could not be sealed in its last pass, and why
        .deleted-1795255200000000000-4711/          an index that is being deleted
        logstash-2026.11.22/                        an index
            tail-w0-00002.ndjson                    append log of writer w0, which holds its lock
            tail-w0-00001.torn-18233                an incomplete line that a crash left at this byte; never read
            tail-w0-00001.unreadable                lines that no query could read; kept, never read
            sealed-00001.parquet                    sealed events
            sealed.json                             the manifest of sealed files: see ``manifest``
            origin.json                             the index's UUID: see ``index_folder``
            damaged-sealed-00002.parquet                a file that could not be read when the manifest was rebuilt
            ids-w0-00001.txt                        the latest sealed ids of writer w0: see ``last_ids``
            own-ids.bin                             ids of events that may be sent again: see ``own_ids``

Each writer has its own append logs, so writers need no lock between them. A writer starts a log with the next number
when its log has reached a size or an age. Numbers are never reused, so the manifest can say "sealed up to here". A
writer holds the lock (``flock``) of the logs it has open, the sealer of those it seals.

A line is ``<document> TAB <id as a JSON string> LF``; the id is empty if the document has none. In JSON, raw tabs and
line ends occur only as whitespace between tokens; the writer replaces them with spaces, so a line has exactly one tab.
Why this format: a document and its id are written in one go; DuckDB's CSV reader splits the two columns at no extra
cost and skips a line that was cut off before its tab; the usual tools work: ``grep``, ``cut -f1 tail-* | jq``, even
``jq objects tail-*``, as the file is a sequence of JSON values. An id inside the document would change the document;
ids in a second file would take two writes, and a crash can happen between them.
"""

from __future__ import annotations

import datetime
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ingestd.stores.index_names import day_of, is_index

MAX_DOCUMENT_BYTES = 16 << 20
"""Longest line that DuckDB accepts; its buffers have this size."""

SEALED_IDS_BYTES = 16 << 20
"""How much of a writer's latest sealed events has its ids kept, measured in bytes of their lines."""

_APPEND_LOG = re.compile(r"tail-(?P<writer>[a-z0-9_]+)-(?P<number>\d+)\.ndjson")
_FARTHEST_EAST = datetime.timedelta(hours=14)
_FARTHEST_WEST = datetime.timedelta(hours=12)


def store_root(data_dir: Path) -> Path:
    """Return the root of the built-in store in a data directory."""
    return data_dir / "indices"


@dataclass(frozen=True, slots=True, order=True)
class AppendLogName:
    """The file name of an append log: its writer and number."""

    writer: str
    number: int

    def __str__(self) -> str:
        return f"tail-{self.writer}-{self.number:05d}.ndjson"

    @classmethod
    def parse(cls, name: str) -> AppendLogName | None:
        """Return the parts of a file name, None if it is not the name of an append log."""
        match = _APPEND_LOG.fullmatch(name)
        return None if match is None else cls(match["writer"], int(match["number"]))


def append_logs_in(folder: Path | int) -> list[AppendLogName]:
    """Return the append logs in a folder (path or descriptor), by writer and number; none if it does not exist."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - or an fd
        return sorted(parsed for name in names if (parsed := AppendLogName.parse(name)))
    except FileNotFoundError:
        return []


@dataclass(frozen=True, slots=True)
class IndexFolder:
    """The folder of one index."""

    path: Path
    index: str
    day: datetime.date | None

    def time_bounds(self) -> tuple[str, str] | None:
        """Return the earliest time an event of the index can have and the first time after it, in UTC; None: any time.

        The day of an index may be a day in any time zone (``index_timezone``), so it lasts from its start in the
        easternmost zone to its end in the westernmost.
        """
        if self.day is None:
            return None
        midnight = datetime.datetime.combine(self.day, datetime.time())
        try:
            first = midnight - _FARTHEST_EAST
            after = midnight + datetime.timedelta(days=1) + _FARTHEST_WEST
        except OverflowError:
            return None
        return first.isoformat(), after.isoformat()


def index_folders(root: Path) -> list[IndexFolder]:
    """Return the index folders by name; none if there is no store yet. Other folders are ignored."""
    try:
        names = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [IndexFolder(root / name, name, day_of(name)) for name in names if is_index(name)]
