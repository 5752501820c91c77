"""Backups of the built-in store in a repository: their layout, and upload, verification and download of their files.

::

    logstash-2026.11.21/                                        an index
        files/<SHA-256>                                         its files, each stored once for all backups
        logstash-2026.11.21-20261122001000.<index UUID>.<events>.<bytes>.json     a backup: its manifest, written last
        logstash-2026.11.21-20261122001000.<...>.json.damaged       why the backup could not be read, until it can be

A manifest lists the files with their checksums and ends with its own checksum. Listing the keys is enough to know what
is backed up: no manifest has to be read for that. Several files are transferred at a time, each checked by its size and
SHA-256.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from ingestd.decoders import decoder
from ingestd.files import open_synced
from ingestd.stores.backups import BackupError, Progress, Snapshot
from ingestd.stores.base import disk_error
from ingestd.stores.index_names import day_of, is_index
from ingestd.stores.local.backup.hard_link_snapshot import SnapshotFile
from ingestd.stores.local.index import manifest as manifest_file
from ingestd.stores.local.index.layout import AppendLogName
from ingestd.stores.local.index.manifest import is_sealed_name
from ingestd.stores.object_store import ObjectStore

T = TypeVar("T")
U = TypeVar("U")

_THREADS = 4
_FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")

_NAME = re.compile(
    r"(?P<name>(?P<index>.+)-(?P<time>\d{14}))\.(?P<origin>[0-9a-f]+)\.(?P<events>\d+)\.(?P<bytes>\d+)\.json"
)


class ArchivedFile(msgspec.Struct, frozen=True):
    """A file in a backup."""

    name: str
    size: int
    sha256: str
    events: int


class NewerBackupError(BackupError):
    """A newer version of ingestd made the backup, so it cannot be read. That is not damage."""


class BackupManifest(msgspec.Struct, frozen=True):
    """The manifest of a backup."""

    index: str
    index_uuid: str = msgspec.field(name="origin")
    time: str
    files: tuple[ArchivedFile, ...]
    proven: bool = False
    """Whether the files were compared with the manifest of the index when they were read; older versions did not."""
    format: int = _FORMAT

    @property
    def events(self) -> int:
        """Number of events in the backup."""
        return sum(file.events for file in self.files)

    @property
    def bytes(self) -> int:
        """Size of its files in bytes."""
        return sum(file.size for file in self.files)


class _Format(msgspec.Struct):
    """What manifests of all versions have in common."""

    format: int = _FORMAT


class _Checksummed(msgspec.Struct):
    manifest: msgspec.Raw
    sha256: str


def file_key(index: str, sha256: str) -> str:
    """Return the key of a file."""
    return f"{index}/files/{sha256}"


def manifest_key(name: str, manifest: BackupManifest) -> str:
    """Return the key of a manifest."""
    return f"{manifest.index}/{name}.{manifest.index_uuid}.{manifest.events}.{manifest.bytes}.json"


def damaged_key(key: str) -> str:
    """Return the key of the note that the backup whose manifest has ``key`` is damaged."""
    return f"{key}.damaged"


def snapshot_of(key: str) -> Snapshot | None:
    """Return the backup that the key of a manifest describes; None for any other key."""
    match = _NAME.fullmatch(key.rpartition("/")[2])
    if match is None or not is_index(match["index"]):
        return None
    try:
        time = datetime.datetime.strptime(match["time"], "%Y%m%d%H%M%S").replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    return Snapshot(
        name=match["name"],
        index=match["index"],
        day=day_of(match["index"]),
        state="success",
        events=int(match["events"]),
        bytes=int(match["bytes"]),
        started=time,
        index_uuid=match["origin"],
    )


def encode(manifest: BackupManifest) -> bytes:
    """Return a manifest as JSON, with its checksum."""
    body = msgspec.json.encode(manifest)
    return msgspec.json.encode(_Checksummed(msgspec.Raw(body), hashlib.sha256(body).hexdigest()))


def decode(name: str, body: bytes) -> BackupManifest:
    """Parse a manifest.

    Raises:
        NewerBackupError: It is from a newer version.
        BackupError: It is damaged.
    """
    try:
        checksummed = decoder(_Checksummed).decode(body)
        if hashlib.sha256(checksummed.manifest).hexdigest() != checksummed.sha256:
            raise BackupError(f"the backup {name} is damaged: its manifest does not have its checksum")
        if decoder(_Format).decode(checksummed.manifest).format > _FORMAT:
            raise NewerBackupError(f"the backup {name} was made by a newer version of ingestd")
        manifest = decoder(BackupManifest).decode(checksummed.manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BackupError(f"the backup {name} is damaged: its manifest cannot be read") from None
    names = [file.name for file in manifest.files]
    if invalid := [file_name for file_name in names if not _is_index_file(file_name)]:
        raise BackupError(f"the backup {name} is damaged: {invalid[0]!r} is not a file of an index")
    if len(set(names)) < len(names) or not all(_SHA256.fullmatch(file.sha256) for file in manifest.files):
        raise BackupError(f"the backup {name} is damaged: its manifest is not one of ingestd")
    if not is_index(manifest.index):
        raise BackupError(f"the backup {name} is damaged: {manifest.index!r} is not the name of an index")
    if manifest.format != _FORMAT:
        raise BackupError(f"the backup {name} is damaged: there is no format {manifest.format}")
    return manifest


def _is_index_file(name: str) -> bool:
    """Return whether a backup may have a file of this name; it is never a path, so never outside of the index."""
    return name == manifest_file.NAME or is_sealed_name(name) or AppendLogName.parse(name) is not None


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
    """Upload a file unless the repository has it, intact; return its entry in the manifest.

    Raises:
        BackupError: The file is not as the manifest of the index says, or cannot be read.
    """
    try:
        sha256, events = file.measure()
        if file.sha256 and sha256 != file.sha256:
            raise BackupError(f"index {index} is damaged: {file.path.name} does not have its checksum")
        counter.add(file.size)
        entry = ArchivedFile(file.path.name, file.size, sha256, events)
        key = file_key(index, sha256)
        if objects.size(key) != file.size or verify(objects, index, entry, counter):
            objects.put(key, _counted(file.blocks(), counter))
    except OSError as error:
        raise disk_error(error, f"cannot read {file.path.name}") from error
    return entry


def _counted(blocks: Iterable[bytes], counter: ProgressCounter) -> Iterator[bytes]:
    for block in blocks:
        yield block
        counter.add(len(block))


def verify(objects: ObjectStore, index: str, entry: ArchivedFile, counter: ProgressCounter) -> str:
    """Read a file in the repository; return what is wrong with it, empty if nothing is."""
    digest, size = hashlib.sha256(), 0
    try:
        for block in _counted(objects.stream(file_key(index, entry.sha256)), counter):
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
            for block in _counted(objects.stream(file_key(index, entry.sha256)), counter):
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
