"""The output ``elasticsearch`` in a running daemon, against real servers."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import Daemon
from tests.e2e.gate import Gate
from tests.e2e.servers import SearchServer
from tests.threads import Background
from tests.waiting import wait_until

CONFIG = """
input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
output {
  elasticsearch { hosts => ["%s"] retry_initial_interval => 0.05 retry_max_interval => 0.2 %s }
}
"""
STAMP = "2026-11-22T10:00:00.000Z"
ONE_SERVER = pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)


def run(folder: Path, url: str, prefix: str, options: str = "") -> Daemon:
    """Start a daemon whose default index and template begin with ``prefix``."""
    if "index =>" not in options:
        options += f' index => "{prefix}%{{+YYYY.MM.dd}}"'
    return Daemon(folder, config=CONFIG % (url, f'template_name => "{prefix}t" {options}'))


def hits(server: SearchServer, pattern: str) -> list[dict[str, Any]]:
    server.call("POST", f"/{pattern}/_refresh")
    answer: dict[str, Any] = server.call("POST", f"/{pattern}/_search", {"size": 1000, "sort": "_doc", "version": True})
    return list(answer["hits"]["hits"])


DAYS = [  # @timestamp as it comes, the day of its index
    ("2026-11-20T00:00:00.000Z", "2026.11.20"),
    ("2026-11-20T23:59:59.999Z", "2026.11.20"),
    ("2026-11-21T08:00:00.000+09:00", "2026.11.20"),
    ("2026-11-21T09:00:00.000+09:00", "2026.11.21"),
    ("2026-11-21T20:00:00-05:00", "2026.11.22"),
    ("2026-11-22T10:00:00.123456Z", "2026.11.22"),
    ("2024-02-29T12:00:00Z", "2024.02.29"),
]


def test_daily_indices(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    with run(tmp_path, search_server.url, index_prefix) as daemon:
        daemon.send({"@timestamp": stamp, "n": number} for number, (stamp, _) in enumerate(DAYS))
        daemon.wait_for_metric("ingestd_received_events_total", len(DAYS))
    found = {hit["_source"]["n"]: hit["_index"] for hit in hits(search_server, f"{index_prefix}*")}
    assert found == {number: f"{index_prefix}{day}" for number, (_, day) in enumerate(DAYS)}
    assert daemon.problems() == []


REFUSED: list[tuple[bytes, str]] = [  # a line, part of the reason
    (b'{"n":"a lot"}', "failed to parse field [n] of type [long]"),
    (b'{"_id":"7"}', "Field [_id] is a metadata field and cannot be added inside a document"),
    (b'{"point":{"lat":"x"}}', "failed to parse field [point] of type [geo_point]"),
]
REWRITTEN: list[tuple[bytes, dict[str, Any]]] = [  # a line that no server takes as it is; what is stored
    (b'{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}),
    (b'{"x":{"y":1,"y":2}}', {"x": {"y": 2}}),
    (b'{"big":1e999}', {"big": None}),
    (b'{"message":"lone \\ud800 half"}', {"message": "lone \ufffd half"}),
    (b'{"nan":NaN}', {"nan": None}),
]


def test_refused_documents_and_their_neighbours(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    index = f"{index_prefix}2026.11.22"
    properties = {"n": {"type": "long"}, "point": {"type": "geo_point"}}
    search_server.call("PUT", f"/{index}", {"mappings": {"properties": properties}})
    lines = [line for pair in difficult_and_sound_lines() for line in pair]
    with run(tmp_path, search_server.url, index_prefix, "manage_template => false") as daemon:
        daemon.send(line[:-1] + b',"@timestamp":"%b"}' % STAMP.encode() for line in lines)
        daemon.wait_for_metric("ingestd_received_events_total", len(lines))
        wait_until(lambda: len(daemon.dead_letters()) == len(REFUSED), "the dead letters")
        assert daemon.metric("ingestd_dead_letter_events_total", stage="output") == len(REFUSED)
    check_letters(daemon)
    found = [hit["_source"] for hit in hits(search_server, index)]
    assert len(found) == len(lines) - len(REFUSED)
    assert sorted(document["n"] for document in found if "n" in document) == list(range(8))
    for _, expected in REWRITTEN:
        assert expected | {"@timestamp": STAMP, "@version": "1"} in found


def difficult_and_sound_lines() -> list[tuple[bytes, bytes]]:
    """Return every difficult line with a sound one beside it."""
    difficult = [line for line, _ in [*REFUSED, *REWRITTEN]]
    return [(line, b'{"n":%d}' % number) for number, line in enumerate(difficult)]


def check_letters(daemon: Daemon) -> None:
    for letter, (line, reason) in zip(daemon.dead_letters(), REFUSED, strict=True):
        assert reason in letter["reason"]
        assert (letter["stage"], letter["plugin"]) == ("output", "elasticsearch_0")
        assert json.loads(letter["refused"]) == json.loads(line) | {"@timestamp": STAMP, "@version": "1"}


def test_ids_routing_and_pipelines_of_the_config(
    search_server: SearchServer, index_prefix: str, tmp_path: Path
) -> None:
    search_server.call("PUT", f"/_ingest/pipeline/{index_prefix}p", {"processors": []})
    options = f"""
      index => "{index_prefix}%{{service}}-%{{+YYYY.MM}}" document_id => "%{{order}}" routing => "%{{customer}}"
      pipeline => "{index_prefix}%{{pipe}}"
    """
    events: list[dict[str, Any]] = [
        {"service": "web", "order": 1, "customer": "김", "pipe": "p", "state": "new"},
        {"service": "web", "order": 2, "customer": "이", "pipe": "p", "state": "new"},
        {"service": "web", "order": 1, "customer": "김", "pipe": "p", "state": "paid"},
        {"service": "50%b", "order": '"3\\', "customer": "박", "pipe": "p", "state": "new"},
        {"service": "web", "order": 4, "customer": "최", "pipe": "missing"},
        {"service": "Web", "order": 5, "customer": "정", "pipe": "p"},
        {"order": 6, "customer": "강", "pipe": "p"},
    ]
    with run(tmp_path, search_server.url, index_prefix, options) as daemon:
        daemon.send({"@timestamp": STAMP} | event for event in events)
        wait_until(lambda: len(daemon.dead_letters()) == 3, "the dead letters")
        daemon.wait_for_metric("ingestd_delivered_events_total", 4)
    search_server.call("DELETE", f"/_ingest/pipeline/{index_prefix}p")
    found = {hit["_id"]: hit for hit in hits(search_server, f"{index_prefix}*")}
    assert {key: (hit["_index"], hit["_routing"], hit["_source"]["state"]) for key, hit in found.items()} == {
        "1": (f"{index_prefix}web-2026.11", "김", "paid"),
        "2": (f"{index_prefix}web-2026.11", "이", "new"),
        '"3\\': (f"{index_prefix}50%b-2026.11", "박", "new"),
    }
    assert found["1"]["_version"] == 2
    letters = daemon.dead_letters()
    reasons = {json.loads(letter["refused"])["order"]: letter.get("detail", letter["reason"]) for letter in letters}
    assert f"pipeline with id [{index_prefix}missing] does not exist" in reasons[4]
    assert "must be lowercase" in reasons[5]
    assert reasons[6] == f"the event lacks a field of its index name {index_prefix}%{{service}}-2026.11"


ACTIONS = """
input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
filter { mutate { rename => { "to" => "[@metadata][to]" "do" => "[@metadata][do]" "id" => "[@metadata][id]" } } }
output {
  if [@metadata][to] == "actions" {
    elasticsearch {
      hosts => ["URL"] index => "PREFIXa" action => "%{[@metadata][do]}" document_id => "%{[@metadata][id]}"
      template_name => "PREFIXt"
    }
  } else if [@metadata][to] == "upsert" {
    elasticsearch {
      hosts => ["URL"] index => "PREFIXa" action => update document_id => "%{[@metadata][id]}" doc_as_upsert => true
      manage_template => false
    }
  } else {
    opensearch { hosts => ["URL"] sniffing => true data_stream => true data_stream_dataset => "DATASET" }
  }
}
"""
DONE: list[dict[str, Any]] = [  # what each output gets, in this order
    *({"to": "actions", "do": "create", "id": name, "n": 1} for name in "abc"),
    {"to": "actions", "do": "create", "id": "a", "n": 2},  # there already
    {"to": "actions", "do": "index", "id": "b", "n": 2, "x": 1},
    {"to": "actions", "do": "update", "id": "b", "n": 3},
    {"to": "actions", "do": "delete", "id": "c"},
    {"to": "actions", "do": "delete", "id": "c"},  # gone already
    {"to": "actions", "do": "update", "id": "missing", "n": 4},
    {"to": "actions", "do": "fly", "id": "d"},
    {"to": "upsert", "id": "u", "n": 1, "x": 1},
    {"to": "upsert", "id": "u", "n": 2},
    {"to": "stream", "n": 7},
]


def test_actions(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    """Each action on a real server, and the name of a data stream; whatever fails is a dead letter."""
    dataset = index_prefix.removesuffix("-")
    config = ACTIONS.replace("URL", search_server.url).replace("PREFIX", index_prefix).replace("DATASET", dataset)
    try:
        with Daemon(tmp_path, config=config) as daemon:
            daemon.send({"@timestamp": STAMP} | event for event in DONE)
            wait_until(lambda: len(daemon.dead_letters()) == 2, "the dead letters")
            daemon.wait_for_metric("ingestd_delivered_events_total", len(DONE) - 4)
            assert daemon.metric("ingestd_duplicate_events_total") == 2
        check_actions(search_server, index_prefix, daemon)
        [document] = search_server.documents(f"logs-{dataset}-default")
        assert (document["n"], document["data_stream"]["dataset"]) == (7, dataset)
    finally:
        search_server.wipe(f"logs-{dataset}")


def check_actions(server: SearchServer, prefix: str, daemon: Daemon) -> None:
    base = {"@timestamp": STAMP, "@version": "1"}
    assert {hit["_id"]: hit["_source"] for hit in hits(server, f"{prefix}a")} == {
        "a": base | {"n": 1},
        "b": base | {"n": 3, "x": 1},
        "u": base | {"n": 2, "x": 1},
    }
    reasons = {
        letter.get("detail", letter["reason"]): json.loads(letter["refused"]) for letter in daemon.dead_letters()
    }
    [missing, unknown] = sorted(reasons)
    assert unknown == "the action 'fly' of the event is not one of create, index, update, delete"
    assert missing.startswith("document_missing_exception")
    assert reasons[missing] == base | {"n": 4}  # the event, not the update that was made of it


@ONE_SERVER
def test_plain_index_names_with_a_field(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    options = f'index => "{index_prefix}%{{service}}"'
    services = ["web", "50%b%%", "api", "web"]
    with run(tmp_path, search_server.url, index_prefix, options) as daemon:
        daemon.send({"@timestamp": STAMP, "service": service} for service in services)
        daemon.wait_for_metric("ingestd_delivered_events_total", 4)
    found = sorted(hit["_index"] for hit in hits(search_server, f"{index_prefix}*"))
    assert found == sorted(f"{index_prefix}{service}" for service in services)


@ONE_SERVER
def test_a_template_of_ones_own(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    template = {"settings": {"number_of_replicas": 0}, "mappings": {"properties": {"n": {"type": "ip"}}}}
    file.write_text(json.dumps(template))
    with run(tmp_path, search_server.url, index_prefix, f'template => "{file}"') as daemon:
        daemon.send([{"@timestamp": STAMP, "n": "10.0.0.1"}])
        daemon.wait_for_metric("ingestd_delivered_events_total", 1)
    [index] = search_server.call("GET", f"/{index_prefix}2026.11.22").values()
    assert index["mappings"]["properties"]["n"] == {"type": "ip"}
    assert index["settings"]["index"]["number_of_replicas"] == "0"


@ONE_SERVER
def test_no_template(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    with run(tmp_path, search_server.url, index_prefix, "manage_template => false") as daemon:
        daemon.send([{"@timestamp": STAMP, "level": "INFO"}])
        daemon.wait_for_metric("ingestd_delivered_events_total", 1)
    [index] = search_server.call("GET", f"/{index_prefix}2026.11.22/_mapping").values()
    assert index["mappings"]["properties"]["level"]["type"] == "text"  # what the server takes it for by itself


def test_a_cluster_that_takes_nothing_for_a_while(
    search_server: SearchServer, index_prefix: str, tmp_path: Path
) -> None:
    """As with a full disk, and with the limit of shards reached when a new day begins: no dead letters."""
    full, shards = f"{index_prefix}2026.11.22", "cluster.max_shards_per_node"
    search_server.call("PUT", f"/{full}", {"settings": {"index.blocks.write": True}})
    search_server.call("PUT", "/_cluster/settings", {"persistent": {shards: 1}})
    try:
        with run(tmp_path, search_server.url, index_prefix, "manage_template => false") as daemon:
            daemon.send({"@timestamp": f"2026-11-{day}T10:00:00.000Z"} for day in (22, 23))
            wait_until(lambda: daemon.metric("ingestd_retried_requests_total") >= 2, "retries")
            assert daemon.metric("ingestd_delivered_events_total") == 0
            search_server.call("PUT", "/_cluster/settings", {"persistent": {shards: None}})
            search_server.call("PUT", f"/{full}/_settings", {"index.blocks.write": False})
            daemon.wait_for_metric("ingestd_delivered_events_total", 2)
    finally:
        search_server.call("PUT", "/_cluster/settings", {"persistent": {shards: None}})
    assert daemon.dead_letters() == []
    found = sorted(hit["_index"] for hit in hits(search_server, f"{index_prefix}*"))
    assert found == [full, f"{index_prefix}2026.11.23"]


class Sender(Background):
    """Sends numbered events, some thousand a second, until `finish` or the end of the ``with`` block."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon, self._end = daemon, threading.Event()
        super().__init__(self._send, self._end.set)
        self.sent = 0

    def _send(self) -> None:
        text = "x" * 200
        while not self._end.wait(0.05):
            numbers = range(self.sent, self.sent + 200)
            self._daemon.send({"@timestamp": STAMP, "n": number, "text": text} for number in numbers)
            self.sent = numbers.stop

    def finish(self) -> None:
        """Send no more."""
        self._end.set()
        self.join()


def check_exactly_once(server: SearchServer, prefix: str, count: int) -> None:
    """The numbers 0 to ``count`` - 1 are there, each once: no other ones have this sum and sum of squares."""
    assert server.count(f"{prefix}*") == count
    body = {"size": 0, "aggs": {"n": {"extended_stats": {"field": "n"}}}}
    found = server.call("POST", f"/{prefix}*/_search", body)["aggregations"]["n"]
    assert (found["count"], found["min"], found["max"]) == (count, 0, count - 1)
    assert found["sum"] == sum(range(count))
    assert found["sum_of_squares"] == sum(number * number for number in range(count))


def test_connections_that_break_under_load(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    """The server is absent at first, then goes again and again in the middle of requests."""
    with Gate(search_server.url) as gate, run(tmp_path, gate.url, index_prefix) as daemon, Sender(daemon) as sender:
        daemon.wait_for("no answer yet; events are kept until there is one")
        times = 0
        while times < 8 or not daemon.metric("ingestd_retried_requests_total"):
            gate.open()
            time.sleep(0.2 + times / 50)  # longer each time: a busy machine may do nothing in the first of them
            gate.shut()
            times += 1
        gate.open()
        sender.finish()
        daemon.wait_for_delivery(sender.sent)
        daemon.stop()
    assert daemon.dead_letters() == []
    check_exactly_once(search_server, index_prefix, sender.sent)
