"""Time from sent to stored, in the sink: at a low rate, beside many connections, beside garbage.

An event counts from the moment when it was due, so that a server that does not read delays it as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from tests.bench import clients
from tests.bench.cases import CASES
from tests.bench.clients import Call, Clients, Pace, Start
from tests.bench.cost import MANY, MANY_RATE
from tests.bench.options import Options
from tests.bench.reference import Reference, ReferenceProcess
from tests.bench.results import Result, Unit
from tests.bench.serving import SETTLE_S, Serving, serving

_SECONDS = 8
_PROBES = Pace(10, _SECONDS * 200, 200, stamp=True)
_SLOW = 100
_GARBAGE = 4

Neighbours = Callable[[Serving, Start], list[Call]]


def latency(options: Options) -> Iterator[Result]:
    """Measure 1,000 events a second with the default settings."""
    latencies, reference = _measure(Pace(4, _SECONDS * 1000, 1000, stamp=True))
    yield Result("1,000 events/s: median", _quantile(latencies, 0.5), Unit.MS, reference, 50)
    yield Result("1,000 events/s: p99", _quantile(latencies, 0.99), Unit.MS, reference)


def neighbours(options: Options) -> Iterator[Result]:
    """Measure clients beside others that are many, slow, or send garbage."""
    for title, others, goal_ms in (
        (f"beside {MANY} connections of {MANY_RATE} events/s, {_SLOW} of a byte/s", _crowd, 200),
        (f"beside {_GARBAGE} connections full of garbage", _garbage, 300),
    ):
        latencies, reference = _measure(_PROBES, others)
        yield Result(f"{title}: median", _quantile(latencies, 0.5), Unit.MS, reference)
        yield Result(f"{title}: p99", _quantile(latencies, 0.99), Unit.MS, reference, goal_ms)


def _crowd(served: Serving, start: Start) -> list[Call]:
    lines, port, rate = served.lines, served.daemon.port, MANY * MANY_RATE
    many = (clients.paced, (lines, port, Pace(MANY, 2 * _SECONDS * rate, rate), start))
    return [many, (clients.drip, (lines, port, _SLOW, start))]


def _garbage(served: Serving, start: Start) -> list[Call]:
    return [(clients.garbage, (served.daemon.port, _GARBAGE, start))]


def _alone(served: Serving, start: Start) -> list[Call]:
    return []


def _measure(pace: Pace, neighbours: Neighbours = _alone) -> tuple[list[float], Reference]:
    """Return the milliseconds from due to stored of events at a rate, in ascending order."""
    case, start = CASES["default"], Start()
    with serving(case, case.make_lines(20_000), only_stamped=True) as served:
        served.sent += clients.sent_lines(served.lines, pace.count, 1)
        others = neighbours(served, start)
        call = (clients.paced, (served.lines, served.daemon.port, pace, start))
        with Clients(*others) as running, Clients(call) as probes:
            start.await_clients(len(others) + 1)
            time.sleep(SETTLE_S)
            start.give()
            with ReferenceProcess() as reference:
                probes.join()
                served.wait()
                measured = reference.result()
            running.check_alive()
    return sorted(served.latencies_ms), measured


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[int(share * len(ordered))]
