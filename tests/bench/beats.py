"""What an event of Filebeat costs: windows of 2,048, compressed, each on the disk before it is acknowledged."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.bench.cases import filter_config
from tests.bench.checking import check_sink
from tests.bench.clients import Clients, Start, shares
from tests.bench.events import make_lines
from tests.bench.options import Options
from tests.bench.results import Result, Unit
from tests.bench.serving import CONNECTIONS, Cost, cost_of
from tests.bench.sink import SinkProcess
from tests.e2e.daemon import Daemon
from tests.e2e.lumberjack import LumberjackConnection
from tests.lumberjack_writer import encode_window
from tests.waiting import wait_until

WINDOW = 2048
_TAG = "beats_input_codec_plain_applied"
_CONFIG = filter_config("").replace("tcp {", "beats {").replace(" codec => json_lines", "")
_METADATA = {"beat": "filebeat", "type": "_doc", "version": "8.15.0"}
_AGENT = {"id": "6a1fe1b0-5c4e-4f0c-9d6f-3f7c3a0f6f55", "type": "filebeat", "name": "web1", "version": "8.15.0"}


def beats(options: Options) -> Iterator[Result]:
    """Measure the input ``beats``."""
    with tempfile.TemporaryDirectory() as folder:
        cost = _cost(Path(folder), filebeat_lines(options.events))
    yield Result(
        "input beats, windows of 2,048 on the disk before each acknowledgement",
        cost.cpu_us,
        Unit.CPU_US,
        cost.reference,
        9.0,
    )
    yield Result("input beats, 4 connections", cost.rate, Unit.RATE, cost.reference)


def filebeat_lines(count: int) -> list[bytes]:
    """Return what Filebeat sends of the text of the usual lines, each at an offset of its own."""
    return [_filebeat_event(number, json.loads(line)) for number, line in enumerate(make_lines(count))]


def _filebeat_event(number: int, record: dict[str, str]) -> bytes:
    file = {"path": "/var/log/shop/access.log", "device_id": "2049", "inode": "1835041"}
    event = {
        "@timestamp": record["@timestamp"],
        "@metadata": _METADATA,
        "log": {"offset": 120 * number, "file": file},
        "message": record["message"],
        "input": {"type": "filestream"},
        "ecs": {"version": "8.0.0"},
        "host": {"name": "web1"},
        "agent": _AGENT,
    }
    return json.dumps(event, separators=(",", ":")).encode()


def expected(line: bytes) -> dict[str, object]:
    """Return the document of an event."""
    event = json.loads(line)
    del event["@metadata"]
    return dict(event, **{"@version": "1", "tags": [_TAG]})


def _cost(folder: Path, documents: list[bytes]) -> Cost:
    kept = folder / "bodies"
    with (
        SinkProcess(kept) as sink,
        Daemon(folder, config=_CONFIG, workers="2", elasticsearch=sink.url) as daemon,
    ):
        ends = [sum(shares(len(documents), CONNECTIONS)[: number + 1]) for number in range(CONNECTIONS)]
        parts = [documents[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        start = Start()
        with Clients(*[(_send, (part, daemon.port, start)) for part in parts]) as clients:
            start.await_clients(CONNECTIONS)

            def work() -> None:
                start.give()
                clients.join()
                wait_until(lambda: sink.count() >= len(documents), "everything to be stored")

            cost = cost_of(daemon, len(documents), work)
    check_sink(kept, Counter(documents), expected)
    return cost


def _send(documents: list[bytes], port: int, start: Start) -> None:
    """Send windows, each once the one before is acknowledged."""
    windows = [documents[at : at + WINDOW] for at in range(0, len(documents), WINDOW)]
    encoded = [(encode_window(window), len(window)) for window in windows]
    with LumberjackConnection(port) as connection:
        start.wait()
        for data, count in encoded:
            connection.send(data)
            connection.await_acknowledgement(count)
