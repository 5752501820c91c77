"""A sincedb for the life of the daemon only: its workers are replaced meanwhile, and go on where others ended."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def session_path(path: Path) -> Path:
    """Return the path for this daemon, and remove those of earlier ones."""
    parent = os.getppid()
    name = f"{path.name}.{parent}-{_start_of(parent)}"
    for other in path.parent.glob(f"{path.name}.*-*"):
        if other.name != name:
            with contextlib.suppress(OSError):
                other.unlink()
    return path.with_name(name)


def _start_of(process: int) -> str:
    """Return when a process started, as proc(5) counts it: a number is used again, the two together are not."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return "0"
