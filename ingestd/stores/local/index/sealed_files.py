"""Whether the sealed files of an index are as the manifest says: cheaply, from their size, or by reading them."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from pathlib import Path

from ingestd.files import Version, file_version
from ingestd.stores.local.index.manifest import SealedFile

_BLOCK = 1 << 20

MISSING = "is missing"
"""The `fault` of a file that does not exist."""


def fault(folder: Path, file: SealedFile) -> str:
    """Return what is wrong with a sealed file as far as the folder shows; empty: nothing."""
    try:
        found = (folder / file.name).lstat()
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file"
    if found.st_size != file.bytes:
        return f"has {found.st_size:,} bytes, not {file.bytes:,}"
    return "" if os.access(folder / file.name, os.R_OK, effective_ids=True) else "cannot be read: Permission denied"


def log_fault(path: Path) -> str:
    """Return why an append log cannot be read; empty: it can, or does not exist."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or stat.S_ISDIR(mode):
            return "is not a regular file"
    except OSError:
        return ""
    return "" if os.access(path, os.R_OK, effective_ids=True) else "cannot be read: Permission denied"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


class KnownFaults:
    """Files that could not be read although their size is right: what was found once need not be found again.

    Thread-safe. A file counts as sound again as soon as another version of it is there, or after ``seconds``: the disk
    may have failed for the moment only.
    """

    def __init__(self, seconds: float = 3600) -> None:
        self._seconds = seconds
        self._found: dict[Path, tuple[Version | None, float, str]] = {}
        self._lock = threading.Lock()

    def add(self, path: Path, reason: str) -> None:
        """Remember why a file cannot be read."""
        with self._lock:
            self._found[path] = file_version(path, follow_symlinks=False), time.monotonic() + self._seconds, reason

    def get(self, path: Path) -> str:
        """Return why this version of a file cannot be read; empty: nothing is known."""
        if not self._found:
            return ""
        with self._lock:
            found = self._found.get(path)
            if found is None:
                return ""
            if found[0] != file_version(path, follow_symlinks=False) or time.monotonic() > found[1]:
                del self._found[path]
                return ""
            return found[2]
