"""How far each file was imported: found again by its content, whatever its name is by then.

A file is known by a digest of the first `HEAD_BYTES` of its content, and is the same only if a digest of what was
imported of it agrees as well: so a file that has grown goes on where it was, be it renamed or compressed meanwhile,
and another one that begins alike is another one. The id of its stream is made of the first digest: the same file
gives the same document ids on any machine.

``import/<id>-<destination>.json`` in the data folder is such a place. It is written after every output has the lines
before it, and is on the disk before the next ones are delivered.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ingestd.files import locked_file, write_atomic

HEAD_BYTES = 1 << 20
_ID_BYTES = 10
_LOCK = ".lock"


class ImportBusyError(Exception):
    """Another import runs on the same data folder."""


class Place(msgspec.Struct):
    """How far a file was imported.

    Attributes:
        origin: The id of its stream.
        head: Digest of the first ``head_bytes`` of the content.
        offset: The begin of the first line that was not delivered.
        checked: Digest of the first ``checked_bytes`` of the content; those are not more than ``offset``.
        path: Where the file was; for people.
        under_way: Whether events behind ``offset`` may be stored, because the import was killed.
    """

    origin: str
    head: str
    head_bytes: int
    offset: int = 0
    checked: str = ""
    checked_bytes: int = 0
    path: str = ""
    under_way: bool = False


class Places:
    """The places of one destination in a data folder.

    Args:
        folder: Made if it is not there.
        destination: A name for where the events go: another one has places of its own.
    """

    def __init__(self, folder: Path, destination: str) -> None:
        self._folder, self._destination = folder, destination
        self._known: dict[str, Place] = {}
        self._saved: dict[str, Place] = {}  # in this process

    @contextmanager
    def held(self) -> Iterator[None]:
        """Read the places, and keep other processes from them. Raises ImportBusyError, OSError."""
        busy = ImportBusyError("another import runs on this data folder; wait for its end")
        with locked_file(self._folder / _LOCK, busy):
            for path in sorted(self._folder.glob(f"*-{self._destination}.json")):
                with contextlib.suppress(msgspec.DecodeError):  # as good as none
                    place = msgspec.json.decode(path.read_bytes(), type=Place)
                    self._known[place.origin] = place
            yield

    def under_way(self) -> dict[str, int]:
        """Return the streams of which an import was killed, and from which offset on its events may be stored."""
        return {place.origin: place.offset for place in self._known.values() if place.under_way}

    def candidates(self, head: bytes, path: Path) -> list[Place]:
        """Return the places that the file with this begin may have, the one that has come farthest first.

        Of a place that has nothing checked yet, what it knows of the content must be all there is, or its path the
        same: a few first bytes alone do not make a file the same.
        """
        found = [
            place
            for place in self._known.values()
            if 0 < place.head_bytes <= len(head)
            and (place.checked_bytes or place.head_bytes == len(head) or place.path == str(path))
            and place.head == digest(head[: place.head_bytes])
        ]
        return sorted(found, key=lambda place: place.offset, reverse=True)

    def new(self, head: bytes, path: Path) -> Place:
        """Return the place of a file that was never seen; of several that begin alike each has its own stream."""
        name, number = digest(head), 0
        while (origin := f"f{name[: 2 * _ID_BYTES]}" + (f".{number}" if number else "")) in self._known:
            number += 1
        return Place(origin, name, len(head), path=str(path))

    def remember(self, place: Place) -> None:
        """Know a place again, in this process: what was read of the file is on its way."""
        self._known[place.origin] = place

    def save(self, place: Place) -> None:
        """Put a place on the disk. Raises OSError."""
        self._saved[place.origin] = place
        write_atomic(self._folder / f"{place.origin}-{self._destination}.json", msgspec.json.encode(place))

    def settle(self) -> None:
        """Note of all places saved that nothing is under way any more. Raises OSError."""
        for place in list(self._saved.values()):
            self.save(msgspec.structs.replace(place, under_way=False))


def digest(data: bytes) -> str:
    """Return a digest of bytes."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


EMPTY = digest(b"")


class Checks:
    """Digests of a content that grows, at the end of each part: what `Place.checked` is taken from."""

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
        """Of all that was added."""
        return self._sum.hexdigest()

    def at(self, offset: int) -> tuple[int, str]:
        """Return the last mark that is not behind ``offset``; those before it are forgotten."""
        passed = [mark for mark in self._marks if mark[0] <= offset]
        del self._marks[: max(len(passed) - 1, 0)]
        return passed[-1] if passed else (0, EMPTY)


def destination_of(nodes: Iterable[object]) -> str:
    """Return a name for the outputs of a config: the same for the same plugins and options, wherever they stand."""
    return digest(msgspec.json.encode(_without_spans(msgspec.to_builtins(list(nodes)))))[:12]


def _without_spans(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_spans(one) for key, one in value.items() if key != "span"}
    return [_without_spans(one) for one in value] if isinstance(value, list | tuple) else value
