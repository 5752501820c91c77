"""What the daily work remembers from one run to the next, and the lock that lets one process do it at a time."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from ingestd.files import locked_file, write_atomic

_NAME = "lifecycle.json"
_LOCK = ".lifecycle.lock"


class LifecycleLockedError(Exception):
    """Another process backs up, restores or deletes indices."""


class Report(msgspec.Struct, frozen=True):
    """What one run did: sentences for people by index.

    ``unsure``: so much time had gone since the run before that nothing was deleted by its age, for the clock may be
    wrong.
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


@dataclass
class State:
    """The state in a data folder. A file that cannot be read is as good as none: the work is then done once more.

    Attributes:
        done: The moment of the schedule for which the work was done last.
        report: What the last run did.
        verified: For each repository the snapshots that were read again and found whole, and when.
    """

    path: Path
    done: datetime.datetime | None = None
    report: Report | None = None
    verified: dict[str, dict[str, datetime.datetime]] = field(default_factory=dict)

    @staticmethod
    def path_in(data_dir: Path) -> Path:
        """Return where the state of a data folder is."""
        return data_dir / _NAME

    @classmethod
    def load(cls, data_dir: Path) -> Self:
        """Return what is remembered in a data folder."""
        path = cls.path_in(data_dir)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError):
            found = _File()
        return cls(path, found.done, found.report, found.verified)

    def save(self) -> None:
        """Write the state, whole or not at all.

        Raises:
            OSError: The disk refuses.
        """
        body = msgspec.json.format(msgspec.json.encode(_File(self.done, self.report, self.verified)))
        write_atomic(self.path, body)


@contextlib.contextmanager
def lifecycle_lock(data_dir: Path) -> Iterator[None]:
    """Hold the lock of a data folder; the kernel frees it when the process ends.

    Raises:
        LifecycleLockedError: Another process holds it.
        OSError: The folder cannot be used.
    """
    locked = LifecycleLockedError("another process backs up, restores or deletes indices; try again later")
    with locked_file(data_dir / _LOCK, locked):
        yield
