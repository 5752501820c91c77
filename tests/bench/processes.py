"""What a process and its descendants use: CPU seconds, and memory as the sum of their PSS."""

from __future__ import annotations

from tests import processes
from tests.processes import family


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, its living descendants, and all that have ended."""
    return sum(map(_own_cpu_seconds, family(pid)))


def busiest_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of that process of the family that has used most."""
    return max(map(_own_cpu_seconds, family(pid)))


def _own_cpu_seconds(pid: int) -> float:
    return processes.cpu_seconds(pid, waited_for=True)


def pss_mb(pid: int) -> float:
    """Return the sum of PSS of a process and its descendants, in units of 1,000,000 bytes.

    Pages that several processes share are divided among them, so that the sum counts each page once.
    """
    return sum(map(processes.pss_bytes, family(pid))) / 1e6
