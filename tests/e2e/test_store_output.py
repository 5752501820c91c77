"""The output ``store`` in a running daemon: over restarts, crashes and a second daemon."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.e2e.chaos.tools import workers
from tests.e2e.daemon import Daemon, environment, ingestd
from tests.e2e.lumberjack import LumberjackConnection, filebeat_event, send_all
from tests.lumberjack_writer import encode_window
from tests.processes import send_signal
from tests.waiting import WAIT_SECONDS, wait_until

STAMP = "2026-11-22T10:00:00.000Z"


def events(daemon: Daemon) -> dict[str, int]:
    return {row["index"]: row["events"] for row in json.loads(ingestd(daemon.data_dir, "indices", "--json"))}


def numbers(daemon: Daemon) -> list[int]:
    found = json.loads(ingestd(daemon.data_dir, "top", "n", "-n", "10000", "--json"))
    assert {row["count"] for row in found} == {1}
    return sorted(int(row["value"]) for row in found)


def reasons(daemon: Daemon) -> list[str]:
    """Return what needs attention while the daemon is ready."""
    health = json.loads(daemon.get("/health"))
    assert health["ready"]
    assert health["degraded"] == bool(health["reasons"])
    return list(health["reasons"])


def test_a_restart_continues_the_same_indices(tmp_path: Path) -> None:
    for first in (0, 100):
        with Daemon(tmp_path) as daemon:
            daemon.send({"@timestamp": STAMP, "n": number} for number in range(first, first + 100))
    assert events(daemon) == {"logstash-2026.11.22": 200}
    assert numbers(daemon) == list(range(200))


def test_what_was_delivered_survives_a_kill(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        daemon.send({"@timestamp": STAMP, "n": number} for number in range(1000))
        daemon.wait_for_metric("ingestd_delivered_events_total", 1000)
        daemon.kill_with_children()
    [tail] = (daemon.data_dir / "indices").glob("logstash-*/tail-*.ndjson")
    with tail.open("ab") as torn:
        torn.write(b'{"@timestamp":"2026-11-22T10:00:00.000Z","n":')  # as if it had been killed during a write
    with Daemon(tmp_path) as daemon:
        daemon.send([{"@timestamp": STAMP, "n": 1000}])
    sentence = "an incomplete line at the end of an append log was moved to a file of its own"
    assert [line["message"] for line in daemon.problems()] == [sentence]
    assert numbers(daemon) == list(range(1001))


def test_reading_while_it_is_written(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        for first in (0, 500):
            daemon.send({"@timestamp": STAMP, "n": number} for number in range(first, first + 500))
            daemon.wait_for_metric("ingestd_delivered_events_total", first + 500)
            assert events(daemon) == {"logstash-2026.11.22": first + 500}


def test_days_zones_and_indices_by_field(tmp_path: Path) -> None:
    config = """
    input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
    output { store { index => "%{service}-%{+YYYY.MM.dd}" } }
    """
    with Daemon(tmp_path, config=config) as daemon:
        daemon.send(
            [
                {"@timestamp": "2026-11-21T08:00:00+09:00", "service": "web"},
                {"@timestamp": "2026-11-21T09:00:00+09:00", "service": "web"},
                {"@timestamp": STAMP, "service": "50%b"},
                {"@timestamp": STAMP},
                {"@timestamp": STAMP, "service": "../../etc"},
            ]
        )
        daemon.wait_for_metric("ingestd_dead_letter_events_total", 2)
    assert events(daemon) == {"web-2026.11.20": 1, "web-2026.11.21": 1, "50%b-2026.11.22": 1}
    missing, outside = daemon.dead_letters()
    assert "the event lacks a field of its index name" in missing["reason"]
    assert json.loads(outside["refused"])["service"] == "../../etc"


def test_a_second_daemon_reports_the_first(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        command = [sys.executable, "-m", "ingestd", "run", "--port", "0", "--http", "off"]
        second = subprocess.run(
            command, env=environment(daemon.data_dir), capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
        )
    assert second.returncode == 1
    assert second.stderr.startswith("error: ")
    assert "another" in second.stderr
    assert "Traceback" not in second.stderr


def test_past_days_are_sealed_while_the_daemon_runs(tmp_path: Path) -> None:
    days = ("2026.11.20", "2026.11.21")
    with Daemon(tmp_path, seal_after="1s") as daemon:
        daemon.send(
            {"@timestamp": f"{day.replace('.', '-')}T10:00:00.000Z", "n": number}
            for number, day in enumerate(days * 100)
        )
        daemon.wait_for_delivery(200)
        folders = [daemon.data_dir / "indices" / f"logstash-{day}" for day in days]
        wait_until(lambda: all((folder / "sealed.json").exists() for folder in folders), "both days to be sealed")
        wait_until(lambda: not any(list(folder.glob("tail-*")) for folder in folders), "the end of append logs")
        assert events(daemon) == {f"logstash-{day}": 100 for day in days}
        daemon.send([{"@timestamp": "2026-11-21T10:00:00.000Z", "n": 200}])
        wait_until(lambda: len(list(folders[1].glob("sealed-*.parquet"))) == 2, "the late event to be sealed")
        [path, _] = sorted(folders[1].glob("sealed-*.parquet"))
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        reason = f"logstash-{days[1]} cannot be sealed: {folders[1]} is damaged: {path.name} has "
        wait_until(lambda: any(text.startswith(reason) for text in reasons(daemon)), "/health to show it")
        path.write_bytes(whole)
        wait_until(lambda: not any(text.startswith(reason) for text in reasons(daemon)), "/health to be well again")
    assert numbers(daemon) == list(range(201))


def test_events_that_come_again_are_stored_once(tmp_path: Path) -> None:
    """To any worker, at the same time and later, before and after they are sealed, and after a worker is killed."""
    config = """
        input {
          beats { id => "beats" host => "127.0.0.1" port => 0 }
          http { id => "http" host => "127.0.0.1" port => 0 }
        }
        output { store { } }
    """
    window = [filebeat_event(number) for number in range(2000)]
    body = json.dumps([{"@timestamp": STAMP, "n": number} for number in range(2000, 3000)]).encode()

    def post() -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": "a"}
        request = urllib.request.Request(f"http://127.0.0.1:{ports['http']}/", body, headers)
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
            assert answer.status == 200

    with Daemon(tmp_path, config=config, workers="2", seal_after="1s") as daemon:
        wait_until(lambda: len(daemon.said("listening for events")) == 2, "both inputs")
        ports = {said["input"]: said["port"] for said in daemon.said("listening for events")}
        connections = [LumberjackConnection(ports["beats"]) for _ in range(4)]
        for connection in connections:
            with connection:
                connection.send(encode_window(window))
                post()
                acknowledged = [0]
                while acknowledged[-1] < len(window):
                    acknowledged = connection.acknowledgements()
                    assert acknowledged, "the connection was closed"
        daemon.wait_for_delivery(4 * 3000)
        wait_until(lambda: daemon.said("sealed"), "a sealed file")
        send_signal(workers(daemon)[0])
        wait_until(lambda: len(workers(daemon)) == 2, "another worker")
        send_all(ports["beats"], [*window, filebeat_event(3000)], window=500)
        post()
    assert events(daemon) == {"logstash-2026.11.22": 3001}
    assert numbers(daemon) == [*range(3001)]
    ingestd(daemon.data_dir, "audit")
