"""What backup and retention have left in the data folder: failures of the last run, backups of each index.

No repository is queried for it, as it may be far away or not answer.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from ingestd.files import file_version
from ingestd.lifecycle.state import State
from ingestd.settings import load_settings
from ingestd.stores.backups import index_of
from ingestd.stores.base import StoreError
from ingestd.stores.open import open_backups

_MAX_FAILURES = 3


class LastRun:
    """The last run of the scheduler, a process of its own, from what it has saved in the data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._version: object = None
        self._failures: tuple[str, ...] = ()

    def failures(self) -> tuple[str, ...]:
        """Return a sentence for each of the first indices that were not backed up or deleted, and one for the rest."""
        version = file_version(State.path_in(self._data_dir))
        if version is None:
            return ()
        if version != self._version:
            self._version, self._failures = version, self._read()
        return self._failures

    def _read(self) -> tuple[str, ...]:
        report = State.load(self._data_dir).report
        failed = report.failed if report is not None else {}
        shown = list(failed.items())[:_MAX_FAILURES]
        sentences = [f"{index or 'backup and retention'}: {reason}" for index, reason in shown]
        if len(failed) > _MAX_FAILURES:
            sentences.append(f"{len(failed) - _MAX_FAILURES} more indices could not be backed up or deleted")
        return tuple(sentences)


class BackupSummary:
    """Backups of one store.

    Args:
        settings: Those of the store and its retention, as texts by name.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = load_settings(environ={}, flags=settings)

    def verified(self) -> dict[str, dict[str, str | int | None]]:
        """Return the fullest verified backup of each index, of several the newest, as far as the data folder has them.

        ``events``: how many it has; None: unknown.
        """
        found: dict[str, dict[str, str | int | None]] = {}
        state = State.load(self._settings.data_dir)
        for repository, snapshots in state.verified.items():
            events = state.backup_events.get(repository, {})
            for snapshot in sorted(snapshots, key=lambda snapshot: (events.get(snapshot, -1), snapshot)):
                found[index_of(snapshot)] = {
                    "repository": repository,
                    "snapshot": snapshot,
                    "verified": snapshots[snapshot].isoformat().replace("+00:00", "Z"),
                    "events": events.get(snapshot),
                }
        return found

    def kept_until(self) -> dict[str, datetime.date]:
        """Return for each restored index the first day on which retention may delete it again."""
        keep = datetime.timedelta(days=1, seconds=self._settings.restore.keep)
        url = self._settings.store or self._settings.elasticsearch
        try:
            with closing(open_backups(url, self._settings.data_dir)) as backups:
                return {index: (since + keep).date() for index, since in backups.restored_indices().items()}
        except (StoreError, OverflowError):
            return {}  # the page is useful without it
