"""``Backups``: what the command line, the schedule and retention ask of a place of backups.

Both stores have one: the built-in store copies the files of an index to a folder or an object store,
Elasticsearch and OpenSearch write snapshots themselves. Times are aware, in UTC. All calls block.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ingestd.stores.base import StoreError

State = Literal["running", "success", "partial", "failed"]

Progress = Callable[[int, int], None]
"""Told now and then how much is done of how much, in bytes or, where these are not known, in files."""


class BackupError(StoreError):
    """A backup, its verification or a restore did not succeed; the text is one sentence for the user."""


class RepositoryUnavailableError(BackupError):
    """The repository does not answer, or does not let us in: later it may."""


@dataclass(frozen=True, slots=True)
class Repository:
    """Where backups go.

    Attributes:
        name: How it is called.
        kind: ``fs``: a folder, ``location``. ``s3``: ``bucket``, ``region``, ``base_path``, ``endpoint``.
        settings: Never credentials: these come from the environment, files or the instance.
    """

    name: str
    kind: Literal["fs", "s3"]
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A backup of one index. ``name`` is the index, ``-`` and the time of the backup: ``…-20261122001000``.

    ``events`` is how many it holds and ``bytes`` what it takes, None if nobody knows; ``reason`` says why it is
    partial or failed. ``origin`` tells apart indices of one name: one that was deleted and began again, by events
    that came late, has another.
    """

    name: str
    index: str
    day: datetime.date | None
    state: State
    events: int | None
    bytes: int | None
    started: datetime.datetime
    index_uuid: str = ""
    reason: str = ""


def snapshot_name(index: str, now: datetime.datetime) -> str:
    """Return the name of a backup: the index and the time of the backup, in UTC."""
    return f"{index}-{now.astimezone(datetime.UTC):%Y%m%d%H%M%S}"


def fullest(snapshots: Iterable[Snapshot]) -> dict[tuple[str, str], Snapshot]:
    """Return for each index and origin the successful backup to rely on.

    That is the one with the most events, of several the latest: an index only grows, and clocks are wrong at times.
    """
    ranked = sorted(
        (one for one in snapshots if one.state == "success"),
        key=lambda one: (-1 if one.events is None else one.events, one.started),
    )
    return {(one.index, one.index_uuid): one for one in ranked}


def newest(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Return one backup of each index, and one for each time that the index began anew; the latest first.

    Where two have an event of the same id, the first counts: that is how it was parsed last.
    """
    return sorted(fullest(snapshots).values(), key=lambda one: one.started, reverse=True)


def to_restore(snapshots: Iterable[Snapshot]) -> dict[str, list[str]]:
    """Return for each index, in order, the names of the backups that together hold it, as `Backups.restore` wants."""
    found: dict[str, list[str]] = {}
    for one in newest(snapshots):
        found.setdefault(one.index, []).append(one.name)
    return dict(sorted(found.items()))


class Backups(Protocol):
    """Repositories and the snapshots in them. Every call may raise BackupError or another StoreError."""

    def repositories(self) -> list[Repository]:
        """Return what is registered, by name."""

    def add_repository(self, repository: Repository) -> None:
        """Register a repository after making sure that it can be written and read.

        Raises:
            BackupError: It cannot, or one of that name is there with other settings.
        """

    def remove_repository(self, name: str) -> None:
        """Forget a repository; what is in it stays."""

    def snapshots(self, repository: str) -> list[Snapshot]:
        """Return the backups in a repository by index and time, also those that failed or are under way."""

    def back_up(
        self, repository: str, index: str, now: datetime.datetime, progress: Progress | None = None
    ) -> Snapshot:
        """Back up an index and return when it is done; what an interrupted try has brought there is used.

        Raises:
            BackupError: It is partial or failed.
        """

    def current(self, repository: str) -> Mapping[str, str]:
        """Return the indices whose every event, as of now, is in a successful backup, and which one that is."""

    def verify(self, repository: str, snapshot: str, progress: Progress | None = None) -> Sequence[str]:
        """Read a backup again, all of it; return what is wrong with it, nothing if it can be relied on.

        Compares the number of events and checksums with what was noted when it was made.
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
        """Bring backups back together as ``index``, each event once: all, or nothing. Returns the number of events.

        Raises:
            BackupError: There is such an index, and ``overwrite`` is not set; or a backup is damaged.
        """

    def restored(self) -> Mapping[str, datetime.datetime]:
        """Return the indices that were brought back, and when."""

    def documents(self, repository: str, snapshots: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Return the id and the document of each event, once, oldest first; nothing is restored for others to see."""

    def content(self, index: str) -> Iterator[tuple[str, bytes]]:
        """Return the id and the document of each event of an index, in no order."""

    def fill(self, index: str, documents: Iterable[tuple[str, bytes]], *, overwrite: bool = False) -> int:
        """Make an index out of ids and documents, such as those of another store: whole, or not at all.

        It counts as restored, and as not backed up. Returns the number of events.

        Raises:
            BackupError: There is such an index, and ``overwrite`` is not set.
        """

    def forget(self, repository: str, snapshot: str) -> None:
        """Delete a backup."""

    def close(self) -> None:
        """Let go of connections."""
