"""The daily work on the indices of a store: back up the days that have ended, then delete what may go.

Nothing is deleted that is not in a backup which was read again, all of it, if backups are made at all. Every step
can be broken off at any point and done again: what is missing is found by comparing store and repository.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ingestd.lifecycle.retention import Decision, Rules, decide
from ingestd.lifecycle.state import State
from ingestd.logs import get_logger
from ingestd.stores.backups import BackupError, Backups, Progress, RepositoryUnavailableError, Snapshot
from ingestd.stores.base import IndexInfo, LogStore, StoreError

log = get_logger(__name__)

_FRESH = datetime.timedelta(days=1)
"""A backup that was read again so lately need not be read once more before its index is deleted."""

Clock = Callable[[], datetime.datetime]


def now() -> datetime.datetime:
    """Return the time."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What became of the backup of one index: a snapshot, or what went wrong."""

    index: str
    snapshot: Snapshot | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of one index; ``error`` says why it could not be deleted although it should."""

    decision: Decision
    deleted: bool = False
    error: str = ""


@dataclass(slots=True)
class Lifecycle:
    """The work on one store.

    Attributes:
        store: Where the indices are.
        backups: Its place of backups; None: there are none.
        repository: The repository that the daily backups go to; empty: no backups are made.
        state: What is remembered; saved after each step.
        rules: What may stay.
        zone: The time zone that the indices count their days in.
        keep_restored: For how long retention leaves a restored index alone.
        clock: Returns the time, aware.
    """

    store: LogStore
    backups: Backups | None
    repository: str
    state: State
    rules: Rules
    zone: datetime.tzinfo = datetime.UTC
    keep_restored: datetime.timedelta = datetime.timedelta(days=7)
    clock: Clock = now

    @property
    def today(self) -> datetime.date:
        """The day whose index is being written."""
        return self.clock().astimezone(self.zone).date()

    def covers(self, index: str) -> bool:
        """Return whether an index is one of those that are backed up and deleted."""
        return fnmatchcase(index, self.rules.index)

    def missing(self) -> list[IndexInfo]:
        """Return the indices of days that have ended and are not, or no more, backed up, the oldest day first."""
        if self.backups is None or not self.repository:
            return []
        current, today = self.backups.backed_up_indices(self.repository), self.today
        ended = [
            (one.day, one.index, one)
            for one in self.store.indices()
            if one.day is not None and one.day < today and self.covers(one.index)
        ]
        return [info for _, index, info in sorted(ended, key=lambda one: one[:2]) if index not in current]

    def back_up(self, indices: Sequence[str], progress: Progress | None = None) -> list[BackedUp]:
        """Back up indices and read each backup again.

        One that fails does not stop the others, but a repository that does not answer does: they would all wait for it.
        """
        assert self.backups is not None  # noqa: S101 -- the caller knows of a repository
        results: list[BackedUp] = []
        for index in indices:
            try:
                snapshot = self.backups.back_up(self.repository, index, self.clock(), progress)
                self.verify(snapshot.name, progress)
            except StoreError as error:
                log.error("an index could not be backed up", index=index, repository=self.repository, error=error)
                results.append(BackedUp(index, error=str(error)))
                if isinstance(error, RepositoryUnavailableError):
                    return [*results, *(BackedUp(one, error=str(error)) for one in indices[len(results) :])]
            else:
                log.info("an index was backed up", index=index, snapshot=snapshot.name, events=snapshot.events)
                results.append(BackedUp(index, snapshot))
        return results

    def verify(self, snapshot: str, progress: Progress | None = None) -> None:
        """Read a backup again and remember that it is whole.

        Raises:
            BackupError: It is not.
        """
        assert self.backups is not None  # noqa: S101 -- the caller knows of a repository
        known = self.state.verified.setdefault(self.repository, {})
        known.pop(snapshot, None)
        if wrong := self.backups.verify(self.repository, snapshot, progress):
            self.state.save()
            raise BackupError(f"the backup {snapshot} cannot be relied on: {'; '.join(wrong)}")
        known[snapshot] = self.clock()
        self.state.save()

    def plan(self, free_bytes: int | None = None) -> list[Decision]:
        """Return what ``prune`` would do now, as far as can be told without reading backups."""
        indices = self.store.indices()
        current = self.backups.backed_up_indices(self.repository) if self.backups and self.repository else None
        restored = self._restored()
        holds = {}
        for one in indices:
            if hold := self._hold(one.index, current, restored):
                holds[one.index] = hold
        return decide(indices, self.rules, self.today, free_bytes=free_bytes, holds=holds)

    def prune(self, free_bytes: int | None = None) -> list[Pruned]:
        """Delete what may go, the oldest first; a backup that was not read again since yesterday is read now."""
        return [self._carry_out(one) for one in self.plan(free_bytes)]

    def _carry_out(self, decision: Decision) -> Pruned:
        if not decision.delete:
            return Pruned(decision)
        index = decision.info.index
        try:
            if hold := self.unverified(index):
                return Pruned(decision, error=hold)
            self.store.delete(index)
        except StoreError as error:
            log.error("an index could not be deleted", index=index, error=error)
            return Pruned(decision, error=str(error))
        log.info("an index was deleted", index=index, why=decision.why)
        return Pruned(decision, deleted=True)

    def unverified(self, index: str, progress: Progress | None = None) -> str:
        """Return why the backup of an index cannot be relied on right now; empty: it can, or there are no backups."""
        if self.backups is None or not self.repository:
            return ""
        snapshot = self.backups.backed_up_indices(self.repository).get(index)  # again: events may have come since
        if snapshot is None:
            return "it is not backed up"
        if not self._fresh(self.state.verified.get(self.repository, {}).get(snapshot)):
            try:
                self.verify(snapshot, progress)
            except BackupError as error:
                log.error("an index stays: its backup is not good", index=index, error=error)
                return str(error)
        return ""

    def _fresh(self, verified: datetime.datetime | None) -> bool:
        return verified is not None and abs(self.clock() - verified) < _FRESH

    def _hold(self, index: str, current: Mapping[str, str] | None, restored: Mapping[str, datetime.datetime]) -> str:
        if (since := restored.get(index)) is not None:
            until = since + self.keep_restored
            if until > self.clock():
                return f"it was restored, and stays until {until.astimezone(self.zone):%Y-%m-%d %H:%M}"
        if current is not None and index not in current:
            return "it is not backed up"
        return ""

    def _restored(self) -> Mapping[str, datetime.datetime]:
        return self.backups.restored_indices() if self.backups else {}
