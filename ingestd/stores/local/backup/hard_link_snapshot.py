"""An index as it was at one moment, while writers and the sealer go on: a hidden folder of links to its files.

A file outlives its name as long as another name is there, and an append log only grows. So what was listed can be read
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

from ingestd.files import locked_folder
from ingestd.stores.base import StoreError, disk_error
from ingestd.stores.local.files import manifest
from ingestd.stores.local.files.append_log import end_of_lines
from ingestd.stores.local.files.index_folder import undo_swap

WORK_PREFIX = ".backup-"
"""Begin of the names of folders that backups and restores work in; none lives longer than the process that made it."""

_BLOCK = 1 << 20
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class SnapshotFile:
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
def work_folder(root: Path) -> Iterator[Path]:
    """Make a hidden folder in the store, on its disk, and remove it at the end. It is locked: somebody works in it.

    Raises:
        StoreError: The disk refuses.
    """
    path = root / f"{WORK_PREFIX}{secrets.token_hex(6)}"
    try:
        path.mkdir(parents=True, mode=0o750)
        with locked_folder(path):
            yield path
    except OSError as error:
        raise disk_error(error, f"cannot work in {path}") from error
    finally:
        shutil.rmtree(path, ignore_errors=True)


def remove_stale_work_folders(root: Path) -> None:
    """Remove what killed processes have left."""
    for path in root.glob(WORK_PREFIX + "*"):
        with contextlib.suppress(OSError), locked_folder(path):
            undo_swap(path, root)
            shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class HardLinkSnapshot:
    """An index at one moment: its files, and a folder in which it is the only index, as in a store of its own."""

    root: Path
    files: list[SnapshotFile]


@contextlib.contextmanager
def hard_link_snapshot(folder: Path) -> Iterator[HardLinkSnapshot]:
    """Give an index as it is now.

    Raises:
        StoreError: There is no such index, its manifest cannot be read, or the disk refuses.
    """
    with work_folder(folder.parent) as aside:
        links = aside / folder.name
        links.mkdir()
        for _ in range(_ATTEMPTS):
            try:
                files = _link(folder, links)
            except FileNotFoundError:  # sealed or joined meanwhile: look again
                if not folder.is_dir():
                    raise StoreError(f"there is no index {folder.name}") from None
            else:
                yield HardLinkSnapshot(aside, files)
                return
        raise StoreError(f"the files of {folder.name} change all the time")


def _link(folder: Path, links: Path) -> list[SnapshotFile]:
    append_logs, sealed = manifest.contents(folder)
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    files = [SnapshotFile(_linked(folder / one.name, links), one.bytes, one.events) for one in sealed.files]
    for append_log in append_logs:
        path = _linked(folder / str(append_log), links)
        with path.open("rb") as file:
            size = end_of_lines(file.fileno(), os.fstat(file.fileno()).st_size)
        files.append(SnapshotFile(path, size, None))
    own = links / manifest.NAME  # not a link: it is replaced, and must be the one that was read
    own.write_bytes(manifest.encode(sealed))
    return [*files, SnapshotFile(own, own.stat().st_size, 0)]


def _linked(path: Path, links: Path) -> Path:
    link = links / path.name
    with contextlib.suppress(FileExistsError):  # of an attempt before
        os.link(path, link)
    return link
