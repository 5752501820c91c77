"""What backup and retention remember between runs, and the lock that lets one process at a time run them."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from ingestd.decoders import decoder
from ingestd.files import locked_file, write_atomic

_NAME = "lifecycle.json"
_LOCK = ".lifecycle.lock"


class LifecycleLockedError(Exception):
    """Another process backs up, restores or deletes indices."""


class Report(msgspec.Struct, frozen=True):
    """What one run did: sentences for people, by index.

    ``unsure``: the previous run was so long ago that nothing was deleted because of its age: the clock may be wrong.
    """

    time: datetime.datetime
    backed_up: dict[str, str] = {}
    failed: dict[str, str] = {}
    deleted: dict[str, str] = {}
    held: dict[str, str] = {}
    unsure: bool = False


class _File(msgspec.Struct):
    done: datetime.datetime | None = None
    report: Report | None = None
    verified: dict[str, dict[str, datetime.datetime]] = {}
    backup_events: dict[str, dict[str, int]] = {}
    deleted: dict[str, int] = {}


_MAX_DELETED = 400
"""The most deleted indices that are remembered: twice those of a ledger."""


@dataclass
class State:
    """The state in a data folder. A file that cannot be read counts as missing: the run is then repeated.

    Attributes:
        done: The scheduled time of the last successful run.
        report: What the last run did.
        verified: For each repository, the snapshots that were read back and found intact, and when.
        backup_events: How many events those snapshots have, where it is known.
        deleted: How many events each deleted index had; it may be created again by late events.
    """

    path: Path
    done: datetime.datetime | None = None
    report: Report | None = None
    verified: dict[str, dict[str, datetime.datetime]] = field(default_factory=dict)
    backup_events: dict[str, dict[str, int]] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def path_in(data_dir: Path) -> Path:
        """Return the path of the state in a data folder."""
        return data_dir / _NAME

    @classmethod
    def load(cls, data_dir: Path) -> Self:
        """Return the state in a data folder."""
        path = cls.path_in(data_dir)
        try:
            found = decoder(_File).decode(path.read_bytes())
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            found = _File()
        return cls(path, found.done, found.report, found.verified, found.backup_events, found.deleted)

    def add_deleted(self, index: str, events: int) -> None:
        """Note that an index was deleted, possibly once more; the one deleted first is forgotten if there are many."""
        before = self.deleted.pop(index, 0)
        if len(self.deleted) >= _MAX_DELETED:
            del self.deleted[next(iter(self.deleted))]
        self.deleted[index] = before + events

    def save(self) -> None:
        """Write the state, atomically.

        Raises:
            OSError: It cannot be written.
        """
        body = _File(self.done, self.report, self.verified, self.backup_events, self.deleted)
        write_atomic(self.path, msgspec.json.format(msgspec.json.encode(body)))


@contextlib.contextmanager
def lifecycle_lock(data_dir: Path) -> Iterator[None]:
    """Hold the lock of a data folder; the kernel releases it when the process ends.

    Raises:
        LifecycleLockedError: Another process holds it.
        OSError: The folder cannot be used.
    """
    locked = LifecycleLockedError("another process backs up, restores or deletes indices; try again later")
    with locked_file(data_dir / _LOCK, locked):
        yield
