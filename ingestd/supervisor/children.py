"""The child processes of the supervisor: start them by name, talk with them, start anew what died, kill what hangs."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ingestd.logs import get_logger
from ingestd.supervisor.channel import Channel, ChannelClosedError, Message

log = get_logger(__name__)

HEALTHY_SECONDS = 5.0
"""A process that lived so long was not killed by its start: the next begins at once."""

_LONGEST_PAUSE = 10.0
_PAUSE_AFTER_KILL = 0.2
"""A process that was killed from outside (an operator, the system out of memory) did not fail at its start."""

ChildMain = Callable[[Channel], int]
"""What a child does: it is given its end of the channel, and returns the exit code of its process."""


@dataclass(slots=True)
class Child:
    """A process of ours."""

    name: str
    pid: int
    channel: Channel
    born: float
    ready: bool = False
    stopping: bool = False
    kill_at: float | None = None
    """When it is killed if it has not ended by then."""


@dataclass(slots=True)
class _Place:
    """Where a child runs, and how its predecessors fared."""

    child: Child | None = None
    failures: int = 0
    start_at: float | None = None


def pause_before_next(code: int, lived: float, failures: int) -> float:
    """Return how many seconds to wait before a process is started in place of one that died.

    ``code`` is its exit code, ``lived`` the seconds it lived, ``failures`` how many in a row died young, it
    included.
    """
    if lived >= HEALTHY_SECONDS or failures < 2:
        return 0.0
    pause: float = 0.1 * 2 ** min(failures, 10)
    return min(pause, _PAUSE_AFTER_KILL if code == -signal.SIGKILL else _LONGEST_PAUSE)


class Children:
    """Processes forked from this one, each with a name and a channel.

    Args:
        selector: Where the channels are watched; a ready one's ``data`` is to be called.
        main_of: Returns what the process of a name does; asked at each start, so that the newest plan counts.
        told: Called with each message of a child, but for ``ready``.
        became_ready: Called when a child says that it is.
        ended: Called with a child that has ended and its exit code, negative for a signal.
        let_go: Called in a new process, to close what is the parent's.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        main_of: Callable[[str], ChildMain],
        told: Callable[[Child, Message], None],
        became_ready: Callable[[Child], None],
        ended: Callable[[Child, int], None],
        let_go: Callable[[], None],
    ) -> None:
        self._selector, self._main_of, self._let_go = selector, main_of, let_go
        self._told, self._became_ready, self._ended = told, became_ready, ended
        self._places: dict[str, _Place] = {}

    def get(self, name: str) -> Child | None:
        """Return the process of a name, None if none runs now."""
        place = self._places.get(name)
        return place.child if place is not None else None

    def running(self) -> list[Child]:
        """Return every process that has not ended."""
        return [place.child for place in self._places.values() if place.child is not None]

    def known(self) -> list[str]:
        """Return the names of all that were ever started, in the order of their first start."""
        return list(self._places)

    # Start and end

    def start(self, name: str) -> Child:
        """Fork a process; the name has none now."""
        place = self._places.setdefault(name, _Place())
        place.start_at = None
        ours, theirs = Channel.pair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become(name, ours, theirs)
        theirs.close()
        place.child = Child(name, pid, ours, time.monotonic())
        self._watch(place.child)
        return place.child

    def _become(self, name: str, ours: Channel, theirs: Channel) -> None:
        """Let go of all that is the parent's, do the child's work, and end the process."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            # Signals to the group (a terminal, systemd) are the supervisor's to handle; it tells its children.
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
                signal.signal(number, signal.SIG_IGN)
            self._selector.close()
            self._let_go()
            for child in self.running():
                child.channel.close()
            ours.close()
            code = self._main_of(name)(theirs)
        except BaseException as error:  # noqa: BLE001 -- the end of the process: nothing above may catch it
            log.error("a process of the daemon failed", process=name, error=repr(error))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def start_again(self, child: Child, code: int, sentence: str) -> None:
        """Start a process in place of one that died: at once, or after a pause if several died young."""
        place = self._places[child.name]
        lived = time.monotonic() - child.born
        place.failures = place.failures + 1 if lived < HEALTHY_SECONDS else 1
        pause = pause_before_next(code, lived, place.failures)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        log.error(sentence, process=child.name, ended=how, after_seconds=round(lived, 1), pause_seconds=pause)
        place.start_at = time.monotonic() + pause
        self.tick()

    def stop(self, child: Child, message: Message, seconds: float | None = None) -> None:
        """Tell a process to end; after ``seconds`` it is killed, unless that is None."""
        child.stopping = True
        if seconds is not None:
            child.kill_at = time.monotonic() + seconds
        self.send(child, message)

    def start_none(self) -> None:
        """Give up all starts that wait for their time."""
        for place in self._places.values():
            place.start_at = None

    def tick(self) -> None:
        """Start and kill what is due."""
        now = time.monotonic()
        for name, place in list(self._places.items()):
            child = place.child
            if child is None:
                if place.start_at is not None and place.start_at <= now:
                    self.start(name)
            elif child.kill_at is not None and child.kill_at <= now:
                child.kill_at = None
                log.warning("a process did not end in time and is killed", process=name)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)

    def next_moment(self) -> float | None:
        """Return when ``tick`` is to be called next, on the monotonic clock; None: not of its own."""
        starts = (place.start_at for place in self._places.values())
        kills = (child.kill_at for child in self.running())
        return min((moment for moment in (*starts, *kills) if moment is not None), default=None)

    # Messages

    def send(self, child: Child, message: Message, fd: int | None = None) -> None:
        """Send a message to a process; it does not wait."""
        child.channel.send(message, fd)
        self._watch(child)

    def send_all(self, children: Iterable[Child], message: Message) -> None:
        """Send a message to several processes."""
        for child in children:
            self.send(child, message)

    def _watch(self, child: Child) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.channel.pending else 0)
        if child.channel.fileno() in self._selector.get_map():
            self._selector.modify(child.channel, events, lambda: self._talk(child))
        else:
            self._selector.register(child.channel, events, lambda: self._talk(child))

    def _talk(self, child: Child) -> None:
        child.channel.flush()
        try:
            messages = child.channel.receive()
        except ChannelClosedError:  # a child closes its end only by ending
            self._bury(child)
            return
        for message, fd in messages:
            if fd is not None:
                os.close(fd)
            if message["type"] == "ready":
                child.ready = True
                self._became_ready(child)
            else:
                self._told(child, message)
        self._watch(child)

    def _bury(self, child: Child) -> None:
        self._selector.unregister(child.channel)
        child.channel.close()
        _, status = os.waitpid(child.pid, 0)
        self._places[child.name].child = None
        self._ended(child, os.waitstatus_to_exitcode(status))
