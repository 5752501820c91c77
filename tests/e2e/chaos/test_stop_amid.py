"""A stop that comes while workers are away: what clients sent meanwhile is in the kernel, and is not left there."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.chaos.tools import check_exactly, in_store
from tests.e2e.daemon import Daemon
from tests.processes import children, send_signal

STAMP = "2026-11-22T10:00:00.000Z"
EVENTS = 1000


def kill_all(daemon: Daemon) -> None:
    for pid in children(daemon.process.pid):
        send_signal(pid)


def kill_all_twice(daemon: Daemon) -> None:
    """After the second time there is a pause."""
    kill_all(daemon)
    daemon.wait_for("a worker ended and is being restarted")
    kill_all(daemon)


def order(number: signal.Signals) -> Callable[[Daemon], None]:
    return lambda daemon: daemon.process.send_signal(number)


@pytest.mark.parametrize(
    "disturbance",
    [
        pytest.param(kill_all, id="kill"),
        pytest.param(kill_all_twice, id="kill-twice"),
        pytest.param(order(signal.SIGHUP), id="reload"),
        pytest.param(order(signal.SIGUSR2), id="upgrade"),
    ],
)
def test_everything_is_read_before_the_end(tmp_path: Path, disturbance: Callable[[Daemon], None]) -> None:
    with Daemon(tmp_path, workers="2") as daemon:
        clients = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(4)]
        send(clients, 0)
        daemon.wait_for_metric("ingestd_received_events_total", EVENTS)
        disturbance(daemon)
        send(clients, EVENTS)
        daemon.stop()
        for client in clients:
            client.close()
    check_exactly(in_store(daemon.data_dir), range(2 * EVENTS))


def send(clients: list[socket.socket], first: int) -> None:
    """Send events over all clients in turn."""
    for number in range(first, first + EVENTS):
        clients[number % len(clients)].sendall(b'{"@timestamp":"%b","n":%d}\n' % (STAMP.encode(), number))
