"""The child processes of the supervisor: start them by name, talk with them, restart what died, kill what hangs."""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ingestd.logs import get_logger
from ingestd.supervisor.processes.channel import Channel, ChannelClosedError, Message

log = get_logger(__name__)

HEALTHY_SECONDS = 5.0
"""A process that lived this long did not fail at its start: the next one is started at once."""

_LONGEST_PAUSE = 10.0
_PAUSE_AFTER_KILL = 0.2
"""A process that was killed from outside (an operator, the system out of memory) did not fail at its start."""

HEARTBEAT_SECONDS = 2.0
"""How often a process sends a message of the type ``alive``: from its event loop, or from a thread if it has none."""

_SILENT_SECONDS = 2.5 * HEARTBEAT_SECONDS
"""A process that sends none for this long does not answer."""

_START_FACTOR = 5
"""So much longer a process may take to start: a large journal is read, and slow libraries are imported."""

_STALL_PAUSE = 0.05
"""How long to wait before descriptors are sent again, when too many are on their way."""

_FORK_PAUSE = 1.0
"""When the system has no room for a process, try again after this many seconds."""

ChildMain = Callable[[Channel], int]
"""What a child does: it is given its end of the channel, and returns the exit code of its process."""

LOSS_EXIT_CODE = os.EX_IOERR
"""Of a worker that has ended as it was asked to, and had to give up something that it had received."""


@dataclass(slots=True)
class Child:
    """A process of ours."""

    name: str
    pid: int
    channel: Channel
    started_at: float
    ready: bool = False
    stopping: bool = False
    kill_at: float | None = None
    """When it is killed if it has not ended by then."""
    killed: bool = False
    """Whether it was killed because it hangs."""
    heard_at: float | None = None
    """When its last heartbeat came; None: it sends none (yet)."""
    report: Message | None = None
    """That heartbeat."""
    flush_at: float | None = None
    """When to send again what waits in a channel that is stalled."""


@dataclass(slots=True)
class _Slot:
    """The process of one name, and how its predecessors fared."""

    child: Child | None = None
    failures: int = 0
    start_at: float | None = None


def pause_before_next(code: int, lived: float, failures: int) -> float:
    """Return how many seconds to wait before a process is started in place of one that died.

    ``code`` is its exit code, ``lived`` the seconds it lived, ``failures`` how many in a row died young, including
    this one.
    """
    if lived >= HEALTHY_SECONDS or failures < 2:
        return 0.0
    pause: float = 0.1 * 2 ** min(failures, 10)
    return min(pause, _PAUSE_AFTER_KILL if code == -signal.SIGKILL else _LONGEST_PAUSE)


def share_memory(preload: Callable[[], None]) -> None:
    """Prepare for forks: what exists then stays shared with the children, as their garbage collectors leave it alone.

    ``preload`` imports what several of them need. If that fails, each of them fails with the reason when it needs it.
    """
    try:
        preload()
    except Exception as error:  # noqa: BLE001 -- it must not end the supervisor, which needs none of it
        log.warning("what the processes share cannot be imported before they are forked", error=repr(error))
    if gc.get_freeze_count():  # what an earlier plan left is freed
        gc.unfreeze()
        gc.collect()
    gc.freeze()


class Children:
    """Processes forked from this one, each with a name and a channel.

    A child whose message cannot be handled, because the child or a callback is at fault, is killed and thereby
    restarted: that clears the state that was wrong, and its sockets and journal outlive it.

    Args:
        selector: Where the channels are watched; the ``data`` of a ready one is to be called.
        main_of: Returns what the process of a name does; called at each start, so that the newest plan counts.
        on_message: Called with each message of a child except ``ready``.
        on_ready: Called when a child says that it is ready.
        on_exit: Called with a child that has ended and its exit code, negative for a signal.
        close_inherited: Called in a new process, to close what belongs to the parent.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        main_of: Callable[[str], ChildMain],
        on_message: Callable[[Child, Message], None],
        on_ready: Callable[[Child], None],
        on_exit: Callable[[Child, int], None],
        close_inherited: Callable[[], None],
    ) -> None:
        self._selector, self._main_of, self._close_inherited = selector, main_of, close_inherited
        self._on_message, self._on_ready, self._on_exit = on_message, on_ready, on_exit
        self._slots: dict[str, _Slot] = {}
        self.watchdog_seconds = 0.0
        """How long after its last heartbeat a process is killed; 0: never."""
        self._ticked_at = time.monotonic()

    def get(self, name: str) -> Child | None:
        """Return the process of a name, None if none runs now."""
        slot = self._slots.get(name)
        return slot.child if slot is not None else None

    def is_silent(self, name: str) -> bool:
        """Return whether a process of a name was started and does not run now, or has missed its heartbeats."""
        child = self.get(name)
        if child is None:
            return name in self._slots
        return child.heard_at is not None and time.monotonic() - child.heard_at > _SILENT_SECONDS

    def running(self) -> list[Child]:
        """Return every process that has not ended."""
        return [slot.child for slot in self._slots.values() if slot.child is not None]

    def names(self) -> list[str]:
        """Return the names of all that were ever started, in the order of their first start."""
        return list(self._slots)

    # Start and end

    def start(self, name: str) -> Child | None:
        """Fork a process; none of this name runs now.

        Returns None if the system has no room for it: then ``tick`` tries again.
        """
        slot = self._slots.setdefault(name, _Slot())
        slot.start_at = None
        try:
            slot.child = self._fork(name)
        except OSError as error:
            log.error("a process cannot be started; it is tried again", process=name, error=error.strerror)
            slot.start_at = time.monotonic() + _FORK_PAUSE
            return None
        self._watch(slot.child)
        return slot.child

    def _fork(self, name: str) -> Child:
        ours, theirs = Channel.pair()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            self._run_child(name, ours, theirs)
        theirs.close()
        return Child(name, pid, ours, time.monotonic())

    def _run_child(self, name: str, ours: Channel, theirs: Channel) -> None:
        """Close all that is the parent's, do the child's work, and end the process."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            # Signals to the process group (from a terminal, from systemd) are the supervisor's to handle.
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
                signal.signal(number, signal.SIG_IGN)
            self._selector.close()
            self._close_inherited()
            for child in self.running():
                child.channel.close()
            ours.close()
            code = self._main_of(name)(theirs)
        except OSError as error:  # an input or output cannot be opened: the text says all
            log.error("a process of the daemon failed", process=name, error=repr(error))
        except BaseException as error:  # the end of the process: nothing above may catch it
            log.exception("a process of the daemon failed", process=name, error=repr(error))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def restart(self, child: Child, code: int, sentence: str, **details: int) -> None:
        """Start a process in place of one that died: at once, or after a pause if several died young.

        ``sentence`` and ``details`` are logged.
        """
        slot = self._slots[child.name]
        lived = time.monotonic() - child.started_at
        slot.failures = slot.failures + 1 if lived < HEALTHY_SECONDS else 1
        pause = pause_before_next(code, lived, slot.failures)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        seconds = {"after_seconds": round(lived, 1), "pause_seconds": pause}
        log.error(sentence, process=child.name, ended=how, **seconds, **details)
        slot.start_at = time.monotonic() + pause
        self.tick()

    def stop(self, child: Child, message: Message, seconds: float | None = None) -> None:
        """Ask a process to end with ``message``; after ``seconds`` it is killed, unless that is None."""
        child.stopping = True
        if seconds is not None:
            child.kill_at = time.monotonic() + seconds
        self.send(child, message)

    def cancel_starts(self) -> None:
        """Give up all starts that wait for their time."""
        for slot in self._slots.values():
            slot.start_at = None

    def tick(self) -> None:
        """Start and kill the processes whose time has come."""
        now, last, self._ticked_at = time.monotonic(), self._ticked_at, time.monotonic()
        if now - last > 2 * self._regular_seconds:  # ``next_deadline`` is earlier: we were stopped, and so were they
            for running in self.running():
                running.heard_at = running.heard_at and now
        for name, slot in list(self._slots.items()):
            child = slot.child
            if child is None:
                if slot.start_at is not None and slot.start_at <= now:
                    self.start(name)
            elif child.kill_at is not None and child.kill_at <= now:
                child.kill_at = None
                log.warning("a process did not end in time and is killed", process=name)
                _kill(child)
            elif (at := self._hangs_at(child)) is not None and at <= now:
                child.killed = True
                log.error("a process hangs and is killed", process=name, watchdog_timeout=self.watchdog_seconds)
                _kill(child)
            elif child.flush_at is not None and child.flush_at <= now:
                child.flush_at = None
                child.channel.flush()
                self._watch(child)

    def _hangs_at(self, child: Child) -> float | None:
        """Return when a process counts as hanging, unless a heartbeat comes before; None: never."""
        if child.killed or not self.watchdog_seconds:
            return None
        if not child.ready:
            return child.started_at + _START_FACTOR * self.watchdog_seconds
        return child.heard_at and child.heard_at + self.watchdog_seconds

    @property
    def _regular_seconds(self) -> float:
        """How often ``tick`` is called at least, if anything runs."""
        return (self.watchdog_seconds or 2 * _SILENT_SECONDS) / 4

    @property
    def starting(self) -> bool:
        """Whether a start waits for its time."""
        return any(slot.child is None and slot.start_at is not None for slot in self._slots.values())

    def next_deadline(self) -> float | None:
        """Return when ``tick`` has something to do next, on the monotonic clock; None: nothing is planned."""
        starts = (slot.start_at for slot in self._slots.values())
        others = [
            moment for child in self.running() for moment in (child.kill_at, child.flush_at, self._hangs_at(child))
        ]
        regular = self._ticked_at + self._regular_seconds if self.running() else None
        return min((moment for moment in (*starts, *others, regular) if moment is not None), default=None)

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
        writes = child.channel.pending and not child.channel.stalled
        if child.channel.stalled:
            child.flush_at = time.monotonic() + _STALL_PAUSE
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writes else 0)
        if child.channel.fileno() in self._selector.get_map():
            self._selector.modify(child.channel, events, lambda: self._talk(child))
        else:
            self._selector.register(child.channel, events, lambda: self._talk(child))

    def _talk(self, child: Child) -> None:
        if self._slots[child.name].child is not child:  # reaped in this round of the selector
            return
        try:
            child.channel.flush()
            messages = child.channel.receive()
            for message, fd in messages:
                if fd is not None:
                    os.close(fd)
                self._handle(child, message)
            self._watch(child)
        except ChannelClosedError:  # a child closes its end only by ending
            self._reap(child)
        except Exception as error:
            log.exception("a process is killed: its message cannot be handled", process=child.name, error=repr(error))
            _kill(child)
            self._reap(child)

    def _handle(self, child: Child, message: Message) -> None:
        if message["type"] == "ready":
            child.ready = True
            self._on_ready(child)
        elif message["type"] == "alive":
            child.heard_at, child.report = time.monotonic(), message
            self._on_message(child, message)
        else:
            self._on_message(child, message)

    def _reap(self, child: Child) -> None:
        self._selector.unregister(child.channel)
        child.channel.close()
        _, status = os.waitpid(child.pid, 0)
        self._slots[child.name].child = None
        self._on_exit(child, os.waitstatus_to_exitcode(status))


def _kill(child: Child) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
