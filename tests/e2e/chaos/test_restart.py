"""``systemctl restart`` and crashes under a systemd that keeps descriptors: stock clients never notice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.chaos.systemd import Systemd, Unit
from tests.e2e.chaos.tools import Clients, check_exactly, in_server, in_store, scaled
from tests.e2e.servers import SearchServer
from tests.waiting import wait_until

EVENTS = scaled(3000, 50_000)
SECONDS = scaled(5, 120)
STARTS = scaled(3, 40)
WAYS = [pytest.param(Unit.restart, id="restart"), pytest.param(Unit.crash, id="crash")]


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    with Systemd(tmp_path) as running:
        yield running


def start_again_and_again(unit: Unit, way: Callable[[Unit], None]) -> list[int]:
    """Let clients log while the unit is started again and again; returns the numbers of the events."""
    rnd, port = random.Random(7), unit.port
    with Clients(port, EVENTS, SECONDS) as clients:
        for _ in range(STARTS):
            time.sleep(rnd.uniform(0.3, 1.5))
            way(unit)
            assert unit.port == port
        clients.finish()
    return clients.numbers


@pytest.mark.parametrize("way", WAYS)
def test_into_the_store(systemd: Systemd, tmp_path: Path, way: Callable[[Unit], None]) -> None:
    with Unit(systemd, tmp_path) as unit:
        sent = start_again_and_again(unit, way)
        wait_until(lambda: systemd.connections() == 0, "the ends of the connections")
        unit.stop()
    check_exactly(in_store(unit.data_dir), sent)
    assert unit.dead_letters() == []


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)
def test_into_elasticsearch(clean_search_server: SearchServer, systemd: Systemd, tmp_path: Path) -> None:
    """Restarts and crashes in turn."""
    ways = [Unit.restart, Unit.crash] * STARTS

    def next_way(unit: Unit) -> None:
        ways.pop()(unit)

    with Unit(systemd, tmp_path, "--elasticsearch", clean_search_server.url) as unit:
        sent = start_again_and_again(unit, next_way)
        wait_until(lambda: systemd.connections() == 0, "the ends of the connections")
        unit.stop()
    check_exactly(in_server(clean_search_server), sent)
    assert unit.dead_letters() == []
