"""The worker processes, and which of them reads which connection."""

from __future__ import annotations

import time
from collections.abc import KeysView

from ingestd.supervisor.connections.acceptor import Acceptor
from ingestd.supervisor.connections.sockets import Connection
from ingestd.supervisor.processes.children import LOSS_EXIT_CODE, Child, Children

_MISSED_PAUSE = 1.0
"""How long to wait before a connection that did not arrive is sent again."""

_MOST_QUEUED = 64
"""How many connections may wait in this process to be sent to a worker, besides those in the channel."""


class Workers:
    """Names worker processes by their numbers, and hands connections to them.

    Args:
        children: All processes, the workers among them.
        acceptor: Holds the connections; each knows the number of its worker.
    """

    def __init__(self, children: Children, acceptor: Acceptor) -> None:
        self._children, self._acceptor = children, acceptor
        self._numbers: dict[str, int] = {}
        self._drained_again: set[str] = set()  # workers that were killed while they drained, and started once more
        self._missed: dict[str, float] = {}  # ids of connections that did not arrive, and when to send them again

    def __contains__(self, process: str) -> bool:
        """Return whether the process of this name is a worker."""
        return process in self._numbers

    @property
    def names(self) -> KeysView[str]:
        """The names of their processes, in the order of their numbers."""
        return self._numbers.keys()

    def number(self, process: str) -> int:
        """Return the number of the worker whose process has this name."""
        return self._numbers[process]

    def provide(self, count: int) -> None:
        """Have at least ``count`` workers, and all those whose connections exist. There are never fewer again."""
        needed = [connection.worker + 1 for connection in self._acceptor.connections.values()]
        self._numbers |= {_process_name(number): number for number in range(max([count, *needed]))}

    def running(self) -> list[Child]:
        """Return the processes of workers that have not ended."""
        return [child for name in self._numbers if (child := self._children.get(name)) is not None]

    def reading(self) -> list[Child]:
        """Return those that are ready and not about to end."""
        return [child for child in self.running() if child.ready and not child.stopping]

    @property
    def all_ready(self) -> bool:
        """Whether every worker runs and has said that it is ready."""
        return sum(child.ready for child in self.running()) == len(self._numbers)

    @property
    def all_reading(self) -> bool:
        """Whether every worker is ready and not about to end."""
        return len(self.reading()) == len(self._numbers)

    @property
    def all_behind(self) -> bool:
        """Whether every worker that reads has yet to take many messages: no more connections should be accepted."""
        queued = [child.channel.queued for child in self.reading()]
        return min(queued, default=0) >= _MOST_QUEUED

    def least_loaded(self, count: int) -> int:
        """Return which of the first ``count`` workers has the fewest connections."""
        return min(range(count), key=lambda number: self._acceptor.loads[number])

    def hand_over(self, connection: Connection) -> None:
        """Give a connection to its worker; one that is not reading gets it when it is ready."""
        child = self._children.get(_process_name(connection.worker))
        if child is not None and child.ready and not child.stopping:
            self._children.send(child, connection.message(), connection.sock.fileno())

    def hand_over_all(self, child: Child) -> None:
        """Give a process all connections of its worker; none if it is another process."""
        for connection in self._connections(child):
            self._missed.pop(connection.id, None)
            self._children.send(child, connection.message(), connection.sock.fileno())

    def _connections(self, child: Child) -> list[Connection]:
        number = self._numbers.get(child.name)
        return [connection for connection in self._acceptor.connections.values() if connection.worker == number]

    def missed(self, connection_id: str, *, new: bool) -> None:
        """Note that the descriptor of a connection did not arrive: its worker had no room for another one."""
        connection = self._acceptor.connections.get(connection_id)
        if connection is not None:
            connection.new, connection.read = new, False
            self._missed[connection_id] = time.monotonic() + _MISSED_PAUSE

    def tick(self) -> None:
        """Send connections that did not arrive again, when it is time."""
        now = time.monotonic()
        for connection_id in [name for name, moment in self._missed.items() if moment <= now]:
            del self._missed[connection_id]
            connection = self._acceptor.connections.get(connection_id)
            if connection is not None:
                self.hand_over(connection)

    def next_deadline(self) -> float | None:
        """Return when ``tick`` has something to do next, on the monotonic clock; None: nothing is planned."""
        return min(self._missed.values(), default=None)

    def left_unread(self, child: Child, code: int, *, kept: bool) -> bool:
        """Return whether a worker that has ended at a stop leaves something to read for another one.

        Args:
            child: Its process.
            code: The exit code.
            kept: Whether systemd keeps what is left.
        """
        if code not in {0, LOSS_EXIT_CODE}:  # killed before it had read everything
            first = child.name not in self._drained_again
            self._drained_again.add(child.name)
            return first
        return not kept and self._forget_read(child) > 0 and bool(self._connections(child))

    def _forget_read(self, child: Child) -> int:
        """Close the connections of a worker that has read all that it had and ended; returns how many that were.

        Those are left whose descriptors did not arrive.
        """
        read = [connection for connection in self._connections(child) if connection.id not in self._missed]
        for connection in read:
            self._acceptor.forget(connection.id)
        return len(read)


def _process_name(number: int) -> str:
    return f"worker {number}"
