"""Kafka between an edge and workers, with a real broker: each event once, through kills of each of the three."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.kafka import Kafka
from tests.e2e.servers import REQUIRED, MissingError
from tests.processes import children, send_signal
from tests.waiting import wait_until

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
            daemon.wait_for("serving metrics and health")
        sender.wait_for("listening for events")
        sender.send(events(500, 600))
        reader.wait_for_delivery(100)
        assert numbers(reader) == [*range(600)]
        [event] = [event for event in stored(reader).values() if event["number"] == 17]
    assert event["message"] == "서울 17"
    assert event["read_from"] == "plain"
    record = kafka.records("plain", 600)[0]
    headers = dict(record.headers())
    assert headers["site"] == b"shop"
    assert headers["ingestd-id"]
    assert record.key() == json.loads(record.value())["host"].encode()


def test_killed_at_random(kafka: Kafka, tmp_path: Path) -> None:
    """Workers of all daemons, a whole daemon, and the broker."""
    kafka.make_topic("kills", partitions=4)
    rng = random.Random(7)
    with (
        edge(tmp_path / "edge", kafka, "kills") as sender,
        worker(tmp_path / "one", kafka, "kills") as one,
        worker(tmp_path / "two", kafka, "kills") as two,
    ):
        for first in range(0, 2000, 500):
            sender.send(events(first, first + 500))
            victims = [pid for daemon in (sender, one, two) for pid in children(daemon.process.pid)]
            send_signal(rng.choice(victims))
        kafka.stop()
        try:
            sender.send(events(2000, 2500))
            wait_until(lambda: json.loads(sender.get("/health"))["degraded"], "the edge to say so")
            sender.kill_with_children()
            sender.start()  # without a broker
            sender.wait_for("listening for events")
            sender.send(events(2500, 3000))
        finally:
            kafka.start()
        wait_until(lambda: {*numbers(one, two)} == {*range(3000)}, "all events")
        assert numbers(one, two) == [*range(3000)]
