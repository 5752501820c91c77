"""``ElasticBackups``: snapshots of Elasticsearch and OpenSearch as `Backups`.

A backup is read again by restoring it, all of it, under another name: Lucene compares the checksum of every file
with the one that it had when it was indexed, and the number of events must be the one that was noted.

When an index is brought back it gets another UUID. So that it still counts as the index it was, its mapping's
``_meta`` notes the UUID it had first, and when it was restored.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ingestd.stores.backups import (
    BackupError,
    Progress,
    Repository,
    RepositoryUnavailableError,
    Snapshot,
    fullest,
    snapshot_name,
)
from ingestd.stores.base import StoreError
from ingestd.stores.elastic.background import Background
from ingestd.stores.elastic.client import ElasticClient
from ingestd.stores.elastic.copying import documents_of, fill
from ingestd.stores.elastic.errors import ElasticError, ElasticUnavailable
from ingestd.stores.elastic.options import ElasticOptions
from ingestd.stores.elastic.snapshots import (
    metadata,
    read_repositories,
    read_snapshot,
    repository_body,
)

if TYPE_CHECKING:
    from elastic_transport import ApiResponse
    from elasticsearch import AsyncElasticsearch

_TEMPORARY = "ingestd-tmp-"
"""Begin of the names of indices that are restored to be read; what an interrupted run leaves of them is removed."""

_REPLACE = "to replace it use --overwrite, to keep both --rename"
_LONG_SECONDS = 6 * 3600.0
_POLL_SECONDS = 0.5


class ElasticBackups:
    """The snapshot repositories of a cluster.

    Args:
        options: How it is reached.
        poll: Seconds between two looks at a snapshot that is being made.
    """

    def __init__(self, options: ElasticOptions, poll: float = _POLL_SECONDS) -> None:
        self._client = ElasticClient(options)
        self._background = Background("backups")
        self._poll = poll

    def close(self) -> None:
        """Let go of the connections."""
        self._background.run(self._client.close())
        self._background.close()

    def repositories(self) -> list[Repository]:
        """Return the repositories that are a folder or a bucket, by name."""
        return read_repositories(self._call(self._api.snapshot.get_repository()))

    def add_repository(self, repository: Repository) -> None:
        """Register a repository; the server makes sure that every node can write to it."""
        for known in self.repositories():
            if known.name == repository.name and (known.kind, known.settings) != (repository.kind, repository.settings):
                raise BackupError(f"there is a repository {known.name} already, with other settings; remove it first")
        try:
            body = repository_body(repository)
            self._call(self._api.snapshot.create_repository(name=repository.name, body=body))
        except BackupError:
            with contextlib.suppress(StoreError):  # a server registers it before it looks whether it works
                self.remove_repository(repository.name)
            raise

    def remove_repository(self, name: str) -> None:
        """Forget a repository; what is in it stays."""
        self._call(self._api.snapshot.delete_repository(name=name))

    def snapshots(self, repository: str) -> list[Snapshot]:
        """Return all snapshots of one index each, by index and time."""
        answer = self._call(self._api.snapshot.get(repository=repository, snapshot="_all"))
        found = [read_snapshot(one) for one in answer["snapshots"] if len(one.get("indices", [])) <= 1]
        return sorted(found, key=lambda one: (one.index, one.started))

    def back_up(
        self, repository: str, index: str, now: datetime.datetime, progress: Progress | None = None
    ) -> Snapshot:
        """Make a snapshot and wait for it; one of the same index that is under way is waited for first."""
        for running in [one for one in self.snapshots(repository) if one.state == "running" and one.index == index]:
            self._wait(repository, running.name, progress)
        name = snapshot_name(index, now)
        notes = metadata(index, self._count(index), self._origins()[index])
        self._call(
            self._api.snapshot.create(
                repository=repository, snapshot=name, indices=index, include_global_state=False, metadata=notes
            )
        )
        snapshot = self._wait(repository, name, progress)
        if snapshot.state != "success":
            why = snapshot.reason or "the server does not say why"
            raise BackupError(f"the backup {name} is {snapshot.state}: {why}")
        return snapshot

    def current(self, repository: str) -> Mapping[str, str]:
        """Return the indices that are in a successful snapshot as they are now."""
        backed_up = fullest(self.snapshots(repository))
        found = {}
        for index, origin in self._origins().items():
            snapshot = backed_up.get((index, origin))
            if snapshot is not None and snapshot.events == self._count(index):
                found[index] = snapshot.name
        return found

    def verify(self, repository: str, snapshot: str, progress: Progress | None = None) -> Sequence[str]:
        """Restore a snapshot under another name, count its events, and remove it again."""
        found = self._snapshot(repository, snapshot)
        if found.state != "success":
            return [f"it is {found.state}: {found.reason}"]
        try:
            with self._temporarily(repository, found, progress) as index:
                events = self._count(index)
        except RepositoryUnavailableError:
            raise
        except BackupError as error:
            return [str(error)]
        if found.events is not None and events != found.events:
            return [f"it has {events} events, {found.events} were noted when it was made"]
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
        """Bring snapshots back as one index; an index that is there is replaced when all of it is there anew."""
        first, *others = [self._snapshot(repository, name) for name in snapshots]
        there = self._is_there(index, overwrite=overwrite)
        with self._temporarily(repository, first, progress) as temporary:
            for other in others:
                with self._temporarily(repository, other, progress) as further:
                    self._fill(temporary, self._documents(further))
            self._give_name(temporary, index, secrets.token_hex(8) if others else first.origin, there=there)
        return self._count(index)

    def restored(self) -> Mapping[str, datetime.datetime]:
        """Return the indices that were brought back, and when."""
        found = {}
        for index, own in self._marks().items():
            with contextlib.suppress(KeyError, TypeError, ValueError):
                found[index] = datetime.datetime.fromisoformat(own["restored"])
        return found

    def documents(self, repository: str, snapshots: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Return ids and documents of snapshots; they are restored under other names meanwhile."""
        seen: set[str] = set()
        for name in snapshots:
            with self._temporarily(repository, self._snapshot(repository, name), None) as index:
                for one, document in self._documents(index):
                    if len(snapshots) > 1:
                        if one in seen:
                            continue
                        seen.add(one)
                    yield one, document

    def content(self, index: str) -> Iterator[tuple[str, bytes]]:
        """Return id and document of each event of an index."""
        self._call(self._api.indices.refresh(index=index))
        return self._documents(index)

    def fill(self, index: str, documents: Iterable[tuple[str, bytes]], *, overwrite: bool = False) -> int:
        """Put documents into an index of another name, made as the templates say, and then give it its name."""
        there = self._is_there(index, overwrite=overwrite)
        with self._empty_like(index) as temporary:
            self._fill(temporary, documents)
            self._give_name(temporary, index, secrets.token_hex(8), there=there)
        return self._count(index)

    def forget(self, repository: str, snapshot: str) -> None:
        """Delete a snapshot."""
        self._call(self._api.snapshot.delete(repository=repository, snapshot=snapshot))

    def _snapshot(self, repository: str, name: str) -> Snapshot:
        return read_snapshot(self._call(self._api.snapshot.get(repository=repository, snapshot=name))["snapshots"][0])

    def _wait(self, repository: str, name: str, progress: Progress | None) -> Snapshot:
        while (found := self._snapshot(repository, name)).state == "running":
            if progress is not None:
                progress(*self._done(repository, name))
            time.sleep(self._poll)
        return found

    def _done(self, repository: str, name: str) -> tuple[int, int]:
        """Return how many bytes of a snapshot are written, of how many."""
        status = self._call(self._api.snapshot.status(repository=repository, snapshot=name))["snapshots"]
        stats = status[0].get("stats", {}) if status else {}
        total = stats.get("incremental", {}).get("size_in_bytes", 0)
        return stats.get("processed", {}).get("size_in_bytes", 0), total

    @contextlib.contextmanager
    def _temporarily(self, repository: str, snapshot: Snapshot, progress: Progress | None) -> Iterator[str]:
        """Restore a snapshot under a name of its own, and remove it at the end."""
        index = f"{_TEMPORARY}{secrets.token_hex(6)}"
        self._remove_old_temporaries()
        try:
            answer = self._call(
                self._patient_api.snapshot.restore(
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
            if wrong := shards["total"] - shards["successful"]:
                raise BackupError(f"the backup {snapshot.name} is damaged: {wrong} of its shards cannot be restored")
            if progress is not None:
                progress(1, 1)
            yield index
        finally:
            self._drop(index)

    @contextlib.contextmanager
    def _empty_like(self, index: str) -> Iterator[str]:
        """Make an index of another name as the templates would make ``index``, and remove it at the end."""
        temporary = f"{_TEMPORARY}{secrets.token_hex(6)}"
        made = self._call(self._api.indices.simulate_index_template(name=index)).get("template", {})
        settings = {"index": made.get("settings", {}).get("index", {}) | {"number_of_replicas": 0}}
        mappings = made.get("mappings", {})
        self._remove_old_temporaries()
        try:
            self._call(self._api.indices.create(index=temporary, settings=settings, mappings=mappings))
            yield temporary
        finally:
            self._drop(temporary)

    def _drop(self, temporary: str) -> None:
        with contextlib.suppress(StoreError):
            self._delete_index(temporary)

    def _is_there(self, index: str, *, overwrite: bool) -> bool:
        there = index in self._origins()
        if there and not overwrite:
            raise BackupError(f"there is an index {index}; {_REPLACE}")
        return there

    def _give_name(self, temporary: str, index: str, origin: str, *, there: bool) -> None:
        """Make a copy of an index under its proper name, in place of one that is there. Copies share their files.

        Whoever is killed from here on has left an index that is whole, and says which it is to be.
        """
        self._mark(temporary, index, origin)
        if there:
            self._call(self._api.indices.delete(index=index))
        self._copy(temporary, index)

    def _copy(self, temporary: str, index: str) -> None:
        self._call(self._api.indices.put_settings(index=temporary, settings={"index.blocks.write": True}))
        settings = {"index.blocks.write": None}
        self._call(self._api.indices.clone(index=temporary, target=index, settings=settings))
        self._wait_for_shards(index)

    def _remove_old_temporaries(self) -> None:
        """Finish or remove what a run that was killed has left; younger ones may be our own."""
        marks = self._marks()
        request = self._api.indices.get_settings(
            index=f"{_TEMPORARY}*", name="index.creation_date", allow_no_indices=True
        )
        answer = self._call(request)
        for temporary, body in answer.items():
            created = int(body["settings"]["index"]["creation_date"]) / 1000
            mark = marks.get(temporary, {})
            # What is restored out of a backup of an index that was restored itself brings the mark of that time along.
            index = mark.get("index") if mark.get("temporary") == temporary else None
            if index and index not in self._origins():
                self._copy(temporary, index)
            if index or time.time() - created > _LONG_SECONDS:
                self._delete_index(temporary)

    def _wait_for_shards(self, index: str) -> None:
        health = self._patient_api.cluster.health(index=index, wait_for_status="yellow", timeout="10m")
        answer = self._call(health)
        if answer.get("timed_out"):
            raise BackupError(f"index {index} does not get ready")

    def _origins(self) -> dict[str, str]:
        """Return all indices, and the UUID that each had first."""
        rows = self._call(self._api.cat.indices(format="json", h="index,uuid", expand_wildcards=["open", "closed"]))
        marks = self._marks()
        return {row["index"]: marks.get(row["index"], {}).get("origin") or row["uuid"] for row in rows}

    def _marks(self) -> dict[str, dict[str, Any]]:
        answer = self._call(self._api.indices.get_mapping(filter_path="*.mappings._meta.ingestd"))
        return {index: body["mappings"]["_meta"]["ingestd"] for index, body in (answer or {}).items()}

    def _mark(self, temporary: str, index: str, origin: str) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        own = {"restored": now, "index": index, "temporary": temporary} | ({"origin": origin} if origin else {})
        self._call(self._api.indices.put_mapping(index=temporary, meta={"ingestd": own}))

    def _count(self, index: str) -> int:
        self._call(self._api.indices.refresh(index=index))
        return int(self._call(self._api.count(index=index))["count"])

    def _documents(self, index: str) -> Iterator[tuple[str, bytes]]:
        return documents_of(self._client, self._background, index)

    def _fill(self, index: str, documents: Iterable[tuple[str, bytes]]) -> None:
        fill(self._client, self._background, index, documents)

    def _delete_index(self, index: str) -> None:
        self._call(self._api.indices.delete(index=index, ignore_unavailable=True))

    @property
    def _api(self) -> AsyncElasticsearch:
        return self._client.api

    @property
    def _patient_api(self) -> AsyncElasticsearch:
        """The client for what may take hours."""
        return self._client.api.options(request_timeout=_LONG_SECONDS)

    def _call(self, request: Coroutine[Any, Any, ApiResponse[Any]]) -> Any:
        """Wait for the parsed answer to a request of the official client.

        Raises:
            RepositoryUnavailableError: No answer.
            BackupError: The server refuses.
        """
        try:
            return self._background.run(request).body
        except ElasticUnavailable as error:
            raise RepositoryUnavailableError(str(error)) from None
        except ElasticError as error:
            raise BackupError(str(error)) from None
