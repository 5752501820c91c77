"""How the daemon ends: everything is delivered, or it says how much is not."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, free_port, ingestd
from tests.e2e.stub import Fault, StubElasticsearch

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
    """A signal right behind the last event."""
    with Daemon(tmp_path) as daemon:
        daemon.send(line(n) for n in range(20_000))
        daemon.stop()
    assert ingestd(daemon.data_dir, "indices", "--json").startswith('[{"index":"logstash-2026.11.22","events":20000,')


def test_an_absent_server_ends_it_with_an_error(tmp_path: Path) -> None:
    with Daemon(tmp_path, config=CONFIG % absent(), shutdown_timeout="500ms") as daemon:
        daemon.send(line(n) for n in range(1234))
        daemon.wait_for_metric("ingestd_received_events_total", 1234)
        daemon.stop(code=1)
    check_last_words(daemon, 1234)


def absent() -> str:
    return OUTPUT % f"http://127.0.0.1:{free_port()}"


def check_last_words(daemon: Daemon, events: int) -> None:
    [entry] = [one for one in daemon.problems() if one["level"] == "ERROR"]
    assert entry["message"] == "the shutdown time is over; events were not delivered"
    assert entry["events"] == events


def test_senders_wait_while_the_queue_is_full(tmp_path: Path) -> None:
    """The queue takes what it may and no more, /health says so, and the stop says what is lost."""
    with (
        Daemon(tmp_path, config=CONFIG % absent(), queue_bytes="100kB", shutdown_timeout="500ms") as daemon,
        socket.create_connection(("127.0.0.1", daemon.port)) as client,
    ):
        client.settimeout(1.5)
        with pytest.raises(TimeoutError):
            send_for_ever(client)
        queued = daemon.metric("ingestd_queue_events")
        assert daemon.metric("ingestd_queue_bytes") < 1_200_000
        assert daemon.metric("ingestd_received_events_total") == queued
        assert "its inputs wait" in daemon.refusal("/health/ready")
        assert json.loads(daemon.get("/health/live"))["live"]
        daemon.stop(code=1)
    check_last_words(daemon, int(queued))


def send_for_ever(client: socket.socket) -> None:
    while True:
        client.sendall((line(1) + b"\n") * 1000)
