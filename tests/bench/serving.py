"""A daemon with the config of a case in front of the sink, and what it costs while it works."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import clients
from tests.bench.cases import Case
from tests.bench.checking import check_sink
from tests.bench.clients import FULL_CHUNK, Call, Clients, Pace, Start
from tests.bench.processes import busiest_cpu_seconds, cpu_seconds
from tests.bench.reference import Reference, ReferenceProcess
from tests.bench.sink import SinkProcess
from tests.e2e.daemon import Daemon

WARM_UP = 1000
CONNECTIONS = 4
_PATIENCE_S = 60
SETTLE_S = 1.0
"""Until the daemon has accepted all connections."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU microseconds of an event, events per second, and how much of a core the busiest process took."""

    cpu_us: float
    rate: float
    busiest: float
    reference: Reference


@dataclass(slots=True)
class Serving:
    """A daemon, the sink, and what was sent.

    Attributes:
        only_stamped: Only events with ``sent_ns`` count; others come as well.
        latencies_ms: From sent to stored, of the events with ``sent_ns``; once everything is checked.
    """

    daemon: Daemon
    sink: SinkProcess
    lines: list[bytes]
    only_stamped: bool = False
    sent: Counter[bytes] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)

    def send(self, count: int) -> None:
        """Send events as fast as they are taken, and return once all that were ever sent are stored."""
        self.sent += clients.sent_lines(self.lines, count, CONNECTIONS)
        clients.send(self.lines, count, self.daemon.port, CONNECTIONS)
        self.wait()

    def full_speed(self, count: int, connections: int = CONNECTIONS, lines_per_write: int = FULL_CHUNK) -> Cost:
        """Return the cost of events that are sent as fast as they are taken."""
        self.sent += clients.sent_lines(self.lines, count, connections)
        start, port = Start(), self.daemon.port
        arguments = [(self.lines, share, port, lines_per_write, start) for share in clients.shares(count, connections)]
        return self._cost(count, start, [(clients.full_speed, given) for given in arguments])

    def paced(self, pace: Pace) -> Cost:
        """Return the cost of events that come at a rate."""
        self.sent += clients.sent_lines(self.lines, pace.count, 1)
        start = Start()
        return self._cost(pace.count, start, [(clients.paced, (self.lines, self.daemon.port, pace, start))])

    def _cost(self, count: int, start: Start, calls: list[Call]) -> Cost:
        """Return what it costs to take what clients send, once they are connected, until it is stored."""
        with Clients(*calls) as senders:
            start.await_clients(len(calls))
            time.sleep(SETTLE_S)

            def work() -> None:
                start.give()
                senders.join()
                self.wait()

            return cost_of(self.daemon, count, work)

    def wait(self) -> None:
        """Return once all that was sent is stored; exit if nothing more comes."""
        stored = self.sink.stamped if self.only_stamped else self.sink.count
        latest, since = 0, time.monotonic()
        while (count := stored()) < self.sent.total():
            if count > latest:
                latest, since = count, time.monotonic()
            if time.monotonic() > since + _PATIENCE_S:
                sys.exit(f"wrong: {self.sent.total():,} events were sent, and only {count:,} came")
            time.sleep(0.02)


def cost_of(daemon: Daemon, count: int, work: Callable[[], object]) -> Cost:
    """Return what ``work`` costs the daemon for each of ``count`` events."""
    pid = daemon.process.pid
    with ReferenceProcess() as reference:
        start, cpu, busiest = time.monotonic(), cpu_seconds(pid), busiest_cpu_seconds(pid)
        work()
        seconds = time.monotonic() - start
        cpu, busiest = cpu_seconds(pid) - cpu, busiest_cpu_seconds(pid) - busiest
        return Cost(cpu / count * 1e6, count / seconds, busiest / seconds, reference.result())


@contextmanager
def serving(case: Case, lines: list[bytes], *, only_stamped: bool = False, **settings: str) -> Iterator[Serving]:
    """Run a daemon with two workers until the end of the block; then every document is checked."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "bodies"
        with SinkProcess(kept, stamps=only_stamped) as sink:
            settings = {"workers": "2", "elasticsearch": sink.url, **settings}
            with Daemon(Path(folder), config=case.config, **settings) as daemon:
                served = Serving(daemon, sink, lines)
                served.send(WARM_UP)
                if only_stamped:
                    served.only_stamped, served.sent = True, Counter()
                yield served
        latencies = check_sink(kept, served.sent, case.expected, only_stamped=only_stamped)
        served.latencies_ms = [latency_ns / 1e6 for latency_ns in latencies]
