"""``make bench``: what the daemon costs, and whether the goals are met.

Everything is measured with a real daemon with two workers, from TCP into a sink that speaks ``_bulk``, unless it says
otherwise. Each document is compared with what it must be before a figure is printed. CPU seconds on a shared machine
vary by half from one minute to the next; the ratio to a reference loop, which is measured in the same seconds, varies
less. The load is how many times longer than its CPU time that loop took: at 1.0 nobody else wanted the CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator

from ingestd.units import parse_size
from tests.bench import page
from tests.bench.beats import beats
from tests.bench.cost import cases, connections, store, throughput, writes
from tests.bench.dashboard import dashboard
from tests.bench.guard import guard
from tests.bench.latency import latency, neighbours
from tests.bench.linearity import linearity
from tests.bench.memory import memory
from tests.bench.options import Options
from tests.bench.priority import raised_priority
from tests.bench.results import HEADS, Result, line
from tests.bench.scale import scale
from tests.bench.stages import stages
from tests.bench.startup import startup

MEASUREMENTS: dict[str, Callable[[Options], Iterator[Result]]] = {
    "cpu": cases,
    "beats": beats,
    "store": store,
    "throughput": throughput,
    "writes": writes,
    "connections": connections,
    "neighbours": neighbours,
    "latency": latency,
    "memory": memory,
    "startup": startup,
    "dashboard": dashboard,
    "linearity": linearity,
    "stages": stages,
    "guard": guard,
    "scale": scale,
}


def _terminate(pid: int, *_: object) -> None:
    """Stop what was started, and end; processes that were forked just end."""
    sys.exit("terminated") if os.getpid() == pid else os._exit(1)


def main() -> None:
    """Measure what was asked for, print it, and write it to the page with ``--write``."""
    arguments = argparse.ArgumentParser(prog="make bench", description=__doc__)
    arguments.add_argument(
        "--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS), help="what to measure"
    )
    arguments.add_argument("--events", type=int, default=Options().events, help="events of each load")
    arguments.add_argument("--backlog", type=parse_size, default=Options().backlog_bytes, help="such as 10GB")
    arguments.add_argument("--write", action="store_true", help="replace the tables in docs/performance.md")
    arguments.add_argument("--priority", action="store_true", help="let other work on the machine wait; as root")
    given = arguments.parse_args()
    options = Options(given.events, given.backlog, given.priority)
    signal.signal(signal.SIGTERM, functools.partial(_terminate, os.getpid()))
    with raised_priority() if options.priority else contextlib.nullcontext():
        _measure(given.only, options, write=given.write)


def _measure(names: list[str], options: Options, *, write: bool) -> None:
    print(line(HEADS))
    for name in names:
        results = []
        for result in MEASUREMENTS[name](options):
            print(line(result.columns()), flush=True)
            results.append(result)
        if write:
            page.write(name, options, results)


if __name__ == "__main__":
    main()
