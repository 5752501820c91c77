"""Workers are replaced one after the other, each as soon as all others read; one that does not start ends it."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from ingestd.supervisor.connections.acceptor import Acceptor
from ingestd.supervisor.control import replacement
from ingestd.supervisor.control.replacement import RollingReplacement
from ingestd.supervisor.notify import Notifier
from ingestd.supervisor.processes.channel import Channel, Message
from ingestd.supervisor.processes.children import Child, ChildMain, Children
from ingestd.supervisor.processes.stats import StatsGatherer
from ingestd.supervisor.processes.workers import Workers
from tests.waiting import WAIT_SECONDS


def worker(channel: Channel) -> int:
    """Answer questions until it is to stop."""
    channel.send({"type": "ready"})
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            selector.select()
            for message, _ in channel.receive():
                if message["type"] == "stop":
                    return 0
                channel.send({"type": "answer", "number": message["number"], "state": {}})


def failing(channel: Channel) -> int:
    return 1


class Parent:
    """A parent with three workers that asks them for their state all the time."""

    def __init__(self) -> None:
        self.main: ChildMain = worker
        self.selector = selectors.DefaultSelector()
        acceptor = Acceptor(self.selector, Notifier({}), lambda: "", lambda: 0, lambda connection: None, lambda: False)
        self.children = Children(
            self.selector, lambda name: self.main, self._on_message, self._on_ready, self._on_exit, lambda: None
        )
        self.workers = Workers(self.children, acceptor)
        self.workers.provide(3)
        self.results: list[str] = []
        self.fewest = 3
        self.replacement = RollingReplacement(self.children, self.workers, self._stop, self.results.append)
        self.counted: list[int] = []
        self.stats = StatsGatherer(self.children, self.workers, (), self._count, dict, lambda: self.replacement.absent)
        for name in self.workers.names:
            self.children.start(name)
        self.live(lambda: self.workers.all_reading)

    def _count(self, answer: Message) -> None:
        self.counted.append(len(answer["states"]) + answer["replaced"])

    def _stop(self, child: Child) -> None:
        self.children.stop(child, {"type": "stop"})

    def _on_message(self, child: Child, message: Message) -> None:
        self.stats.answer(child, message)

    def _on_ready(self, child: Child) -> None:
        self.replacement.proceed()

    def _on_exit(self, child: Child, code: int) -> None:
        self.stats.gone(child)
        if child.stopping:
            self.children.start(child.name)
            self.replacement.started()
        else:
            self.children.restart(child, code, "ended")

    @property
    def pids(self) -> set[int]:
        return {child.pid for child in self.children.running()}

    def live(self, until: Callable[[], object]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        for number in range(1_000_000):
            if until():
                return
            assert time.monotonic() < deadline, self.results
            for key, _ in self.selector.select(0.01):
                key.data()
            self.children.tick()
            self.replacement.tick()
            if self.results or self.replacement.absent:
                self.fewest = min(self.fewest, len(self.workers.reading()))
                self.stats.ask(number)


@pytest.fixture
def parent() -> Iterator[Parent]:
    made = Parent()
    yield made
    for child in made.children.running():
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        child.channel.close()
    made.selector.close()


def test_at_most_one_is_away_and_all_read_at_the_end(parent: Parent) -> None:
    before = parent.pids
    parent.replacement.start(list(parent.workers.names))
    parent.live(lambda: parent.results)
    assert parent.results == [""]
    assert parent.workers.all_reading
    assert not parent.pids & before
    assert parent.fewest == 2
    assert set(parent.counted) == {3}


def test_a_worker_that_does_not_start_ends_it_and_the_others_stay(
    parent: Parent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacement, "START_SECONDS", 0.5)
    parent.main = failing
    first, *others = (child.pid for child in parent.workers.running())
    parent.replacement.start(list(parent.workers.names))
    parent.live(lambda: parent.results)
    assert "does not start" in parent.results[0]
    assert set(others) <= parent.pids
    assert first not in parent.pids
    monkeypatch.undo()
    parent.live(lambda: parent.children.get(next(iter(parent.workers.names))) is None)
    parent.main = worker
    parent.children.start(next(iter(parent.workers.names)))  # as the supervisor does at a reload
    parent.replacement.start(list(parent.workers.names))
    parent.live(lambda: len(parent.results) == 2)
    assert parent.results[1] == ""
    assert not parent.pids & set(others)
