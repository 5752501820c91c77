"""When the daemon counts as started."""

from __future__ import annotations

import time
from collections.abc import Callable

from ingestd.supervisor.control.plan import HTTP
from ingestd.supervisor.processes.children import Children
from ingestd.supervisor.processes.workers import Workers

_HTTP_SECONDS = 30.0
"""How long a daemon whose workers read waits for the HTTP process before it is ready without it: events come first."""


class Readiness:
    """Calls ``on_ready`` once every worker reads and the HTTP process listens.

    Args:
        children: All processes.
        workers: Those that read connections.
        on_ready: What to do then.
    """

    def __init__(self, children: Children, workers: Workers, on_ready: Callable[[], None]) -> None:
        self._children, self._workers, self._on_ready = children, workers, on_ready
        self._reported = False
        self.deadline: float | None = None
        """When ``tick`` has something to do, on the monotonic clock; None: nothing is planned."""

    def reset(self) -> None:
        """Start again: all processes are new."""
        self._reported, self.deadline = False, None

    def tick(self, *, http: bool) -> None:
        """Report if it is time to; ``http``: there is to be an HTTP process."""
        if self._reported or not self._workers.all_ready:
            return
        now, child = time.monotonic(), self._children.get(HTTP)
        if self.deadline is None:
            self.deadline = now + _HTTP_SECONDS
        if not http or (child is not None and child.ready) or now >= self.deadline:
            self._reported, self.deadline = True, None
            self._on_ready()
