"""The time zone of a store's days, remembered in the data folder: a daemon or a command that is started where there is
no ``ingestd.toml`` must neither change where a store's days start nor read times in another zone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from ingestd.files import write_atomic
from ingestd.settings.declared import SETTINGS, Settings

_NAME = "index_timezone.json"


class StoredZone(NamedTuple):
    """What a data folder remembers.

    Attributes:
        zone: The ``index_timezone`` that the daemon last ran with.
        is_set: Whether it was set, rather than left at its default.
        previous: The one before; empty: it has not changed.
        changed_at: When the daemon started with another one, in seconds since 1970.
    """

    zone: str
    is_set: bool
    previous: str = ""
    changed_at: float = 0


def stored_zone_path(data_dir: Path) -> Path:
    """Return the path of the file in a data folder."""
    return data_dir / _NAME


def read_stored_zone(data_dir: Path) -> StoredZone | None:
    """Return what a data folder remembers; None: nothing, or nothing that can be read."""
    try:
        found = StoredZone(**json.loads(stored_zone_path(data_dir).read_bytes()))
        SETTINGS["index_timezone"].kind.parse(found.zone)
    except (OSError, ValueError, TypeError):
        return None
    return found


def remember_zone(settings: Settings, now: float) -> StoredZone | None:
    """Remember the zone that a daemon runs with, and return the one before if it was another; raises OSError.

    ``now``: the time, in seconds since 1970.
    """
    zone, is_set = settings.index_timezone, settings.explicit("index_timezone")
    before = read_stored_zone(settings.data_dir)
    if before is not None and (before.zone, before.is_set) == (zone, is_set):
        return None
    changed = before is not None and before.zone != zone
    stored = StoredZone(zone, is_set, before.zone, now) if before and changed else StoredZone(zone, is_set)
    write_atomic(stored_zone_path(settings.data_dir), json.dumps(stored._asdict()).encode())
    return before if changed else None
