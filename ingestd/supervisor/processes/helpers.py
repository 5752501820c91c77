"""Helper processes: slow work of the daemon that is not urgent, kept out of the way of the workers.

The supervisor forks a helper when all workers are reading, restarts it when it dies or hangs, lets it keep running when
the config is loaded again (``configure``), and asks it to stop when the daemon stops. It may be killed at any moment,
as the daemon may: what it does must bear that.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ingestd import metrics
from ingestd.logs import get_logger
from ingestd.supervisor.processes.channel import Channel, ChannelClosedError, Message, pickled, unpickled
from ingestd.supervisor.processes.children import HEARTBEAT_SECONDS, Children

log = get_logger(__name__)

ORPHAN_SECONDS = 2.0
"""How long a helper may continue after the supervisor was killed: it holds the lock of the data folder, see pidfile."""


@dataclass(frozen=True, slots=True)
class Helper:
    """What a helper process does."""

    name: str
    """In the log and in answers to the HTTP process; neither ``http`` nor ``worker N``."""
    run: Callable[[threading.Event], None]
    """Called in the forked process, on its main thread. Returns soon after the event is set, not before: a helper
    that returns or raises earlier is restarted. It imports what it needs itself: nothing heavy belongs in the
    supervisor."""
    stop_seconds: float = 5.0
    """How long it may take to return when it is asked to stop; then it is killed."""
    niceness: int = 10
    """Added to that of the workers, 0 to 19; see nice(2)."""
    problems: Callable[[], Sequence[str]] = tuple
    """Called in the forked process, on another thread than ``run``: what needs attention, in sentences."""
    configure: Callable[[object], None] = lambda _: None
    """Called with ``Plan.helper_config``: in the supervisor for processes that are forked later, and in the process
    that runs, on another thread than ``run``, when it has changed."""

    def main(self, channel: Channel) -> int:
        """Be the process; returns its exit code."""
        with contextlib.suppress(OSError):  # a sandbox may forbid it; then it is only less polite
            os.nice(self.niceness)
        stop = threading.Event()
        threading.Thread(target=self._serve_supervisor, args=(channel, stop), daemon=True).start()
        self.run(stop)
        if not stop.is_set():
            log.error("a helper returned before it was asked to stop", process=self.name)
            return 1
        return 0

    def _serve_supervisor(self, channel: Channel, stop: threading.Event) -> None:
        """Be the thread that answers the supervisor while ``run`` works; ends the process when it fails."""
        try:
            self._answer_messages(channel, stop)
        except ChannelClosedError:
            stop.set()
            threading.Event().wait(ORPHAN_SECONDS)
        except BaseException as error:  # deaf to the supervisor, the process would hang at the next stop
            log.exception("the thread that answers the supervisor failed", process=self.name, error=repr(error))
        os._exit(1)

    def _answer_messages(self, channel: Channel, stop: threading.Event) -> None:
        poll = select.poll()
        channel.send({"type": "ready"})
        beat_at = time.monotonic()
        while True:
            if time.monotonic() >= beat_at and not channel.pending:
                channel.send({"type": "alive"})
                beat_at = time.monotonic() + HEARTBEAT_SECONDS
            poll.register(channel.fileno(), select.POLLIN | (select.POLLOUT if channel.pending else 0))
            poll.poll(None if channel.pending else max(beat_at - time.monotonic(), 0) * 1000)
            channel.flush()
            for message, _ in channel.receive():
                if message["type"] == "stop":
                    stop.set()
                elif message["type"] == "config":
                    self.configure(unpickled(message["config"]))
                elif message["type"] == "ask":
                    channel.send({"type": "state", "state": self._state()})

    def _state(self) -> Message:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "helper": self.name,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "metrics": metrics.snapshot(),
            "problems": list(self.problems()),
        }


def configure(helpers: Iterable[Helper], config: object, children: Children | None = None) -> None:
    """Configure helpers: those that are forked later, and of ``children`` those that run."""
    for helper in helpers:
        helper.configure(config)
        child = children.get(helper.name) if children is not None else None
        if children is not None and child is not None:
            children.send(child, {"type": "config", "config": pickled(config)})


def run_beside(
    work: Callable[[threading.Event], None],
    main: Callable[[threading.Event], None],
    stop: threading.Event,
    break_seconds: float,
) -> None:
    """Run ``main(stop)``, and ``work(stop)`` on a thread beside it, until ``stop`` is set.

    For work that does not check ``stop`` often enough. If ``work`` ends earlier, ``stop`` is set: ``main`` ends too.

    Args:
        work: Breaks off anywhere, ``break_seconds`` after ``main`` has returned.
        main: Runs on this thread.
        stop: Ends both.
        break_seconds: How long ``work`` may still take.

    Raises:
        BaseException: What ``main`` or ``work`` raised.
        RuntimeError: ``work`` returned before it was asked to stop.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work(stop)
            if not stop.is_set():
                raise RuntimeError("the work beside it returned before it was asked to stop")
        except BaseException as error:  # noqa: BLE001 -- raised below
            failures.append(error)
            stop.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    main(stop)
    thread.join(break_seconds)
    if failures:
        raise failures[0]
