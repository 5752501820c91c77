"""Replaces the workers by new ones, one after the other, so that the others keep reading."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from ingestd.supervisor.processes.children import Child, Children
from ingestd.supervisor.processes.workers import Workers

START_SECONDS = 60.0
"""How long the next worker may take until it reads, in several attempts if the first ones fail."""


class RollingReplacement:
    """Replaces workers; the next one is asked to leave when all others read.

    Args:
        children: All processes.
        workers: The workers among them.
        stop: Asks a process to leave.
        on_end: Called when every worker is new and reads, with an empty text, or else with what went wrong: then the
            workers that are left continue as they are.
    """

    def __init__(
        self, children: Children, workers: Workers, stop: Callable[[Child], None], on_end: Callable[[str], None]
    ) -> None:
        self._children, self._workers, self._stop, self._on_end = children, workers, stop, on_end
        self._left: list[str] = []
        self._current = ""
        self._active = False
        self._deadline: float | None = None

    def start(self, names: Iterable[str]) -> None:
        """Replace the workers of these names; others may have just been started."""
        self._left, self._current, self._active = list(names), "", True
        self.started()
        self.proceed()

    def started(self) -> None:
        """Note that a worker has been started; it has some time to get ready."""
        self._deadline = time.monotonic() + START_SECONDS

    def proceed(self) -> None:
        """Ask the next worker to leave, if all of them read; finish if none is left."""
        if not self._active or not self._workers.all_reading:
            return
        self._deadline, self._current = None, ""
        if not self._left:
            self._end("")
        elif (child := self._children.get(self._left.pop(0))) is not None:
            self._current = child.name
            self._stop(child)

    @property
    def absent(self) -> frozenset[str]:
        """The worker that is being replaced and does not read now, if there is one."""
        child = self._children.get(self._current) if self._active and self._current else None
        away = self._active and self._current and (child is None or not child.ready or child.stopping)
        return frozenset({self._current} if away else ())

    def tick(self) -> None:
        """Give up if a worker does not get ready in time."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._end("a worker does not start, its log says why; those that run keep their config")

    def next_deadline(self) -> float | None:
        """Return when ``tick`` has something to do, on the monotonic clock; None: nothing is planned."""
        return self._deadline

    def cancel(self) -> None:
        """Replace no more; nothing is called."""
        self._active, self._deadline, self._left = False, None, []

    def _end(self, error: str) -> None:
        self.cancel()
        self._on_end(error)
