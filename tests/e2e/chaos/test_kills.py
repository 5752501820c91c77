"""Workers die, are reloaded and upgraded while stock clients log: none lost, none twice, nobody notices."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.chaos.tools import (
    Clients,
    check_balance,
    check_exactly,
    figure,
    in_server,
    in_store,
    kill_children,
    scaled,
)
from tests.e2e.daemon import Daemon
from tests.e2e.servers import SearchServer
from tests.random_cases import LONG

EVENTS = scaled(3000, 50_000)
SECONDS = scaled(5, 120)
KILLS = scaled(20, 200)
ORDERS = scaled(4, 60)
Disturbance = Callable[[Daemon, random.Random], None]


def kills(daemon: Daemon, rnd: random.Random) -> None:
    kill_children(daemon, KILLS, rnd)


def orders(number: signal.Signals, seconds: tuple[float, float]) -> Disturbance:
    def order(daemon: Daemon, rnd: random.Random) -> None:
        for _ in range(ORDERS):
            time.sleep(rnd.uniform(*seconds))
            daemon.process.send_signal(number)

    return order


def everything(daemon: Daemon, rnd: random.Random) -> None:
    """Kills in the middle of reloads and upgrades."""
    for _ in range(ORDERS):
        daemon.process.send_signal(rnd.choice([signal.SIGHUP, signal.SIGUSR2]))
        kill_children(daemon, 1, rnd, (0, 0.1))
        time.sleep(rnd.uniform(0.5, 1.2))


DISTURBANCES = [
    pytest.param(kills, id="kill"),
    pytest.param(orders(signal.SIGHUP, (0.1, 1.5)), id="reload"),
    pytest.param(orders(signal.SIGUSR2, (0.8, 1.5)), id="upgrade"),
    pytest.param(everything, id="everything"),
]


def disturb(daemon: Daemon, disturbance: Disturbance) -> list[int]:
    """Let clients log while ``disturbance`` rages; returns the numbers of the events."""
    with Clients(daemon.port, EVENTS, SECONDS) as clients:
        begin = time.monotonic()
        disturbance(daemon, random.Random(5))
        figure(disturbed_seconds=round(time.monotonic() - begin, 1))
        clients.finish()
    return clients.numbers


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_into_the_store(tmp_path: Path, disturbance: Disturbance) -> None:
    with Daemon(tmp_path, workers="4") as daemon:
        sent = disturb(daemon, disturbance)
        daemon.stop()
    check_exactly(in_store(daemon.data_dir), sent)
    check_balance(daemon.data_dir, len(sent))
    assert daemon.dead_letters() == []


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)
@pytest.mark.parametrize("disturbance", DISTURBANCES if LONG else [DISTURBANCES[0], DISTURBANCES[-1]])
def test_into_elasticsearch(clean_search_server: SearchServer, tmp_path: Path, disturbance: Disturbance) -> None:
    with Daemon(tmp_path, "--elasticsearch", clean_search_server.url, workers="4") as daemon:
        sent = disturb(daemon, disturbance)
        daemon.stop()
    check_exactly(in_server(clean_search_server), sent)
    check_balance(daemon.data_dir, len(sent))
    assert daemon.dead_letters() == []
