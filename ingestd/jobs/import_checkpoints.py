"""How far each file was imported. A file is recognised by its content, whatever its name is by then.

A file is looked up by a digest of the first `PREFIX_BYTES` of its content, and is the same only if a digest of all that
was imported of it matches as well. So the import of a file that has grown continues where it ended, even if the file
was renamed or compressed meanwhile, and files with the same start are not mistaken for each other. The stream id is
made of the first digest: the same file gives the same document ids on any machine.

A checkpoint is ``import/<id>-<destination>.json`` in the data folder. It is written after every output has the lines
before it, and is on the disk before the next ones are delivered.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ingestd.decoders import decoder
from ingestd.files import locked_file, readable_path, write_atomic

PREFIX_BYTES = 1 << 20
_ID_BYTES = 10
_LOCK = ".lock"
_NAMES_IN_FILE = {
    "stream_id": "origin",
    "prefix": "head",
    "prefix_bytes": "head_bytes",
    "in_progress": "under_way",
}


class ImportBusyError(Exception):
    """Another import is running on the same data folder."""


class ImportCheckpoint(msgspec.Struct, rename=_NAMES_IN_FILE):
    """How far a file was imported; ``rename``: the names in its file.

    Attributes:
        stream_id: The id of its stream.
        prefix: Digest of the first ``prefix_bytes`` of the content.
        offset: The start of the first line that was not delivered.
        checked: Digest of the first ``checked_bytes`` of the content, which are at most ``offset``.
        path: Where the file was; for people.
        in_progress: Whether events after ``offset`` may be stored, because the import was killed.
    """

    stream_id: str
    prefix: str
    prefix_bytes: int
    offset: int = 0
    checked: str = ""
    checked_bytes: int = 0
    path: str = ""
    in_progress: bool = False


class ImportCheckpoints:
    """The checkpoints of one destination in a data folder.

    Args:
        folder: Created if it is missing.
        destination: A name for where the events go: each destination has its own checkpoints.
    """

    def __init__(self, folder: Path, destination: str) -> None:
        self._folder, self._destination = folder, destination
        self._known: dict[str, ImportCheckpoint] = {}
        self._saved: dict[str, ImportCheckpoint] = {}  # by this process

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Load the checkpoints and keep other processes from them. Raises ImportBusyError, OSError."""
        busy = ImportBusyError("another import is running on this data folder; wait until it ends")
        with locked_file(self._folder / _LOCK, busy):
            for path in sorted(self._folder.glob(f"*-{self._destination}.json")):
                with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):  # a damaged one counts as missing
                    checkpoint = decoder(ImportCheckpoint).decode(path.read_bytes())
                    self._known[checkpoint.stream_id] = checkpoint
            yield

    def in_progress(self) -> dict[str, int]:
        """Return the streams whose import was killed, each with the offset from which events may be stored."""
        return {known.stream_id: known.offset for known in self._known.values() if known.in_progress}

    def candidates(self, prefix: bytes, path: Path) -> list[ImportCheckpoint]:
        """Return the checkpoints that a file with this start may have, the largest offset first.

        A checkpoint without checked bytes matches only if it covers all of ``prefix``, or has the same path: the same
        few first bytes alone do not make it the same file.
        """
        found = [
            known
            for known in self._known.values()
            if 0 < known.prefix_bytes <= len(prefix)
            and (known.checked_bytes or known.prefix_bytes == len(prefix) or known.path == readable_path(path))
            and known.prefix == digest(prefix[: known.prefix_bytes])
        ]
        return sorted(found, key=lambda known: known.offset, reverse=True)

    def new(self, prefix: bytes, path: Path) -> ImportCheckpoint:
        """Return the checkpoint of a new file; files with the same start get different streams."""
        name, number = digest(prefix), 0
        while (stream_id := f"f{name[: 2 * _ID_BYTES]}" + (f".{number}" if number else "")) in self._known:
            number += 1
        return ImportCheckpoint(stream_id, name, len(prefix), path=readable_path(path))

    def remember(self, checkpoint: ImportCheckpoint) -> None:
        """Keep a checkpoint in memory only: what was read of the file is in flight."""
        self._known[checkpoint.stream_id] = checkpoint

    def save(self, checkpoint: ImportCheckpoint) -> None:
        """Write a checkpoint to the disk. Raises OSError."""
        self._saved[checkpoint.stream_id] = checkpoint
        path = self._folder / f"{checkpoint.stream_id}-{self._destination}.json"
        write_atomic(path, msgspec.json.encode(checkpoint))

    def mark_complete(self) -> None:
        """Save that no import of the saved checkpoints is in progress any more. Raises OSError."""
        for checkpoint in list(self._saved.values()):
            self.save(msgspec.structs.replace(checkpoint, in_progress=False))


def digest(data: bytes) -> str:
    """Return a digest of bytes."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


EMPTY = digest(b"")


class PrefixDigests:
    """Digests of growing content, one at the end of each part: for ``ImportCheckpoint.checked``."""

    def __init__(self) -> None:
        self._sum = hashlib.blake2b(digest_size=16)
        self._size = 0
        self._marks: list[tuple[int, str]] = []

    @property
    def size(self) -> int:
        """How many bytes were added."""
        return self._size

    def add(self, data: bytes) -> None:
        """Add the next bytes."""
        self._sum.update(data)
        self._size += len(data)
        self._marks.append((self._size, self._sum.hexdigest()))

    @property
    def digest(self) -> str:
        """The digest of all that was added."""
        return self._sum.hexdigest()

    def at(self, offset: int) -> tuple[int, str]:
        """Return size and digest of the longest prefix up to ``offset``; shorter ones are forgotten."""
        found = self.up_to(offset)
        self._marks = [mark for mark in self._marks if mark[0] >= found[0]]
        return found

    def up_to(self, offset: int) -> tuple[int, str]:
        """Return size and digest of the longest prefix up to ``offset``."""
        return max((mark for mark in self._marks if mark[0] <= offset), default=(0, EMPTY))


def destination_of(nodes: Iterable[object]) -> str:
    """Return a name for the outputs of a config: the same for the same plugins and options, wherever they are."""
    return digest(msgspec.json.encode(_without_spans(msgspec.to_builtins(list(nodes)))))[:12]


def _without_spans(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_spans(child) for key, child in value.items() if key != "span"}
    return [_without_spans(child) for child in value] if isinstance(value, list | tuple) else value
