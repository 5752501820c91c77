"""Kafka between edges and workers, with a real broker: each event once, through kills of each of the three.

``make chaos`` sends a million events through two edges and three workers' daemons into Elasticsearch, with ten times
the kills.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pytest
from click.testing import Result

from tests.e2e.chaos.tools import check_exactly, figure, in_server, scaled, workers
from tests.e2e.daemon import Daemon, command, environment, free_port
from tests.e2e.kafka import Kafka
from tests.e2e.lumberjack import filebeat_event, send_all
from tests.e2e.servers import REQUIRED, MissingError, SearchServer
from tests.processes import send_signal
from tests.threads import Background
from tests.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.parametrize("search_server", ["elasticsearch-8.19.21"], indirect=True)
"""Of all tests, so that they run in one process and share the broker; the server that the fewest tests need."""

EDGE = """
input {{ tcp {{ host => "127.0.0.1" port => 0 codec => json_lines }} }}
output {{
  kafka {{
    bootstrap_servers => "{servers}" topic_id => "{topic}" message_key => "%{{host}}" codec => json
    max_request_size => 100000
    message_headers => {{ "site" => "shop" }}
  }}
}}
"""

WORKER = """
input {{
  kafka {{
    bootstrap_servers => "{servers}" topics => ["{topic}"] group_id => "{topic}" auto_offset_reset => "earliest"
    codec => json decorate_events => "basic" session_timeout_ms => 6000
  }}
  tcp {{ host => "127.0.0.1" port => 0 }}
}}
filter {{ mutate {{ add_field => {{ "read_from" => "%{{[@metadata][kafka][topic]}}" }} }} }}
output {{ store {{ }} }}
"""


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    pytest.importorskip("confluent_kafka")
    try:
        broker = Kafka()
    except MissingError as error:
        if REQUIRED:
            pytest.fail(f"required here: {error}")
        pytest.skip(str(error))
    yield broker
    broker.remove()


def edge(folder: Path, kafka: Kafka, topic: str) -> Daemon:
    folder.mkdir()
    return Daemon(folder, config=EDGE.format(servers=kafka.servers, topic=topic), workers="1")


def worker(folder: Path, kafka: Kafka, topic: str) -> Daemon:
    folder.mkdir()
    return Daemon(folder, config=WORKER.format(servers=kafka.servers, topic=topic), workers="2")


def events(first: int, last: int) -> list[dict[str, Any]]:
    return [
        {
            "@timestamp": "2026-11-24T10:00:00.000Z",
            "message": f"서울 {number}",
            "number": number,
            "host": f"web{number % 3}",
        }
        for number in range(first, last)
    ]


def stored(*daemons: Daemon) -> dict[str, dict[str, Any]]:
    """Return the events by their ids, as Elasticsearch would keep them."""
    return {hit["id"]: hit["event"] for daemon in daemons for hit in _hits(daemon)}


def _hits(daemon: Daemon) -> Iterator[dict[str, Any]]:
    more: str | None = ""
    while more is not None:
        answer = json.loads(daemon.get(f"/api/search?since=2026-11-24T00:00:00Z&limit=500{more}"))
        yield from answer["hits"]
        more = f"&after={quote(answer['next'])}" if answer["next"] else None


def numbers(*daemons: Daemon) -> list[int]:
    return sorted(event["number"] for event in stored(*daemons).values())


def doctor(daemon: Daemon) -> set[str]:
    """Return the codes of what ``ingestd doctor`` finds."""
    address = daemon.url.removeprefix("http://")
    done = command(environment(daemon.data_dir), "doctor", "--json", "--http", address)
    found, shown = json.loads(done.stdout), json.loads(daemon.get("/api/doctor"))
    codes = {finding["code"] for finding in found["findings"]}
    assert {code for code in codes if "kafka" in code} <= {finding["code"] for finding in shown["findings"]}
    return codes


@pytest.mark.usefixtures("search_server")
def test_from_edge_to_worker(kafka: Kafka, tmp_path: Path) -> None:
    kafka.make_topic("plain", partitions=4)
    with edge(tmp_path / "edge", kafka, "plain") as sender, worker(tmp_path / "worker", kafka, "plain") as reader:
        sender.send([*events(0, 500), {"message": "x" * 200_000}])
        sender.wait_for_metric("ingestd_delivered_events_total", 500)
        wait_until(sender.dead_letters, "the dead letter")
        [dead] = sender.dead_letters()
        assert dead["reason"].startswith("Kafka refuses the record: ")
        assert b"xxxxx" in dead["refused"]
        reader.wait_for_delivery(500)
        # Both go on where they were.
        for daemon in (sender, reader):
            daemon.stop()
            daemon.start()
            daemon.wait_until_ready()
        sender.send(events(500, 600))
        reader.wait_for_delivery(100)
        assert numbers(reader) == [*range(600)]
        for daemon, finding in ((sender, "kafka.good"), (reader, "kafka.read")):
            codes = doctor(daemon)
            assert finding in codes
            assert not codes & {"records.none", "access.missing"}
        [event] = [event for event in stored(reader).values() if event["number"] == 17]
    assert event["message"] == "서울 17"
    assert event["read_from"] == "plain"
    record = kafka.records("plain", 600)[0]
    headers = dict(record.headers())
    assert headers["site"] == b"shop"
    assert headers["ingestd-id"]
    assert record.key() == json.loads(record.value())["host"].encode()


# Two edges and three workers' daemons, killed at random

EVENTS = scaled(1500, 500_000)
"""Of each edge."""

WINDOW = scaled(100, 2048)
PAUSE_SECONDS = scaled(2, 10) / 10
"""Between the windows of a client while there are kills."""

KILLS = scaled(5, 60)
DAEMON_KILLS = scaled(2, 12)
"""How many of the kills hit a whole daemon, first an edge, then a worker's, and so on."""

BROKER_RESTARTS = scaled(1, 3)

BEATS_EDGE = """
input {{ beats {{ port => {port} host => "127.0.0.1" }} }}
output {{
  kafka {{ bootstrap_servers => "{servers}" topic_id => "{topic}" codec => json compression_type => "zstd" }}
}}
"""

ELASTIC_WORKER = """
input {{
  kafka {{
    bootstrap_servers => "{servers}" topics => ["{topic}"] group_id => "{topic}" auto_offset_reset => "earliest"
    codec => json session_timeout_ms => 6000
  }}
  tcp {{ host => "127.0.0.1" port => 0 }}
}}
filter {{ access_line {{ }} }}
output {{ elasticsearch {{ hosts => ["{url}"] index => "{index}-%{{+YYYY.MM.dd}}" }} }}
"""


class Fleet:
    """Two edges, each with a client, and three workers' daemons; all run until the end of the ``with`` block.

    Args:
        folder: Of the tests.
        kafka: The broker; the topic and the group are named like ``index``.
        server: Where the workers deliver.
        index: The start of the names of its indices.
    """

    def __init__(self, folder: Path, kafka: Kafka, server: SearchServer, index: str) -> None:
        self._folder, self._kafka, self._server = folder, kafka, server
        self._rng, self._hurry, self._stack = random.Random(7), False, ExitStack()
        self._ports = [free_port(), free_port()]
        edge_configs = [BEATS_EDGE.format(port=port, servers=kafka.servers, topic=index) for port in self._ports]
        worker_config = ELASTIC_WORKER.format(servers=kafka.servers, topic=index, url=server.url, index=index)
        self.edges = [self._daemon(f"edge{number}", config) for number, config in enumerate(edge_configs)]
        self.workers = [self._daemon(f"worker{number}", worker_config) for number in range(3)]
        self._clients = [Background(partial(self._send, number)) for number in range(2)]

    def _daemon(self, name: str, config: str) -> Daemon:
        (self._folder / name).mkdir()
        return self._stack.enter_context(Daemon(self._folder / name, config=config, workers="1"))

    def __enter__(self) -> Self:
        for client in self._clients:
            self._stack.enter_context(client)
        return self

    def __exit__(self, *raised: Any) -> None:
        self._hurry = True
        self._stack.__exit__(*raised)

    def _send(self, edge: int) -> None:
        documents = [filebeat_event(number, path=f"/var/log/{edge}.log") for number in sent_to(edge)]
        send_all(self._ports[edge], documents, window=WINDOW, on_window=self._pause)

    def _pause(self) -> None:
        if not self._hurry:
            time.sleep(PAUSE_SECONDS)

    def send_rest(self) -> None:
        """Return once the clients have sent everything, at their own speed."""
        self._hurry = True
        for client in self._clients:
            client.join()

    def kill_at_random(self) -> None:
        """Kill workers, whole daemons and the broker, each time once there is something to kill."""
        every, restarts = KILLS // DAEMON_KILLS, KILLS // BROKER_RESTARTS
        for number in range(KILLS):
            time.sleep(self._rng.uniform(0.1, 0.6))
            if number % every == every // 2:
                self._kill_daemon(self._rng.choice(self.workers if number // every % 2 else self.edges))
            else:
                self._kill_workers(self._rng.choice([*self.edges, *self.workers]))
            if number % restarts == restarts // 2:
                self._kafka.stop()
                self._kafka.start()
                assert self.audit()["balanced"]

    def _kill_workers(self, daemon: Daemon) -> None:
        wait_until(lambda: workers(daemon), "a worker")
        for worker in workers(daemon):
            send_signal(worker)

    def _kill_daemon(self, daemon: Daemon) -> None:
        """Kill a whole daemon; an audit says that it is away."""
        daemon.kill_with_children()
        done = self._run_audit([daemon])
        assert (done.exit_code, done.stdout) == (1, "")
        assert " does not answer: " in done.output
        daemon.start()
        daemon.wait_until_ready()

    def audit(self) -> Any:
        """Return the document of ``ingestd audit --fleet``, as soon as all daemons, broker and server answer."""
        found: list[Any] = []

        def answered() -> bool:
            done = self._run_audit([*self.edges, *self.workers])
            if done.stdout:
                found.append(json.loads(done.stdout))
            return bool(found)

        wait_until(answered, "all to answer")
        return found[0]

    def _run_audit(self, daemons: Sequence[Daemon]) -> Result:
        hosts = [daemon.url for daemon in daemons]
        return command(environment(self._folder), "audit", "--json", "--store", self._server.url, "--fleet", *hosts)


def sent_to(edge: int) -> range:
    """Return the numbers of the events that the client of an edge sends."""
    return range(edge * EVENTS, (edge + 1) * EVENTS)


def test_killed_at_random(kafka: Kafka, search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    """Workers of all daemons, whole daemons, and the broker; each event is in Elasticsearch once, and all adds up."""
    kafka.make_topic(index_prefix, partitions=6)
    sent = {*sent_to(0), *sent_to(1)}
    with Fleet(tmp_path, kafka, search_server, index_prefix) as fleet:
        fleet.kill_at_random()
        fleet.send_rest()
        found: list[Any] = []

        def at_rest() -> bool:
            found[:] = [fleet.audit()]
            stored = sum(index["found"] for index in found[0]["indices"])
            return stored >= len(sent) and not (found[0]["total"]["lag"] or found[0]["total"]["queued"])

        wait_until(at_rest, "everything to be stored", scaled(1, 6) * WAIT_SECONDS)
        check_exactly(in_server(search_server, f"{index_prefix}*"), sent)
    [document] = found
    total, [group], [topic] = document["total"], document["groups"], document["topics"]
    figure(total=total, group=group, topic=topic)
    assert document["balanced"], document
    assert all(node["balanced"] for node in document["nodes"])
    # What a client has sent again since an acknowledgement was lost, its edge delivers again.
    assert len(sent) <= total["received"] == total["delivered"]["kafka"] == group["delivered"] <= topic["records"]
    assert group["received"] == total["from_kafka"] == group["delivered"] + group["surplus"]
    assert total["delivered"]["elasticsearch"] + total["duplicates"] == total["from_kafka"]
    assert (total["dead"], total["dropped"], group["missing"], topic["missing"]) == (0, 0, 0, 0)
    assert sum(index["found"] for index in document["indices"]) == len(sent)
