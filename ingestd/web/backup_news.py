"""What is known of the backups of the indices without asking a repository, which may be far away or not answer."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from contextlib import closing

from ingestd.lifecycle.state import State
from ingestd.settings import load_settings
from ingestd.stores.base import StoreError
from ingestd.stores.open import open_backups


class BackupNews:
    """Backups of one store.

    Args:
        settings: Those of the store and its retention, as texts by name.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = load_settings(environ={}, flags=settings)

    def verified(self) -> dict[str, dict[str, str]]:
        """Return the newest backup of each index that was read again and found whole, as far as is remembered."""
        found: dict[str, dict[str, str]] = {}
        for repository, snapshots in State.load(self._settings.data_dir).verified.items():
            for snapshot, verified in sorted(snapshots.items()):
                index = snapshot.rpartition("-")[0]
                when = verified.isoformat().replace("+00:00", "Z")
                found[index] = {"repository": repository, "snapshot": snapshot, "verified": when}
        return found

    def kept_until(self) -> dict[str, datetime.date]:
        """Return for each restored index the first day on which retention no more leaves it alone."""
        keep = datetime.timedelta(days=1, seconds=self._settings.restore.keep)
        url = self._settings.store or self._settings.elasticsearch
        try:
            with closing(open_backups(url, self._settings.data_dir)) as backups:
                return {index: (since + keep).date() for index, since in backups.restored().items()}
        except (StoreError, OverflowError):
            return {}  # the page is worth more than this
