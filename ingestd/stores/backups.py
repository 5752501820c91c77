"""``Backups``: what the command line, the schedule and retention need for backing up a store.

Both stores implement it: the built-in store copies the files of an index to a folder or an object store, Elasticsearch
and OpenSearch write snapshots themselves. Times are timezone-aware, in UTC. All calls block.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ingestd.stores.base import StoreError

SnapshotState = Literal["running", "success", "partial", "failed", "damaged"]
"""``damaged``: it was complete, but could not be read back whole when it was last verified or restored."""

Progress = Callable[[int, int], None]
"""Called now and then with how much is done, and of how much: in bytes or, where these are unknown, in files."""


class BackupError(StoreError):
    """A backup, its verification or a restore failed; the text is one sentence for the user."""


class RepositoryUnavailableError(BackupError):
    """The repository does not answer or denies access; a retry may help."""


@dataclass(frozen=True, slots=True)
class Repository:
    """Where backups go.

    Attributes:
        name: Its name.
        kind: ``fs``: a folder, ``location``. ``s3``: ``bucket``, ``region``, ``base_path``, ``endpoint``.
        settings: Without credentials: these come from the environment, files or the instance.
    """

    name: str
    kind: Literal["fs", "s3"]
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A backup of one index. ``name`` is the index, ``-`` and the time of the backup: ``…-20261122001000``.

    ``events`` and ``bytes`` are its size, None if unknown; ``reason`` says why it is partial, failed or damaged.
    ``index_uuid`` distinguishes indices of the same name: one that was deleted, and created again by late events, has
    another UUID.
    """

    name: str
    index: str
    day: datetime.date | None
    state: SnapshotState
    events: int | None
    bytes: int | None
    started: datetime.datetime
    index_uuid: str = ""
    reason: str = ""

    @property
    def complete(self) -> bool:
        """Whether it can be verified and restored. One that is damaged may have been repaired since."""
        return self.state in {"success", "damaged"}


def snapshot_name(index: str, now: datetime.datetime) -> str:
    """Return the name of a backup: the index and the time of the backup, in UTC."""
    return f"{index}-{now.astimezone(datetime.UTC):%Y%m%d%H%M%S}"


def index_of(snapshot: str) -> str:
    """Return the index in the name of a backup."""
    return snapshot.rpartition("-")[0]


def other_name(source: str, index: str) -> str:
    """Return the index that a backup is of if it is restored under another name, else an empty text."""
    return source if source != index else ""


def left_out_note(index: str, source: str) -> str:
    """Return what a user must know of an index restored under another name, to follow its size; else an empty text."""
    if not other_name(source, index):
        return ""
    return f"; queries leave out this copy of {source} unless they name it: _index:{index}"


def fullest(snapshots: Iterable[Snapshot]) -> dict[tuple[str, str], Snapshot]:
    """Return the complete backup to rely on for each index name and UUID; a damaged one if there is no other.

    It is the one with the most events, of several the latest: an index only grows, and clocks may be wrong.
    """
    ranked = sorted(
        (snapshot for snapshot in snapshots if snapshot.complete),
        key=lambda snapshot: (
            snapshot.state == "success",
            -1 if snapshot.events is None else snapshot.events,
            snapshot.started,
        ),
    )
    return {(snapshot.index, snapshot.index_uuid): snapshot for snapshot in ranked}


def newest(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Return one backup for each index name and UUID, latest first.

    If two have an event with the same id, the first one counts: it has the event as it was parsed last.
    """
    return sorted(fullest(snapshots).values(), key=lambda snapshot: snapshot.started, reverse=True)


def to_restore(snapshots: Iterable[Snapshot]) -> dict[str, list[str]]:
    """Return the names of the backups that make up each index, as `Backups.restore` expects them."""
    names: dict[str, list[str]] = {}
    for snapshot in newest(snapshots):
        names.setdefault(snapshot.index, []).append(snapshot.name)
    return dict(sorted(names.items()))


class Backups(Protocol):
    """Repositories and the snapshots in them. Every call may raise BackupError or another StoreError."""

    def repositories(self) -> list[Repository]:
        """Return the registered repositories, by name."""

    def add_repository(self, repository: Repository) -> None:
        """Register a repository after checking that it can be written and read.

        Raises:
            BackupError: It cannot, or another repository has this name.
        """

    def remove_repository(self, name: str) -> None:
        """Unregister a repository; its content stays."""

    def snapshots(self, repository: str) -> list[Snapshot]:
        """Return the backups in a repository by index and time, including failed and running ones."""

    def back_up(
        self, repository: str, index: str, now: datetime.datetime, progress: Progress | None = None
    ) -> Snapshot:
        """Back up an index, reusing what the repository already has and is intact.

        Raises:
            BackupError: The backup is partial or failed.
        """

    def backed_up_indices(self, repository: str) -> Mapping[str, str]:
        """Return the indices whose every event is in a successful backup, with the name of that backup."""

    def verify(self, repository: str, snapshot: str, progress: Progress | None = None) -> Sequence[str]:
        """Read all of a backup again; return what is wrong with it, empty if it is sound.

        Compares checksums and the number of events with those recorded by the backup. In a repository of the built-in
        store, `snapshots` has it as damaged or as successful from then on.
        """

    def restore(
        self,
        repository: str,
        snapshots: Sequence[str],
        index: str,
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Restore backups together as ``index``, each event once, or nothing at all. Returns the number of events.

        If the backups are of an index with another name, queries leave ``index`` out unless they name it.

        Raises:
            BackupError: The index exists and ``overwrite`` is not set, or a backup is damaged.
        """

    def restored_indices(self) -> Mapping[str, datetime.datetime]:
        """Return the indices that were restored, and when."""

    def mark_restored(self, index: str) -> None:
        """Make an index count as restored now; nothing happens if it does not exist."""

    def snapshot_documents(self, repository: str, snapshots: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield id and document of each event, once, oldest first; nothing becomes visible in the store."""

    def index_documents(self, index: str) -> Iterator[tuple[str, bytes]]:
        """Yield id and document of each event of an index, in any order."""

    def write_index(
        self, index: str, documents: Iterable[tuple[str, bytes]], *, overwrite: bool = False, source: str = ""
    ) -> int:
        """Create an index from ids and documents, such as those of another store, or nothing at all.

        ``source``: the index that they are from; if it has another name, queries leave ``index`` out unless they name
        it. An index that replaces such a one is left out as well.

        It counts as restored and as not backed up. Returns the number of events.

        Raises:
            BackupError: The index exists and ``overwrite`` is not set.
        """

    def close(self) -> None:
        """Close connections."""
