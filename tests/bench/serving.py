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
from tests.bench.processes import busiest_cpu_seconds, cpu_seconds
from tests.bench.reference import Reference, ReferenceProcess
from tests.bench.sink import SinkProcess
from tests.e2e.daemon import Daemon

WARM_UP = 1000
CONNECTIONS = 4
_PATIENCE_S = 60


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

    def send(self, count: int, connections: int = CONNECTIONS, lines_per_write: int = clients.FULL_CHUNK) -> None:
        """Send events as fast as they are taken, and return once all that were ever sent are stored."""
        self.sent += clients.sent_lines(self.lines, count, connections)
        clients.send(self.lines, count, self.daemon.port, connections, lines_per_write)
        self.wait()

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
        with SinkProcess(kept) as sink:
            settings = {"workers": "2", "elasticsearch": sink.url, **settings}
            with Daemon(Path(folder), config=case.config, **settings) as daemon:
                served = Serving(daemon, sink, lines)
                served.send(WARM_UP)
                if only_stamped:
                    served.only_stamped, served.sent = True, Counter()
                yield served
        latencies = check_sink(kept, served.sent, case.expected, only_stamped=only_stamped)
        served.latencies_ms = [latency_ns / 1e6 for latency_ns in latencies]
