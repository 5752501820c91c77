"""New interpreters without a start: ``python -P -c CODE``, as processes of the dashboard are, forked from their parent.

`fork_interpreters` does that for all later ``subprocess.Popen`` of this process and of those that are forked from it.
The new process has the variables, files and command line that it would have, and runs the same code: only what it
imports is there already.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOM = " " * (1 << 14)
"""An argument of the first process: `set_command_line` needs the room."""

_fork_exec = subprocess._fork_exec  # type: ignore[attr-defined]


def fork_interpreters() -> None:
    """Fork new interpreters from now on."""
    subprocess._fork_exec = _fork  # type: ignore[attr-defined]


def set_command_line(arguments: Iterable[str]) -> None:
    """Let others see a command line of this process: /proc/PID/cmdline is read from its memory."""
    sys.orig_argv = [*arguments]
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(field) for field in fields[45:47])
    text = b"".join(os.fsencode(argument) + b"\0" for argument in sys.orig_argv)
    ctypes.memmove(start, text[: end - start].ljust(end - start, b"\0"), end - start)


def set_variables(environ: Iterable[tuple[bytes, bytes]]) -> None:
    """Have these environment variables and no others."""
    os.environb.clear()
    os.environb.update(environ)
    tempfile.tempdir = None


def _fork(*request: Any) -> int:
    """Do what ``subprocess`` asks for; see its call of ``_fork_exec`` for the arguments."""
    command, _, _, kept, folder, variables, stdin, _, _, stdout, _, stderr, *_ = request
    files = (stdin, stdout, stderr)
    is_plain = folder is None and variables is not None and len(kept) == 1 and -1 not in files
    if not is_plain or command[:3] != [sys.executable, "-P", "-c"]:
        return int(_fork_exec(*request))
    pid = os.fork()
    if pid == 0:
        _become(command, variables, files)
    return pid


def _become(command: Sequence[str], variables: Iterable[bytes], files: Iterable[int]) -> NoReturn:
    status = 1
    try:
        gc.freeze()
        signal.set_wakeup_fd(-1)
        for number, file in enumerate(files):
            os.dup2(file, number)
        _close_others()
        set_command_line(command)
        set_variables((name, value) for name, _, value in (variable.partition(b"=") for variable in variables))
        sys.argv = ["-c"]
        exec(command[3], {"__name__": "__main__"})
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 -- the end of the process, as of an interpreter
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _close_others() -> None:
    """Close what the parent has open. The numbers stay taken: its objects, which are still there, may close them."""
    others = {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2}  # noqa: PTH208
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for other in others - {nothing}:
        os.dup2(nothing, other, inheritable=False)
