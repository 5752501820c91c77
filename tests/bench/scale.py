"""What an event costs past one machine: an edge from TCP to Kafka, a worker from Kafka through the default filters.

Edge, broker and worker run at the same time and share the cores, so only CPU per event is measured, of each for itself.
The broker is a real one, alone: each replica more costs another broker about the same disk and network.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

from tests.bench import clients
from tests.bench.cases import CASES
from tests.bench.checking import check_sink
from tests.bench.cost import DISTINCT
from tests.bench.options import Options
from tests.bench.processes import cpu_seconds
from tests.bench.results import Result, Unit
from tests.bench.serving import CONNECTIONS, WARM_UP, cost_of
from tests.bench.sink import SinkProcess
from tests.e2e.daemon import Daemon
from tests.e2e.kafka import Kafka
from tests.waiting import wait_until

_PARTITIONS = 4
_COMPRESSIONS = ("none", "lz4", "zstd")

_EDGE = """
input {{ tcp {{ port => 0 host => "127.0.0.1" codec => json_lines }} }}
output {{
  kafka {{ bootstrap_servers => "{servers}" topic_id => "{topic}" codec => json compression_type => "{topic}" }}
}}
"""

_WORKER = """
input {{
  kafka {{
    bootstrap_servers => "{servers}" topics => ["{topic}"] group_id => "{topic}" auto_offset_reset => "earliest"
    codec => json
  }}
  tcp {{ port => 0 host => "127.0.0.1" }}
}}
"""
_DEFAULT = (resources.files("ingestd") / "default.conf").read_text("utf-8")
_FILTERS = _DEFAULT[_DEFAULT.index("filter {") : _DEFAULT.index("output {")]
_OUTPUT = 'output { elasticsearch { hosts => ["${INGESTD_ELASTICSEARCH}"] } }'


def scale(options: Options) -> Iterator[Result]:
    """Measure edges, workers and the broker, with each compression."""
    kafka = Kafka()
    try:
        for compression in _COMPRESSIONS:
            kafka.make_topic(compression, _PARTITIONS)
            with tempfile.TemporaryDirectory() as folder:
                yield from _through(kafka, compression, Path(folder), options.events)
    finally:
        kafka.remove()


def _through(kafka: Kafka, topic: str, folder: Path, count: int) -> Iterator[Result]:
    """Send events through an edge, a topic named after its compression, and a worker."""
    case = CASES["default"]
    lines = case.make_lines(min(count, DISTINCT))
    kept = folder / "bodies"
    with ExitStack() as stack:
        sink = stack.enter_context(SinkProcess(kept))
        edge, worker = (
            stack.enter_context(_daemon(folder / name, config, sink.url))
            for name, config in (
                ("edge", _EDGE.format(servers=kafka.servers, topic=topic)),
                ("worker", _WORKER.format(servers=kafka.servers, topic=topic) + _FILTERS + _OUTPUT),
            )
        )

        def send(number: int, before: int = 0) -> None:
            clients.send(lines, number, edge.port, CONNECTIONS)
            wait_until(lambda: sink.count() >= before + number, "everything to be stored")

        send(WARM_UP)
        found = []
        broker = cpu_seconds(kafka.pid)
        of_edge = cost_of(edge, count, lambda: found.append(cost_of(worker, count, lambda: send(count, WARM_UP))))
        broker = cpu_seconds(kafka.pid) - broker
    sent = clients.sent_lines(lines, count, CONNECTIONS) + clients.sent_lines(lines, WARM_UP, CONNECTIONS)
    check_sink(kept, sent, case.expected)
    name = "not compressed" if topic == "none" else topic
    yield Result(f"edge: tcp to Kafka, {name}", of_edge.cpu_us, Unit.CPU_US, of_edge.reference)
    yield Result(f"worker: Kafka to Elasticsearch, filters, {name}", found[0].cpu_us, Unit.CPU_US, found[0].reference)
    yield Result(f"broker, {name}", broker / count * 1e6, Unit.CPU_US, of_edge.reference)
    size = kafka.log_bytes(topic) / (count + WARM_UP)
    yield Result(f"a record in Kafka with its header, {name}", size, Unit.BYTES)


def _daemon(folder: Path, config: str, url: str) -> Daemon:
    folder.mkdir()
    return Daemon(folder, config=config, workers="2", elasticsearch=url)
