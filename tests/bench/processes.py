"""What a process and its descendants use: CPU seconds, and memory as the sum of their PSS."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and all its living descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(member for child in children for member in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, its living descendants, and all that have ended."""
    return sum(map(_own_cpu_seconds, family(pid)))


def busiest_cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of that process of the family that has used most."""
    return max(map(_own_cpu_seconds, family(pid)))


def _own_cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def pss_mb(pid: int) -> float:
    """Return the sum of PSS of a process and its descendants, in units of 1,000,000 bytes.

    Pages that several processes share are divided among them, so that the sum counts each page once.
    """
    return sum(map(_own_pss_kib, family(pid))) * 1024 / 1e6


def _own_pss_kib(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    _, _, pss = rollup.partition("\nPss:")
    return int(pss.split()[0]) if pss else 0
