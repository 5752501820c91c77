"""An index as it was at one moment, while writers and the sealer go on: a hidden folder of links to its files.

A file outlives its name as long as another name is there, and a tail only grows. So what was listed can be read
up to the size that it had, whatever becomes of the index.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingestd.files import locked_folder, rename_synced, sync_folder
from ingestd.stores.base import StoreError
from ingestd.stores.local.files import manifest
from ingestd.stores.local.files.append_log import end_of_lines, store_error
from ingestd.stores.local.files.exchange import exchange, put_back

HIDDEN = ".backup-"
"""Begin of the names of folders that backups and restores work in; none lives longer than the process that made it."""

_BLOCK = 1 << 20
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class File:
    """A file of an image: the first ``size`` bytes of it count. ``events`` is how many it holds, None: its lines."""

    path: Path
    size: int
    events: int | None

    def blocks(self) -> Iterator[bytes]:
        """Yield what counts of the file."""
        left = self.size
        with self.path.open("rb") as file:
            while left and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                yield block

    def measure(self) -> tuple[str, int]:
        """Read the file once; return its SHA-256 in hex and the number of its events."""
        digest, lines = hashlib.sha256(), 0
        for block in self.blocks():
            digest.update(block)
            lines += block.count(b"\n") if self.events is None else 0
        return digest.hexdigest(), lines if self.events is None else self.events


@contextlib.contextmanager
def hidden_folder(root: Path) -> Iterator[Path]:
    """Make a hidden folder in the store, on its disk, and remove it at the end. It is locked: somebody works in it.

    Raises:
        StoreError: The disk refuses.
    """
    path = root / f"{HIDDEN}{secrets.token_hex(6)}"
    try:
        path.mkdir(parents=True, mode=0o750)
        with locked_folder(path):
            yield path
    except OSError as error:
        raise store_error(error, f"cannot work in {path}") from error
    finally:
        shutil.rmtree(path, ignore_errors=True)


def remove_hidden(root: Path) -> None:
    """Remove what killed processes have left."""
    for path in root.glob(HIDDEN + "*"):
        with contextlib.suppress(OSError), locked_folder(path):
            put_back(path, root)
            shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Image:
    """An index at one moment: its files, and a folder in which it is the only index, as in a store of its own."""

    root: Path
    files: list[File]


@contextlib.contextmanager
def image(folder: Path) -> Iterator[Image]:
    """Give an index as it is now.

    Raises:
        StoreError: There is no such index, its manifest cannot be read, or the disk refuses.
    """
    with hidden_folder(folder.parent) as aside:
        links = aside / folder.name
        links.mkdir()
        for _ in range(_ATTEMPTS):
            try:
                files = _link(folder, links)
            except FileNotFoundError:  # sealed or joined meanwhile: look again
                if not folder.is_dir():
                    raise StoreError(f"there is no index {folder.name}") from None
            else:
                yield Image(aside, files)
                return
        raise StoreError(f"the files of {folder.name} change all the time")


def _link(folder: Path, links: Path) -> list[File]:
    tails, sealed = manifest.contents(folder)
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    files = [File(_linked(folder / one.name, links), one.bytes, one.events) for one in sealed.files]
    for tail in tails:
        path = _linked(folder / str(tail), links)
        with path.open("rb") as file:
            size = end_of_lines(file.fileno(), os.fstat(file.fileno()).st_size)
        files.append(File(path, size, None))
    own = links / manifest.NAME  # not a link: it is replaced, and must be the one that was read
    own.write_bytes(manifest.encode(sealed))
    return [*files, File(own, own.stat().st_size, 0)]


def _linked(path: Path, links: Path) -> Path:
    link = links / path.name
    with contextlib.suppress(FileExistsError):  # of an attempt before
        os.link(path, link)
    return link


def put_in_place(made: Path, place: Path) -> None:
    """Make a finished folder the index ``place``; one that is there goes. There is no moment without an index.

    Raises:
        OSError: The disk refuses.
    """
    sync_folder(made)
    if place.exists():
        exchange(made, place)
        sync_folder(place.parent)
        shutil.rmtree(made, ignore_errors=True)
    else:
        rename_synced(made, place)
