"""``ingestd audit`` on real daemons: it adds up after kills and faults, and says so when it does not."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chaos.tools import Clients, kill_children, workers
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.servers import SearchServer
from tests.e2e.stub import Fault, StubElasticsearch
from tests.processes import send_signal
from tests.waiting import today, wait_until

STAMP = "2026-11-22T10:00:00.000Z"
NUMBERS = ("received", "delivered", "duplicates", "dead", "dropped", "queued")


def audited(data_dir: Path, *arguments: str, code: int = 0) -> Any:
    """Return what ``ingestd audit --json`` prints, and expect an exit code."""
    return json.loads(ingestd(data_dir, "audit", "--json", *arguments, code=code))


def numbers(data_dir: Path, *arguments: str) -> dict[str, int]:
    """Return the balance, of which those that are not zero."""
    found = audited(data_dir, *arguments)
    return {name: found[name] for name in NUMBERS if found[name]}


def test_workers_are_killed_while_stock_clients_log(tmp_path: Path) -> None:
    """Also while the daemon is at work, at whatever moment."""
    with Daemon(tmp_path, workers="2") as daemon:
        with Clients(daemon.port, 1000, 4) as clients:
            for seed in range(4):
                kill_children(daemon, 2, random.Random(seed), (0.05, 0.3))
                found = audited(daemon.data_dir)
                assert found["balanced"]
            clients.finish()
        daemon.stop()
    found = audited(daemon.data_dir)
    assert found["received"] == len(clients.numbers) == found["delivered"] + found["duplicates"]
    assert (found["dead"], found["dropped"], found["queued"], found["difference"]) == (0, 0, 0, 0)
    assert sum(index["found"] for index in found["indices"]) == len(clients.numbers)


def test_everything_at_once_over_a_restart(tmp_path: Path) -> None:
    config = """
    input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
    filter {
      if [n] == 3 { drop { } }
      if [n] == 4 { clone { clones => ["copy"] } }
    }
    output { store { index => "%{app}" } if [n] == 5 { stdout { } } }
    """
    today()
    for _ in range(2):
        with Daemon(tmp_path, config=config, max_line_bytes="1000") as daemon:
            daemon.send([*({"n": number, "app": "web"} for number in range(10)), b"x" * 5000, b""])
            daemon.send([{"n": 1, "app": "no/index"}, {"n": 2}])
    found = audited(daemon.data_dir, "--day", "today")
    assert {name: found[name] for name in NUMBERS} == {
        "received": 26,
        "delivered": 20,
        "duplicates": 0,
        "dead": 6,
        "dropped": 2,
        "queued": 0,
    }
    assert (found["created"], found["dropped_by"], found["balanced"]) == (2, {"drop_0": 2}, True)
    assert found["indices"] == []  # "web" is of no day
    everything = audited(daemon.data_dir)
    assert everything["indices"] == [{"index": "web", "delivered": 20, "found": 20, "missing": 0}]
    [stdout] = [entry for entry in everything["outputs"] if entry["output"] == "stdout_0"]
    assert (stdout["received"], stdout["delivered"], stdout["elsewhere"], stdout["dead"]) == (26, 2, 22, 2)
    [tail] = (daemon.data_dir / "indices" / "web").glob("tail-w0-*.ndjson")
    tail.write_bytes(b"".join(tail.read_bytes().splitlines(keepends=True)[:-3]))
    assert audited(daemon.data_dir, code=1)["indices"][0]["missing"] == 3


def test_faults_of_the_server(tmp_path: Path) -> None:
    """Stored without an answer, refused, not taken: each event has one line in the balance."""
    config = """
    input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
    output { elasticsearch { hosts => ["%s"] retry_initial_interval => 0.1 } }
    """
    with StubElasticsearch() as stub:
        stub.refuses = lambda document: document["n"] % 100 == 7
        stub.bulk_faults += [Fault(store=True), Fault(429), Fault(items={0: 429, 2: 429})]
        with Daemon(tmp_path, config=config % stub.url, workers="1") as daemon:
            daemon.send({"@timestamp": STAMP, "n": number} for number in range(1000))
            wait_until(lambda: len(stub.documents) == 990, "all documents")
            wait_until(lambda: numbers(daemon.data_dir).get("queued", 0) == 0, "the end of delivery")
            assert daemon.metric("ingestd_delivered_events_total") == 990
            assert daemon.metric("ingestd_duplicate_events_total") == 0
        found = audited(daemon.data_dir, "--store", stub.url)
        assert (found["received"], found["delivered"], found["duplicates"], found["dead"]) == (1000, 990, 0, 10)
        assert found["indices"] == [{"index": "logstash-2026.11.22", "delivered": 990, "found": 990, "missing": 0}]
        for key in list(stub.documents)[:2]:
            del stub.documents[key]
        found = audited(daemon.data_dir, "--store", stub.url, "--day", "2026-11-22", code=1)
        assert found["indices"][0]["missing"] == 2


def test_what_was_stored_before_a_crash_is_a_duplicate(tmp_path: Path) -> None:
    with StubElasticsearch() as stub:
        stub.bulk_faults.append(Fault(status=200, store=True, delay=120))
        with Daemon(tmp_path, "--elasticsearch", stub.url, workers="1") as daemon:
            daemon.send({"@timestamp": STAMP, "n": number} for number in range(100))
            wait_until(stub.stored, "documents")
            stored = stub.stored()
            for worker in workers(daemon):
                send_signal(worker)
            wait_until(lambda: numbers(daemon.data_dir).get("queued", 0) == 0, "the end of delivery")
            assert daemon.metric("ingestd_duplicate_events_total") == stored
        found = audited(daemon.data_dir)
        assert (found["received"], found["delivered"], found["duplicates"]) == (100, 100 - stored, stored)


def test_what_waits_is_queued_and_then_delivered(tmp_path: Path) -> None:
    with StubElasticsearch() as stub:
        stub.bulk_faults += [Fault(503)] * 10_000
        with Daemon(tmp_path, "--elasticsearch", stub.url, workers="1", shutdown_timeout="1s") as daemon:
            daemon.send({"n": number} for number in range(500))
            wait_until(lambda: numbers(daemon.data_dir) == {"received": 500, "queued": 500}, "a queue")
            time.sleep(0.3)
            daemon.kill_with_children()
        stub.bulk_faults.clear()
        with Daemon(tmp_path, "--elasticsearch", stub.url, workers="1") as daemon:
            wait_until(lambda: numbers(daemon.data_dir) == {"received": 500, "delivered": 500}, "delivery")


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)
def test_a_real_server(clean_search_server: SearchServer, tmp_path: Path) -> None:
    url = clean_search_server.url
    with Daemon(tmp_path, "--elasticsearch", url) as daemon:
        daemon.send({"@timestamp": STAMP, "n": number} for number in range(500))
        wait_until(lambda: numbers(daemon.data_dir) == {"received": 500, "delivered": 500}, "delivery")
        [index] = audited(daemon.data_dir, "--store", url)["indices"]
        assert index == {"index": "logstash-2026.11.22", "delivered": 500, "found": 500, "missing": 0}
    clean_search_server.wipe("logstash-")
    assert audited(daemon.data_dir, "--store", url)["indices"][0]["found"] is None


def test_an_output_that_leaves_the_config_and_comes_back(tmp_path: Path) -> None:
    """Its account stays while it is away, and goes on without what came meanwhile; also over a kill."""
    file = tmp_path / "main.conf"
    with StubElasticsearch() as stub:
        tcp = 'tcp { port => 0 host => "127.0.0.1" codec => json_lines }'
        second = f'elasticsearch {{ id => "second" hosts => ["{stub.url}"] }}'
        text = "input { %s } output { store { id => 'first' } %s }"

        def accounts() -> dict[str, tuple[int, bool]]:
            found = audited(daemon.data_dir)
            assert found["balanced"]
            return {
                output["output"]: (output["delivered"], output.get("removed", False)) for output in found["outputs"]
            }

        file.write_text(text % (tcp, second))
        with Daemon(tmp_path, "-f", str(file), workers="1") as daemon:
            daemon.send({"@timestamp": STAMP, "n": n} for n in range(10))
            wait_until(lambda: accounts() == {"first": (10, False), "second": (10, False)}, "ten events")
            file.write_text(text % (tcp, ""))
            ingestd(daemon.data_dir, "reload")
            daemon.send({"@timestamp": STAMP, "n": n} for n in range(10, 15))
            wait_until(lambda: accounts() == {"first": (15, False), "second": (10, True)}, "five events")
            [worker] = workers(daemon)
            send_signal(worker)
            file.write_text(text % (tcp, second))
            ingestd(daemon.data_dir, "reload")
            daemon.send({"@timestamp": STAMP, "n": n} for n in range(15, 18))
            wait_until(lambda: accounts() == {"first": (18, False), "second": (13, False)}, "three events")
        assert stub.values("n") == [*range(10), *range(15, 18)]
