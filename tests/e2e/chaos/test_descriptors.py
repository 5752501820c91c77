"""Many more connections than open files are allowed: some wait, none is closed, and no event is lost."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.chaos.tools import check_balance, check_exactly, in_store, scaled, workers
from tests.e2e.daemon import Daemon
from tests.processes import open_files
from tests.waiting import wait_until

LIMIT = scaled(200, 1000)
CLIENTS = 2 * LIMIT
ROUNDS = 3
STAMP = "2026-11-22T10:00:00.000Z"
FULL = "no more connections are accepted"
MISSED = "a connection waits: this process has as many open files as it may have"


class Limited(Daemon):
    """A daemon whose processes may open few files; of root, it lacks the rights that lift limits."""

    def _spawn(self, environ: dict[str, str], output: IO[bytes], log: IO[bytes]) -> subprocess.Popen[bytes]:
        rights = "-sys_resource,-sys_admin"
        as_others = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.getuid() == 0 else []
        limit = ["prlimit", f"--nofile={LIMIT}:{LIMIT}"]
        return subprocess.Popen(
            [*as_others, *limit, *self._command], env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=log
        )


@contextlib.contextmanager
def clients(daemon: Daemon) -> Iterator[list[socket.socket]]:
    """Connect more clients than the daemon can accept; their ends are closed at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port))) for _ in range(CLIENTS)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def send(connected: list[socket.socket], turn: int) -> None:
    """Send an event over each connection; the last one has no line end."""
    end = b"\n" if turn + 1 < ROUNDS else b""
    for number, client in enumerate(connected):
        client.sendall(b'{"@timestamp":"%b","n":%d}%b' % (STAMP.encode(), turn * CLIENTS + number, end))


def check(daemon: Daemon) -> None:
    check_exactly(in_store(daemon.data_dir), range(ROUNDS * CLIENTS))
    check_balance(daemon.data_dir, ROUNDS * CLIENTS)
    assert [entry for entry in daemon.problems() if entry["level"] == "ERROR"] == []


def test_clients_beyond_the_limit_wait(tmp_path: Path) -> None:
    """Those that have ended make room for the others; a reload and an upgrade work at the limit."""
    with Limited(tmp_path, workers="2") as daemon, clients(daemon) as connected:
        send(connected, 0)
        daemon.wait_for(FULL)
        for number in (signal.SIGHUP, signal.SIGUSR2):
            daemon.process.send_signal(number)
            daemon.wait_for(
                "every process runs the new config" if number == signal.SIGHUP else "the upgrade is complete"
            )
        send(connected, 1)
        wait_until(lambda: len(daemon.said("serving metrics and health")) == 2, "the new HTTP process")
        send(connected, 2)
        for client in connected:
            client.close()
        [taken_over] = daemon.said("connections were taken over")  # by the upgrade; the others wait to be accepted
        daemon.wait_for_metric("ingestd_accepted_connections_total", CLIENTS - int(str(taken_over["connections"])))
        daemon.stop()
        check(daemon)


def test_a_stop_reads_the_clients_that_wait(tmp_path: Path) -> None:
    """As many as there is room for at the very end."""
    with Limited(tmp_path, workers="2") as daemon, clients(daemon) as connected:
        accepted = connected[: LIMIT - 100]
        for client in connected[len(accepted) :]:
            client.close()
        for turn in range(ROUNDS):
            for number, client in enumerate(accepted):
                client.sendall(b'{"@timestamp":"%b","n":%d}\n' % (STAMP.encode(), turn * len(accepted) + number))
        daemon.stop()
        check_exactly(in_store(daemon.data_dir), range(ROUNDS * len(accepted)))


@pytest.mark.parametrize("ending", ["clients", "stop"])
def test_a_worker_with_fewer_files_than_connections(tmp_path: Path, ending: str) -> None:
    """A descriptor that did not arrive is sent again, until the worker has room for it, or after its end."""
    with Limited(tmp_path, workers="1") as daemon:
        daemon.send([{"@timestamp": STAMP, "n": -1}])
        daemon.wait_for_delivery(1)  # the files of the store are open
        [worker] = workers(daemon)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (len(open_files(worker)) + LIMIT // 8, LIMIT))
        connected = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(LIMIT // 2)]
        for number, client in enumerate(connected):
            client.sendall(b'{"@timestamp":"%b","n":%d}' % (STAMP.encode(), number))
        daemon.wait_for(MISSED)
        if ending == "clients":
            for client in connected:
                client.close()
            daemon.wait_for_metric("ingestd_closed_connections_total", len(connected) + 1)
        daemon.stop()
        for client in connected:
            client.close()
    check_exactly(in_store(daemon.data_dir), range(-1, len(connected)))
