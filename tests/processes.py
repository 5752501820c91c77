"""What /proc says about processes. All of it may be asked of a process that has ended meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""What the kernel answers about a process that has ended, before and after its parent has waited for it."""


def children(pid: int) -> list[int]:
    """Return the processes that ``pid`` has started and not waited for yet; none if it has ended."""
    return [int(child) for child in _read(pid, f"task/{pid}/children").split()]


def family(pid: int) -> list[int]:
    """Return a process and all its living descendants; none if it has ended and was waited for."""
    found = [member for child in children(pid) for member in family(child)]
    return [pid, *found] if found or _stat(pid) else []


def command_line(pid: int) -> str:
    """Return the arguments of a process, each with a NUL after it; empty if it has ended."""
    return _read(pid, "cmdline").decode(errors="replace")


def name(pid: int) -> str:
    """Return the name of what a process runs, 15 bytes at most; empty if it has ended."""
    return _read(pid, "comm").decode().strip()


def environment(pid: int) -> list[str]:
    """Return the variables that a process was started with, each as NAME=VALUE; none if it has ended."""
    return _read(pid, "environ").decode(errors="replace").split("\0")[:-1]


def everything() -> list[int]:
    """Return all processes on the machine."""
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def is_alive(pid: int) -> bool:
    """Return whether a process has not ended; one that nobody has waited for yet has."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def is_stopped(pid: int) -> bool:
    """Return whether a process stands still, as some time after SIGSTOP: all its threads do."""
    with contextlib.suppress(*_GONE):
        return all(_stat(pid, f"task/{thread.name}/stat")[:1] == ["T"] for thread in _threads(pid))
    return False


def start_time(pid: int) -> str:
    """Return when a process was started: with its id this names it forever. Empty if it has ended."""
    return _stat(pid)[19] if is_alive(pid) else ""


def cpu_seconds(pid: int, *, waited_for: bool = False) -> float:
    """Return the CPU time that a process has used; 0 if it has ended and was waited for.

    With ``waited_for``, that of its children that it has waited for is added.
    """
    return sum(map(int, _stat(pid)[11 : 15 if waited_for else 13])) / _TICKS


def peak_bytes(pid: int) -> int:
    """Return the most resident memory that a process has had; 0 if it has ended."""
    _, _, peak = _read(pid, "status").partition(b"VmHWM:")
    return int(peak.split()[0]) << 10 if peak else 0


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 if it has ended."""
    pages = _read(pid, "statm").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0


def pss_bytes(pid: int) -> int:
    """Return the memory of a process, where pages that several share are divided among them; 0 if it has ended."""
    _, _, pss = _read(pid, "smaps_rollup").partition(b"\nPss:")
    return int(pss.split()[0]) << 10 if pss else 0


def open_files(pid: int) -> list[str]:
    """Return what the open descriptors of a process refer to; none if it has ended."""
    found = []
    with contextlib.suppress(*_GONE):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(*_GONE):  # closed meanwhile
                found.append(str(file.readlink()))
    return found


def niceness(pid: int) -> int | None:
    """Return the niceness of a process; None if it has ended."""
    return int(_stat(pid)[16]) if is_alive(pid) else None


def rests(pid: int, seconds: float = 0.5) -> bool:
    """Return whether a process has nothing to do for ``seconds``: also none of its threads waits for its turn."""
    before, end = cpu_seconds(pid), time.monotonic() + seconds
    while time.monotonic() < end:
        if _wants_cpu(pid):
            return False
        time.sleep(seconds / 20)
    return cpu_seconds(pid) - before < seconds / 5


def send_signal(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal, unless the process has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@contextlib.contextmanager
def sleeping(name: str) -> Iterator[None]:
    """Run a process that has this name in the list of processes, and does nothing."""
    process = subprocess.Popen([name, "infinity"], executable=shutil.which("sleep"))
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _wants_cpu(pid: int) -> bool:
    with contextlib.suppress(*_GONE):
        return any(_stat(pid, f"task/{thread.name}/stat")[:1] in (["R"], ["D"]) for thread in _threads(pid))
    return False


def _threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def _stat(pid: int, name: str = "stat") -> list[str]:
    """Return the fields of proc_pid_stat(5) from the third on, the state; none if the process has ended."""
    return _read(pid, name).decode().rpartition(")")[2].split()


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except _GONE:
        return b""
