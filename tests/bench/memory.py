"""Memory of all processes: idle, at full load, and while the server is away; and how fast a backlog drains."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from tests.bench import clients
from tests.bench.cases import CASES
from tests.bench.cost import DISTINCT
from tests.bench.options import Options
from tests.bench.processes import cpu_seconds, pss_mb
from tests.bench.results import Result, Unit
from tests.bench.serving import CONNECTIONS, Cost, Serving, cost_of, serving
from tests.e2e.daemon import Daemon
from tests.waiting import wait_until

_REST_S, _REST_CPU_S = 3.0, 0.05
_SAMPLE_S = 0.3


def memory(options: Options) -> Iterator[Result]:
    """Measure PSS, and the rate at which a backlog drains."""
    yield from _idle()
    case = CASES["default"]
    lines = case.make_lines(min(options.events, DISTINCT))
    limit = str(4 * options.backlog_bytes + (1 << 30))
    with serving(case, lines, journal_max_bytes=limit) as served:
        with PeakPss(served.daemon) as loaded:
            live = served.full_speed(options.events)
        yield Result("memory at full load, highest", loaded.mb, Unit.MB, live.reference, 200)
        yield from _backlog(served, options.backlog_bytes, live)


def _idle() -> Iterator[Result]:
    """Measure a daemon that has nothing to do: with the built-in store, and without."""
    for title, arguments in {"built-in store": {}, "Elasticsearch": {"elasticsearch": "http://127.0.0.1:9"}}.items():
        with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder), workers="2", **arguments) as daemon:
            _wait_for_rest(daemon.process.pid)
            yield Result(f"memory idle, two workers, {title}", pss_mb(daemon.process.pid), Unit.MB, goal=110)


def _wait_for_rest(pid: int) -> None:
    """Return once all processes have done what they do at the start."""
    before = -1.0
    while (now := cpu_seconds(pid)) > before + _REST_CPU_S:
        before = now
        time.sleep(_REST_S)


def _backlog(served: Serving, size: int, live: Cost) -> Iterator[Result]:
    """Send while the server is away, then let it come back."""
    count = size // (sum(map(len, served.lines)) // len(served.lines))
    served.sink.leave()
    with PeakPss(served.daemon) as first:
        _queue(served, count // 2)
    with PeakPss(served.daemon) as second:
        _queue(served, count - count // 2)
    title = f"memory while {size / 1e6:,.0f} MB queue up"
    yield Result(f"{title}, highest in the first half", first.mb, Unit.MB)
    yield Result(f"{title}, highest in the second half", second.mb, Unit.MB, goal=1.1 * first.mb)
    with PeakPss(served.daemon) as draining:
        served.sink.come_back()
        stored = served.sink.count()
        wait_until(lambda: served.sink.count() > stored, "the first event after the outage")
        drained = cost_of(served.daemon, count, served.wait)
    yield Result("memory while the backlog drains, highest", draining.mb, Unit.MB)
    yield Result("backlog drains at", drained.rate, Unit.RATE, drained.reference)
    yield Result("backlog drains, against live intake", drained.rate / live.rate, Unit.TIMES, goal=1, at_least=True)


def _queue(served: Serving, count: int) -> None:
    served.sent += clients.sent_lines(served.lines, count, CONNECTIONS)
    clients.send(served.lines, count, served.daemon.port, CONNECTIONS)


class PeakPss:
    """The highest memory of a daemon in a ``with`` block, looked at a few times a second."""

    def __init__(self, daemon: Daemon) -> None:
        self.mb = 0.0
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_look, args=(daemon.process.pid, theirs), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._pipe.send("stop")
        self.mb = self._pipe.recv()
        self._process.join()


def _look(pid: int, pipe: Connection) -> None:
    highest = pss_mb(pid)
    while not pipe.poll(_SAMPLE_S):
        highest = max(highest, pss_mb(pid))
    pipe.send(highest)
