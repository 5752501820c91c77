"""Snapshot of an index while writers and the sealer carry on: a hidden folder of hard links to its files.

A file exists as long as one of its names does, and an append log only grows. So every file of the snapshot can be read
up to the size that it had, whatever happens to the index.
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
from ingestd.stores.local.append_logs.append_log import end_of_lines
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.index_folder import undo_swap
from ingestd.stores.local.sealing import leftovers
from ingestd.stores.local.sealing.parquet import parquet_writer

WORK_PREFIX = ".backup-"
"""Prefix of the names of folders that backups and restores work in; each is removed with its process."""

_BLOCK = 1 << 20
_MEMORY_BYTES = 384 << 20
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """The first ``size`` bytes of a file. ``events``: the number of events in it; None: the number of its lines.

    ``sha256``: its checksum as the manifest of the index has it; empty if that has none.
    """

    path: Path
    size: int
    events: int | None
    sha256: str = ""

    def blocks(self) -> Iterator[bytes]:
        """Yield the content in blocks."""
        left = self.size
        with self.path.open("rb") as file:
            while left and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                yield block

    def measure(self) -> tuple[str, int]:
        """Read the content once; return its SHA-256 in hex and the number of events."""
        digest, lines = hashlib.sha256(), 0
        for block in self.blocks():
            digest.update(block)
            lines += block.count(b"\n") if self.events is None else 0
        return digest.hexdigest(), lines if self.events is None else self.events


@contextlib.contextmanager
def work_folder(root: Path) -> Iterator[Path]:
    """Create a hidden folder in the store, thus on its disk, locked while in use; it is removed at the end.

    Raises:
        StoreError: The disk fails.
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
    """Remove the folders of processes that were killed."""
    for path in root.glob(WORK_PREFIX + "*"):
        with contextlib.suppress(OSError), locked_folder(path):
            undo_swap(path, root)
            shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class HardLinkSnapshot:
    """The files of the index, and ``root``: a store that has only this index."""

    root: Path
    files: list[SnapshotFile]


@contextlib.contextmanager
def hard_link_snapshot(folder: Path) -> Iterator[HardLinkSnapshot]:
    """Take a snapshot of an index, which is removed at the end of the block.

    Raises:
        StoreError: There is no such index, its manifest cannot be read, or the disk fails.
    """
    absent: str | None = None
    with work_folder(folder.parent) as root:
        links = root / folder.name
        links.mkdir()
        for _ in range(_ATTEMPTS):
            try:
                files = _link(folder, links)
            except FileNotFoundError as error:  # sealed or merged meanwhile: list again
                if not folder.is_dir():
                    raise StoreError(f"there is no index {folder.name}") from None
                absent = error.filename
            except OSError as error:
                raise disk_error(error, f"cannot read {error.filename}") from error
            else:
                yield HardLinkSnapshot(root, files)
                return
        raise StoreError(f"{absent} is missing")


def _link(folder: Path, links: Path) -> list[SnapshotFile]:
    names = os.listdir(folder)  # noqa: PTH208 - first: what is sealed or merged later is then in the manifest
    append_logs, sealed = manifest.contents(folder)
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    files = [
        SnapshotFile(_linked(folder / file.name, links), file.bytes, file.events, file.sha256) for file in sealed.files
    ]
    for append_log in append_logs:
        path = _linked(folder / str(append_log), links)
        with path.open("rb") as log:
            size = end_of_lines(log.fileno(), os.fstat(log.fileno()).st_size)
        files.append(SnapshotFile(path, size, None))
    _check_leftovers(folder, links, sealed, names)
    own = links / manifest.NAME  # a copy: the sealer may have replaced the manifest since it was read
    own.write_bytes(manifest.encode(sealed))
    return [*files, SnapshotFile(own, own.stat().st_size, 0)]


def _check_leftovers(folder: Path, links: Path, sealed: manifest.Manifest, names: list[str]) -> None:
    """Raise StoreError if the folder has events that are not part of the index because its manifest is wrong."""
    found = leftovers.candidates(names, sealed)
    for name in found:
        with contextlib.suppress(FileNotFoundError):  # the sealer removed it: its events are in another file
            _linked(folder / name, links)
    with parquet_writer(links.parent / ".spill", _MEMORY_BYTES) as parquet:
        unproven = leftovers.examine(links, sealed, found, parquet).unproven
    if unproven:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in unproven.items())
        raise StoreError(
            f"index {folder.name} is not backed up as long as its manifest is wrong: {reasons}; "
            "the running daemon rebuilds the manifest from its files"
        )


def _linked(path: Path, links: Path) -> Path:
    link = links / path.name
    with contextlib.suppress(FileExistsError):  # from an earlier attempt
        os.link(path, link)
    return link
