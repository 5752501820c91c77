"""The parent process: it holds every socket, so that no worker's death, reload or upgrade costs a connection.

It accepts, keeps a duplicate of each connection, and hands it to the worker with the fewest. When a worker dies, the
next one in its place gets the same journal and the same connections. The supervisor never touches event data and
builds no plugin that runs, so bad data cannot crash it.

What fails is contained where it can be: a message that cannot be handled costs the process that sent it, which is
restarted; a config that cannot be loaded is refused; a connection that cannot be set up is closed. Whatever else fails
is logged with its reason and ends the supervisor with exit code 1: the workers notice and end as well, and systemd,
which holds duplicates of all sockets, starts the next.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import ingestd
from ingestd.logs import get_logger
from ingestd.supervisor.connections.acceptor import UPGRADE_VARIABLE, Acceptor
from ingestd.supervisor.connections.descriptors import raise_limit
from ingestd.supervisor.connections.sockets import Listener
from ingestd.supervisor.control.plan import HTTP, ConfigWatcher, Plan, PlanError, load_plan
from ingestd.supervisor.control.replacement import RollingReplacement
from ingestd.supervisor.control.request_results import RequestResults
from ingestd.supervisor.control.requests import Requests
from ingestd.supervisor.control.upgrade import UpgradeCheck, execute_installed, listen_at_start
from ingestd.supervisor.notify import Notifier
from ingestd.supervisor.processes.channel import Message, pickled
from ingestd.supervisor.processes.children import LOSS_EXIT_CODE, Child, ChildMain, Children, share_memory
from ingestd.supervisor.processes.ending import Ending
from ingestd.supervisor.processes.helpers import Helper, configure
from ingestd.supervisor.processes.signals import SignalSocket
from ingestd.supervisor.processes.stats import StatsGatherer
from ingestd.supervisor.processes.workers import Workers
from ingestd.supervisor.readiness import Readiness
from ingestd.supervisor.state import SIGNALS, Request, SupervisorState
from ingestd.supervisor.status import StatusReporter

log = get_logger(__name__)

_START_SECONDS = 10.0
"""How long a stop tries to start the workers that it needs."""


class Supervisor:
    """Runs until a signal ends it.

    Args:
        plan: What to run first.
        reload: Returns the plan of a new config; raises ValueError with everything that is wrong with it.
        new_id: Makes ids of connections.
        environ: The environment, for systemd's variables and those of an upgrade.
        results: Where the results of requests are noted.
        helpers: Processes to run beside the workers, whatever the plan.
    """

    def __init__(
        self,
        plan: Plan,
        reload: Callable[[], Plan],
        new_id: Callable[[], str],
        environ: Mapping[str, str],
        results: RequestResults,
        helpers: Sequence[Helper] = (),
    ) -> None:
        self._plan, self._load = plan, reload
        self._helpers = {helper.name: helper for helper in helpers}
        configure(helpers, plan.helper_config)
        self._notifier = Notifier(environ)
        self._environ, self._results = environ, results
        self._selector = selectors.DefaultSelector()
        self._acceptor = Acceptor(
            self._selector,
            self._notifier,
            new_id,
            choose_worker=lambda: self._workers.least_loaded(self._plan.workers),
            on_accept=lambda connection: self._workers.hand_over(connection),  # noqa: PLW0108 -- not there yet
            is_behind=lambda: self._workers.all_behind,
        )
        self._children = Children(
            self._selector, self._main_of, self._on_message, self._on_ready, self._on_exit, self._acceptor.close
        )
        self._workers = Workers(self._children, self._acceptor)
        self._ending = Ending(self._children, self._workers, self._helpers, self._notifier, lambda: self._state)
        self._replacement = RollingReplacement(self._children, self._workers, self._ending.ask, self._on_reloaded)
        self._stats = StatsGatherer(
            self._children,
            self._workers,
            self._helpers,
            self._send_http,
            self._describe,
            lambda: self._replacement.absent,
        )
        self._upgrade_check = UpgradeCheck(self._selector, self._on_upgrade_checked)
        self._ticking = (self._children, self._workers, self._acceptor, self._upgrade_check, self._replacement)
        self._state = SupervisorState.RUNNING
        actions = {Request.STOP: self._stop, Request.RELOAD: self._reload, Request.UPGRADE: self._upgrade}
        self._requests = Requests(results, actions, lambda: self._state)
        self._requests.checking_upgrade = lambda: self._upgrade_check.running
        self._upgraded = UPGRADE_VARIABLE in environ
        self._readiness = Readiness(self._children, self._workers, self._on_started)
        self._status = StatusReporter(self._notifier)
        self._children.watchdog_seconds = plan.watchdog_seconds
        self._stopping_since = 0.0
        self._next_heartbeat = 0.0
        self._watcher = ConfigWatcher(plan)
        self._exit_code = 0

    # The event loop

    def run(self) -> int:
        """Run to the end; returns the exit code.

        Raises:
            OSError: An address cannot be listened on.
        """
        raise_limit()
        self._acceptor.adopt(self._environ, self._plan.listeners)
        listen_at_start(self._acceptor, self._plan, upgraded=self._upgraded)
        signals = SignalSocket(SIGNALS)
        self._selector.register(signals, selectors.EVENT_READ, lambda: self._receive_signals(signals))
        try:
            self._loop()
            while self._state is SupervisorState.UPGRADING:
                self._exec(signals)
                self._loop()  # it failed
        except Exception as error:
            log.exception("the supervisor failed and ends", state=self._state.value, error=repr(error))
            return 1
        signals.close()
        log.info("stopped", seconds=round(time.monotonic() - self._stopping_since, 1), exit_code=self._exit_code)
        return self._exit_code

    def _loop(self) -> None:
        share_memory(self._plan.preload)
        for name in self._process_names():
            self._children.start(name)
        while not self._state.final or self._children.running() or self._children.starting:
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._requests.handle()
            for ticking in self._ticking:
                ticking.tick()
            self._readiness.tick(http=self._plan.http_main is not None)
            self._give_up_late_starts()
            self._send_heartbeat()
            if self._state is SupervisorState.RUNNING and self._watcher.changed(time.monotonic()):
                self._reload("a file of the config has changed")

    def _timeout(self) -> float | None:
        planned = [self._readiness.deadline, *(ticking.next_deadline() for ticking in self._ticking)]
        deadlines = [deadline for deadline in planned if deadline is not None]
        if self._notifier.watchdog_seconds:
            deadlines.append(self._next_heartbeat)
        if self._plan.watch:
            deadlines.append(self._watcher.next_check)
        return max(min(deadlines) - time.monotonic(), 0) if deadlines else None

    def _send_heartbeat(self) -> None:
        now = time.monotonic()
        if self._notifier.watchdog_seconds and now >= self._next_heartbeat:
            self._notifier.watchdog()
            self._next_heartbeat = now + self._notifier.watchdog_seconds / 3

    def _receive_signals(self, signals: SignalSocket) -> None:
        for number in signals.receive():
            if number in SIGNALS:
                self._requests.add(SIGNALS[number], number.name)

    # Children

    def _process_names(self) -> list[str]:
        """Return the processes of the plan."""
        self._workers.provide(max(self._plan.workers, self._plan.journals))
        return [*self._workers.names, *([HTTP] if self._plan.http_main else [])]

    def _main_of(self, name: str) -> ChildMain:
        if name in self._helpers:
            return self._helpers[name].main
        if name == HTTP:
            assert self._plan.http_main is not None  # noqa: S101 -- else the name is not in the plan
            return self._plan.http_main
        return partial(self._plan.worker_main, self._workers.number(name))

    def _on_message(self, child: Child, message: Message) -> None:
        match message["type"]:
            case "alive":
                self._status.report(self._state.value, self._plan.workers, self._workers.running())
            case "closed":
                self._acceptor.forget(message["id"])
            case "client":
                self._acceptor.set_client(message["id"], message["client"])
            case "drops":
                self._acceptor.set_drops(message["id"], message["drops"])
            case "ended":
                self._requests.add(Request.STOP, "all inputs have ended")
            case "missed":
                self._workers.missed(message["id"], new=message["new"])
            case "ask":
                self._stats.ask(message["number"])
            case "answer" | "state":
                self._stats.answer(child, message)
            case "reload":  # not here: what fails in it is no fault of the process that asks
                answer = partial(self._send_reloaded, child, message["number"])
                self._requests.add(Request.RELOAD, child.name, answer)

    def _on_ready(self, child: Child) -> None:
        if not child.stopping:
            self._workers.hand_over_all(child)
            if self._state.final:  # started late, for want of room
                self._ending.ask(child)
            else:
                self._replacement.proceed()

    def _on_started(self) -> None:
        """Report that everything works, and start what can wait until then."""
        self._notifier.ready()
        self._report_upgrade()
        if not self._state.final:
            for name in self._helpers:
                self._children.start(name)

    def _on_exit(self, child: Child, code: int) -> None:
        """Start the next process in place of one that has ended, unless the daemon ends."""
        self._stats.gone(child)
        is_worker, kept, closed = child.name in self._workers, 0, 0
        if is_worker:
            kept, closed = self._acceptor.close_unfinished(self._workers.number(child.name))
            self._exit_code |= self._state is SupervisorState.STOPPING and code == LOSS_EXIT_CODE
        match self._state:
            case SupervisorState.STOPPING if is_worker and self._workers.left_unread(
                child, code, kept=self._notifier.present
            ):
                next_child = self._children.start(child.name)
                if next_child is not None:  # else it is asked to end when it is ready
                    self._ending.ask(next_child)
            case SupervisorState.STOPPING | SupervisorState.UPGRADING:
                self._exit_code = self._exit_code or int(is_worker and self._ending.leaves_unread(child, code))
            case SupervisorState.RELOADING if child.stopping:
                self._children.start(child.name)
                self._replacement.started()
            case _ if is_worker:
                text = "a worker ended and is being restarted"
                self._children.restart(child, code, text, connections_kept=kept, connections_closed=closed)
            case _:
                self._children.restart(child, code, "a process ended and is being restarted")

    def _give_up_late_starts(self) -> None:
        """Let a stop end even if the system never has room for the workers that it needs."""
        late = time.monotonic() > self._stopping_since + _START_SECONDS
        if self._state is SupervisorState.STOPPING and self._children.starting and late:
            log.error("the stop ends without some workers: what their connections hold is not read")
            self._children.cancel_starts()
            self._exit_code = 1

    # Messages to the HTTP process

    def _describe(self) -> Message:
        return {
            "workers": self._plan.workers,
            "ending": self._state.value if self._state.final else "",
            "connections": self._acceptor.open_connections,
            "silent": [name for name in self._helpers if self._children.is_silent(name)],
        }

    def _send_reloaded(self, child: Child, number: int, error: str, text: str) -> None:
        """Answer the process that asked; the next one in its place uses the same numbers for other questions."""
        if self._children.get(child.name) is child:
            self._children.send(child, {"type": "reloaded", "number": number, "error": error, "text": text})

    def _send_http(self, message: Message) -> None:
        if (child := self._children.get(HTTP)) is not None:
            self._children.send(child, message)

    # Requests

    def _stop(self, cause: str) -> str:
        """Stop accepting, let the workers drain, end."""
        log.info("stopping", signal=cause)
        self._stopping_since = time.monotonic()
        if self._upgrade_check.running:
            self._upgrade_check.cancel()
            self._refuse_upgrade("the daemon is stopping")
        self._state = SupervisorState.STOPPING
        self._notifier.stopping()
        self._children.cancel_starts()
        self._acceptor.stop()
        for name in self._workers.names:
            if self._children.get(name) is None:
                self._children.start(name)  # its connections hold what was sent while it was not there
        self._ending.ask_all()
        return ""

    def _reload(self, cause: str) -> str:
        """Load the config again; if it is good, start to replace the workers by new ones, one after the other.

        The HTTP process, its sessions and manual actions stay, and so do the helpers.

        Returns what is wrong with it, empty if nothing.
        """
        self._notifier.reloading()
        self._watcher.mark_loaded()
        try:
            plan = load_plan(self._load)
            self._acceptor.listen(plan.listeners, plan.datagrams)
        except (PlanError, OSError) as error:
            log.error("the new config was rejected; the old one stays in force", error=error)
            self._notifier.ready()
            return str(error)
        if plan.http_config != self._plan.http_config:
            self._send_http({"type": "config", "config": pickled(plan.http_config)})
        if plan.helper_config != self._plan.helper_config:
            configure(self._helpers.values(), plan.helper_config, self._children)
        self._plan = self._watcher.plan = plan
        share_memory(self._plan.preload)
        self._children.watchdog_seconds = plan.watchdog_seconds
        log.info("the new config is valid and is being applied", cause=cause)
        if plan.needs_restart:
            text = "some settings have changed that take effect at a restart or an upgrade"
            log.warning(text, settings=", ".join(plan.needs_restart))
        self._state = SupervisorState.RELOADING
        workers = [name for name in self._process_names() if name in self._workers]
        running = [name for name in workers if self._children.get(name) is not None]
        for name in self._process_names():
            if self._children.get(name) is None:  # new, or it failed: the new config may fix it
                self._children.start(name)
        self._replacement.start(running)
        return ""

    def _on_reloaded(self, error: str) -> None:
        if error:
            log.error("the new config is not in force everywhere", error=error)
        else:
            log.info("every process runs the new config")
        self._requests.finish(Request.RELOAD, error=error, text=self._plan.applied)
        self._state = SupervisorState.RUNNING
        self._notifier.ready()
        self._requests.resume(Request.STOP, Request.RELOAD)

    def _upgrade(self, cause: str) -> str:
        """Have the installed code checked; if it is good, it takes over."""
        log.info("checking the installed code before the upgrade", cause=cause)
        try:
            self._upgrade_check.start()
        except OSError as error:
            self._refuse_upgrade(f"its check cannot be started: {error.strerror}")
        return ""

    def _on_upgrade_checked(self, error: str, listeners: Sequence[Listener]) -> None:
        """Hand everything to a new supervisor, in the same process, if it can use what it is going to need."""
        if not error:
            try:
                self._acceptor.listen(listeners)
            except OSError as failure:
                error = str(failure)
        if error:
            self._refuse_upgrade(error)
            self._requests.resume(Request.UPGRADE)
            return
        log.info("upgrading: the daemon restarts in place and keeps its connections")
        self._state = SupervisorState.UPGRADING
        self._requests.answer(
            Request.RELOAD, "an upgrade has started, which also loads the config; try again afterwards"
        )
        self._replacement.cancel()
        self._children.cancel_starts()
        self._ending.ask_all()

    def _refuse_upgrade(self, error: str) -> None:
        log.error("the upgrade is refused; the daemon keeps running as before", error=error)
        self._requests.finish(Request.UPGRADE, error=error)

    def _report_upgrade(self) -> None:
        """Say that the supervisor before has been replaced, if this one was executed in its place."""
        if self._upgraded:
            self._upgraded = False
            connections = self._acceptor.open_connections
            log.info("the upgrade is complete", version=ingestd.__version__, connections=connections)
            text = f"the daemon runs version {ingestd.__version__}; connections kept: {connections}"
            self._results.finish_all(text=text)

    def _exec(self, signals: SignalSocket) -> None:
        """Execute the installed code; if that fails, everything is ready for ``_loop`` to start again."""
        signals.block()  # the next supervisor gets what comes until it can receive signals
        self._receive_signals(signals)
        self._requests.leave_to_next()
        try:
            execute_installed(self._acceptor.for_exec())
        except OSError as error:
            self._refuse_upgrade(f"the new code cannot be executed: {error.strerror}")
            self._results.finish_all(error="it was cancelled for an upgrade, which failed")
            with suppress(OSError):  # an address is taken by now: keep the others
                self._acceptor.listen(self._plan.listeners, self._plan.datagrams)
        self._state = SupervisorState.RUNNING
        self._readiness.reset()
        signals.unblock()
