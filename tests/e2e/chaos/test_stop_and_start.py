"""What a stop and a start cost stock clients when no systemd keeps their connections."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.chaos.client import STRIDE
from tests.e2e.chaos.tools import Clients, check_exactly, figure, in_store, scaled
from tests.e2e.daemon import Daemon, free_port
from tests.waiting import wait_until

EVENTS = scaled(1000, 12_000)
SECONDS = scaled(6, 60)
CROSSING = 2
"""Lines of one connection that are lost in silence: the one that draws the reset, and one that crosses the end."""


def test_only_what_the_handler_gave_up_is_lost(tmp_path: Path) -> None:
    """The handler gives up lines from the reset on until it has connected again, a second later at the earliest."""
    port = free_port()
    config = f'input {{ tcp {{ port => {port} host => "127.0.0.1" codec => json }} }} output {{ store {{}} }}'
    with Daemon(tmp_path, config=config) as daemon, Clients(port, EVENTS, SECONDS) as clients:
        wait_until(lambda: daemon.metric("ingestd_received_events_total") >= EVENTS / 2, "some events")
        daemon.stop()
        daemon.start()
        daemon.wait_until_ready()
        results = clients.results()
    found = set(in_store(daemon.data_dir))
    check_exactly(in_store(daemon.data_dir), found)  # none twice
    missing = [sum(n // STRIDE == k for n in set(clients.numbers) - found) for k in range(len(results))]
    given_up = [result["failures"] for result in results]
    silent = [lost - failures for lost, failures in zip(missing, given_up, strict=True)]
    figure(lost_of_each=missing, given_up=given_up, silent=silent, per_second=EVENTS / SECONDS)
    assert found <= set(clients.numbers)
    assert all(0 <= lost <= CROSSING for lost in silent), silent
