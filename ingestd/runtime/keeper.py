"""The parent process: it holds every socket, so that no worker's death, reload or upgrade costs a connection.

It accepts, keeps a duplicate of each connection, and hands it to the worker with the fewest. When a worker
dies, the next one in its place gets the same journal and the same connections. The keeper does nothing that
could fail on account of data: no config is built, no event decoded, nothing waited for.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ingestd.logs import get_logger
from ingestd.runtime.acceptor import UPGRADE_VARIABLE, Acceptor
from ingestd.runtime.channel import Channel, ChannelClosedError, Message
from ingestd.runtime.notify import Notifier
from ingestd.runtime.questions import Questions
from ingestd.runtime.sockets import Connection, Listener

log = get_logger(__name__)

_HEALTHY_SECONDS = 5.0
"""A worker that lived so long was not killed by its start: the next begins at once."""

_LOOK_SECONDS = 1.0
"""How often the files of the config are looked at, if they are watched."""

_LONGEST_PAUSE = 10.0
_PAUSE_AFTER_KILL = 0.2
"""A worker that was killed from outside (an operator, the system out of memory) did not fail at its start."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)

_HTTP = -1
"""The number of the HTTP process among the workers'."""

ChildMain = Callable[[Channel], int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: ``listeners`` of all pipelines, and what a worker and the HTTP process do."""

    listeners: tuple[Listener, ...]
    workers: int
    journals: int
    """Workers that left a journal: so many are started, even if fewer get connections."""
    worker_main: Callable[[int, Channel], int]
    http_main: ChildMain | None
    fingerprint: Callable[[], object] = lambda: None
    """Changes when a file of the config does."""
    watch: bool = False
    """Whether to load the config again when it changes."""


@dataclass(slots=True)
class _Child:
    """A process of ours. ``number`` is the worker's, -1 for HTTP."""

    number: int
    pid: int
    channel: Channel
    born: float
    ready: bool = False
    stopping: bool = False


@dataclass(slots=True)
class _Place:
    """Where a child runs, and how its predecessors fared."""

    child: _Child | None = None
    failures: int = 0
    start_at: float | None = None
    last: bool = False
    """Whether the child was started during a stop, in place of one that was killed."""


class Keeper:
    """Runs until a signal ends it.

    Args:
        plan: What to run first.
        reload: Returns the plan of a new config; raises ValueError with everything that is wrong with it.
        new_id: Makes ids of connections.
        environ: The environment, for systemd's variables and those of an upgrade.
    """

    def __init__(
        self,
        plan: Plan,
        reload: Callable[[], Plan],
        new_id: Callable[[], str],
        environ: Mapping[str, str],
    ) -> None:
        self._plan, self._reload = plan, reload
        self._notifier = Notifier(environ)
        self._environ = environ
        self._selector = selectors.DefaultSelector()
        self._acceptor = Acceptor(self._selector, self._notifier, new_id, self._least_loaded, self._hand_over)
        self._connections = self._acceptor.connections
        self._places: dict[int, _Place] = {}
        self._questions = Questions(self._all_answered)
        self._ending = ""  # "stop" or "upgrade"
        self._stop_later = ""  # the signal that came while workers were being replaced
        self._reloading: list[int] = []  # workers that still run the old config
        self._was_ready = False
        self._next_beat = self._next_look = 0.0
        self._seen = self._changed = plan.fingerprint()
        self._code = 0

    # Life

    def run(self) -> int:
        """Run to the end; returns the exit code.

        Raises:
            OSError: An address cannot be listened on.
        """
        _raise_descriptor_limit()
        self._acceptor.adopt(self._environ, self._plan.listeners)
        self._acceptor.listen(self._plan.listeners)
        signals = self._catch_signals()
        for number in self._numbers():
            self._start(number)
        while not (self._ending and not any(place.child for place in self._places.values())):
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._start_due()
            self._beat()
            self._look()
        if self._ending == "upgrade":
            self._exec(signals)
        signals.close()
        return self._code

    def _numbers(self) -> list[int]:
        places = [one.worker + 1 for one in self._connections.values()]
        workers = max([self._plan.workers, self._plan.journals, *places])
        return [*range(workers), *([_HTTP] if self._plan.http_main else [])]

    def _timeout(self) -> float | None:
        moments = [place.start_at for place in self._places.values() if place.start_at is not None]
        if self._notifier.watchdog_seconds:
            moments.append(self._next_beat)
        if self._plan.watch:
            moments.append(self._next_look)
        return max(min(moments) - time.monotonic(), 0) if moments else None

    def _beat(self) -> None:
        now = time.monotonic()
        if self._notifier.watchdog_seconds and now >= self._next_beat:
            self._notifier.watchdog()
            self._next_beat = now + self._notifier.watchdog_seconds / 3

    def _look(self) -> None:
        """Load the config again if a file of it has changed, and has not changed any more for one look."""
        now = time.monotonic()
        if not self._plan.watch or now < self._next_look or self._ending:
            return
        self._next_look = now + _LOOK_SECONDS
        found = self._plan.fingerprint()
        if found != self._seen and found == self._changed:
            self.reload()
        self._changed = found

    def _catch_signals(self) -> socket.socket:
        """Let signals arrive as bytes on a socket, so that they wait their turn."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)

        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)  # see _exec
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._take_signals(ours))
        self._signal_end = theirs
        return ours

    def _take_signals(self, signals: socket.socket) -> None:
        for number in signals.recv(64):
            self._signalled(signal.Signals(number))

    def _signalled(self, number: signal.Signals) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self.stop(number.name)
        elif number == signal.SIGHUP:
            self.reload()
        elif number == signal.SIGUSR2:
            self.upgrade()

    # Connections

    def _least_loaded(self) -> int:
        return min(range(self._plan.workers), key=lambda number: self._acceptor.loads[number])

    def _hand_over(self, connection: Connection) -> None:
        """Give a connection to its worker, if that one takes any now; else it gets it when it is ready."""
        place = self._places.get(connection.worker)
        child = place.child if place else None
        if child is not None and child.ready and not child.stopping:
            self._send(child, connection.message(), connection.sock.fileno())

    def _hand_over_all(self, child: _Child) -> None:
        for connection in self._connections.values():
            if connection.worker == child.number:
                self._send(child, connection.message(), connection.sock.fileno())

    # Children

    def _start(self, number: int) -> _Child:
        place = self._places.setdefault(number, _Place())
        place.start_at = None
        ours, theirs = Channel.pair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become_child(number, ours, theirs)
        theirs.close()
        place.child = _Child(number, pid, ours, time.monotonic())
        self._watch_channel(place.child)
        return place.child

    def _become_child(self, number: int, ours: Channel, theirs: Channel) -> None:
        """Let go of all that is the keeper's, do the child's work, and end the process."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            # Signals to the group (a terminal, systemd) are the keeper's to handle; it tells its children.
            for name in _SIGNALS:
                signal.signal(name, signal.SIG_IGN)
            self._selector.close()
            self._acceptor.close()
            for place in self._places.values():
                if place.child is not None:
                    place.child.channel.close()
            ours.close()
            main = self._plan.http_main
            code = self._plan.worker_main(number, theirs) if number >= 0 or main is None else main(theirs)
        except BaseException as error:  # noqa: BLE001 -- the end of the process: nothing above may catch it
            log.error("a process of the daemon failed", process=_name(number), error=error)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _children(self) -> list[_Child]:
        return [place.child for place in self._places.values() if place.child is not None]

    def _send(self, child: _Child, message: Message, fd: int | None = None) -> None:
        child.channel.send(message, fd)
        self._watch_channel(child)

    def _watch_channel(self, child: _Child) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.channel.pending else 0)
        if child.channel.fileno() in self._selector.get_map():
            self._selector.modify(child.channel, events, lambda: self._talk(child))
        else:
            self._selector.register(child.channel, events, lambda: self._talk(child))

    def _talk(self, child: _Child) -> None:
        child.channel.flush()
        try:
            messages = child.channel.receive()
        except ChannelClosedError:  # a child closes its end only by ending
            self._ended(child)
            return
        for message, fd in messages:
            if fd is not None:
                os.close(fd)
            self._told(child, message)
        self._watch_channel(child)

    def _told(self, child: _Child, message: Message) -> None:
        match message["type"]:
            case "ready":
                self._child_ready(child)
            case "closed":
                self._acceptor.forget(message["id"])
            case "ask":
                self._ask(message["number"])
            case "answer":
                self._questions.answer(child.number, message["number"], message["state"])
            case "reload":
                self._tell_http({"type": "reloaded", "number": message["number"], "error": self.reload()})

    def _child_ready(self, child: _Child) -> None:
        child.ready = True
        if not child.stopping:
            self._hand_over_all(child)
        workers = [self._places[number].child for number in self._places if number >= 0]
        if not self._was_ready and all(one is not None and one.ready for one in workers):
            self._was_ready = True
            self._notifier.ready()

    def _ended(self, child: _Child) -> None:
        """A child has ended: start the next in its place, or end."""
        self._selector.unregister(child.channel)
        child.channel.close()
        _, status = os.waitpid(child.pid, 0)
        place = self._places[child.number]
        place.child = None
        code = os.waitstatus_to_exitcode(status)
        self._questions.gone(child.number)
        if self._ending == "stop" and code and not place.last:  # killed before it had read everything
            place.last = True
            self._tell_end(self._start(child.number))
            return
        if self._ending:
            self._code = self._code or (code if child.number >= 0 and not child.stopping else 0)
            return
        if child.stopping:
            self._next_of_reload(child.number)
            return
        self._replace(child, place, code)

    def _replace(self, child: _Child, place: _Place, code: int) -> None:
        lived = time.monotonic() - child.born
        place.failures = place.failures + 1 if lived < _HEALTHY_SECONDS else 1
        pause = 0.0 if lived >= _HEALTHY_SECONDS or place.failures < 2 else 0.1 * 2 ** min(place.failures, 10)
        pause = min(pause, _PAUSE_AFTER_KILL if code == -signal.SIGKILL else _LONGEST_PAUSE)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        text = "a process ended and is started again; its connections are kept"
        log.error(text, process=_name(child.number), ended=how, after_seconds=round(lived, 1), pause_seconds=pause)
        place.start_at = time.monotonic() + pause
        self._start_due()

    def _start_due(self) -> None:
        now = time.monotonic()
        for number, place in list(self._places.items()):
            if place.start_at is not None and place.start_at <= now and place.child is None and not self._ending:
                self._start(number)

    # Questions of the HTTP process

    def _ask(self, number: int) -> None:
        asked = [one for one in self._children() if one.number >= 0 and one.ready and not one.stopping]
        for child in asked:
            self._send(child, {"type": "ask", "number": number})
        self._questions.ask(number, [child.number for child in asked])

    def _all_answered(self, number: int, states: list[Message]) -> None:
        self._tell_http(
            {
                "type": "states",
                "number": number,
                "states": states,
                "workers": self._plan.workers,
                "ending": self._ending,
                "connections": len(self._connections),
            }
        )

    def _tell_http(self, message: Message) -> None:
        place = self._places.get(_HTTP)
        if place is not None and place.child is not None:
            self._send(place.child, message)

    # Orders

    def stop(self, why: str) -> None:
        """Stop accepting, let the workers drain, end.

        Workers that leave to make way for others do not drain: then those others come first.
        """
        if self._ending == "stop":
            return
        if self._ending or any(place.child is not None and place.child.stopping for place in self._places.values()):
            self._stop_later = why
            return
        log.info("stopping", signal=why)
        self._ending = "stop"
        self._notifier.stopping()
        self._acceptor.stop()
        for number, place in self._places.items():
            if place.child is None:
                self._start(number)  # its connections hold what was sent while it was not there
        self._tell_all()

    def _tell_all(self) -> None:
        for place in self._places.values():
            place.start_at = None
            if place.child is not None:
                self._tell_end(place.child)

    def _tell_end(self, child: _Child) -> None:
        if self._ending == "upgrade":
            mode = "handover"
        else:  # systemd may keep the connections for the next start: half a line is then best left in them
            mode = "leave" if self._notifier.present else "drain"
            if not child.ready:
                self._hand_over_all(child)
        child.stopping = True
        self._send(child, {"type": "stop", "mode": mode})

    def reload(self) -> str:
        """Load the config again; if it is good, replace the workers by new ones, one after the other.

        Returns what is wrong with it, empty if nothing.
        """
        if self._ending or self._reloading:
            return "the daemon is stopping, or is loading a config already"
        self._notifier.reloading()
        self._seen = self._plan.fingerprint()
        try:
            plan = self._reload()
            self._acceptor.listen(plan.listeners)
        except (ValueError, OSError) as error:
            log.error("the new config is refused, the old one goes on", error=error)
            self._notifier.ready()
            return str(error)
        self._plan = plan
        log.info("the new config is good and replaces the old one")
        self._reloading = [number for number, place in self._places.items() if place.child is not None]
        for number in self._numbers():
            if number not in self._places:
                self._start(number)
        self._next_of_reload(None)
        return ""

    def _next_of_reload(self, done: int | None) -> None:
        if done is not None:
            self._start(done)
        if not self._reloading:
            log.info("every process runs the new config")
            self._notifier.ready()
            if self._stop_later:
                self.stop(self._stop_later)
            return
        child = self._places[self._reloading.pop(0)].child
        if child is None:
            self._next_of_reload(None)
            return
        child.stopping = True
        self._send(child, {"type": "stop", "mode": "handover"})

    def upgrade(self) -> None:
        """Hand everything to a new keeper: the same process, the code that is installed now."""
        if self._ending:
            return
        try:
            self._reload()  # a config that is wrong by now would end the new keeper, and the connections with it
        except ValueError as error:
            log.error("the upgrade is refused, for the config is wrong", error=error)
            return
        log.info("upgrading: the daemon starts anew and keeps its connections")
        self._ending = "upgrade"
        self._tell_all()

    def _exec(self, signals: socket.socket) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # the next keeper gets what comes until it can hear
        with contextlib.suppress(BlockingIOError):
            self._take_signals(signals)
        if self._stop_later:
            os.kill(os.getpid(), signal.SIGTERM)
        signal.set_wakeup_fd(-1)
        environ = {**os.environ, UPGRADE_VARIABLE: self._acceptor.for_exec()}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ)  # noqa: S606 -- that is what it is for


def _raise_descriptor_limit() -> None:
    """Allow as many connections as the system lets us; the usual soft limit of 1,024 is for select(2)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _name(number: int) -> str:
    return f"worker {number}" if number >= 0 else "http"
