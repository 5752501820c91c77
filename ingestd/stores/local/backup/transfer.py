"""Upload, verification and download of the files of a backup, in parallel, checked by size and SHA-256."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ingestd.files import open_synced
from ingestd.stores.backups import Progress
from ingestd.stores.base import disk_error
from ingestd.stores.local.backup import archive
from ingestd.stores.local.backup.archive import ArchivedFile
from ingestd.stores.local.backup.hard_link_snapshot import SnapshotFile
from ingestd.stores.local.backup.object_store import ObjectStore

T = TypeVar("T")
U = TypeVar("U")

_THREADS = 4


class ProgressCounter:
    """Adds up the progress of several threads, and reports it."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        """Report that ``size`` more bytes are done."""
        with self._lock:
            self._done += size
            if self._progress is not None:
                self._progress(min(self._done, self._total), self._total)


def in_parallel(items: Iterable[T], action: Callable[[T], U]) -> list[U]:
    """Call ``action`` for each item, several at a time; return the results in order. The first error ends it."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="backup") as pool:
        futures = [pool.submit(action, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def upload(objects: ObjectStore, index: str, file: SnapshotFile, counter: ProgressCounter) -> ArchivedFile:
    """Upload a file unless the repository has it; return its entry in the manifest."""
    try:
        sha256, events = file.measure()
        counter.add(file.size)
        key = archive.file_key(index, sha256)
        if objects.size(key) != file.size:
            objects.put(key, _counted(file.blocks(), counter))
    except OSError as error:
        raise disk_error(error, f"cannot read {file.path.name}") from error
    return ArchivedFile(file.path.name, file.size, sha256, events)


def _counted(blocks: Iterable[bytes], counter: ProgressCounter) -> Iterator[bytes]:
    for block in blocks:
        yield block
        counter.add(len(block))


def verify(objects: ObjectStore, index: str, entry: ArchivedFile, counter: ProgressCounter) -> str:
    """Read a file in the repository; return what is wrong with it, empty if nothing is."""
    digest, size = hashlib.sha256(), 0
    try:
        for block in _counted(objects.stream(archive.file_key(index, entry.sha256)), counter):
            digest.update(block)
            size += len(block)
    except KeyError:
        return f"{entry.name} is missing"
    return _difference(entry, size, digest.hexdigest())


def download(objects: ObjectStore, index: str, entry: ArchivedFile, folder: Path, counter: ProgressCounter) -> str:
    """Download a file into ``folder``; return what is wrong with it, empty if nothing is."""
    digest, size = hashlib.sha256(), 0
    try:
        with open_synced(folder / entry.name) as target:
            for block in _counted(objects.stream(archive.file_key(index, entry.sha256)), counter):
                target.write(block)
                digest.update(block)
                size += len(block)
    except KeyError:
        return f"{entry.name} is missing"
    except OSError as error:
        raise disk_error(error, f"cannot write {folder / entry.name}") from error
    return _difference(entry, size, digest.hexdigest())


def _difference(entry: ArchivedFile, size: int, sha256: str) -> str:
    if size != entry.size:
        return f"{entry.name} has {size:,} bytes, not {entry.size:,}"
    return "" if sha256 == entry.sha256 else f"{entry.name} does not have its checksum"
