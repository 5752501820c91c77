"""One daemon per data folder: its process id, in a file that is locked while it runs, and the URL of its pages."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ingestd.files import lock_file, overwrite, try_lock

_NAME = "ingestd.pid"
_URL_NAME = "ingestd.url"
_URL_BYTES = 512
"""The usual size of the file with the URL, which is there from the start: an HTTP process that is started on a full
disk can note its URL, too."""

_WAIT_SECONDS = 5.0
"""How long the workers of a daemon that was killed may take to notice and end."""


class AlreadyRunningError(OSError):
    """Another daemon uses the data folder."""


def pid_path(data_dir: Path) -> Path:
    """Return the path of the file with the process id, which belongs to the daemon's user."""
    return data_dir / _NAME


def claim(data_dir: Path) -> int:
    """Lock the data folder for this process and write its id; returns the descriptor that holds the lock.

    Raises:
        AlreadyRunningError: Another daemon has it.
        OSError: The folder cannot be used.
    """
    path = pid_path(data_dir)
    try:
        fd = lock_file(path, BlockingIOError(), mode=0o644, timeout_s=_WAIT_SECONDS, for_all_writers=False)
    except BlockingIOError:
        pid = path.read_text("utf-8").strip() or "?"
        text = f"another ingestd (process {pid}) uses {data_dir}; stop it, or choose another --data-dir"
        raise AlreadyRunningError(text) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    with suppress(OSError):  # the HTTP process tries again
        publish_url(data_dir, "")  # that in the file is of the daemon before
    return fd


def find(data_dir: Path) -> int | None:
    """Return the process id of the daemon that uses a data folder, None if there is none."""
    try:
        with pid_path(data_dir).open("rb") as file:
            return None if try_lock(file.fileno(), shared=True) else int(file.read())
    except (OSError, ValueError):
        return None


def was_used(data_dir: Path) -> bool:
    """Return whether a daemon has ever used the data folder."""
    return pid_path(data_dir).exists()


def publish_url(data_dir: Path, url: str) -> None:
    """Note the URL of the daemon's pages, empty if it serves none.

    Raises:
        OSError: The file cannot be written.
    """
    overwrite(data_dir / _URL_NAME, url.encode(), _URL_BYTES)


def find_url(data_dir: Path) -> str:
    """Return the URL of the pages of the daemon that runs, without a slash at its end; empty if it serves none."""
    try:
        return (data_dir / _URL_NAME).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
