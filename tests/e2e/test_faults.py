"""Defects in the processes of the daemon: it recovers, or ends with its reason in the log; nothing dies in silence."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.daemon import Daemon
from tests.processes import children, send_signal
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


class Faulty(Daemon):
    """A daemon with the defect ``fault`` of ``tests.e2e.with_faults``, which strikes after ``arm``."""

    def __init__(self, folder: Path, fault: str) -> None:
        self._fault, self._file = fault, folder / "fault"
        # A busy machine may hold up a process that is well: only the one that hangs is to be killed soon.
        super().__init__(folder, workers="1", watchdog_timeout="6s" if fault == "hang" else "1h")

    def _spawn(self, environ: dict[str, str], output: IO[bytes], log: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.e2e.with_faults", *self._command[3:]]
        environ |= {"INGESTD_TEST_FAULT": self._fault, "INGESTD_TEST_FAULT_FILE": str(self._file)}
        return subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=log, cwd=ROOT)

    def arm(self) -> None:
        """Let the defect strike."""
        self._file.touch()

    def wait_for_strike(self) -> None:
        """Wait until it has."""
        wait_until(lambda: not self._file.exists(), f"the fault {self._fault!r} to strike")


Start = Callable[[str], Faulty]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a daemon with a defect; at the end it is killed if it still runs."""
    started: list[Faulty] = []

    def run(fault: str) -> Faulty:
        daemon = Faulty(tmp_path, fault)
        started.append(daemon)
        return daemon.__enter__()

    yield run
    for daemon in started:
        if daemon.process.poll() is None:
            daemon.kill()


def check_recovery(daemon: Faulty, message: str, process: str, reason: str) -> None:
    """The failure is in the log with its reason, the process is started again, and the daemon works as before."""
    daemon.wait_for(
        "a worker ended and is being restarted" if process == "worker 0" else "a process ended and is being restarted"
    )
    [failure] = daemon.said(message)
    assert failure["process"] == process
    assert reason in failure["error"]
    assert "Traceback" in failure["exception"]
    before = daemon.metric("ingestd_received_events_total")
    daemon.send([{"message": "after"}])
    daemon.wait_for_metric("ingestd_received_events_total", before + 1)
    daemon.stop()


def test_message_that_the_supervisor_cannot_handle(start: Start) -> None:
    """The worker that sent it is restarted; a connection of another client is kept."""
    daemon = start("message")
    with socket.create_connection(("127.0.0.1", daemon.port)) as other:
        other.sendall(b'{"message":"first"}\n')
        daemon.wait_for_delivery(1)
        daemon.arm()
        daemon.send([{"message": "second"}])  # its end is the message
        daemon.wait_for_strike()
        daemon.wait_for("a worker ended and is being restarted")
        other.sendall(b'{"message":"third"}\n')
        daemon.wait_for_delivery(1)
    check_recovery(daemon, "a process is killed: its message cannot be handled", "worker 0", "forget")


def test_worker_that_hangs(start: Start) -> None:
    """Its event loop stands still: it is killed, and the next one reads what it was about to store."""
    daemon = start("hang")
    daemon.arm()
    with socket.create_connection(("127.0.0.1", daemon.port)) as client:
        client.sendall(b'{"message":"first"}\n')
        daemon.wait_for_strike()
        client.sendall(b'{"message":"second"}\n')
        daemon.wait_for("a process hangs and is killed")
        daemon.wait_for_delivery(2)
    daemon.stop()


def test_connection_that_cannot_be_set_up(start: Start) -> None:
    daemon = start("accept")
    daemon.arm()
    with socket.create_connection(("127.0.0.1", daemon.port)) as client:
        assert client.recv(1) == b""
    [failure] = daemon.said("a connection is closed: it cannot be set up")
    assert "_add" in failure["error"]
    daemon.send([{"message": "after"}])
    daemon.wait_for_delivery(1)
    daemon.stop()


def test_event_loop_of_the_supervisor(start: Start) -> None:
    """It cannot go on: it says why and ends, and so do its children; the next one delivers what is left."""
    daemon = start("loop")
    daemon.send([{"message": "before"}])
    daemon.wait_for_metric("ingestd_received_events_total", 1)
    daemon.arm()
    daemon.process.send_signal(signal.SIGHUP)  # something to do for the loop
    daemon.wait(1)
    [failure] = daemon.said("the supervisor failed and ends")
    assert "_send_heartbeat" in failure["error"]
    daemon.start()
    with daemon:
        daemon.send([{"message": "after"}])


def test_config_that_fails_to_load(start: Start) -> None:
    """A defect of ours in the loading of a config: the old one goes on."""
    daemon = start("reload")
    daemon.arm()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("the new config was rejected; the old one stays in force")
    [failure] = daemon.said("loading the config failed")
    assert "make_plan" in failure["error"]
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("every process runs the new config")
    daemon.stop()


def test_code_that_cannot_be_executed(start: Start) -> None:
    """The workers have left for the upgrade: they come back, and so do the connections."""
    daemon = start("exec")
    with socket.create_connection(("127.0.0.1", daemon.port)) as client:
        client.sendall(b'{"message":"first"}\n{"message":')
        daemon.wait_for_delivery(1)
        for refusals, completed in ((1, 0), (1, 1)):
            if not completed:
                daemon.arm()
            served = len(daemon.said("serving metrics and health"))
            daemon.process.send_signal(signal.SIGUSR2)
            wait_until(lambda: len(daemon.said("serving metrics and health")) > served, "HTTP")  # noqa: B023
            assert len(daemon.said("the upgrade is refused; the daemon keeps running as before")) == refusals
            if completed:
                daemon.wait_for("the upgrade is complete")
            assert len(daemon.said("the upgrade is complete")) == completed
            client.sendall(b'"next"}\n{"message":')
            daemon.wait_for_delivery(1)
        wait_until(lambda: len(children(daemon.process.pid)) == 3, "all processes")
    daemon.stop()


def test_worker_that_fails_on_a_message(start: Start) -> None:
    daemon = start("worker")
    daemon.arm()
    with socket.create_connection(("127.0.0.1", daemon.port)) as client:
        client.sendall(b'{"message":"first"}\n')
        daemon.wait_for_delivery(1)
    check_recovery(daemon, "a process of the daemon failed", "worker 0", "_handle")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("helper_thread", "the thread that answers the supervisor failed"),
        ("scheduler_thread", "a process of the daemon failed"),
    ],
)
def test_thread_of_a_helper(start: Start, fault: str, message: str) -> None:
    daemon = start(fault)
    daemon.arm()
    daemon.get("/metrics")
    daemon.wait_for_strike()
    check_recovery(daemon, message, "test helper", "state" if fault == "helper_thread" else "scheduler")


def test_every_process_is_killed_in_turn(start: Start) -> None:
    """Worker, HTTP process and helper: each comes back."""
    daemon = start("reload")
    wait_until(lambda: len(children(daemon.process.pid)) == 3, "all processes")
    for pid in children(daemon.process.pid):
        count = len(restarts(daemon))
        send_signal(pid)
        wait_until(lambda: len(restarts(daemon)) > count, "a restart")  # noqa: B023 -- called here
        wait_until(lambda: len(children(daemon.process.pid)) == 3, "all processes")
    assert {entry["process"] for entry in restarts(daemon)} == {"worker 0", "http", "test helper"}
    wait_until(lambda: len(daemon.said("serving metrics and health")) == 2, "the new HTTP process")
    daemon.send([{"message": "after"}])
    daemon.wait_for_delivery(1)
    daemon.stop()


def restarts(daemon: Daemon) -> list[dict[str, object]]:
    starts = ("a worker ended and is being restarted", "a process ended and is being restarted")
    return [entry for entry in daemon.log() if str(entry["message"]).startswith(starts)]
