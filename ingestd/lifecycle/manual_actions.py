"""Manual actions: back up an index, delete it, restore a day. One at a time, and not while backup and retention run."""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec

from ingestd.lifecycle import build
from ingestd.lifecycle.lifecycle import Lifecycle
from ingestd.lifecycle.state import LifecycleLockedError, lifecycle_lock
from ingestd.settings import Settings
from ingestd.stores.backups import BackupError, Progress, left_out_note, to_restore
from ingestd.stores.base import StoreError
from ingestd.units import counted


class ManualAction(msgspec.Struct, frozen=True):
    """What to do.

    Attributes:
        kind: What.
        index: The index to back up or delete.
        day: The day to restore, ``2019-05-15``.
        rename: A prefix for the names of restored indices.
        force: Delete without a verified backup; restore over an existing index.
    """

    kind: Literal["backup", "delete", "restore"]
    index: str = ""
    day: str = ""
    rename: str = ""
    force: bool = False


def run_action(action: ManualAction, settings: Settings, progress: Progress) -> str:
    """Run an action; returns a sentence about its result.

    Raises:
        StoreError: It failed; the text is one sentence.
    """
    try:
        with lifecycle_lock(settings.data_dir), build.open_lifecycle(settings) as lifecycle:
            return _ACTIONS[action.kind](action, lifecycle, progress)
    except LifecycleLockedError as locked:
        raise StoreError(str(locked)) from None
    except OSError as error:
        raise StoreError(f"the data folder cannot be used: {error.strerror or error}") from None


def _back_up(action: ManualAction, lifecycle: Lifecycle, progress: Progress) -> str:
    _repository(lifecycle)
    _check_index(action, lifecycle)
    (backup,) = lifecycle.back_up([action.index], progress)
    if backup.snapshot is None:
        raise BackupError(backup.error)
    return f"{action.index} is backed up: {backup.snapshot.name}"


def _delete(action: ManualAction, lifecycle: Lifecycle, progress: Progress) -> str:
    _check_index(action, lifecycle)
    if not action.force and (reason := lifecycle.unverified(action.index, progress)):
        raise BackupError(f"{action.index} stays: {reason}")
    lifecycle.delete(action.index)
    return f"{action.index} is deleted"


def _restore(action: ManualAction, lifecycle: Lifecycle, progress: Progress) -> str:
    backups, repository = lifecycle.backups, _repository(lifecycle)
    assert backups is not None  # noqa: S101 -- build.open_lifecycle opens them
    day = datetime.date.fromisoformat(action.day)
    snapshots = backups.snapshots(repository)
    found = to_restore(snapshot for snapshot in snapshots if snapshot.day == day and lifecycle.covers(snapshot.index))
    if not found:
        raise BackupError(f"there is no backup of {day}")
    results = []
    for index, parts in found.items():
        name = action.rename + index
        events = backups.restore(repository, parts, name, overwrite=action.force, progress=progress)
        results.append(f"{name}: {counted(events, 'event')}{left_out_note(name, index)}")
    return "; ".join(results)


_ACTIONS = {"backup": _back_up, "delete": _delete, "restore": _restore}


def _repository(lifecycle: Lifecycle) -> str:
    if not lifecycle.repository:
        raise BackupError("there is no repository for backups; add one: ingestd repository add --help")
    return lifecycle.repository


def _check_index(action: ManualAction, lifecycle: Lifecycle) -> None:
    """Reject a name that is not an index of the store: it comes from outside."""
    if action.index not in {info.index for info in lifecycle.store.indices()}:
        raise StoreError(f"there is no index {action.index[:100]}")
