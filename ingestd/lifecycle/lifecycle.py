"""Backup and retention of the indices of a store: back up the days that have ended, then delete what the rules say.

If there are backups, nothing is deleted whose backup was not read back completely. Every step may be interrupted at
any point and repeated: what is missing is found by comparing store and repository.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ingestd.lifecycle.retention import Decision, Hold, Rules, decide
from ingestd.lifecycle.state import State
from ingestd.logs import get_logger
from ingestd.stores.backups import BackupError, Backups, Progress, RepositoryUnavailableError, Snapshot, newest
from ingestd.stores.base import IndexInfo, LogStore, StoreError

log = get_logger(__name__)

_FRESH = datetime.timedelta(days=1)
"""A backup that was verified this recently is not verified again before its index is deleted."""

Clock = Callable[[], datetime.datetime]


def now() -> datetime.datetime:
    """Return the time."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class BackupResult:
    """The result of backing up one index: a snapshot, or an error."""

    index: str
    snapshot: Snapshot | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class PruneResult:
    """The result of retention for one index; ``error`` says why it could not be deleted."""

    decision: Decision
    deleted: bool = False
    error: str = ""


@dataclass(slots=True)
class Lifecycle:
    """Backup and retention of one store.

    Attributes:
        store: Where the indices are.
        backups: Its repositories; None: it has none.
        repository: The repository for daily backups; empty: there are no backups.
        state: What is remembered between runs; saved after each step.
        rules: The rules of retention.
        zone: The time zone of the days of indices.
        site_zone: The time zone of times in reasons; None: the machine's.
        keep_restored: How long a restored index is not deleted.
        clock: Returns the time, aware.
    """

    store: LogStore
    backups: Backups | None
    repository: str
    state: State
    rules: Rules
    zone: datetime.tzinfo = datetime.UTC
    site_zone: datetime.tzinfo | None = None
    keep_restored: datetime.timedelta = datetime.timedelta(days=7)
    clock: Clock = now

    @property
    def today(self) -> datetime.date:
        """The day whose index is being written."""
        return self.clock().astimezone(self.zone).date()

    def covers(self, index: str) -> bool:
        """Return whether an index is backed up and deleted at all."""
        return fnmatchcase(index, self.rules.index)

    def missing(self) -> list[IndexInfo]:
        """Return the indices of past days without a current backup, oldest day first."""
        if self.backups is None or not self.repository:
            return []
        indices, today = self.store.indices(), self.today
        current = self._current_backups(indices)
        past = [
            (info.day, info.index, info)
            for info in indices
            if info.day is not None and info.day < today and self.covers(info.index)
        ]
        return [info for _, index, info in sorted(past, key=lambda entry: entry[:2]) if index not in current]

    def back_up(self, indices: Sequence[str], progress: Progress | None = None) -> list[BackupResult]:
        """Back up indices and verify each backup, and earlier ones that were damaged: they share files with it.

        One that fails does not stop the others, unless the repository does not respond: they would all wait for it.
        """
        assert self.backups is not None  # noqa: S101 -- the caller knows of a repository
        results: list[BackupResult] = []
        for index in indices:
            try:
                snapshot = self.backups.back_up(self.repository, index, self.clock(), progress)
                self.verify(snapshot.name, progress, snapshot.events)
                self._verify_damaged(index, progress)
            except StoreError as error:
                log.error("backup of an index failed", index=index, repository=self.repository, error=error)
                results.append(BackupResult(index, error=str(error)))
                if isinstance(error, RepositoryUnavailableError):
                    return [*results, *(BackupResult(other, error=str(error)) for other in indices[len(results) :])]
            else:
                log.info("index backed up", index=index, snapshot=snapshot.name, events=snapshot.events)
                results.append(BackupResult(index, snapshot))
        return results

    def _verify_damaged(self, index: str, progress: Progress | None) -> None:
        assert self.backups is not None  # noqa: S101 -- the caller knows of a repository
        for snapshot in self.backups.snapshots(self.repository):
            if snapshot.index == index and snapshot.state == "damaged":
                with contextlib.suppress(BackupError):  # it stays damaged; the new one is good
                    self.verify(snapshot.name, progress)

    def verify(self, snapshot: str, progress: Progress | None = None, events: int | None = None) -> None:
        """Read a backup back and remember that it is intact, and how many ``events`` it has, if known.

        Raises:
            BackupError: It is damaged.
        """
        assert self.backups is not None  # noqa: S101 -- the caller knows of a repository
        known = self.state.verified.setdefault(self.repository, {})
        known.pop(snapshot, None)
        if wrong := self.backups.verify(self.repository, snapshot, progress):
            self.state.save()
            raise BackupError(f"the backup {snapshot} cannot be relied on: {'; '.join(wrong)}")
        known[snapshot] = self.clock()
        if events is not None:
            self.state.backup_events.setdefault(self.repository, {})[snapshot] = events
        self.state.save()

    def plan(self, free_bytes: int | None = None) -> list[Decision]:
        """Return what ``prune`` would do now, as far as is known without reading backups."""
        indices = self.store.indices()
        current = self._current_backups(indices) if self.backups and self.repository else None
        restored = self._restored()
        holds = {}
        for info in indices:
            if hold := self._hold(info, current, restored):
                holds[info.index] = hold
        return decide(indices, self.rules, self.today, free_bytes=free_bytes, holds=holds)

    def prune(self, free_bytes: int | None = None) -> list[PruneResult]:
        """Delete what the rules say, oldest first; a backup that was not verified since yesterday is verified now."""
        return [self._delete(decision) for decision in self.plan(free_bytes)]

    def _delete(self, decision: Decision) -> PruneResult:
        if not decision.delete:
            return PruneResult(decision)
        index = decision.info.index
        try:
            if hold := self.unverified(index):
                return PruneResult(decision, error=hold)
            self.delete(index)
        except StoreError as error:
            log.error("deletion of an index failed", index=index, error=error)
            return PruneResult(decision, error=str(error))
        log.info("an index was deleted", index=index, reason=decision.reason)
        return PruneResult(decision, deleted=True)

    def delete(self, index: str) -> None:
        """Delete an index, and remember how many events it had: they are not missing.

        Raises:
            StoreError: The store does not respond.
        """
        events = sum(info.events for info in self.store.indices() if info.index == index)
        self.store.delete(index)
        self.state.add_deleted(index, events)
        self.state.save()

    def unverified(self, index: str, progress: Progress | None = None) -> str:
        """Return why the index has no verified backup now; empty: it has one, or there are no backups."""
        if self.backups is None or not self.repository:
            return ""
        current = self._current_backups(self.store.indices())  # again: events may have arrived since
        if index not in current:
            return "it is not backed up"
        for snapshot in current[index]:
            if self._fresh(self.state.verified.get(self.repository, {}).get(snapshot)):
                continue
            try:
                self.verify(snapshot, progress)
            except BackupError as error:
                log.error("an index stays: its backup is not good", index=index, error=error)
                return str(error)
        return ""

    def _current_backups(self, indices: Sequence[IndexInfo]) -> dict[str, list[str]]:
        """Return the indices whose every event is in backups, with the names of these.

        An index that was restored under another name needs no backup of its own if those of the original are there.
        """
        assert self.backups is not None  # noqa: S101 -- the caller knows of a repository
        found = {index: [name] for index, name in self.backups.backed_up_indices(self.repository).items()}
        copies = [info for info in indices if info.restored_from and info.index not in found]
        originals: dict[str, list[Snapshot]] = {}
        for snapshot in newest(self.backups.snapshots(self.repository)) if copies else ():
            if snapshot.state == "success":
                originals.setdefault(snapshot.index, []).append(snapshot)
        for info in copies:
            parts = originals.get(info.restored_from)
            if parts and sum(snapshot.events or 0 for snapshot in parts) >= info.events:
                found[info.index] = [snapshot.name for snapshot in parts]
        return found

    def _fresh(self, verified: datetime.datetime | None) -> bool:
        return verified is not None and abs(self.clock() - verified) < _FRESH

    def _hold(
        self, info: IndexInfo, current: Mapping[str, object] | None, restored: Mapping[str, datetime.datetime]
    ) -> Hold | None:
        if (since := restored.get(info.index)) is not None:
            until = since + self.keep_restored
            if until > self.clock():
                end = f"{until.astimezone(self.site_zone):%Y-%m-%d %H:%M %Z}"
                return Hold(f"it was restored or imported and is kept until {end}", counts=False)
        if current is not None and info.index not in current:
            return Hold("it is not backed up")
        if current is not None and info.closed:
            return Hold("it is closed, so that its backup cannot be compared with it")
        return None

    def _restored(self) -> Mapping[str, datetime.datetime]:
        return self.backups.restored_indices() if self.backups else {}
