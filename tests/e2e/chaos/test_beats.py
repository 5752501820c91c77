"""Workers and the whole daemon are killed while clients of the Lumberjack protocol send: none lost, none twice."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.chaos.client import STRIDE
from tests.e2e.chaos.tools import CLIENTS, check_exactly, figure, in_server, scaled, workers
from tests.e2e.daemon import Daemon, free_port, ingestd
from tests.e2e.lumberjack import filebeat_event, send_all
from tests.e2e.servers import SearchServer
from tests.processes import send_signal
from tests.threads import Background
from tests.waiting import wait_until

EVENTS = scaled(3000, 250_000)
"""Of each client."""

WINDOW = scaled(50, 2048)
KILLS = scaled(5, 50)
PAUSE_SECONDS = scaled(1, 10) / 10
"""Between the windows of a client while there are kills."""

DAEMON_KILLS = scaled(1, 10)
"""How many of the kills hit the whole daemon."""

CONFIG = """
input {{ beats {{ port => {port} host => "127.0.0.1" }} }}
output {{ elasticsearch {{ hosts => ["{url}"] index => "logstash-%{{+YYYY.MM.dd}}" }} }}
"""


class _Client:
    """Sends at its own pace until the kills are over, then the rest at once."""

    def __init__(self, port: int, number: int) -> None:
        self._port, self._number = port, number
        self.hurry = False
        self.windows_again = 0
        self.numbers = range(number * STRIDE, number * STRIDE + EVENTS)

    def run(self) -> None:
        path = f"/var/log/{self._number}.log"
        documents = [filebeat_event(number, path=path) for number in self.numbers]
        self.windows_again = send_all(self._port, documents, window=WINDOW, on_window=self._pause)

    def _pause(self) -> None:
        if not self.hurry:
            time.sleep(PAUSE_SECONDS)


def _kill(daemon: Daemon, rnd: random.Random) -> None:
    """Kill workers and the daemon, in turn and at random moments, each time once there is something to kill."""
    for number in range(KILLS):
        wait_until(lambda: workers(daemon), "workers")
        time.sleep(rnd.uniform(0.1, 0.6))
        if number % (KILLS // DAEMON_KILLS) == KILLS // DAEMON_KILLS // 2:
            daemon.kill_with_children()
            daemon.start()
            daemon.wait_until_ready()
        elif victims := workers(daemon):
            send_signal(rnd.choice(victims))


@pytest.fixture
def sending() -> Iterator[list[Background]]:
    """Clients that run; those that are left over are waited for."""
    threads: list[Background] = []
    yield threads
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)
def test_every_event_once(clean_search_server: SearchServer, tmp_path: Path, sending: list[Background]) -> None:
    port = free_port()
    clients = [_Client(port, number) for number in range(CLIENTS)]
    with Daemon(tmp_path, config=CONFIG.format(port=port, url=clean_search_server.url), workers="2") as daemon:
        for client in clients:
            sending.append(Background(client.run))
            sending[-1].__enter__()
        _kill(daemon, random.Random(7))
        for client in clients:
            client.hurry = True
        for thread in sending:
            thread.join()
        daemon.stop()
    sent = [number for client in clients for number in client.numbers]
    check_exactly(in_server(clean_search_server), sent)
    figure(windows_again=sum(client.windows_again for client in clients))
    assert daemon.dead_letters() == []
    _check_balance(tmp_path / "data", len(sent))


def _check_balance(data_dir: Path, sent: int) -> None:
    """``ingestd audit`` adds up: what was sent again was recognised as a duplicate."""
    found = json.loads(ingestd(data_dir, "audit", "--json"))
    figure(audit={name: found[name] for name in ("received", "delivered", "duplicates", "dead", "queued")})
    assert found["balanced"], found
    assert found["received"] == found["delivered"] + found["duplicates"]
    assert found["delivered"] <= sent <= found["received"]
