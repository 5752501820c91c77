"""One daemon for one data folder, and where to find it: a file that is locked while the daemon runs."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_NAME = "ingestd.pid"

_WAIT_SECONDS = 5.0
"""How long the workers of a daemon that was killed may need to notice and let go."""


class AlreadyRunningError(OSError):
    """Another daemon works on the data folder."""


def claim(data_dir: Path) -> int:
    """Lock the data folder for this process and note its id; returns the descriptor, which holds the lock.

    Raises:
        AlreadyRunningError: Another daemon has it.
        OSError: The folder cannot be used.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    fd = os.open(data_dir / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                pid = os.pread(fd, 20, 0).decode().strip() or "?"
                os.close(fd)
                text = f"another ingestd (process {pid}) works on {data_dir}; stop it, or choose another --data-dir"
                raise AlreadyRunningError(text) from None
            time.sleep(0.05)
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def find(data_dir: Path) -> int | None:
    """Return the process id of the daemon that runs on a data folder, None if there is none."""
    try:
        with (data_dir / _NAME).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
    except (OSError, ValueError):
        pass
    return None
