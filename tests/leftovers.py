"""What a test run leaves that was killed: its processes, search servers and machines are removed by the next one.

All processes that a test run starts have its name in their environment. It is that of a process, so that the next
run knows whether it still goes on.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from itertools import repeat
from pathlib import Path

from tests.processes import environment, everything, is_alive, send_signal, start_time
from tests.waiting import wait_until

_VARIABLE = "TESTS_STARTED_BY"
_FOLDERS = "ingestd-testbed-"


def owner() -> str:
    """Return the name of this process, unlike that of any other before it or after it."""
    return f"{os.getpid()}-{start_time(os.getpid())}"


def mark_processes() -> None:
    """Let all processes that are started from now on say that they are ours."""
    os.environ[_VARIABLE] = owner()


def folder_for_servers() -> Path:
    """Make a folder, where an unprivileged account can reach it; one that is left is removed by the next run."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDERS}{owner()}-"))
    folder.chmod(0o755)
    return folder


def remove_leftovers() -> None:
    """Kill the processes, and remove the folders, of test runs that have ended."""
    left = list(filter(_is_left, everything()))
    for pid in left:
        send_signal(pid)
    wait_until(lambda: not any(map(is_alive, left)), "the end of the processes of a test run that was killed")
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDERS}*-*-*"):
        if has_ended(folder.name.removeprefix(_FOLDERS)):
            shutil.rmtree(folder, ignore_errors=True)


def has_ended(name: str) -> bool:
    """Return whether the process with this name, see `owner`, has ended; the name may go on after another dash."""
    pid, started, *_ = name.split("-")
    return start_time(int(pid)) != started


def _is_left(pid: int) -> bool:
    names = [value for name, _, value in map(str.partition, environment(pid), repeat("=")) if name == _VARIABLE]
    return any(map(has_ended, names))
