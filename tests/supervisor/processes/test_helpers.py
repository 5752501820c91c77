"""The threads of a helper process: one that fails takes its process with it, and says why."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from ingestd import metrics
from ingestd.supervisor.processes import helpers
from ingestd.supervisor.processes.channel import Channel, Message
from ingestd.supervisor.processes.helpers import Helper, run_beside
from tests.processes import rests
from tests.waiting import PROMPT_SECONDS, WAIT_SECONDS, wait_until


def wait(stop: threading.Event) -> None:
    stop.wait()


def hang(stop: threading.Event) -> None:
    threading.Event().wait()


class Process:
    """A helper in a forked process."""

    def __init__(self, run: Callable[[threading.Event], None], problems: Callable[[], Sequence[str]] = tuple) -> None:
        self.channel, theirs = Channel.pair()
        self.pid = os.fork()
        if self.pid == 0:
            code = 3
            try:
                self.channel.close()
                code = Helper("test", run, problems=problems).main(theirs)
            finally:
                os._exit(code)
        theirs.close()

    def exit_code(self) -> int:
        deadline = time.monotonic() + WAIT_SECONDS
        while (ended := os.waitpid(self.pid, os.WNOHANG)) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                pytest.fail("the helper did not end")
            time.sleep(0.01)
        self.channel.close()
        return os.waitstatus_to_exitcode(ended[1])


def test_it_ends_when_it_is_asked_to() -> None:
    process = Process(wait)
    process.channel.send({"type": "stop"})
    assert process.exit_code() == 0


def test_it_sleeps_while_the_supervisor_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its heartbeats fill the channel; then it does not try all the time to send more."""
    monkeypatch.setattr(helpers, "HEARTBEAT_SECONDS", 0.0)
    process = Process(wait)
    while not process.channel.receive():  # it listens
        time.sleep(0.01)
    wait_until(lambda: rests(process.pid), "the helper to wait for the supervisor")
    process.channel.send({"type": "stop"})
    assert process.exit_code() == 0


def test_thread_that_answers_the_supervisor_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(metrics, "snapshot", fail)
    process = Process(wait)
    process.channel.send({"type": "ask"})
    assert process.exit_code() == 1


def test_it_answers_what_needs_attention() -> None:
    process = Process(wait, lambda: ("the disk is full",))
    process.channel.send({"type": "ask"})
    answers: list[Message] = []
    while not answers:
        answers += [message for message, _ in process.channel.receive() if message["type"] == "state"]
        time.sleep(0.01)
    assert answers[0]["state"]["problems"] == ["the disk is full"]
    process.channel.send({"type": "stop"})
    assert process.exit_code() == 0


def test_it_returns_before_it_is_asked_to() -> None:
    assert Process(lambda stop: None).exit_code() == 1


def test_it_raises() -> None:
    def fail(stop: threading.Event) -> None:
        raise RuntimeError("a defect")

    assert Process(fail).exit_code() == 3


def test_supervisor_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helpers, "ORPHAN_SECONDS", 0.1)
    process = Process(hang)
    while not process.channel.receive():  # ready: it listens
        time.sleep(0.01)
    process.channel.close()
    assert process.exit_code() == 1


def wait_for_stop(stop: threading.Event) -> None:
    assert stop.wait(WAIT_SECONDS)


def test_work_beside_it_raises() -> None:
    def fail(stop: threading.Event) -> None:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        run_beside(fail, wait_for_stop, threading.Event(), 0.1)


def test_work_beside_it_returns_too_early() -> None:
    with pytest.raises(RuntimeError, match="returned before it was asked to stop"):
        run_beside(lambda stop: None, wait_for_stop, threading.Event(), 0.1)


def test_work_beside_it_is_waited_for() -> None:
    stop, ended = threading.Event(), threading.Event()

    def work(stop: threading.Event) -> None:
        stop.wait()
        ended.set()

    run_beside(work, lambda stop: stop.set(), stop, WAIT_SECONDS)
    assert ended.is_set()


def test_work_beside_it_is_left_when_it_does_not_stop() -> None:
    stop, done = threading.Event(), threading.Event()

    def work(stop: threading.Event) -> None:
        done.wait()

    stop.set()
    started = time.monotonic()
    run_beside(work, wait_for_stop, stop, 0.1)
    assert time.monotonic() - started < PROMPT_SECONDS
    done.set()
