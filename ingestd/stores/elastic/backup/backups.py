"""``ElasticBackups``: snapshots of Elasticsearch and OpenSearch as `Backups`.

A backup is verified by restoring all of it under another name: Lucene compares the checksum of every file with the
one computed when it was written, and the number of events must be the one in the snapshot's metadata.

A restored index gets a new UUID. So that it still counts as the same index, ``_meta`` of its mapping has its first UUID
and the time of the restore.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ingestd.stores.backups import (
    BackupError,
    Progress,
    Repository,
    RepositoryUnavailableError,
    Snapshot,
    fullest,
    other_name,
    snapshot_name,
)
from ingestd.stores.base import StoreError
from ingestd.stores.elastic.backup.copying import read_documents, write_documents
from ingestd.stores.elastic.backup.index_admin import IndexAdmin
from ingestd.stores.elastic.backup.snapshots import (
    metadata,
    name_with_metadata,
    read_repositories,
    read_snapshot,
    repository_body,
)
from ingestd.stores.elastic.connection.client import LONG_SECONDS, ElasticClient
from ingestd.stores.elastic.connection.errors import ElasticError, ElasticUnavailable
from ingestd.stores.elastic.connection.event_loop_thread import EventLoopThread
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.query.scope import COPY_ALIAS, read_copies

if TYPE_CHECKING:
    from elastic_transport import ApiResponse
    from elasticsearch import AsyncElasticsearch

T = TypeVar("T")

_TEMPORARY_PREFIX = "ingestd-tmp-"
"""Prefix of temporary indices; the next run finishes or removes what an interrupted one leaves of them."""

_REPLACE = "use --overwrite to replace it, or --rename PREFIX to keep both"
_POLL_SECONDS = 0.5


class ElasticBackups:
    """The snapshot repositories of a cluster.

    Args:
        options: The connection.
        poll: Seconds between two requests for the state of a running snapshot.
    """

    def __init__(self, options: ElasticOptions, poll: float = _POLL_SECONDS) -> None:
        self._client = ElasticClient(options)
        self._loop = EventLoopThread("backups")
        self._poll = poll
        self._admin = IndexAdmin(self._client, self._call, self._run)

    def close(self) -> None:
        """Close the connections."""
        self._loop.run(self._client.close())
        self._loop.close()

    def repositories(self) -> list[Repository]:
        """Return the repositories that are a folder or a bucket, by name."""
        return read_repositories(self._run(self._client.request("GET", "/_snapshot")))

    def add_repository(self, repository: Repository) -> None:
        """Register a repository; the server checks that every node can write to it."""
        for other in self.repositories():
            if other.name == repository.name and (other.kind, other.settings) != (repository.kind, repository.settings):
                raise BackupError(f"there is a repository {other.name} already, with other settings; remove it first")
        try:
            body = repository_body(repository)
            self._call(self._api.snapshot.create_repository(name=repository.name, body=body))
        except BackupError:
            with contextlib.suppress(StoreError):  # a server registers it before it checks it
                self.remove_repository(repository.name)
            raise

    def remove_repository(self, name: str) -> None:
        """Unregister a repository; its content stays."""
        self._call(self._api.snapshot.delete_repository(name=name))

    def snapshots(self, repository: str) -> list[Snapshot]:
        """Return the snapshots of a single index, by index and time."""
        answer = self._call(self._api.snapshot.get(repository=repository, snapshot="_all"))
        snapshots = [read_snapshot(row) for row in answer["snapshots"] if len(row.get("indices", [])) <= 1]
        return sorted(snapshots, key=lambda snapshot: (snapshot.index, snapshot.started))

    def back_up(
        self, repository: str, index: str, now: datetime.datetime, progress: Progress | None = None
    ) -> Snapshot:
        """Make a snapshot and wait for it, after any that runs for the same index."""
        for other in self.snapshots(repository):
            if other.state == "running" and other.index == index:
                self._wait(repository, other.name, progress)
        if index in self._admin.closed():
            raise BackupError(f"index {index} is closed: open it, so that it can be backed up")
        name, events, uuid = snapshot_name(index, now), self._count(index), self._uuids()[index]
        about: dict[str, Any] = {}
        if self._admin.server.snapshot_metadata:
            about = {"metadata": metadata(index, events, uuid)}
        else:
            name = name_with_metadata(name, events, uuid)
        self._call(
            self._api.snapshot.create(
                repository=repository, snapshot=name, indices=index, include_global_state=False, **about
            )
        )
        snapshot = self._wait(repository, name, progress)
        if snapshot.state != "success":
            reason = snapshot.reason or "the server gives no reason"
            raise BackupError(f"the backup {name} is {snapshot.state}: {reason}")
        return snapshot

    def backed_up_indices(self, repository: str) -> Mapping[str, str]:
        """Return the indices with a successful snapshot of their present state, and its name.

        A closed index cannot be counted: it is taken to be as it was when its fullest snapshot was made.
        """
        backups, closed = fullest(self.snapshots(repository)), self._admin.closed()
        names = {}
        for index, uuid in self._uuids().items():
            snapshot = backups.get((index, uuid))
            if snapshot is not None and (index in closed or snapshot.events == self._count(index)):
                names[index] = snapshot.name
        return names

    def verify(self, repository: str, snapshot: str, progress: Progress | None = None) -> Sequence[str]:
        """Restore a snapshot under another name, count its events, and remove it again."""
        recorded = self._snapshot(repository, snapshot)
        if recorded.state != "success":
            return [f"it is {recorded.state}: {recorded.reason}"]
        try:
            with self._restored(repository, recorded, progress) as index:
                events = self._count(index)
        except RepositoryUnavailableError:
            raise
        except BackupError as error:
            return [str(error)]
        if recorded.events is not None and events != recorded.events:
            return [f"it has {events} events, but {recorded.events} were counted when it was made"]
        return []

    def restore(
        self,
        repository: str,
        snapshots: Sequence[str],
        index: str,
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Restore snapshots as one index; an existing index is replaced once its replacement is complete."""
        first, *others = [self._snapshot(repository, name) for name in snapshots]
        exists = self._check_overwrite(index, overwrite=overwrite)
        with self._restored(repository, first, progress) as temporary:
            for other in others:
                with self._restored(repository, other, progress) as other_index:
                    self._write_documents(temporary, self._read_documents(other_index))
            uuid, source = secrets.token_hex(8) if others else first.index_uuid, other_name(first.index, index)
            self._rename(temporary, index, uuid, source, exists=exists)
        return self._count(index)

    def restored_indices(self) -> Mapping[str, datetime.datetime]:
        """Return the restored indices, and when each was restored."""
        times = {}
        for index, meta in self._metas().items():
            with contextlib.suppress(KeyError, TypeError, ValueError):
                times[index] = datetime.datetime.fromisoformat(meta["restored"])
        return times

    def mark_restored(self, index: str) -> None:
        """Make an index count as restored now; nothing happens if it does not exist."""
        self._admin.add_meta(index, {"restored": _now()})

    def snapshot_documents(self, repository: str, snapshots: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Return ids and documents of snapshots, each id once; they are restored under temporary names for this."""
        seen: set[str] = set()
        for name in snapshots:
            with self._restored(repository, self._snapshot(repository, name), None) as index:
                for document_id, document in self._read_documents(index):
                    if len(snapshots) > 1:
                        if document_id in seen:
                            continue
                        seen.add(document_id)
                    yield document_id, document

    def index_documents(self, index: str) -> Iterator[tuple[str, bytes]]:
        """Return id and document of each event of an index."""
        self._call(self._api.indices.refresh(index=index))
        return self._read_documents(index)

    def write_index(
        self, index: str, documents: Iterable[tuple[str, bytes]], *, overwrite: bool = False, source: str = ""
    ) -> int:
        """Put documents into a temporary index with the settings of ``index``, then rename it to ``index``."""
        exists = self._check_overwrite(index, overwrite=overwrite)
        with self._empty_like(index) as temporary:
            self._write_documents(temporary, documents)
            self._rename(temporary, index, secrets.token_hex(8), other_name(source, index), exists=exists)
        return self._count(index)

    def _snapshot(self, repository: str, name: str) -> Snapshot:
        return read_snapshot(self._call(self._api.snapshot.get(repository=repository, snapshot=name))["snapshots"][0])

    def _wait(self, repository: str, name: str, progress: Progress | None) -> Snapshot:
        while (snapshot := self._snapshot(repository, name)).state == "running":
            if progress is not None:
                progress(*self._bytes_done(repository, name))
            time.sleep(self._poll)
        return snapshot

    def _bytes_done(self, repository: str, name: str) -> tuple[int, int]:
        """Return how many bytes of a snapshot are written, and how many it will have."""
        status = self._call(self._api.snapshot.status(repository=repository, snapshot=name))["snapshots"]
        stats = status[0].get("stats", {}) if status else {}
        total = stats.get("incremental", {}).get("size_in_bytes", 0)
        return stats.get("processed", {}).get("size_in_bytes", 0), total

    @contextlib.contextmanager
    def _restored(self, repository: str, snapshot: Snapshot, progress: Progress | None) -> Iterator[str]:
        """Restore a snapshot as a temporary index; remove it at the end."""
        index = f"{_TEMPORARY_PREFIX}{secrets.token_hex(6)}"
        self._remove_old_temporaries()
        try:
            answer = self._call(
                self._client.slow_api.snapshot.restore(
                    repository=repository,
                    snapshot=snapshot.name,
                    indices=snapshot.index,
                    include_global_state=False,
                    include_aliases=False,
                    rename_pattern=".+",
                    rename_replacement=index,
                    index_settings={"index.number_of_replicas": 0},
                    wait_for_completion=True,
                )
            )
            shards = answer["snapshot"]["shards"]
            if failed := shards["total"] - shards["successful"]:
                raise BackupError(f"the backup {snapshot.name} is damaged: {failed} of its shards cannot be restored")
            if progress is not None:
                progress(1, 1)
            yield index
        finally:
            self._delete_quietly(index)

    @contextlib.contextmanager
    def _empty_like(self, index: str) -> Iterator[str]:
        """Create a temporary index as the templates would create ``index``; remove it at the end."""
        temporary = f"{_TEMPORARY_PREFIX}{secrets.token_hex(6)}"
        settings, mappings = self._admin.from_templates(index)
        settings = {"index": settings.get("index", {}) | {"number_of_replicas": 0}}
        self._remove_old_temporaries()
        try:
            self._admin.create(temporary, settings, mappings)
            yield temporary
        finally:
            self._delete_quietly(temporary)

    def _delete_quietly(self, temporary: str) -> None:
        with contextlib.suppress(StoreError):
            self._delete_index(temporary)

    def _check_overwrite(self, index: str, *, overwrite: bool) -> bool:
        """Return whether the index exists; raise BackupError if it does and may not be replaced."""
        exists = index in self._uuids()
        if exists and not overwrite:
            raise BackupError(f"index {index} already exists: {_REPLACE}")
        return exists

    def _rename(self, temporary: str, index: str, uuid: str, restored_from: str, *, exists: bool) -> None:
        """Clone a complete index under its final name, which replaces the existing one. Clones share their files.

        A run that is killed after this leaves an index that is complete and knows its final name.
        """
        restored_from = restored_from or self._run(read_copies(self._client)).get(index, "")
        self._set_meta(temporary, index, uuid, restored_from)
        if exists:
            self._call(self._api.indices.delete(index=index))
        self._clone(temporary, index, restored_from)

    def _clone(self, temporary: str, index: str, restored_from: str) -> None:
        self._admin.copy(temporary, index, COPY_ALIAS + restored_from if restored_from else "")

    def _remove_old_temporaries(self) -> None:
        """Finish or remove the temporary indices of a killed run; recent ones may belong to an active run."""
        metas = self._metas()
        request = self._api.indices.get_settings(
            index=f"{_TEMPORARY_PREFIX}*", name="index.creation_date", allow_no_indices=True
        )
        answer = self._call(request)
        for temporary, body in answer.items():
            created = int(body["settings"]["index"]["creation_date"]) / 1000
            meta = metas.get(temporary, {})
            # The backup of a restored index has the `_meta` of that restore: it refers to another temporary index.
            index = meta.get("index") if meta.get("temporary") == temporary else None
            if index and index in self._uuids() and self._admin.incomplete(index, temporary):
                self._delete_index(index)
            if index and index not in self._uuids():
                self._clone(temporary, index, meta.get("restored_from", ""))
            if index or time.time() - created > LONG_SECONDS:
                self._delete_index(temporary)

    def _uuids(self) -> dict[str, str]:
        return self._admin.uuids()

    def _metas(self) -> dict[str, dict[str, Any]]:
        return self._admin.metas()

    def _set_meta(self, temporary: str, index: str, uuid: str, restored_from: str) -> None:
        restore = {"restored": _now(), "index": index, "temporary": temporary}
        restore |= {"origin": uuid} if uuid else {}
        restore |= {"restored_from": restored_from} if restored_from else {}
        self._admin.set_meta(temporary, restore)

    def _count(self, index: str) -> int:
        self._call(self._api.indices.refresh(index=index))
        return int(self._call(self._api.count(index=index))["count"])

    def _read_documents(self, index: str) -> Iterator[tuple[str, bytes]]:
        return read_documents(self._client, self._loop, index)

    def _write_documents(self, index: str, documents: Iterable[tuple[str, bytes]]) -> None:
        write_documents(self._client, self._loop, index, documents, self._admin.document_type(index))

    def _delete_index(self, index: str) -> None:
        self._call(self._api.indices.delete(index=index, ignore_unavailable=True))

    @property
    def _api(self) -> AsyncElasticsearch:
        return self._client.api

    def _call(self, request: Coroutine[Any, Any, ApiResponse[Any]]) -> Any:
        """Wait for the parsed response to a request of the official client.

        Raises:
            RepositoryUnavailableError: No answer.
            BackupError: The server answered with an error.
        """
        return self._run(request).body

    def _run(self, request: Coroutine[Any, Any, T]) -> T:
        try:
            return self._loop.run(request)
        except ElasticUnavailable as error:
            raise RepositoryUnavailableError(str(error)) from None
        except ElasticError as error:
            raise BackupError(str(error)) from None


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
