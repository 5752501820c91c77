"""How many connections fit under the limit of open files (RLIMIT_NOFILE, getrlimit(2)), with room for all the rest."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_RESERVE = 128
"""Descriptors for what is not a connection: children that are started, a reload, an upgrade; and in a worker, which has
the same limit, journals, outputs and files of the store. Of a low limit, a quarter."""

_LAST_RESERVE = 16
"""The part of the reserve that a stop does not use for the clients that still wait."""


_WORKER_RESERVE = 64
"""Of a low limit, an eighth: a worker whose limit is that of the supervisor never uses it for connections."""


def raise_limit() -> None:
    """Allow as many connections as the system lets us; the usual soft limit of 1,024 is for select(2)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def room_for_connections(connections: int) -> tuple[int, int]:
    """Return how many connections this process may hold, and how many in its last moments.

    ``connections``: how many it holds now.
    """
    limit = _limit()
    others = max(_open_descriptors() - connections, 0)
    return max(limit - others - min(_RESERVE, limit // 4), 1), max(limit - others - _LAST_RESERVE, 1)


def is_scarce(fd: int) -> bool:
    """Return whether a worker that has got this descriptor has none to spare for a connection.

    A new descriptor is the lowest that is free: open(2).
    """
    limit = _limit()
    return fd >= limit - min(_WORKER_RESERVE, limit // 8)


def _limit() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit if limit != resource.RLIM_INFINITY else 1 << 30


def _open_descriptors() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return len(list(Path(folder).iterdir()))
    return 0
