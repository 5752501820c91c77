"""Workers are killed while clients send over HTTP, and send again what was not answered."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.e2e.chaos.tools import figure, scaled, workers
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.stub import StubElasticsearch
from tests.processes import send_signal
from tests.waiting import WAIT_SECONDS, wait_until

KILLS = scaled(6, 50)
EVENTS = 25
LOCAL = 'host => "127.0.0.1" port => 0'
CONFIG = f"""
input {{
  http {{ {LOCAL} id => "http" }}
  elasticsearch_bulk {{ {LOCAL} id => "bulk" }}
  otlp {{ {LOCAL} id => "otlp" }}
}}
output {{ elasticsearch {{ hosts => ["%s"] retry_initial_interval => 0.05 retry_max_interval => 0.2 }} }}
"""

Make = Callable[[str, range], tuple[str, bytes, dict[str, str]]]
"""Makes the request of a client for some numbers: path, body, headers."""


def with_key(kind: str, numbers: range) -> tuple[str, bytes, dict[str, str]]:
    """Return a request whose events have the same ids when it is sent again."""
    path, body, headers = without_key(kind, numbers)
    return path, body, {**headers, "Idempotency-Key": f"{kind}-{numbers.start}"}


def without_key(kind: str, numbers: range) -> tuple[str, bytes, dict[str, str]]:
    """Return a request whose events may be there twice when it is sent again."""
    body = json.dumps([{"kind": kind, "n": number, "message": "x" * 200} for number in numbers])
    return "/", body.encode(), {"Content-Type": "application/json"}


def with_ids(kind: str, numbers: range) -> tuple[str, bytes, dict[str, str]]:
    """Return documents for ``_bulk`` with ids of their own."""
    lines = [
        json.dumps(line)
        for number in numbers
        for line in ({"index": {"_index": "a", "_id": f"{kind}-{number}"}}, {"kind": kind, "n": number})
    ]
    return "/_bulk", "\n".join([*lines, ""]).encode(), {"Content-Type": "application/x-ndjson"}


def records(kind: str, numbers: range) -> tuple[str, bytes, dict[str, str]]:
    """Return records of OpenTelemetry in protobuf; as ``with_key``."""
    given = [
        {
            "body": {"stringValue": "x" * 200},
            "attributes": [
                {"key": "kind", "value": {"stringValue": kind}},
                {"key": "n", "value": {"intValue": str(number)}},
            ],
        }
        for number in numbers
    ]
    message = json_format.ParseDict(
        {"resourceLogs": [{"scopeLogs": [{"logRecords": given}]}]}, ExportLogsServiceRequest()
    )
    headers = {"Content-Type": "application/x-protobuf", "Idempotency-Key": f"{kind}-{numbers.start}"}
    return "/v1/logs", message.SerializeToString(), headers


@dataclass
class RepeatingClient:
    """Sends requests, each again and again until it is answered with 200."""

    kind: str
    input_id: str
    make: Make
    port: int = 0
    answered: list[int] = field(default_factory=list)

    def send_until(self, enough: threading.Event) -> None:
        """Send one request after the other."""
        while not enough.is_set():
            numbers = range(len(self.answered), len(self.answered) + EVENTS)
            request = self.make(self.kind, numbers)
            wait_until(lambda: self._try(*request), "an answer")  # noqa: B023
            self.answered += numbers

    def _try(self, path: str, body: bytes, headers: dict[str, str]) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        try:
            connection.request("POST", path, body, headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def kill_worker(daemon: Daemon) -> bool:
    """Kill one of the workers; False: there is none at work."""
    found = workers(daemon)
    for pid in found[:1]:
        send_signal(pid)
    return bool(found)


def kill_workers(daemon: Daemon, clients: list[RepeatingClient]) -> None:
    """Kill workers, and let clients get an answer between two kills."""

    def answered() -> int:
        return sum(len(client.answered) for client in clients)

    for _ in range(KILLS):
        wait_until(lambda: kill_worker(daemon), "a worker")
        before = answered()
        wait_until(lambda: answered() > before, "an answer between two kills")  # noqa: B023


def test_what_was_answered_is_there(tmp_path: Path) -> None:
    """With keys or ids of their own, events that were sent again are there once."""
    clients = [
        RepeatingClient("key", "http", with_key),
        RepeatingClient("key 2", "http", with_key),
        RepeatingClient("no key", "http", without_key),
        RepeatingClient("id", "bulk", with_ids),
        RepeatingClient("record", "otlp", records),
    ]
    with StubElasticsearch() as stub, Daemon(tmp_path, config=CONFIG % stub.url, workers="2") as daemon:
        wait_until(lambda: len(daemon.said("listening for events")) == 3, "all inputs")
        ports = {entry["input"]: entry["port"] for entry in daemon.said("listening for events")}
        for client in clients:
            client.port = ports[client.input_id]
        enough = threading.Event()
        with ThreadPoolExecutor(len(clients)) as pool:
            sending = [pool.submit(client.send_until, enough) for client in clients]
            try:
                kill_workers(daemon, clients)
            finally:
                enough.set()
            for task in sending:
                task.result()

        def found() -> dict[str, Counter[int]]:
            counts: dict[str, Counter[int]] = {client.kind: Counter() for client in clients}
            with stub.lock:
                for document in stub.documents.values():
                    fields = document.get("attributes", document)
                    counts[fields["kind"]][fields["n"]] += 1
            return counts

        wait_until(lambda: all(found()[client.kind].keys() >= {*client.answered} for client in clients), "all events")
        wait_until(lambda: daemon.metric("ingestd_queue_events") == 0, "an empty queue")
        counts = found()
    for client in clients:
        assert counts[client.kind].keys() == {*client.answered}
        if client.kind != "no key":
            assert {*counts[client.kind].values()} == {1}
    twice = sum(count - 1 for count in counts["no key"].values())
    figure(kills=KILLS, events=sum(len(client.answered) for client in clients), twice_without_key=twice)
    assert json.loads(ingestd(daemon.data_dir, "audit", "--json"))["balanced"]
