"""What the chaos tests share: clients, victims, exact counts, figures."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.e2e.chaos.client import STRIDE
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.servers import SearchServer
from tests.processes import children, open_files, resident_bytes, rests, send_signal
from tests.random_cases import LONG
from tests.waiting import WAIT_SECONDS, wait_until

ROOT = Path(__file__).parents[3]
CLIENTS = 4
OTHERS = ("HTTP", "maintenance")
"""The processes of a daemon besides the supervisor and the workers."""


def scaled(short: int, long: int) -> int:
    """Return ``short`` in CI and ``long`` in ``make chaos``."""
    return long if LONG else short


class Clients:
    """Stock clients, each in a process of its own, that log at the same time; none outlives the ``with`` block.

    Args:
        port: Where the daemon listens.
        events: Of each client.
        seconds: How long each takes about.
    """

    def __init__(self, port: int, events: int, seconds: float) -> None:
        self.numbers = [k * STRIDE + i for k in range(CLIENTS) for i in range(events)]
        module = [sys.executable, "-m", "tests.e2e.chaos.client"]
        self._processes = [
            subprocess.Popen(
                [*module, str(port), str(k), str(events), str(events / seconds)], cwd=ROOT, stdout=subprocess.PIPE
            )
            for k in range(CLIENTS)
        ]

    @property
    def running(self) -> bool:
        """Whether one of them still logs."""
        return any(process.poll() is None for process in self._processes)

    def results(self) -> list[dict[str, Any]]:
        """Wait for all; return what each has noticed."""
        return [json.loads(process.communicate(timeout=WAIT_SECONDS)[0]) for process in self._processes]

    def finish(self) -> None:
        """Wait for all; none may have noticed anything but time."""
        said = self.results()
        figure(longest_emit_ms=round(max(client["longest"] for client in said) * 1000, 1))
        assert [(client["failures"], client["connections"]) for client in said] == [(0, 1)] * CLIENTS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


def figure(**values: Any) -> None:
    """Report a figure: shown with ``pytest -s`` or ``-rP``, and kept by ``make chaos``."""
    print(os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0], values)  # noqa: T201 -- that is what it is for


# Processes


@dataclass(frozen=True)
class Usage:
    """Of a daemon with its children: resident memory (bytes) and open descriptors."""

    rss: int
    descriptors: int


def usage(daemon: Daemon) -> Usage:
    """Return what the daemon uses now."""
    pids = [daemon.process.pid, *children(daemon.process.pid)]
    return Usage(sum(map(resident_bytes, pids)), sum(len(open_files(pid)) for pid in pids))


def usage_at_rest(daemon: Daemon, workers: int) -> Usage:
    """Return what the daemon uses when all its processes have been started and have nothing to do."""

    def at_rest() -> bool:
        pids = [daemon.process.pid, *children(daemon.process.pid)]
        return len(pids) == 1 + workers + len(OTHERS) and all(map(rests, pids))

    wait_until(at_rest, "all processes to be started")
    return usage(daemon)


def is_worker(daemon: Daemon, pid: int) -> bool:
    """Return whether a child has opened its journal: the HTTP process has none, a newborn not yet."""
    return any(Path(file).is_relative_to(daemon.data_dir / "journal") for file in open_files(pid))


def workers(daemon: Daemon) -> list[int]:
    """Return the workers that are at work."""
    return [pid for pid in children(daemon.process.pid) if is_worker(daemon, pid)]


def kill_children(daemon: Daemon, kills: int, rnd: random.Random, pauses: tuple[float, float] = (0.05, 0.6)) -> None:
    """SIGKILL children of the daemon at random moments until so many workers have died at work."""
    while kills:
        time.sleep(rnd.uniform(*pauses))
        victim = rnd.choice(children(daemon.process.pid) or [0])
        if victim:
            kills -= is_worker(daemon, victim)
            send_signal(victim)


# Exact counts


def check_exactly(found: Iterable[int], sent: Iterable[int]) -> None:
    """Every event that was sent is there, once."""
    counts, expected = Counter(found), set(sent)
    lost = sorted(expected - counts.keys())
    twice = sorted(number for number, count in counts.items() if count > 1)
    strange = sorted(counts.keys() - expected)
    wrong = lost + twice + strange
    assert not wrong, f"{len(lost)} lost {lost[:5]}, {len(twice)} twice {twice[:5]}, {len(strange)} of nobody"


def check_balance(data_dir: Path, sent: int, dead: int = 0) -> None:
    """``ingestd audit`` accounts for every event that was sent, after the daemon has delivered all; exit code 0."""
    found = json.loads(ingestd(data_dir, "audit", "--json"))
    numbers = {name: found[name] for name in ("received", "delivered", "duplicates", "dead", "queued", "dropped")}
    figure(audit=numbers)
    delivered = found["delivered"] + found["duplicates"]
    assert found["balanced"], found
    assert (found["received"], delivered, found["dead"]) == (sent, sent - dead, dead), numbers


def in_store(data_dir: Path, *words: str) -> list[int]:
    """Return the numbers of all events in the built-in store; those without one were made of garbage."""
    lines = ingestd(data_dir, "search", *words, "--json", "--limit", "10000000").splitlines()
    found = [json.loads(line).get("n") for line in lines]
    return [number for number in found if number is not None]


def in_server(server: SearchServer, index: str = "logstash-*") -> list[int]:
    """Return the numbers of all events in a real server."""
    server.call("POST", f"/{index}/_refresh")
    found: list[int] = []
    after: list[int] = []
    while True:
        # ``_id`` alone may not be sorted by: two documents of the same number are distinguished by ``_doc``.
        body: dict[str, Any] = {"size": 10_000, "_source": False, "sort": [{"n": "asc"}], "docvalue_fields": ["n"]}
        if after:
            body["query"] = {"range": {"n": {"gt": after[0]}}}
        hits = server.call("POST", f"/{index}/_search", body)["hits"]["hits"]
        if not hits:
            return found
        found += [int(hit["fields"]["n"][0]) for hit in hits]
        after = [found[-1]]


def wait_for_nothing_queued(daemon: Daemon, seconds: float = WAIT_SECONDS) -> None:
    """Wait until every output has everything."""
    wait_until(lambda: daemon.metric("ingestd_queue_events") == 0, "an empty queue", seconds)
