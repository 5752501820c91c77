"""What the supervisor runs, how a new plan is loaded, and when the files of the config have changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingestd.logs import get_logger
from ingestd.supervisor.connections.datagrams import DatagramListener
from ingestd.supervisor.connections.sockets import Listener
from ingestd.supervisor.processes.channel import Channel
from ingestd.supervisor.processes.children import ChildMain

log = get_logger(__name__)

HTTP = "http"
"""The process that serves the dashboard, metrics and health."""

_CHECK_SECONDS = 1.0
"""How often the files of the config are checked, if they are watched."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: ``listeners`` of all pipelines, and what a worker and the HTTP process do."""

    listeners: tuple[Listener, ...]
    workers: int
    journals: int
    """How many workers have left a journal: as many are started, even if fewer are to get connections."""
    worker_main: Callable[[int, Channel], int]
    http_main: ChildMain | None
    fingerprint: Callable[[], object] = lambda: None
    """Changes when a file of the config does."""
    watchdog_seconds: float = 0.0
    """How long the event loop of a process may stand still before it is killed; 0: forever."""
    watch: bool = False
    """Whether to load the config again when it changes."""
    http_config: object = None
    """What the HTTP process shows; another one is sent to it, pickled."""
    helper_config: object = None
    """What helpers are configured with; another one is sent to them, pickled."""
    needs_restart: tuple[str, ...] = ()
    """Settings that have changed, but not for this plan: they take effect at a restart or an upgrade."""
    preload: Callable[[], None] = lambda: None
    """Imports what the processes share: called once the listeners are there, before processes are forked."""

    datagrams: tuple[DatagramListener, ...] = ()
    """The sockets for datagrams of all pipelines."""

    @property
    def applied(self) -> str:
        """What is said when every process runs it."""
        text, names = "every process runs the new config", ", ".join(self.needs_restart)
        return f"{text}; these settings take effect with ingestd upgrade or a restart: {names}" if names else text


class PlanError(Exception):
    """A new plan cannot be used; the text says everything that is wrong with it."""


def load_plan(load: Callable[[], Plan]) -> Plan:
    """Return the plan of the config as it is now.

    Raises:
        PlanError: The config is wrong, or a defect of ours keeps it from being loaded; the latter is logged with its
            traceback. Either way the daemon can continue with the plan that it has.
    """
    try:
        return load()
    except (ValueError, OSError) as error:
        raise PlanError(str(error)) from error
    except Exception as error:
        log.exception("loading the config failed", error=repr(error))
        raise PlanError(f"loading the config failed: {error!r}") from error


class ConfigWatcher:
    """Finds out that files of the config have changed, and that nobody is writing them any more."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.next_check = 0.0
        """On the monotonic clock."""
        self._loaded: object = None
        self._loaded = self._last = self._fingerprint()

    def mark_loaded(self) -> None:
        """Note that the files are being loaded as they are now."""
        self._loaded = self._fingerprint()

    def changed(self, now: float) -> bool:
        """Return whether a file has changed since it was loaded, and not since the last check, a second ago."""
        if not self.plan.watch or now < self.next_check:
            return False
        self.next_check = now + _CHECK_SECONDS
        found = self._fingerprint()
        changed = found != self._loaded and found == self._last
        self._last = found
        return changed

    def _fingerprint(self) -> object:
        try:
            return self.plan.fingerprint()
        except OSError as error:  # replaced while we looked, or not readable for us
            log.warning("the files of the config cannot be checked for changes", error=error)
            return self._loaded
