"""A Django site whose daemon is stopped: no request is lost or counted twice, and none waits for the daemon."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.chaos.tools import figure, scaled
from tests.e2e.client_site import ClientSite
from tests.e2e.daemon import Daemon, free_port, ingestd
from tests.e2e.site import Site
from tests.waiting import wait_until

PER_SECOND = scaled(100, 200)
SECONDS = scaled(3, 60)
"""How long the daemon runs before the stop, is stopped, and runs after it."""
WORKERS = scaled(2, 4)
_THREADS = 16


class Load:
    """Sends requests at a steady rate to two sites in turn, so that both see the same load of the machine.

    Args:
        logging: The site that logs to the daemon; each of its requests searches for a number of its own.
        silent: The site that logs nothing.
    """

    def __init__(self, logging: Site, silent: Site) -> None:
        self._sites = {"logging": logging, "silent": silent}
        self.sent = 0

    def send(self, phase: str) -> None:
        """Send for `SECONDS`; report how long requests took (ms), from the moment at which they were due."""
        count, started = PER_SECOND * SECONDS, time.monotonic()
        with ThreadPoolExecutor(_THREADS) as pool:
            tasks = [
                (name, pool.submit(_request, site, number, started + (number - self.sent + lag) / PER_SECOND))
                for number in range(self.sent, self.sent + count)
                for lag, (name, site) in zip((0, 0.5), self._sites.items(), strict=True)
            ]
        self.sent += count
        for name in self._sites:
            took = sorted(task.result() for kind, task in tasks if kind == name)
            figures = {f"p{q}": round(took[count * q // 100] * 1000, 2) for q in (50, 95, 99)}
            figure(phase=phase, site=name, requests=count, **figures)


def _request(site: Site, number: int, due: float) -> float:
    """Send a request when it is due; return how long it took (seconds)."""
    time.sleep(max(due - time.monotonic(), 0))
    started = time.monotonic()
    assert site.get(f"/search?q=n{number}") == 200
    return time.monotonic() - started


def _words(daemon: Daemon) -> Counter[str]:
    query = "SELECT search_word, count(*) AS events FROM events WHERE search_word IS NOT NULL GROUP BY search_word"
    rows = ingestd(daemon.data_dir, "sql", query, "--json", "--limit", "1000000").splitlines()
    return Counter({row["search_word"]: row["events"] for row in map(json.loads, rows)})


def test_a_stop_of_the_daemon(tmp_path: Path) -> None:
    port = free_port()
    logging, silent = ClientSite(tmp_path / "logging", port), ClientSite(tmp_path / "silent", None)
    with Daemon(tmp_path, beats_port=str(port)) as daemon:
        with logging.running("sync", WORKERS) as site, silent.running("sync", WORKERS) as other:
            load = Load(site, other)
            load.send("before")
            daemon.stop()
            load.send("stopped")
            daemon.start()
            daemon.wait_until_ready()
            load.send("after")
            wait_until(lambda: len(_words(daemon)) >= load.sent, "all requests to be stored")
        daemon.stop()
    words = _words(daemon)
    lost, twice = load.sent - len(words), words.total() - len(words)
    figure(requests=load.sent, lost=lost, twice=twice, console=logging.output().count("cannot be reached"))
    assert words == Counter(f"n{number}" for number in range(load.sent))
