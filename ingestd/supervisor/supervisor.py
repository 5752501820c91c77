"""The parent process: it holds every socket, so that no worker's death, reload or upgrade costs a connection.

It accepts, keeps a duplicate of each connection, and hands it to the worker with the fewest. When a worker
dies, the next one in its place gets the same journal and the same connections. The supervisor does nothing that
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ingestd.logs import get_logger
from ingestd.supervisor.acceptor import UPGRADE_VARIABLE, Acceptor
from ingestd.supervisor.channel import Channel, Message
from ingestd.supervisor.children import Child, ChildMain, Children
from ingestd.supervisor.helpers import Helper
from ingestd.supervisor.notify import Notifier
from ingestd.supervisor.sockets import Connection, Listener
from ingestd.supervisor.stats import StatsGatherer

log = get_logger(__name__)

_LOOK_SECONDS = 1.0
"""How often the files of the config are looked at, if they are watched."""

_HTTP_SECONDS = 5.0
"""How long the HTTP process may take to end; a page that is being sent must not hold up a stop."""

_UPGRADE_SECONDS = 1.0
"""How long an upgrade waits for processes that are no workers: nobody reads the connections meanwhile."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)

_HTTP = "http"


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


def _worker(number: int) -> str:
    return f"worker {number}"


class Supervisor:
    """Runs until a signal ends it.

    Args:
        plan: What to run first.
        reload: Returns the plan of a new config; raises ValueError with everything that is wrong with it.
        new_id: Makes ids of connections.
        environ: The environment, for systemd's variables and those of an upgrade.
        helpers: Processes to run beside the workers, whatever the plan.
    """

    def __init__(
        self,
        plan: Plan,
        reload: Callable[[], Plan],
        new_id: Callable[[], str],
        environ: Mapping[str, str],
        helpers: Sequence[Helper] = (),
    ) -> None:
        self._plan, self._reload = plan, reload
        self._helpers = {helper.name: helper for helper in helpers}
        self._notifier = Notifier(environ)
        self._environ = environ
        self._selector = selectors.DefaultSelector()
        self._acceptor = Acceptor(self._selector, self._notifier, new_id, self._least_loaded, self._hand_over)
        self._connections = self._acceptor.connections
        self._children = Children(
            self._selector, self._main_of, self._told, self._child_ready, self._ended, self._acceptor.close
        )
        self._numbers: dict[str, int] = {}  # of the workers, by name
        self._questions = StatsGatherer(self._all_answered)
        self._states: dict[str, Message] = {}  # what each helper said last
        self._ending = ""  # "stop" or "upgrade"
        self._stop_later = ""  # the signal that came while workers were being replaced
        self._reloading: list[str] = []  # processes that still run the old config
        self._last: set[str] = set()  # workers started during a stop, in place of one that was killed
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
        for name in self._names():
            self._children.start(name)
        while not (self._ending and not self._children.running()):
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._children.tick()
            self._beat()
            self._look()
        if self._ending == "upgrade":
            self._exec(signals)
        signals.close()
        return self._code

    def _names(self) -> list[str]:
        """Return the processes of the plan."""
        places = [one.worker + 1 for one in self._connections.values()]
        workers = max([self._plan.workers, self._plan.journals, *places])
        self._numbers |= {_worker(number): number for number in range(workers)}
        return [*self._numbers, *([_HTTP] if self._plan.http_main else [])]

    def _main_of(self, name: str) -> ChildMain:
        if name in self._helpers:
            return self._helpers[name].main
        if name == _HTTP:
            assert self._plan.http_main is not None  # noqa: S101 -- else the name is not in the plan
            return self._plan.http_main
        return partial(self._plan.worker_main, self._numbers[name])

    def _timeout(self) -> float | None:
        due = self._children.next_moment()
        moments = [due] if due is not None else []
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
        child = self._children.get(_worker(connection.worker))
        if child is not None and child.ready and not child.stopping:
            self._children.send(child, connection.message(), connection.sock.fileno())

    def _hand_over_all(self, child: Child) -> None:
        number = self._numbers.get(child.name)
        for connection in self._connections.values():
            if connection.worker == number:
                self._children.send(child, connection.message(), connection.sock.fileno())

    # Children

    def _workers(self) -> list[Child | None]:
        return [self._children.get(name) for name in self._numbers]

    def _told(self, child: Child, message: Message) -> None:
        match message["type"]:
            case "closed":
                self._acceptor.forget(message["id"])
            case "ask":
                self._ask(message["number"])
            case "answer":
                self._questions.answer(child.name, message["number"], message["state"])
            case "state":
                self._states[child.name] = message["state"]
            case "reload":
                self._tell_http({"type": "reloaded", "number": message["number"], "error": self.reload()})

    def _child_ready(self, child: Child) -> None:
        if not child.stopping:
            self._hand_over_all(child)
        if not self._was_ready and all(one is not None and one.ready for one in self._workers()):
            self._was_ready = True
            self._notifier.ready()
            if not self._ending:
                for name in self._helpers:
                    self._children.start(name)

    def _ended(self, child: Child, code: int) -> None:
        """A child has ended: start the next in its place, or end."""
        self._questions.gone(child.name)
        worker = child.name in self._numbers
        if self._ending == "stop" and worker and code and child.name not in self._last:
            self._last.add(child.name)  # killed before it had read everything
            self._tell_end(self._children.start(child.name))
        elif self._ending:
            self._code = self._code or (code if worker and not child.stopping else 0)
        elif child.stopping:
            self._next_of_reload(child.name)
        elif worker:
            text = "a process ended and is started again; its connections are kept"
            self._children.start_again(child, code, text)
        else:
            self._states.pop(child.name, None)
            self._children.start_again(child, code, "a process ended and is started again")

    # StatsGatherer of the HTTP process

    def _ask(self, number: int) -> None:
        asked = [one for one in self._workers() if one is not None and one.ready and not one.stopping]
        self._children.send_all(asked, {"type": "ask", "number": number})
        helpers = [one for name in self._helpers if (one := self._children.get(name)) is not None]
        self._children.send_all(helpers, {"type": "ask"})  # answered when it suits them; nobody waits
        self._questions.ask(number, [child.name for child in asked])

    def _all_answered(self, number: int, states: list[Message]) -> None:
        self._tell_http(
            {
                "type": "states",
                "number": number,
                "states": states,
                "helpers": list(self._states.values()),
                "workers": self._plan.workers,
                "ending": self._ending,
                "connections": len(self._connections),
            }
        )

    def _tell_http(self, message: Message) -> None:
        child = self._children.get(_HTTP)
        if child is not None:
            self._children.send(child, message)

    # Orders

    def stop(self, why: str) -> None:
        """Stop accepting, let the workers drain, end.

        Workers that leave to make way for others do not drain: then those others come first.
        """
        if self._ending == "stop":
            return
        if self._ending or any(child.stopping for child in self._children.running()):
            self._stop_later = why
            return
        log.info("stopping", signal=why)
        self._ending = "stop"
        self._notifier.stopping()
        self._acceptor.stop()
        for name in self._numbers:
            if self._children.get(name) is None:
                self._children.start(name)  # its connections hold what was sent while it was not there
        self._tell_all()

    def _tell_all(self) -> None:
        self._children.start_none()
        for child in self._children.running():
            self._tell_end(child)

    def _tell_end(self, child: Child) -> None:
        if self._ending == "upgrade":
            mode = "handover"
        else:  # systemd may keep the connections for the next start: half a line is then best left in them
            mode = "leave" if self._notifier.present else "drain"
            if not child.ready:
                self._hand_over_all(child)
        self._children.stop(child, {"type": "stop", "mode": mode}, self._patience(child))

    def _patience(self, child: Child) -> float | None:
        """Return the seconds that a process may take to end; None: a worker knows by itself when it is time."""
        if child.name in self._numbers:
            return None
        helper = self._helpers.get(child.name)
        seconds = helper.stop_seconds if helper is not None else _HTTP_SECONDS
        return min(seconds, _UPGRADE_SECONDS) if self._ending == "upgrade" else seconds

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
        self._reloading = [name for name in self._names() if self._children.get(name) is not None]
        for name in set(self._names()).difference(self._children.known()):
            self._children.start(name)
        self._next_of_reload(None)
        return ""

    def _next_of_reload(self, done: str | None) -> None:
        if done is not None:
            self._children.start(done)
        if not self._reloading:
            log.info("every process runs the new config")
            self._notifier.ready()
            if self._stop_later:
                self.stop(self._stop_later)
            return
        child = self._children.get(self._reloading.pop(0))
        if child is None:
            self._next_of_reload(None)
            return
        self._children.stop(child, {"type": "stop", "mode": "handover"}, self._patience(child))

    def upgrade(self) -> None:
        """Hand everything to a new supervisor: the same process, the code that is installed now."""
        if self._ending:
            return
        try:
            self._reload()  # a config that is wrong by now would end the new supervisor, and the connections with it
        except ValueError as error:
            log.error("the upgrade is refused, for the config is wrong", error=error)
            return
        log.info("upgrading: the daemon starts anew and keeps its connections")
        self._ending = "upgrade"
        self._tell_all()

    def _exec(self, signals: socket.socket) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # the next supervisor gets what comes until it can hear
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
