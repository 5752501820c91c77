"""A helper process beside the workers: it comes back when it dies, and goes when the daemon does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.daemon import Daemon
from tests.processes import is_alive, send_signal
from tests.waiting import PROMPT_SECONDS, wait_until

ROOT = Path(__file__).parents[2]


class WithHelper(Daemon):
    """A daemon with the helper of ``tests.e2e.with_helper``."""

    def __init__(self, folder: Path, *, deaf: bool = False) -> None:
        self.notes, self._deaf = folder / "helper.txt", deaf
        self.notes.touch()
        super().__init__(folder, workers="1")

    def _spawn(self, environ: dict[str, str], output: IO[bytes], log: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.e2e.with_helper", *self._command[3:]]
        environ |= {"INGESTD_TEST_HELPER": str(self.notes)}
        environ |= {"INGESTD_TEST_HELPER_DEAF": "1"} if self._deaf else {}
        return subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=log, cwd=ROOT)

    def life(self) -> list[list[str]]:
        """Return what the helper wrote: a word, its process id, its niceness."""
        return [line.split() for line in self.notes.read_text().splitlines()]

    def wait_for_life(self, *words: str) -> int:
        """Wait until the helper wrote these words; returns the process id with the last."""
        wait_until(lambda: [entry[0] for entry in self.life()] == [*words], f"the helper to {words}")
        return int(self.life()[-1][1])


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[WithHelper]:
    with WithHelper(tmp_path) as running:
        yield running


@pytest.fixture
def deaf_daemon(tmp_path: Path) -> Iterator[WithHelper]:
    """Its helper does not stop when it is asked to."""
    with WithHelper(tmp_path, deaf=True) as running:
        yield running


def test_it_lives_as_long_as_the_daemon(daemon: WithHelper) -> None:
    first = daemon.wait_for_life("start")
    assert daemon.life()[0][2] == str(os.nice(0) + 10)
    send_signal(first)
    second = daemon.wait_for_life("start", "start")
    assert second != first
    [said] = daemon.said("a process ended and is being restarted")
    assert (said["process"], said["ended"]) == ("test helper", "SIGKILL")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("every process runs the new config")
    assert len(daemon.life()) == 2
    daemon.process.send_signal(signal.SIGUSR2)
    daemon.wait_for_life("start", "start", "stop", "start")
    daemon.stop()
    assert [entry[0] for entry in daemon.life()] == ["start", "start", "stop", "start", "stop"]


def test_health_names_a_helper_that_hangs(daemon: WithHelper) -> None:
    pid = daemon.wait_for_life("start")
    wait_until(lambda: 'pipeline="helper"' in daemon.get("/metrics"), "its first answer")
    os.kill(pid, signal.SIGSTOP)
    silent = "the process test helper does not answer"
    wait_until(lambda: json.loads(daemon.get("/health"))["reasons"] == [silent], "the report")
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not json.loads(daemon.get("/health"))["degraded"], "its answer")


def test_helper_that_does_not_stop_is_killed(deaf_daemon: WithHelper) -> None:
    daemon, pid = deaf_daemon, deaf_daemon.wait_for_life("start")
    started = time.monotonic()
    daemon.stop()
    assert time.monotonic() - started < PROMPT_SECONDS
    [said] = daemon.said("a process did not end in time and is killed")
    assert said["process"] == "test helper"
    assert not is_alive(pid)


def test_it_does_not_outlive_a_supervisor_that_is_killed(deaf_daemon: WithHelper) -> None:
    pid = deaf_daemon.wait_for_life("start")
    deaf_daemon.kill()
    wait_until(lambda: not is_alive(pid), "the end of the helper")
