"""What the daily work remembers from one run to the next, and the lock that lets one process do it at a time."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

_NAME = "lifecycle.json"
_LOCK = ".lifecycle.lock"


class BusyError(Exception):
    """Another process does the work just now."""


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
        temporary = self.path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)


@contextlib.contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the lock of a data folder; the kernel frees it when the process ends.

    Raises:
        BusyError: Somebody else holds it.
        OSError: The folder cannot be used.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    fd = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError("another process backs up, restores or deletes indices just now; try again later") from None
    else:
        yield
    finally:
        os.close(fd)
