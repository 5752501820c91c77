"""/metrics and /health of a running daemon agree with what was sent."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from tests.e2e.daemon import Daemon, ingestd
from tests.waiting import wait_until

CONFIG = """
input { tcp { id => "site" port => 0 host => "127.0.0.1" codec => json_lines } }
filter {
  if [level] == "DEBUG" { drop { id => "no_debug" } }
  mutate { id => "clock" replace => { "@timestamp" => "%{message}" } }
}
output { store { id => "disk" } }
"""
STAMP = "2026-11-22T10:00:00.000Z"
EVENTS = [  # 60 are well, 10 make a filter fail, 30 are dropped
    *[{"@timestamp": STAMP, "level": "INFO", "message": STAMP}] * 60,
    *[{"@timestamp": STAMP, "level": "INFO", "message": "no time"}] * 10,
    *[{"@timestamp": STAMP, "level": "DEBUG", "message": STAMP}] * 30,
]


def test_metrics_agree_with_what_was_sent(tmp_path: Path) -> None:
    lines = [json.dumps(event).encode() + b"\n" for event in EVENTS]
    too_long = b'{"message":"%b"}\n' % (b"x" * 2000)
    with Daemon(tmp_path, config=CONFIG, max_line_bytes="1kB") as daemon:
        assert json.loads(daemon.get("/health")) == {"live": True, "ready": True, "degraded": False, "reasons": []}
        with socket.create_connection(("127.0.0.1", daemon.port)) as client:
            client.sendall(b"".join([*lines[:50], too_long, *lines[50:]]))
            wait_until(lambda: daemon.metric("ingestd_delivered_events_total") == 70, "the events")
            assert daemon.metric("ingestd_open_connections", input="site") == 1
        wait_until(lambda: daemon.metric("ingestd_open_connections", input="site") == 0, "the end of the connection")
        found = {name: daemon.metric(f"ingestd_{name}", **labels) for name, labels, _ in EXPECTED}
        received = daemon.metric("ingestd_received_bytes_total", input="site")
    assert found == {name: value for name, _, value in EXPECTED}
    assert received == sum(map(len, lines))
    [letter] = daemon.dead_letters()
    assert (letter["stage"], letter["plugin"]) == ("framing", "site")
    assert json.loads(ingestd(daemon.data_dir, "indices", "--json"))[0]["events"] == 70


EXPECTED: list[tuple[str, dict[str, str], float]] = [  # metric, labels, value; 101 lines came in
    ("received_events_total", {"pipeline": "main", "input": "site"}, 101),
    ("dropped_events_total", {"pipeline": "main", "filter": "no_debug"}, 30),
    ("failed_events_total", {"pipeline": "main", "plugin": "clock", "reason": "_mutate_error"}, 10),
    ("filtered_events_total", {"pipeline": "main"}, 70),
    ("delivered_events_total", {"pipeline": "main", "output": "disk"}, 70),
    ("dead_letter_events_total", {"stage": "framing"}, 1),
    ("queue_events", {"pipeline": "main"}, 0),
    ("queue_bytes", {"pipeline": "main"}, 0),
    ("accepted_connections_total", {"input": "site"}, 1),
    ("batch_size_events_sum", {"pipeline": "main"}, 100),
    ("build_info", {}, 1),
]
