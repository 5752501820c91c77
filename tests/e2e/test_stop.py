"""How the daemon ends: everything is delivered, or it says how much is kept for the next start."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.chaos.tools import check_exactly, in_store, workers
from tests.e2e.daemon import Daemon, free_port, ingestd
from tests.e2e.stub import Fault, StubElasticsearch
from tests.processes import send_signal
from tests.threads import Background
from tests.waiting import wait_until

OUTPUT = 'elasticsearch { hosts => ["%s"] retry_initial_interval => 0.05 retry_max_interval => 0.2 }'
CONFIG = 'input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } } output { %s }'
STAMP = "2026-11-22T10:00:00.000Z"


def line(number: int) -> bytes:
    return b'{"@timestamp":"%b","n":%d}' % (STAMP.encode(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["sigterm", "sigint"])
def test_what_is_queued_and_what_the_kernel_holds_is_delivered(tmp_path: Path, number: signal.Signals) -> None:
    """The server refuses until the signal has come; a client is connected and its last line has no end."""
    with StubElasticsearch() as stub, Daemon(tmp_path, config=CONFIG % OUTPUT % stub.url) as daemon:
        stub.bulk_faults.extend([Fault(503)] * 10_000)
        with socket.create_connection(("127.0.0.1", daemon.port)) as client:
            for first in range(0, 20_000, 1000):
                client.sendall(b"".join(line(n) + b"\n" for n in range(first, first + 1000)))
            daemon.wait_for("a delivery is tried again")
            client.sendall(line(20_000))
            daemon.process.send_signal(number)
            daemon.wait_for("stopping")
            stub.bulk_faults.clear()
            daemon.wait(0)
    assert stub.values("n") == list(range(20_001))


def test_into_the_store(tmp_path: Path) -> None:
    """A signal right after the last event."""
    with Daemon(tmp_path) as daemon:
        daemon.send(line(n) for n in range(20_000))
        daemon.stop()
    assert ingestd(daemon.data_dir, "indices", "--json").startswith('[{"index":"logstash-2026.11.22","events":20000,')


def test_what_an_absent_server_does_not_take_waits_in_the_journal(tmp_path: Path) -> None:
    """The stop says how much it is; the next start delivers it."""
    port = free_port()
    config = CONFIG % OUTPUT % f"http://127.0.0.1:{port}"
    with Daemon(tmp_path, config=config, shutdown_timeout="500ms") as daemon:
        daemon.send(line(n) for n in range(1234))
        daemon.wait_for_metric("ingestd_received_events_total", 1234)
        daemon.stop()
    check_last_words(daemon, 1234)
    with StubElasticsearch(port=port) as stub, Daemon(tmp_path, config=config) as daemon:
        daemon.send([line(1234)])
    assert stub.values("n") == list(range(1235))
    assert daemon.problems() == []


def check_last_words(daemon: Daemon, events: int) -> None:
    last = [entry for entry in daemon.problems() if entry["message"].startswith("the shutdown time is over")]
    assert {entry["message"] for entry in last} == {
        "the shutdown time is over; what was not delivered stays in the journal"
    }
    assert sum(entry["events"] for entry in last) == events


def test_senders_wait_while_the_journal_is_full(tmp_path: Path) -> None:
    """It takes what it may and no more, /health says so, and nothing of what was taken is lost."""
    port = free_port()
    config = CONFIG % OUTPUT % f"http://127.0.0.1:{port}"
    limits = {"journal_max_bytes": "1MB", "journal_segment_bytes": "100kB", "queue_bytes": "100kB"}
    with (
        Daemon(tmp_path, config=config, shutdown_timeout="500ms", **limits) as daemon,
        socket.create_connection(("127.0.0.1", daemon.port)) as client,
    ):
        sent = send_until_full(client, daemon)
        queued = daemon.metric("ingestd_queue_events")
        assert 500_000 < daemon.metric("ingestd_queue_bytes") <= 1_000_000
        assert daemon.metric("ingestd_received_events_total") == queued
        assert json.loads(daemon.get("/health/live"))["live"]
        daemon.stop(code=1)
    check_last_words(daemon, int(queued))
    [loss] = [entry for entry in daemon.problems() if entry["message"].endswith("the rest is lost")]
    assert loss["connections"] == 1
    unread = sent - int(queued) * len(line(1) + b"\n")
    assert 0 < loss["bytes"] <= unread  # the others are still at the client's end
    with StubElasticsearch(port=port) as stub, Daemon(tmp_path, config=config, **limits) as daemon:
        daemon.wait_for_delivery(int(queued))
        assert daemon.metric("ingestd_queue_events") == 0
        assert len(stub.documents) == queued


def send_until_full(client: socket.socket, daemon: Daemon) -> int:
    """Send whole lines until nobody takes any more, because the journal is full; returns how many bytes were taken."""
    client.setblocking(False)
    lines = memoryview((line(1) + b"\n") * 1000)
    sent = held_up = 0
    while held_up < 3:
        try:
            sent += client.send(lines[sent % len(lines) :])
            held_up = 0
        except BlockingIOError:
            time.sleep(0.3)
            held_up = held_up + 1 if daemon.full else 0
    return sent


class Sender:
    """Sends numbered lines over one connection, each on its own, until the daemon has disconnected it."""

    def __init__(self, port: int, first: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._first = first
        self.sent = 0
        """Lines that the kernel has taken."""

    def run(self) -> None:
        try:
            while True:
                self._socket.sendall(line(self._first + self.sent) + b"\n")
                self.sent += 1
                time.sleep(0.02)  # what is on its way is lost, and on a busy machine a line takes a while
        except OSError:
            self._socket.close()


def test_clients_notice_a_stop_at_once(tmp_path: Path) -> None:
    """They send while it stops: all is stored but the line that makes them notice, and one that crosses the end."""
    stride, senders = 10_000_000, []
    with Daemon(tmp_path, workers="2") as daemon, ExitStack() as running:
        for number in range(4):
            senders.append(Sender(daemon.port, number * stride))
            running.enter_context(Background(senders[-1].run))
        daemon.wait_for_metric("ingestd_received_events_total", 100)
        daemon.stop()
    found = Counter(n // stride for n in in_store(daemon.data_dir))
    check_exactly(in_store(daemon.data_dir), (k * stride + n for k in range(4) for n in range(found[k])))
    lost = [sender.sent - found[number] for number, sender in enumerate(senders)]
    assert max(lost) <= 2, lost


def test_a_client_that_is_idle_at_a_stop_fails_with_its_next_line(tmp_path: Path) -> None:
    """It cannot take the line for sent, even if the address is gone, as that of a container: the reset came before."""
    with Daemon(tmp_path, workers="2") as daemon, socket.create_connection(("127.0.0.1", daemon.port)) as client:
        client.sendall(line(0) + b"\n")
        daemon.wait_for_metric("ingestd_received_events_total", 1)
        daemon.stop()
        with pytest.raises(ConnectionError):
            client.sendall(line(1) + b"\n")
    check_exactly(in_store(daemon.data_dir), [0])


def test_clients_that_connect_during_a_stop_are_refused(tmp_path: Path) -> None:
    """What they would send while nobody accepts them would be lost."""
    with StubElasticsearch() as stub, Daemon(tmp_path, config=CONFIG % OUTPUT % stub.url) as daemon:
        stub.bulk_faults.extend([Fault(503)] * 10_000)
        daemon.send([line(0)])
        daemon.wait_for("a delivery is tried again")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("stopping")

        def refused() -> bool:
            try:
                socket.create_connection(("127.0.0.1", daemon.port)).close()
            except ConnectionRefusedError:
                return True
            return False

        wait_until(refused, "a refusal")
        stub.bulk_faults.clear()
        daemon.wait(0)
    assert stub.values("n") == [0]


def test_clients_beyond_max_connections_are_read_by_a_stop(tmp_path: Path) -> None:
    config = (
        'input { tcp { port => 0 host => "127.0.0.1" codec => json_lines max_connections => 1 } } output { store {} }'
    )
    with Daemon(tmp_path, config=config) as daemon:
        clients = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(5)]
        for number, client in enumerate(clients):
            client.sendall(line(number) + b"\n" + line(number + 5))
        daemon.wait_for_metric("ingestd_received_events_total", 1)
        daemon.stop()
        for client in clients:
            client.close()
    check_exactly(in_store(daemon.data_dir), range(10))


@pytest.mark.parametrize("workers_are", ["at_work", "held_up"])
def test_a_killed_supervisor_costs_no_complete_line(tmp_path: Path, workers_are: str) -> None:
    """Without systemd nobody keeps the connections, so the workers read their last lines, which have no line end."""
    with Daemon(tmp_path, workers="2") as daemon:
        clients = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(4)]
        for number, client in enumerate(clients):
            client.sendall(line(number) + b"\n" + line(number + 4))
        daemon.wait_for_metric("ingestd_received_events_total", 4)
        if workers_are == "held_up":
            for pid in workers(daemon):
                send_signal(pid, signal.SIGSTOP)
        orphans = workers(daemon)
        daemon.kill()
        for pid in orphans:
            send_signal(pid, signal.SIGCONT)
        for client in clients:
            with contextlib.suppress(ConnectionError):
                assert client.recv(1) == b""
            client.close()
        daemon.start()
        with daemon:
            daemon.send([line(8)])
    check_exactly(in_store(daemon.data_dir), range(9))
