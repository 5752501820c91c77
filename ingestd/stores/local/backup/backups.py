"""``LocalBackups``: the built-in store's files in a folder or an S3 bucket, as `Backups`."""

from __future__ import annotations

import datetime
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ingestd.files import open_synced
from ingestd.stores.backups import BackupError, Progress, Repository, Snapshot, fullest, snapshot_name
from ingestd.stores.local.backup import archive, registry
from ingestd.stores.local.backup.archive import Archive, Entry
from ingestd.stores.local.backup.hard_link_snapshot import File, hidden_folder, image, put_in_place, remove_hidden
from ingestd.stores.local.backup.object_store import Vault
from ingestd.stores.local.files import index_uuid
from ingestd.stores.local.files.append_log import store_error
from ingestd.stores.local.files.index_uuid import Origin
from ingestd.stores.local.files.layout import check_index, folders, store_root
from ingestd.stores.local.files.writer import LocalWriter
from ingestd.stores.local.query.store import LocalStore
from ingestd.stores.query import Query

T = TypeVar("T")
U = TypeVar("U")

_THREADS = 4
_FILL_DOCUMENTS = 2000


class LocalBackups:
    """Backups of the built-in store of a data folder.

    A file is put into the repository once, under its checksum: a backup of a day that is backed up already, or one
    that was broken off, sends only what is missing.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir, self._root = data_dir, store_root(data_dir)

    def repositories(self) -> list[Repository]:
        """Return what is registered, by name."""
        return registry.load(self._data_dir)

    def add_repository(self, repository: Repository) -> None:
        """Register a repository after writing, reading and deleting an object there."""
        known = {one.name: one for one in self.repositories()}
        if known.get(repository.name, repository) != repository:
            raise BackupError(f"there is a repository {repository.name} already, with other settings; remove it first")
        Vault(repository).check()
        registry.save(self._data_dir, list((known | {repository.name: repository}).values()))

    def remove_repository(self, name: str) -> None:
        """Forget a repository; what is in it stays."""
        self._repository(name)
        registry.save(self._data_dir, [one for one in self.repositories() if one.name != name])

    def snapshots(self, repository: str) -> list[Snapshot]:
        """Return the backups that are whole; of one that was broken off there is no trace but files."""
        return [snapshot for _, snapshot in self._listed(self._vault(repository))]

    def back_up(
        self, repository: str, index: str, now: datetime.datetime, progress: Progress | None = None
    ) -> Snapshot:
        """Put the files of an index into the repository, four at a time, and then their manifest."""
        vault = self._vault(repository)
        remove_hidden(self._root)
        folder = self._root / index
        if not folder.is_dir():
            raise BackupError(f"there is no index {index}")
        own = index_uuid.of(folder)
        with image(folder) as made:
            told = _Told(progress, 2 * sum(file.size for file in made.files))
            entries = _each(made.files, lambda file: _put(vault, index, file, told))
        time = now.astimezone(datetime.UTC).isoformat(timespec="seconds")
        kept = Archive(index, own.id, time, tuple(entries))
        key = archive.archive_key(snapshot_name(index, now), kept)
        vault.put_bytes(key, archive.encode(kept))
        snapshot = archive.snapshot_of(key)
        assert snapshot is not None  # noqa: S101 -- the key was made for it
        return snapshot

    def current(self, repository: str) -> Mapping[str, str]:
        """Return the indices that are in a backup as they are now: no event was added since."""
        backed_up = fullest(self.snapshots(repository))
        found = {}
        for info in LocalStore(self._root).indices():
            own = index_uuid.read(self._root / info.index)
            snapshot = backed_up.get((info.index, own.id)) if own is not None else None
            if snapshot is not None and snapshot.events == info.events:
                found[info.index] = snapshot.name
        return found

    def verify(self, repository: str, snapshot: str, progress: Progress | None = None) -> Sequence[str]:
        """Read all files of a backup and compare their sizes and checksums with the manifest."""
        vault = self._vault(repository)
        key, found = self._find(vault, snapshot)
        try:
            made = archive.decode(snapshot, vault.get(key))
        except BackupError as error:
            return [str(error)]
        if (made.index, made.origin, made.events) != (found.index, found.origin, found.events):
            return ["its manifest does not go with its name"]
        told = _Told(progress, made.bytes)
        wrong = _each(made.files, lambda entry: _check(vault, made.index, entry, told))
        return [one for one in wrong if one]

    def restore(
        self,
        repository: str,
        snapshots: Sequence[str],
        index: str,
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Fetch the files of a backup aside, check them, and give them the name of the index in one step."""
        if len(snapshots) != 1:
            return self.fill(index, self.documents(repository, snapshots), overwrite=overwrite)
        self._refuse_to_overwrite(index, overwrite=overwrite)
        vault = self._vault(repository)
        remove_hidden(self._root)
        with hidden_folder(self._root) as folder:
            made = self._fetch(vault, snapshots[0], folder / index, progress)
            self._place(folder / index, index, made.origin)
        return made.events

    def restored(self) -> Mapping[str, datetime.datetime]:
        """Return the indices that were brought back, and when."""
        found = {folder.index: index_uuid.read(folder.path) for folder in folders(self._root)}
        return {index: own.restored for index, own in found.items() if own is not None and own.restored is not None}

    def documents(self, repository: str, snapshots: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Return id and document of each event; the backups are fetched aside, one after the other."""
        vault = self._vault(repository)
        seen: set[str] = set()
        for name in snapshots:
            with hidden_folder(self._root) as aside:
                self._fetch(vault, name, aside / self._find(vault, name)[1].index, None)
                for hit in LocalStore(aside).search(Query(), 0):
                    if len(snapshots) > 1 and hit.id:
                        if hit.id in seen:
                            continue
                        seen.add(hit.id)
                    yield hit.id, hit.document

    def content(self, index: str) -> Iterator[tuple[str, bytes]]:
        """Return id and document of each event of an index, as it is now."""
        with image(self._root / index) as made:
            yield from ((hit.id, hit.document) for hit in LocalStore(made.root).search(Query(), 0))

    def fill(self, index: str, documents: Iterable[tuple[str, bytes]], *, overwrite: bool = False) -> int:
        """Write documents aside, and give them the name of the index in one step."""
        self._refuse_to_overwrite(index, overwrite=overwrite)
        remove_hidden(self._root)
        with hidden_folder(self._root) as aside:
            writer, events = LocalWriter(aside, "restore"), 0
            try:
                for chunk in _chunks(documents):
                    writer.append(index, [document for _, document in chunk], [one for one, _ in chunk])
                    events += len(chunk)
            finally:
                writer.close()
            (aside / index).mkdir(exist_ok=True, mode=0o750)
            self._place(aside / index, index, index_uuid.new_id())
        return events

    def forget(self, repository: str, snapshot: str) -> None:
        """Delete a backup, and the files that no other backup of the index needs."""
        vault = self._vault(repository)
        key, found = self._find(vault, snapshot)
        gone = {one.sha256 for one in archive.decode(snapshot, vault.get(key)).files}
        for other, one in self._listed(vault, found.index + "/"):
            if other != key:
                gone -= {entry.sha256 for entry in archive.decode(one.name, vault.get(other)).files}
        vault.delete([key])
        vault.delete([archive.file_key(found.index, one) for one in sorted(gone)])

    def close(self) -> None:
        """Nothing is held between two calls."""

    def _repository(self, name: str) -> Repository:
        for one in self.repositories():
            if one.name == name:
                return one
        raise BackupError(f"there is no repository {name!r}; see ingestd repository list")

    def _vault(self, name: str) -> Vault:
        return Vault(self._repository(name))

    def _listed(self, vault: Vault, prefix: str = "") -> list[tuple[str, Snapshot]]:
        found = [(key, snapshot) for key in vault.keys(prefix) if (snapshot := archive.snapshot_of(key))]
        return sorted(found, key=lambda one: (one[1].index, one[1].started))

    def _find(self, vault: Vault, name: str) -> tuple[str, Snapshot]:
        for key, snapshot in self._listed(vault):
            if snapshot.name == name:
                return key, snapshot
        raise BackupError(f"there is no backup {name} in repository {vault.name}")

    def _fetch(self, vault: Vault, name: str, folder: Path, progress: Progress | None) -> Archive:
        """Fetch all files of a backup into a folder, which is made, and check them."""
        made = archive.decode(name, vault.get(self._find(vault, name)[0]))
        told = _Told(progress, made.bytes)
        try:
            folder.mkdir(mode=0o750)
        except OSError as error:
            raise store_error(error, f"cannot restore into {folder}") from error
        wrong = _each(made.files, lambda entry: _get(vault, made.index, entry, folder, told))
        if reasons := [one for one in wrong if one]:
            raise BackupError(f"the backup {name} is damaged: {'; '.join(reasons)}")
        return made

    def _place(self, made: Path, index: str, origin_id: str) -> None:
        index_uuid.write(made, Origin(origin_id, datetime.datetime.now(datetime.UTC)))
        try:
            put_in_place(made, self._root / index)
        except OSError as error:
            raise store_error(error, f"cannot put index {index!r} in its place") from error

    def _refuse_to_overwrite(self, index: str, *, overwrite: bool) -> None:
        check_index(index)
        if not overwrite and (self._root / index).exists():
            raise BackupError(f"there is an index {index}; to replace it use --overwrite, to keep both --rename")


class _Told:
    """Tells how much is done, out of several threads."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            if self._progress is not None:
                self._progress(min(self._done, self._total), self._total)


def _each(things: Iterable[T], action: Callable[[T], U]) -> list[U]:
    """Do something with each thing, several at a time; returns the results in order. The first error ends it."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="backup") as pool:
        futures = [pool.submit(action, one) for one in things]
        try:
            return [one.result() for one in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _put(vault: Vault, index: str, file: File, told: _Told) -> Entry:
    """Put a file into the repository, unless it is there; returns its place in the manifest."""
    try:
        sha256, events = file.measure()
        told.add(file.size)
        key = archive.file_key(index, sha256)
        if vault.size(key) != file.size:
            vault.put(key, _counted(file.blocks(), told))
    except OSError as error:
        raise store_error(error, f"cannot read {file.path.name}") from error
    return Entry(file.path.name, file.size, sha256, events)


def _counted(blocks: Iterable[bytes], told: _Told) -> Iterator[bytes]:
    for block in blocks:
        yield block
        told.add(len(block))


def _check(vault: Vault, index: str, entry: Entry, told: _Told) -> str:
    """Return what is wrong with a file in the repository, empty if nothing is."""
    digest, size = hashlib.sha256(), 0
    try:
        for block in _counted(vault.stream(archive.file_key(index, entry.sha256)), told):
            digest.update(block)
            size += len(block)
    except KeyError:
        return f"{entry.name} is missing"
    return _difference(entry, size, digest.hexdigest())


def _get(vault: Vault, index: str, entry: Entry, folder: Path, told: _Told) -> str:
    """Fetch a file; returns what is wrong with it."""
    digest, size = hashlib.sha256(), 0
    try:
        with open_synced(folder / entry.name) as target:
            for block in _counted(vault.stream(archive.file_key(index, entry.sha256)), told):
                target.write(block)
                digest.update(block)
                size += len(block)
    except KeyError:
        return f"{entry.name} is missing"
    except OSError as error:
        raise store_error(error, f"cannot write {folder / entry.name}") from error
    return _difference(entry, size, digest.hexdigest())


def _difference(entry: Entry, size: int, sha256: str) -> str:
    if size != entry.size:
        return f"{entry.name} has {size:,} bytes, not {entry.size:,}"
    return "" if sha256 == entry.sha256 else f"{entry.name} does not have its checksum"


def _chunks(documents: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    chunk: list[tuple[str, bytes]] = []
    for one in documents:
        chunk.append(one)
        if len(chunk) == _FILL_DOCUMENTS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
