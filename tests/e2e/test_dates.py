"""Events with wrong dates: a bounded number of indices, dead letters for the rest, and a way to store them."""

from __future__ import annotations

import datetime
import json
import socket
import subprocess
import sys
from pathlib import Path

from tests.e2e.daemon import Daemon, environment, ingestd
from tests.waiting import today, wait_until

OFFSETS = [*range(-400, -380), *range(-40, 0), *range(3, 13)]
"""Of the days of the events from today: 20 are too old, 40 good, 10 in the future."""


def lines() -> bytes:
    days = [today() + datetime.timedelta(days=offset) for offset in OFFSETS]
    events = [{"@timestamp": f"{day}T10:00:00.000Z", "@version": "1", "n": n} for n, day in enumerate(days)]
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def test_each_line_of_another_day(tmp_path: Path) -> None:
    """Few folders, nobody waits, nothing is lost: what is refused can be stored later."""
    limits = {"late": "365d", "future": "1d", "new_indices_per_hour": "20", "workers": "1", "retention_max_age": "0"}
    with Daemon(tmp_path, **limits) as daemon:
        with socket.create_connection(("127.0.0.1", daemon.port)) as sock:
            sock.sendall(lines())
        wait_until(lambda: daemon.metric("ingestd_dead_letter_events_total") == len(OFFSETS) - 20, "the dead letters")
        wait_until(lambda: len(list((tmp_path / "data/indices").glob("logstash-*"))) == 20, "the indices")
        daemon.stop()
    ingestd(tmp_path / "data", "audit")
    reasons = ingestd(tmp_path / "data", "deadletters", "list")
    assert all(name in reasons for name in ("than late (", "than future (", "than new_indices_per_hour ("))
    command = [sys.executable, "-m", "ingestd", "deadletters", "replay"]
    environ = environment(tmp_path / "data") | {"INGESTD_NEW_INDICES_PER_HOUR": "0"}
    subprocess.run(command, env=environ, check=True, capture_output=True)
    exported = ingestd(tmp_path / "data", "export", "--fields", "n").splitlines()
    assert sorted(json.loads(line)["n"] for line in exported) == list(range(len(OFFSETS)))


def test_an_import_takes_any_day(tmp_path: Path) -> None:
    stamps = ["0001-01-01T00:00:00.000Z", "2001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.000Z"]
    path = tmp_path / "old.ndjson"
    path.write_text("".join(json.dumps({"@timestamp": stamp, "@version": "1"}) + "\n" for stamp in stamps))
    environ = environment(tmp_path / "data")
    del environ["INGESTD_LATE"], environ["INGESTD_FUTURE"]
    command = [sys.executable, "-m", "ingestd", "import", str(path)]
    done = subprocess.run(command, env=environ, check=False, capture_output=True, text=True)
    assert (done.returncode, "3 stored" in done.stdout) == (0, True), done
