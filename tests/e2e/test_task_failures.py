"""A background task of a worker that dies: the worker ends with its reason, or the task comes back; nothing is lost."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.stub import Fault, StubElasticsearch
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
CONFIG = """
input { tcp { port => 0 host => "127.0.0.1" codec => json_lines idle_timeout => 600 } }
output { elasticsearch { hosts => ["%s"] retry_initial_interval => 0.05 retry_max_interval => 0.2 } }
"""
TASKS = [  # of a worker; each ends it
    "sync",
    "input tcp_0",
    "idle timer",
    "catch-up of elasticsearch_0",
    "output elasticsearch_0",
]
OUTPUT_TASKS = ["connect", "list of indices", "check of fields"]  # each is started again


class WithTaskKiller(Daemon):
    """A daemon with one worker whose tasks can be killed."""

    def __init__(self, folder: Path, config: str) -> None:
        self.file = folder / "kill"
        super().__init__(folder, config=config, workers="1")

    def _spawn(self, environ: dict[str, str], output: IO[bytes], log: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.e2e.with_task_killer", *self._command[3:]]
        environ |= {"INGESTD_TEST_KILL": str(self.file)}
        return subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=log, cwd=ROOT)

    def kill_task(self, order: str) -> None:
        """Let a task die, and wait until one has."""
        new = self.file.with_suffix(".new")
        new.write_text(order)
        new.rename(self.file)
        wait_until(lambda: not self.file.exists(), f"a task to {order}")


def lines(first: int, count: int) -> bytes:
    return b"".join(b'{"@timestamp":"2026-11-22T10:00:00.000Z","n":%d}\n' % n for n in range(first, first + count))


@pytest.mark.parametrize("end", ["raise", "cancel"])
def test_each_task_in_turn(tmp_path: Path, end: str) -> None:
    """Always with events that are kept and not delivered, and with a client that stays connected."""
    sent = 0
    with StubElasticsearch() as stub, WithTaskKiller(tmp_path, CONFIG % stub.url) as daemon:
        with socket.create_connection(("127.0.0.1", daemon.port)) as client:
            for killed, name in enumerate(TASKS):
                stub.bulk_faults.extend([Fault(503)] * 10_000)
                client.sendall(lines(sent, 100))
                daemon.wait_for_metric("ingestd_queue_events", 100)
                daemon.kill_task(f"{end} {name}")
                wait_until(lambda killed=killed: len(restarts(daemon)) == killed + 1, "another worker")  # type: ignore[misc]
                stub.bulk_faults.clear()
                client.sendall(lines(sent + 100, 100))
                sent += 200
                wait_until(lambda sent=sent: stub.stored() == sent, f"{sent} events")  # type: ignore[misc]
        logged = [entry["task"] for entry in failures(daemon)]
        logged.remove("input tcp_0")  # a second time: with its idle timer
        assert sorted(logged) == sorted(TASKS)
        assert {entry["ended"] for entry in restarts(daemon)} == {"exit code 1"}
    assert stub.values("n") == list(range(sent))
    assert len(stub.documents) == sent


def test_the_tasks_of_an_output_come_back(tmp_path: Path) -> None:
    with StubElasticsearch() as stub:
        stub.template_faults.extend([Fault(503)] * 10_000)  # until the tasks are killed they must not end
        with WithTaskKiller(tmp_path, CONFIG % stub.url) as daemon:
            for name in OUTPUT_TASKS * 2:  # the second time, they have come back
                daemon.kill_task(f"raise {name}")
            stub.template_faults.clear()
            daemon.send([lines(0, 100)])
            wait_until(lambda: stub.stored() == 100, "the events")
            assert [entry["task"] for entry in failures(daemon)] == OUTPUT_TASKS * 2
            assert restarts(daemon) == []


def failures(daemon: Daemon) -> list[dict[str, str]]:
    names = ("a background task failed", "a background task was cancelled")
    return [entry for entry in daemon.log() if entry["message"] in names and entry["owner"] != "worker 0"]


def restarts(daemon: Daemon) -> list[dict[str, str]]:
    return daemon.said("a worker ended and is being restarted")
