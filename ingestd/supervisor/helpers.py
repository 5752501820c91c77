"""Helper processes: work of the daemon that takes long and is not urgent, beside the workers and out of their way.

The supervisor forks a helper when all workers take in events, starts it anew when it dies, leaves it alone when the
config is loaded again, and tells it to stop when the daemon does. It may be killed at any moment, as the daemon
may: what it does must bear that.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ingestd import metrics
from ingestd.supervisor.channel import Channel, ChannelClosedError, Message

ORPHAN_SECONDS = 2.0
"""How long a helper may go on when the supervisor was killed: it holds the lock of the data folder, see pidfile."""


@dataclass(frozen=True, slots=True)
class Helper:
    """What a helper process does."""

    name: str
    """In the log and in answers to the HTTP process; none of ``http`` and ``worker N``."""
    run: Callable[[threading.Event], None]
    """Called in the forked process, on its main thread. Returns soon after the event is set, not before: a helper
    that returns or raises earlier is started again. It imports what it needs itself: nothing heavy belongs into
    the supervisor."""
    stop_seconds: float = 5.0
    """How long it may take to return when it is told to stop; then it is killed."""
    niceness: int = 10
    """How far it stands back behind the workers, 0 to 19; see nice(2)."""

    def main(self, channel: Channel) -> int:
        """Be the process; returns its exit code."""
        with contextlib.suppress(OSError):  # a sandbox may forbid it; then it is only less polite
            os.nice(self.niceness)
        stop = threading.Event()
        threading.Thread(target=self._listen, args=(channel, stop), daemon=True).start()
        self.run(stop)
        return 0

    def _listen(self, channel: Channel, stop: threading.Event) -> None:
        """Hear what the supervisor says, while ``run`` works: give account of the metrics, or stop."""
        poll = select.poll()
        channel.send({"type": "ready"})
        while True:
            poll.register(channel.fileno(), select.POLLIN | (select.POLLOUT if channel.pending else 0))
            poll.poll()
            channel.flush()
            try:
                messages = channel.receive()
            except ChannelClosedError:
                stop.set()
                threading.Event().wait(ORPHAN_SECONDS)
                os._exit(1)
            for message, _ in messages:
                if message["type"] == "stop":
                    stop.set()
                elif message["type"] == "ask":
                    channel.send({"type": "state", "state": self._state()})

    def _state(self) -> Message:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "helper": self.name,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "metrics": metrics.snapshot(),
        }
