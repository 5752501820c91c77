"""``LocalBackups``: backups of the built-in store in a folder or an S3 bucket.

Its repositories are listed in ``repositories.json`` in the data folder, without credentials.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from ingestd.decoders import decoder
from ingestd.files import write_atomic
from ingestd.stores.backups import (
    BackupError,
    Progress,
    Repository,
    RepositoryUnavailableError,
    Snapshot,
    fullest,
    index_of,
    other_name,
    snapshot_name,
)
from ingestd.stores.base import disk_error
from ingestd.stores.index_names import check_index
from ingestd.stores.local.append_logs.writer import LocalWriter
from ingestd.stores.local.backup import archive
from ingestd.stores.local.backup.archive import BackupManifest, ProgressCounter, download, in_parallel, upload, verify
from ingestd.stores.local.backup.checks import check_restored, check_source
from ingestd.stores.local.backup.hard_link_snapshot import hard_link_snapshot, remove_stale_work_folders, work_folder
from ingestd.stores.local.index.index_folder import (
    IndexMetadata,
    ensure_metadata,
    new_uuid,
    read_metadata,
    replace_index,
    write_metadata,
)
from ingestd.stores.local.index.layout import index_folders, store_root
from ingestd.stores.local.query.store import LocalStore
from ingestd.stores.object_store import ObjectStore
from ingestd.stores.query import Query

_REPOSITORIES = "repositories.json"
_REQUIRED = {"fs": "location", "s3": "bucket"}
_CHUNK_DOCUMENTS = 2000


class LocalBackups:
    """Backups of the built-in store of a data folder.

    A file is stored in the repository once, under its checksum: another backup of the same day, or a retry after an
    interrupted one, uploads only what is missing or damaged there. A backup that cannot be read back is noted as
    damaged in the repository, until it can be.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir, self._root = data_dir, store_root(data_dir)

    def repositories(self) -> list[Repository]:
        """Return what is registered, by name."""
        return load_repositories(self._data_dir)

    def add_repository(self, repository: Repository) -> None:
        """Register a repository after writing, reading and deleting an object there."""
        if location := repository.settings.get("location"):  # the daemon's working folder is another one
            absolute = str(Path(location).expanduser().absolute())
            repository = replace(repository, settings={**repository.settings, "location": absolute})
        registered = {other.name: other for other in self.repositories()}
        if registered.get(repository.name, repository) != repository:
            raise BackupError(f"there is a repository {repository.name} already, with other settings; remove it first")
        ObjectStore(repository).check()
        save_repositories(self._data_dir, list((registered | {repository.name: repository}).values()))

    def remove_repository(self, name: str) -> None:
        """Forget a repository; what is in it stays."""
        self._repository(name)
        save_repositories(self._data_dir, [other for other in self.repositories() if other.name != name])

    def snapshots(self, repository: str) -> list[Snapshot]:
        """Return the complete backups, and those found to be damaged; an interrupted one left only files."""
        return [snapshot for _, snapshot in self._listed(self._objects(repository))]

    def back_up(
        self, repository: str, index: str, now: datetime.datetime, progress: Progress | None = None
    ) -> Snapshot:
        """Upload the files of an index, four at a time, and then their manifest.

        Everything is read and compared with the index's manifest: sizes, checksums, the number of events. If the index
        is damaged there is no backup, and earlier ones stay.
        """
        objects = self._objects(repository)
        remove_stale_work_folders(self._root)
        folder = self._root / index
        if not folder.is_dir():
            raise BackupError(f"there is no index {index}")
        metadata = ensure_metadata(folder)
        with hard_link_snapshot(folder) as links:
            check_source(links, index)
            counter = ProgressCounter(progress, 2 * sum(file.size for file in links.files))
            entries = in_parallel(links.files, lambda file: upload(objects, index, file, counter))
        time = now.astimezone(datetime.UTC).isoformat(timespec="seconds")
        manifest = BackupManifest(index, metadata.uuid, time, tuple(entries), proven=True)
        key = archive.manifest_key(snapshot_name(index, now), manifest)
        objects.put_bytes(key, archive.encode(manifest))
        snapshot = archive.snapshot_of(key)
        assert snapshot is not None  # noqa: S101 -- the key was made for it
        return snapshot

    def backed_up_indices(self, repository: str) -> Mapping[str, str]:
        """Return the indices whose backup is up to date: no event was added since, and it is not known as damaged."""
        backups = fullest(self.snapshots(repository))
        names = {}
        for info in LocalStore(self._root).indices():
            metadata = read_metadata(self._root / info.index)
            snapshot = backups.get((info.index, metadata.uuid)) if metadata is not None else None
            if snapshot is not None and snapshot.state == "success" and snapshot.events == info.events:
                names[info.index] = snapshot.name
        return names

    def verify(self, repository: str, snapshot: str, progress: Progress | None = None) -> Sequence[str]:
        """Read all files of a backup and compare their sizes and checksums with the manifest.

        A backup of an older version may hold files that were damaged when it was made: it is downloaded, and every
        event is read.
        """
        objects = self._objects(repository)
        key, listed = self._find(objects, snapshot)
        try:
            problems = self._problems(objects, key, listed, progress)
        except archive.NewerBackupError as error:
            return [str(error)]
        _note(objects, key, listed, "; ".join(problems))
        return problems

    def _problems(self, objects: ObjectStore, key: str, listed: Snapshot, progress: Progress | None) -> list[str]:
        """Read all of a backup; return what is wrong with it."""
        body = objects.get(key)
        try:
            manifest = archive.decode(listed.name, body)
        except archive.NewerBackupError:
            raise
        except BackupError as error:
            return [str(error)]
        if (manifest.index, manifest.index_uuid, manifest.events) != (listed.index, listed.index_uuid, listed.events):
            return ["its manifest does not match its name"]
        counter = ProgressCounter(progress, manifest.bytes)
        if not manifest.proven:
            try:
                with work_folder(self._root) as work:
                    self._fetch(objects, listed.name, work / manifest.index, progress, repair=False)
            except (RepositoryUnavailableError, archive.NewerBackupError):
                raise
            except BackupError as error:
                return [str(error)]
            return []
        found = in_parallel(manifest.files, lambda entry: verify(objects, manifest.index, entry, counter))
        return list(filter(None, found))

    def restore(
        self,
        repository: str,
        snapshots: Sequence[str],
        index: str,
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Download the files of a backup to a work folder, check them, and make that the index in one step."""
        if len(snapshots) != 1:
            source = index_of(snapshots[0])
            documents = self.snapshot_documents(repository, snapshots)
            return self.write_index(index, documents, overwrite=overwrite, source=source)
        self._check_overwrite(index, overwrite=overwrite)
        objects = self._objects(repository)
        remove_stale_work_folders(self._root)
        with work_folder(self._root) as folder:
            manifest = self._fetch(objects, snapshots[0], folder / index, progress)
            self._replace(folder / index, index, manifest.index_uuid, other_name(manifest.index, index))
        return manifest.events

    def restored_indices(self) -> Mapping[str, datetime.datetime]:
        """Return the indices that were restored, and when."""
        times = {}
        for folder in index_folders(self._root):
            metadata = read_metadata(folder.path)
            if metadata is not None and metadata.restored is not None:
                times[folder.index] = metadata.restored
        return times

    def mark_restored(self, index: str) -> None:
        """Make an index count as restored now; nothing happens if it does not exist."""
        check_index(index)
        folder = self._root / index
        if folder.is_dir():
            metadata = ensure_metadata(folder)
            write_metadata(folder, msgspec.structs.replace(metadata, restored=datetime.datetime.now(datetime.UTC)))

    def snapshot_documents(self, repository: str, snapshots: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield id and document of each event; the backups are downloaded to a work folder, one after the other."""
        objects = self._objects(repository)
        seen: set[str] = set()
        for name in snapshots:
            with work_folder(self._root) as work:
                self._fetch(objects, name, work / self._find(objects, name)[1].index, None)
                for document_id, document in _all_documents(LocalStore(work)):
                    if len(snapshots) > 1 and document_id:
                        if document_id in seen:
                            continue
                        seen.add(document_id)
                    yield document_id, document

    def index_documents(self, index: str) -> Iterator[tuple[str, bytes]]:
        """Yield id and document of each event of an index, as it is now."""
        with hard_link_snapshot(self._root / index) as links:
            yield from _all_documents(LocalStore(links.root))

    def write_index(
        self, index: str, documents: Iterable[tuple[str, bytes]], *, overwrite: bool = False, source: str = ""
    ) -> int:
        """Write documents to a work folder, and make that the index in one step."""
        self._check_overwrite(index, overwrite=overwrite)
        remove_stale_work_folders(self._root)
        with work_folder(self._root) as work:
            writer, events = LocalWriter(work, "restore"), 0
            try:
                remaining = iter(documents)
                while chunk := list(itertools.islice(remaining, _CHUNK_DOCUMENTS)):
                    writer.append(index, [document for _, document in chunk], [document_id for document_id, _ in chunk])
                    events += len(chunk)
            finally:
                writer.close()
            (work / index).mkdir(exist_ok=True, mode=0o750)
            self._replace(work / index, index, new_uuid(), other_name(source, index))
        return events

    def close(self) -> None:
        """Do nothing: nothing is kept open between calls."""

    def _repository(self, name: str) -> Repository:
        for repository in self.repositories():
            if repository.name == name:
                return repository
        raise BackupError(f"there is no repository {name!r}; see ingestd repository list")

    def _objects(self, name: str) -> ObjectStore:
        return ObjectStore(self._repository(name))

    def _listed(self, objects: ObjectStore, prefix: str = "") -> list[tuple[str, Snapshot]]:
        keys = objects.keys(prefix)
        damaged = {key for key in keys if key.endswith(archive.damaged_key(""))}
        entries = []
        for key in keys:
            if snapshot := archive.snapshot_of(key):
                if (note := archive.damaged_key(key)) in damaged:
                    snapshot = replace(snapshot, state="damaged", reason=_text(objects, note))
                entries.append((key, snapshot))
        return sorted(entries, key=lambda entry: (entry[1].index, entry[1].started))

    def _find(self, objects: ObjectStore, name: str) -> tuple[str, Snapshot]:
        for key, snapshot in self._listed(objects):
            if snapshot.name == name:
                return key, snapshot
        raise BackupError(f"there is no backup {name} in repository {objects.name}")

    def _fetch(
        self, objects: ObjectStore, name: str, folder: Path, progress: Progress | None, *, repair: bool = True
    ) -> BackupManifest:
        """Download all files of a backup into a new folder and check them; see ``check_restored``."""
        key, listed = self._find(objects, name)
        manifest = archive.decode(name, objects.get(key))
        if manifest.index != listed.index:
            raise BackupError(f"the backup {name} is damaged: its manifest does not match its name")
        counter = ProgressCounter(progress, manifest.bytes)
        try:
            folder.mkdir(mode=0o750)
        except OSError as error:
            raise disk_error(error, f"cannot restore into {folder}") from error
        problems = in_parallel(manifest.files, lambda entry: download(objects, manifest.index, entry, folder, counter))
        if reasons := "; ".join(filter(None, problems)):
            _note(objects, key, listed, reasons)
            raise BackupError(f"the backup {name} is damaged: {reasons}")
        check_restored(folder, manifest, name, repair=repair)
        return manifest

    def _replace(self, new: Path, index: str, index_uuid: str, restored_from: str) -> None:
        replaced = read_metadata(self._root / index)
        restored_from = restored_from or (replaced.restored_from if replaced is not None else "")
        write_metadata(new, IndexMetadata(index_uuid, datetime.datetime.now(datetime.UTC), restored_from))
        try:
            replace_index(new, self._root / index)
        except OSError as error:
            raise disk_error(error, f"cannot replace index {index!r}") from error

    def _check_overwrite(self, index: str, *, overwrite: bool) -> None:
        check_index(index)
        if not overwrite and (self._root / index).exists():
            raise BackupError(
                f"index {index} already exists: use --overwrite to replace it, or --rename PREFIX to keep both"
            )


def _note(objects: ObjectStore, key: str, listed: Snapshot, problems: str) -> None:
    """Note in the repository that a backup is damaged, or, without ``problems``, no longer.

    Without the right to write there, as on a machine that only restores, nothing is noted.
    """
    with contextlib.suppress(BackupError):
        if problems:
            objects.put_bytes(archive.damaged_key(key), problems.encode())
        elif listed.state == "damaged":
            objects.delete([archive.damaged_key(key)])


def _text(objects: ObjectStore, key: str) -> str:
    try:
        return objects.get(key).decode("utf-8", "replace")
    except KeyError:  # it was deleted meanwhile
        return ""


def _all_documents(store: LocalStore) -> Iterator[tuple[str, bytes]]:
    """Yield id and document of each event, newest first. Raises BackupError at the end if some cannot be read."""
    yield from ((hit.id, hit.document) for hit in store.search(Query(), 0))
    if missing := store.take_missing():
        raise BackupError(f"some events cannot be read: {'; '.join(missing)}")


def load_repositories(data_dir: Path) -> list[Repository]:
    """Return the repositories, by name.

    Raises:
        BackupError: The list cannot be read.
    """
    path = data_dir / _REPOSITORIES
    try:
        repositories = decoder(list[Repository]).decode(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BackupError(f"{path} cannot be read: {error}") from None
    for repository in repositories:
        if (key := _REQUIRED[repository.kind]) not in repository.settings:
            raise BackupError(f"{path} cannot be read: repository {repository.name!r} has no {key!r}")
    return sorted(repositories, key=lambda repository: repository.name)


def save_repositories(data_dir: Path, repositories: list[Repository]) -> None:
    """Replace the list atomically and durably: retention deletes indices because these repositories have them.

    Raises:
        StoreError: The disk fails.
    """
    path = data_dir / _REPOSITORIES
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        write_atomic(path, msgspec.json.format(msgspec.json.encode(repositories)))
    except OSError as error:
        raise disk_error(error, f"cannot write {path}") from error
