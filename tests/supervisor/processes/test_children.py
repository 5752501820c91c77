"""Child processes: messages arrive, what dies young is restarted less and less often, what hangs is killed."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from ingestd.supervisor.processes import children as module
from ingestd.supervisor.processes import helpers
from ingestd.supervisor.processes.channel import Channel, Message
from ingestd.supervisor.processes.children import HEALTHY_SECONDS, Child, ChildMain, Children, pause_before_next
from ingestd.supervisor.processes.helpers import Helper
from tests.waiting import WAIT_SECONDS

PAUSES = [  # id, exit code, seconds lived, failures in a row, pause
    ("lived_long", 1, HEALTHY_SECONDS, 5, 0.0),
    ("first_time", 1, 0.1, 1, 0.0),
    ("second_time", 1, 0.1, 2, 0.4),
    ("third_time", 1, 0.1, 3, 0.8),
    ("for_ever", 1, 0.1, 1000, 10.0),
    ("killed_once", -signal.SIGKILL, 0.1, 1, 0.0),
    ("killed_often", -signal.SIGKILL, 0.1, 1000, 0.2),
    ("crashed", -signal.SIGSEGV, 0.1, 1000, 10.0),
]


@pytest.mark.parametrize(
    ("code", "lived", "failures", "pause"), [row[1:] for row in PAUSES], ids=[row[0] for row in PAUSES]
)
def test_pause_before_next(code: int, lived: float, failures: int, pause: float) -> None:
    assert pause_before_next(code, lived, failures) == pytest.approx(pause)


class Family:
    """A parent that notes what it hears, and restarts what was not asked to stop."""

    def __init__(self, mains: dict[str, ChildMain]) -> None:
        self.selector = selectors.DefaultSelector()
        self.heard: list[tuple[str, str]] = []
        self.ended: list[tuple[str, int]] = []
        self.children = Children(
            self.selector, mains.__getitem__, self._on_message, self._on_ready, self._on_exit, lambda: None
        )

    def _on_message(self, child: Child, message: Message) -> None:
        self.heard.append((child.name, message["type"]))
        if message["type"] == "fault done":
            raise KeyError("id")

    def _on_ready(self, child: Child) -> None:
        self.heard.append((child.name, "ready"))

    def _on_exit(self, child: Child, code: int) -> None:
        self.ended.append((child.name, code))
        if not child.stopping:
            self.children.restart(child, code, "ended")

    def live(self, until: Callable[[], object], beating: str = "") -> None:
        """Work until a condition holds; meanwhile look for what hangs only when ``beating`` has just been heard.

        On a busy machine a process may come to nothing for as long as the watchdog waits.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while not until():
            assert time.monotonic() < deadline, (self.heard, self.ended)
            moment = self.children.next_deadline()
            pause = 1.0 if moment is None else min(max(moment - time.monotonic(), 0), 1.0)
            before = self.heard.count((beating, "alive"))
            for key, _ in self.selector.select(pause):
                key.data()
            if not beating or self.heard.count((beating, "alive")) > before:
                self.children.tick()


@pytest.fixture
def families() -> Iterator[Callable[[dict[str, ChildMain]], Family]]:
    """Makes families; at the end of the test all children are killed."""
    made: list[Family] = []

    def make(mains: dict[str, ChildMain]) -> Family:
        made.append(Family(mains))
        return made[-1]

    yield make
    for family in made:
        for child in family.children.running():
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            child.channel.close()
        family.selector.close()


Make = Callable[[dict[str, ChildMain]], Family]


def listen(channel: Channel) -> list[str]:
    """Wait for messages."""
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        selector.select()
    return [message["type"] for message, _ in channel.receive()]


def obedient(channel: Channel) -> int:
    channel.send({"type": "ready"})
    while (order := listen(channel)[0]) != "stop":
        if order == "unreadable":
            os.write(channel.fileno(), b"\0\0\0\2{]")
        channel.send({"type": f"{order} done"})
    return 0


def deaf(channel: Channel) -> int:
    channel.send({"type": "ready"})
    while True:
        time.sleep(60)


def hanging(channel: Channel) -> int:
    channel.send({"type": "ready"})
    channel.send({"type": "alive"})
    while True:
        time.sleep(60)


def beating(channel: Channel) -> int:
    channel.send({"type": "ready"})
    while True:
        channel.send({"type": "alive"})
        time.sleep(0.02)


def broken(channel: Channel) -> int:
    raise OSError("no such thing")


def test_one_that_hangs_is_killed(families: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Those that send heartbeats, or none at all, are not."""
    family = families({"hangs": hanging, "beats": beating, "silent": deaf})
    family.children.watchdog_seconds = 1.0
    for name in ("hangs", "beats", "silent"):
        family.children.start(name)
    family.live(lambda: len(family.ended) >= 2, beating="beats")
    assert set(family.ended) == {("hangs", -signal.SIGKILL)}
    assert "a process hangs and is killed" in caplog.text


def test_a_helper_that_is_stopped(families: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not answer, and is killed and started again; while it works, whatever takes it long, it answers."""
    monkeypatch.setattr(helpers, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(module, "_SILENT_SECONDS", 0.5)
    family = families({"helper": Helper("helper", lambda stop: time.sleep(WAIT_SECONDS)).main})
    assert not family.children.is_silent("helper")
    first = family.children.start("helper")
    assert first is not None
    family.live(lambda: family.heard.count(("helper", "alive")) > 5 and not family.children.is_silent("helper"))
    os.kill(first.pid, signal.SIGSTOP)
    family.live(lambda: family.children.is_silent("helper"))
    assert family.ended == []
    family.children.watchdog_seconds = 1.0
    family.live(lambda: family.heard.count(("helper", "ready")) > 1 and not family.children.is_silent("helper"))
    assert set(family.ended) == {("helper", -signal.SIGKILL)}


def test_a_parent_that_was_stopped_kills_none(families: Make) -> None:
    family = families({"beats": beating})
    family.children.watchdog_seconds = WAIT_SECONDS
    child = family.children.start("beats")
    assert child is not None
    family.live(lambda: child.heard_at is not None)
    os.kill(child.pid, signal.SIGSTOP)
    family.children.watchdog_seconds = 0.5
    time.sleep(1)  # as if both had been frozen
    for key, _ in family.selector.select(0):
        key.data()
    family.children.tick()
    family.children.watchdog_seconds = WAIT_SECONDS  # on a busy machine it may be silent for half a second
    os.kill(child.pid, signal.SIGCONT)
    family.live(lambda: len(family.heard) > 60, beating="beats")
    assert family.ended == []


def test_what_is_shared_cannot_be_imported(caplog: pytest.LogCaptureFixture) -> None:
    """As while pip replaces a package: the supervisor goes on."""

    def fail() -> None:
        raise ImportError("No module named 'elasticsearch'")

    module.share_memory(fail)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_messages_and_an_orderly_end(families: Make) -> None:
    family = families({"a": obedient, "b": obedient})
    for name in ("a", "b"):
        family.children.start(name)
    family.live(lambda: len(family.heard) == 2)
    assert all(child.ready for child in family.children.running())
    child = family.children.get("b")
    assert child is not None
    family.children.send(child, {"type": "work"})
    family.live(lambda: ("b", "work done") in family.heard)
    for running in family.children.running():
        family.children.stop(running, {"type": "stop"}, 10)
    family.live(lambda: not family.children.running())
    assert sorted(family.ended) == [("a", 0), ("b", 0)]
    assert family.children.get("b") is None
    assert family.children.names() == ["a", "b"]


def test_killed_process_is_restarted_at_once(families: Make) -> None:
    family = families({"a": obedient})
    first = family.children.start("a")
    assert first is not None
    family.live(lambda: first.ready)
    os.kill(first.pid, signal.SIGKILL)
    family.live(lambda: (child := family.children.get("a")) is not None and child.pid != first.pid and child.ready)
    assert family.ended == [("a", -signal.SIGKILL)]


def test_process_that_fails_at_start_is_restarted_less_and_less_often(families: Make) -> None:
    family = families({"a": broken})
    started = time.monotonic()
    family.children.start("a")
    family.live(lambda: len(family.ended) == 3)
    assert time.monotonic() - started >= 0.4
    assert family.children.get("a") is None
    assert family.ended == [("a", 1)] * 3
    family.children.cancel_starts()
    assert family.children.next_deadline() is None


def test_process_that_does_not_stop_is_killed(families: Make) -> None:
    family = families({"a": deaf})
    child = family.children.start("a")
    assert child is not None
    family.live(lambda: child.ready)
    family.children.stop(child, {"type": "stop"}, 0.2)
    family.live(lambda: not family.children.running())
    assert family.ended == [("a", -signal.SIGKILL)]


@pytest.mark.parametrize("message", ["fault", "unreadable"])
def test_process_whose_message_cannot_be_handled_is_restarted(
    families: Make, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A callback raises, or the message is no message: others are not affected."""
    family = families({"a": obedient, "b": obedient})
    first, other = family.children.start("a"), family.children.start("b")
    assert first is not None
    assert other is not None
    family.live(lambda: first.ready and other.ready)
    family.children.send(first, {"type": message})
    family.live(lambda: (child := family.children.get("a")) is not None and child.pid != first.pid and child.ready)
    assert family.ended == [("a", -signal.SIGKILL)]
    assert family.children.get("b") is other
    assert "a process is killed: its message cannot be handled" in caplog.messages


def test_no_room_for_a_process(
    families: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is started when there is room again."""
    fork = os.fork

    def no_room() -> int:
        monkeypatch.setattr(os, "fork", fork)
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(module, "_FORK_PAUSE", 0.05)
    family = families({"a": obedient})
    monkeypatch.setattr(os, "fork", no_room)
    assert family.children.start("a") is None
    family.live(lambda: family.heard == [("a", "ready")])
    assert "a process cannot be started; it is tried again" in caplog.messages
