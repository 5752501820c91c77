"""Workers and the daemon are killed, and the config reloaded, while files are written and rotated: each line once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.chaos.file_writer import PATTERNS
from tests.e2e.chaos.tools import ROOT, check_balance, figure, kill_children, scaled
from tests.e2e.daemon import Daemon, ingestd
from tests.waiting import wait_until

FILES = scaled(16, 500)
SECONDS = scaled(12, 600)
PER_SECOND = scaled(1500, 20_000)
KILLS = scaled(7, 75)
"""A third are reloads."""
ROTATION_SECONDS = scaled(4, 60)
_PART = 500_000


def _config(logs: Path) -> str:
    paths = ", ".join(f'"{logs}/{pattern}"' for pattern in PATTERNS)
    return (
        f"input {{ file {{ path => [{paths}] start_position => beginning codec => json_lines "
        'stat_interval => "200 ms" discover_interval => 5 } tcp { port => 0 host => "127.0.0.1" } } '
        "output { store { } }"
    )


def _received(daemon: Daemon) -> tuple[int, int]:
    found = json.loads(ingestd(daemon.data_dir, "audit", "--json"))
    return found["received"], found["queued"]


def _check_numbers(data_dir: Path, sent: int) -> None:
    """Every number from 0 to ``sent`` is in the store, once: part by part, as a query has limits on its memory."""
    found = []
    for start in range(0, sent, _PART):
        where = f"WHERE n >= {start} AND n < {start + _PART}"
        query = f"SELECT count(*) AS events, count(DISTINCT n) AS numbers FROM events {where}"
        found.append(json.loads(ingestd(data_dir, "sql", query, "--json")))
    numbers = sum(part["numbers"] for part in found)
    lost, twice = sent - numbers, sum(part["events"] for part in found) - numbers
    figure(events=sent, lost=lost, twice=twice)
    assert (lost, twice) == (0, 0)


def test_files_that_are_rotated(tmp_path: Path) -> None:
    logs, events, rnd = tmp_path / "logs", SECONDS * PER_SECOND, random.Random(3)
    logs.mkdir()
    with Daemon(tmp_path, config=_config(logs), workers="2") as daemon:
        module = [sys.executable, "-m", "tests.e2e.chaos.file_writer", str(logs)]
        numbers = [str(FILES), str(events), str(PER_SECOND), str(ROTATION_SECONDS)]
        with subprocess.Popen([*module, *numbers], cwd=ROOT) as writer:
            for kill in range(KILLS):
                time.sleep(rnd.uniform(0.2, 1.8) * SECONDS / KILLS)
                if kill % 3 == 2:
                    daemon.process.send_signal(signal.SIGHUP)
                elif kill % 3:
                    daemon.kill_with_children()
                    daemon.start()
                    daemon.wait_until_ready()
                else:
                    kill_children(daemon, 1, rnd, (0, 0.1))
            assert writer.wait() == 0
        wait_until(lambda: _received(daemon) >= (events, 0), "all lines to be received")
        wait_until(lambda: _received(daemon)[1] == 0, "all lines to be delivered")
        daemon.stop()
    _check_numbers(daemon.data_dir, events)
    check_balance(daemon.data_dir, events)
    assert daemon.dead_letters() == []
