"""What an event costs: by config, into the built-in store, by the size of writes, with many connections."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.layout import store_root
from tests.bench import clients
from tests.bench.cases import CASES
from tests.bench.checking import check_stored
from tests.bench.clients import Pace
from tests.bench.options import Options
from tests.bench.results import Result, Unit
from tests.bench.serving import CONNECTIONS, Cost, cost_of, serving
from tests.e2e.daemon import Daemon, ingestd
from tests.waiting import wait_until

DISTINCT = 100_000
MANY = 2_000
"""Connections."""

MANY_RATE = 20
"""Events a second on each of them."""


def cases(options: Options) -> Iterator[Result]:
    """Measure each config with full chunks, from TCP into the sink."""
    for name, case in CASES.items():
        cost = full_chunks(name, options.events)
        yield Result(case.title, cost.cpu_us, Unit.CPU_US, cost.reference, case.goal_us)


@functools.lru_cache
def full_chunks(name: str, events: int, connections: int = CONNECTIONS) -> Cost:
    """Return what a case costs, from TCP into the sink; measured once."""
    return _sent(name, events, connections, clients.FULL_CHUNK)


def _sent(name: str, events: int, connections: int, lines_per_write: int) -> Cost:
    case = CASES[name]
    with serving(case, case.make_lines(min(events, DISTINCT))) as served:
        return served.full_speed(events, connections, lines_per_write)


def throughput(options: Options) -> Iterator[Result]:
    """Measure events per second, with several connections and with one."""
    several = full_chunks("default", options.events)
    yield Result("two workers, 4 connections", several.rate, Unit.RATE, several.reference, 250_000, at_least=True)
    hot = full_chunks("default", options.events, 1)
    yield Result("one hot connection", hot.rate, Unit.RATE, hot.reference)
    yield Result("one hot connection: share of a core of the busiest process", hot.busiest, Unit.TIMES)


def writes(options: Options) -> Iterator[Result]:
    """Measure one write per event, as python-logstash does."""
    full = full_chunks("default", options.events)
    single = _sent("default", options.events, CONNECTIONS, 1)
    yield Result("one write per event", single.cpu_us, Unit.CPU_US, single.reference)
    yield Result("one write per event, against full chunks", times(single, full), Unit.TIMES, goal=1.4)


def connections(options: Options) -> Iterator[Result]:
    """Measure 2,000 connections with 20 events a second each."""
    full = full_chunks("default", options.events)
    case, rate = CASES["default"], MANY * MANY_RATE
    count = min(options.events, 5 * rate)
    with serving(case, case.make_lines(min(count, DISTINCT))) as served:
        cost = served.paced(Pace(MANY, count, rate))
    title = f"{MANY} connections, {rate} events/s in all"
    yield Result(title, cost.cpu_us, Unit.CPU_US, cost.reference)
    yield Result(f"{title}: reached", cost.rate, Unit.RATE, cost.reference)
    yield Result(f"{title}, against full chunks", times(cost, full), Unit.TIMES, goal=2)


def times(cost: Cost, base: Cost) -> float:
    """Return how many times as much an event costs, both in units of the reference loop of the same seconds."""
    return (cost.cpu_us / cost.reference.us) / (base.cpu_us / base.reference.us)


def store(options: Options) -> Iterator[Result]:
    """Measure the default pipeline into the built-in store, until all is sealed."""
    case = CASES["default"]
    lines = case.make_lines(min(options.events, DISTINCT))
    with tempfile.TemporaryDirectory() as folder:
        with Daemon(Path(folder), workers="2", seal_after="1s") as daemon:
            cost = cost_of(daemon, options.events, lambda: _seal(daemon, lines, options.events))
        sent = clients.sent_lines(lines, options.events, CONNECTIONS)
        check_stored(ingestd(daemon.data_dir, "export").encode().splitlines(), sent, case.expected)
    title = "default pipeline into the built-in store, sealing included"
    yield Result(title, cost.cpu_us, Unit.CPU_US, cost.reference, 18)


def _seal(daemon: Daemon, lines: list[bytes], count: int) -> None:
    """Send events, and return once they are sealed."""
    clients.send(lines, count, daemon.port, CONNECTIONS)
    root = store_root(daemon.data_dir)

    def sealed() -> bool:
        files = (file for folder in root.glob("logstash-*") for file in manifest.load(folder).files)
        return sum(file.events for file in files) >= count

    wait_until(sealed, "the events to be sealed")
