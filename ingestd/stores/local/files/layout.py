"""What lies where in the built-in store, and the format of a tail file.

::

    <data dir>/indices/                             the root
        .writer-w0.lock                             held by the process that writes as w0
        .sealer.lock  .sealing/                     held by the process that seals; its files in the making
        .deleted-1795255200000000000-4711/          an index that is being deleted
        logstash-2026.11.22/                        an index
            tail-w0-00002.ndjson                    appended by writer w0, which holds its lock
            tail-w0-00001.torn-18233                what a crash left of a line at this byte; kept, never read
            tail-w0-00001.unreadable                lines that no query could have read; kept, never read
            sealed-00001.parquet                    sealed tails
            sealed.json                             which files are sealed: see ``manifest``
            ids-w0-00001.txt                        ids of what w0 wrote last and is sealed: see ``last_ids``

Each writer has tails of its own, so writers need no lock between them. It goes on to a tail of the next number
by size and age; numbers are never used twice, so that the manifest can say "up to here, all are sealed". A
writer holds the lock (``flock``) of the tails it has open, the sealer that of those it seals.

A line of a tail is ``<document> TAB <id as a JSON string> LF``, the id empty if there is none. Raw tabs and
line ends occur in JSON only as blanks between tokens; the writer turns them into spaces, so the two columns
split at the one tab. Chosen because a document and its id go to disk in one write, DuckDB's CSV reader splits
them for nothing, a line cut off anywhere before its tab has no second column and is skipped by it, and the
usual tools work: ``grep`` on the file, ``cut -f1 tail-* | jq`` for the documents, ``jq objects tail-*`` too,
since the file is a sequence of JSON values. An id inside of the document would change the document; a file of
ids beside it would need two writes that a crash can part.
"""

from __future__ import annotations

import datetime
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ingestd.stores.base import InvalidIndexError

MAX_DOCUMENT_BYTES = 16 << 20
"""The longest line that DuckDB is told to read; it sizes its buffers by it."""

SEALED_IDS_BYTES = 16 << 20
"""Of so much of what a writer wrote last to an index the ids are at hand after sealing."""

_TAIL = re.compile(r"tail-(?P<writer>[a-z0-9_]+)-(?P<number>\d+)\.ndjson")
_WRITER = re.compile(r"[a-z0-9_]{1,32}")
_DAY = re.compile(r"(\d{4})[.-](\d\d)[.-](\d\d)$")
_FORBIDDEN = set('\\/*?"<>| ,#:')
_FARTHEST_EAST = datetime.timedelta(hours=14)
_FARTHEST_WEST = datetime.timedelta(hours=12)


def store_root(data_dir: Path) -> Path:
    """Return the root of the built-in store in a data directory."""
    return data_dir / "indices"


def check_index(index: str) -> None:
    """Refuse what is no index name, by the rules of Elasticsearch, so that both stores take the same names.

    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create. Also refused is a
    ``%{`` that is left of a field which the event does not have, as Logstash does.

    Raises:
        InvalidIndexError: It is none.
    """
    if not index:
        raise InvalidIndexError(index, "it is empty")
    if "%{" in index:
        raise InvalidIndexError(index, "a field that it is made of is missing in the event")
    if index[0] in ".-_+":
        raise InvalidIndexError(index, f"it starts with {index[0]!r}")
    if wrong := next((char for char in index if char in _FORBIDDEN or not char.isprintable()), None):
        raise InvalidIndexError(index, f"{wrong!r} is not allowed")
    if index != index.lower():
        raise InvalidIndexError(index, "it has capital letters")
    if len(index.encode()) > 255:
        raise InvalidIndexError(index, "it has more than 255 bytes")


def check_writer_id(writer_id: str) -> None:
    """Refuse a writer id that cannot be part of a file name.

    Raises:
        ValueError: It is not 1 to 32 of ``a-z 0-9 _``.
    """
    if not _WRITER.fullmatch(writer_id):
        raise ValueError(f"a writer id is 1 to 32 of a-z, 0-9 and _, not {writer_id!r}")


def day_of(index: str) -> datetime.date | None:
    """Return the day that an index name ends in, ``None`` if it ends in none."""
    if found := _DAY.search(index):
        try:
            return datetime.date(*map(int, found.groups()))
        except ValueError:
            return None
    return None


@dataclass(frozen=True, slots=True, order=True)
class TailName:
    """The name of a tail, in two parts."""

    writer: str
    number: int

    def __str__(self) -> str:
        return f"tail-{self.writer}-{self.number:05d}.ndjson"

    @classmethod
    def parse(cls, name: str) -> TailName | None:
        """Return the parts of a file name; None if it is not that of a tail."""
        found = _TAIL.fullmatch(name)
        return None if found is None else cls(found["writer"], int(found["number"]))


def tails_of(folder: Path | int) -> list[TailName]:
    """Return the tails in a folder, a path or a descriptor, by writer and number; none if it is not there."""
    try:
        return sorted(tail for name in os.listdir(folder) if (tail := TailName.parse(name)))  # noqa: PTH208 - or an fd
    except FileNotFoundError:
        return []


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one index."""

    path: Path
    index: str
    day: datetime.date | None

    def tails(self) -> list[TailName]:
        """Return the tails, by writer and number; none if the folder was deleted meanwhile."""
        return tails_of(self.path)

    def span(self) -> tuple[str, str] | None:
        """Return the first moment of the index and the first after it, in UTC; ``None``: any time.

        The day of an index may be counted in any time zone (``index_timezone``), so it reaches from
        its begin in the farthest east to its end in the farthest west.
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


def folders(root: Path) -> list[Folder]:
    """Return the index folders by name; none if there is no store yet. What is no index is left alone."""
    try:
        names = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [Folder(root / name, name, day_of(name)) for name in names if _is_index(name)]


def _is_index(name: str) -> bool:
    try:
        check_index(name)
    except InvalidIndexError:
        return False
    return True
