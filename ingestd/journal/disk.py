"""What a journal asks of the operating system: a lock, descriptors that stay open, errors with a name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ingestd.files import lock_file
from ingestd.journal.base import JournalError, JournalLockedError

_LOCK_NAME = "lock"


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Raise JournalError instead of OSError; ``what`` starts its text, as in ``the journal cannot be read``."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"{what}: {error.strerror or error}") from error


def lock(folder: Path) -> int:
    """Lock a journal, and return the descriptor of the lock; the kernel unlocks it when the process ends.

    Raises JournalLockedError if another process has it open.
    """
    return lock_file(folder / _LOCK_NAME, JournalLockedError(f"the journal {folder} is open in another process"))


def duplicate(fd: int, opened: ExitStack) -> int:
    """Return a descriptor of the same file, which ``opened`` closes: it stays valid when ``fd`` is closed meanwhile."""
    other = os.dup(fd)
    opened.callback(os.close, other)
    return other
