"""How processes are asked to end: what a worker does with its connections, and how long each process may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ingestd.supervisor.notify import Notifier
from ingestd.supervisor.processes.children import Child, Children
from ingestd.supervisor.processes.helpers import Helper
from ingestd.supervisor.processes.workers import Workers
from ingestd.supervisor.state import SupervisorState

_HTTP_SECONDS = 5.0
"""How long the HTTP process may take to end; a page that is being sent must not hold up a stop."""

_UPGRADE_SECONDS = 1.0
"""How long an upgrade waits for processes other than workers: meanwhile nobody reads the connections."""


class Ending:
    """Asks processes to end.

    Args:
        children: All processes.
        workers: Those of them that read connections.
        helpers: The helpers by the names of their processes.
        notifier: Says whether systemd keeps connections.
        state: Returns what the supervisor is doing.
    """

    def __init__(
        self,
        children: Children,
        workers: Workers,
        helpers: Mapping[str, Helper],
        notifier: Notifier,
        state: Callable[[], SupervisorState],
    ) -> None:
        self._children, self._workers, self._helpers = children, workers, helpers
        self._notifier, self._state = notifier, state

    def ask_all(self) -> None:
        """Ask all processes that run to end."""
        for child in self._children.running():
            self.ask(child)

    def ask(self, child: Child) -> None:
        """Ask a process to end; it is killed if it takes too long."""
        if self._state() is not SupervisorState.STOPPING:
            mode = "handover"
        else:  # systemd may keep the connections for the next start: half a line is then best left in them
            mode = "leave" if self._notifier.present else "drain"
            if not child.ready:
                self._workers.hand_over_all(child)
        self._children.stop(child, {"type": "stop", "mode": mode}, self._grace_seconds(child))

    def leaves_unread(self, child: Child, code: int) -> bool:
        """Return whether a worker that has failed for good leaves something that nobody is going to read."""
        read_on = self._notifier.present or self._state() is SupervisorState.UPGRADING
        return code != 0 and not (child.stopping and read_on)

    def _grace_seconds(self, child: Child) -> float | None:
        """Return the seconds that a process may take to end; None: a worker has a time-out of its own."""
        if child.name in self._workers:
            return None
        helper = self._helpers.get(child.name)
        seconds = helper.stop_seconds if helper is not None else _HTTP_SECONDS
        return min(seconds, _UPGRADE_SECONDS) if self._state() is SupervisorState.UPGRADING else seconds
