"""Small file systems in memory: disks that are soon full. Only root may mount them.

They are mounted in a mount namespace of this process and of those that it starts, which the kernel removes with the
last of them: however a test run ends, no mount is left.
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import wait_until

_CLONE_NEWNS = 0x20000


@functools.cache
def _enter_own_namespace() -> str:
    """Return why that is not possible; empty: it is done."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        return os.strerror(ctypes.get_errno())
    # Mounts of others still come in, ours do not get out.
    return _mount("--make-rslave", "/")


def _mount(*arguments: str) -> str:
    """Return why that is not possible; empty: it is done."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    return done.stderr.strip() or "mount failed" if done.returncode else ""


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """Mount one at ``folder`` until the end of the block; the test is skipped where that is not allowed.

    Args:
        folder: It is made if it is not there.
        options: Of tmpfs(5), such as ``size=256k``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refused = _enter_own_namespace() or _mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    if refused:
        pytest.skip(f"a small file system cannot be mounted: {refused}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(disk: Path, options: str) -> None:
    """Change the options of one, such as ``size=1m`` or ``ro``: that has to wait while a file is open for writing."""
    wait_until(lambda: not _mount("-o", f"remount,{options}", str(disk)), f"a disk to be remounted: {options}")
