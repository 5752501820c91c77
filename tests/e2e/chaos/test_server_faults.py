"""A server that fails in every way at random, while workers are killed: sent = stored + dead letters, exactly."""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.chaos.tools import (
    Clients,
    check_balance,
    check_exactly,
    figure,
    in_server,
    kill_children,
    scaled,
    wait_for_nothing_queued,
)
from tests.e2e.daemon import Daemon
from tests.e2e.gate import Gate
from tests.e2e.servers import SearchServer
from tests.e2e.stub import Fault, StubElasticsearch
from tests.processes import is_alive, send_signal
from tests.random_cases import LONG
from tests.waiting import wait_until

EVENTS = scaled(3000, 50_000)
SECONDS = scaled(5, 120)
KILLS = scaled(8, 100)
REFUSED_EVERY = 5000
OUTAGES = [0, 5, 150] if LONG else [0]
"""Seconds that a real server is away, besides the time it takes to start."""

CONFIG = """
input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
output {
  elasticsearch { hosts => ["%s"] timeout => %d retry_initial_interval => 0.02 retry_max_interval => 0.2 }
}
"""
FAULTS = [
    Fault(429, '{"error":{"type":"circuit_breaking_exception"}}', headers={"Retry-After": "0"}),
    Fault(503, "no master"),
    Fault(502, "bad gateway", store=True),
    Fault(),
    Fault(store=True),
    Fault(200, '{"took":1,"errors":false,"items":[{"crea', store=True),
    Fault(200, "<html>login</html>", store=True),
    Fault(200, '{"errors":false,"items":[]}', store=True),  # too few, also for one document, as is sent again alone
    Fault(store=True, delay=1.3),
    Fault(items={0: 429, 1: 503, 7: 429}),
]


class _Faults(deque[Fault]):
    """One fault out of ``one_of`` requests, at random, as long as ``rage`` is set."""

    def __init__(self, one_of: int) -> None:
        super().__init__()
        self._rnd, self._one_of, self.rage = random.Random(11), one_of, True
        self.made = 0

    def __bool__(self) -> bool:
        return self.rage and self._rnd.randrange(self._one_of) == 0

    def popleft(self) -> Fault:
        self.made += 1
        return self._rnd.choice(FAULTS)


def log_and_kill(daemon: Daemon, kills: int) -> list[int]:
    with Clients(daemon.port, EVENTS, SECONDS) as clients:
        kill_children(daemon, kills, random.Random(3))
        clients.finish()
    return clients.numbers


def test_every_fault_at_random(tmp_path: Path) -> None:
    """Also: one document in 5,000 is never taken, and requests of more than 30,000 bytes are too large."""
    with StubElasticsearch(max_bytes=30_000) as stub:
        stub.bulk_faults = faults = _Faults(one_of=3)
        stub.refuses = lambda document: bool(document["n"] % REFUSED_EVERY == 0)
        with Daemon(tmp_path, config=CONFIG % (stub.url, 1), workers="2") as daemon:
            sent = log_and_kill(daemon, KILLS)
            faults.rage = False
            daemon.stop()
    dead = [json.loads(letter["raw"])["n"] for letter in daemon.dead_letters()]
    refused = {number for number in sent if number % REFUSED_EVERY == 0}
    figure(faults=faults.made, requests=len(stub.bulks()), dead_letters=len(dead))
    check_exactly(dead, refused)
    check_exactly([*stub.values("n"), *refused], sent)
    check_balance(daemon.data_dir, len(sent), len(refused))


def test_a_server_that_comes_and_goes(tmp_path: Path) -> None:
    """Its connections break in the middle of requests, and nobody listens for a while."""
    with StubElasticsearch() as stub, Gate(stub.url) as gate:
        gate.open()
        with Daemon(tmp_path, config=CONFIG % (gate.url, 1), workers="2") as daemon:
            with Clients(daemon.port, EVENTS, SECONDS) as clients:
                come_and_go(gate.shut, gate.open, daemon)
                clients.finish()
            daemon.stop()
    check_exactly(stub.values("n"), clients.numbers)
    check_balance(daemon.data_dir, len(clients.numbers))
    assert daemon.dead_letters() == []


def come_and_go(stop: Callable[[], None], start: Callable[[], None], daemon: Daemon) -> None:
    rnd = random.Random(9)
    for _ in range(scaled(3, 10)):
        time.sleep(rnd.uniform(0.3, 1))
        stop()
        kill_children(daemon, 1, rnd)
        time.sleep(rnd.uniform(0.5, scaled(1, 60)))
        start()


def kill_server(server: SearchServer) -> None:
    """SIGKILL in the middle of whatever it does."""
    pid = int((server.data / "server.pid").read_text())
    send_signal(pid)
    wait_until(lambda: not is_alive(pid), "the end of the server")


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)
@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(kill_server, id="killed"),
        pytest.param(
            SearchServer.stop,
            id="stopped",
            marks=pytest.mark.skipif(not LONG, reason="it takes its time to end: make chaos"),
        ),
    ],
)
def test_a_real_server_that_comes_and_goes(
    clean_search_server: SearchServer, tmp_path: Path, stop: Callable[[SearchServer], None]
) -> None:
    """Away for minutes in the long form."""
    server = clean_search_server
    with Daemon(tmp_path, config=CONFIG % (server.url, 20), workers="2") as daemon:
        with Clients(daemon.port, EVENTS, SECONDS) as clients:
            daemon.wait_for_metric("ingestd_delivered_events_total", 1)
            server.call("PUT", "/logstash-*/_settings", {"index": {"number_of_replicas": 0}})  # to become green
            for away in OUTAGES:
                stop(server)
                kill_children(daemon, 1, random.Random(9))
                time.sleep(away)
                server.start()
            clients.finish()
        wait_for_nothing_queued(daemon, 600)
        logged = len(daemon.said("a delivery is tried again"))
        daemon.stop()
    figure(outages=OUTAGES, logged=logged)
    check_exactly(in_server(server), clients.numbers)
    check_balance(daemon.data_dir, len(clients.numbers))
    assert daemon.dead_letters() == []
