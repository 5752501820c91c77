"""Workers that hang are killed and restarted by the supervisor itself; nothing is lost, nothing comes twice."""

from __future__ import annotations

import json
import random
import signal
import time
import urllib.error
from pathlib import Path

from tests.e2e.chaos.tools import check_balance, in_store, scaled, workers
from tests.e2e.chaos.traffic import Sender
from tests.e2e.daemon import Daemon
from tests.processes import send_signal
from tests.waiting import wait_until

EVENTS = 30_000


def ready(daemon: Daemon) -> bool:
    """Return whether both workers answer."""
    try:
        return bool(json.loads(daemon.get("/health/ready"))["ready"])
    except urllib.error.HTTPError as answer:
        answer.close()
        return False


def test_workers_that_are_stopped(tmp_path: Path) -> None:
    """SIGSTOP in the middle of traffic: the process is there, and its event loop does not turn."""
    rnd = random.Random(1)
    with Daemon(tmp_path, workers="2", watchdog_timeout="3s") as daemon:
        for _ in range(scaled(2, 20)):
            wait_until(lambda: ready(daemon), "two workers")
            with Sender(daemon.port, EVENTS) as first, Sender(daemon.port, EVENTS) as second:
                time.sleep(rnd.uniform(0, 0.3))
                hanging = workers(daemon)
                for pid in hanging:
                    send_signal(pid, signal.SIGSTOP)
                wait_until(lambda: not set(hanging) & set(workers(daemon)), "the end of those that hang")  # noqa: B023
                first.join()
                second.join()
        wait_until(lambda: ready(daemon) and daemon.metric("ingestd_queue_events") == 0, "an empty queue")
    rounds = scaled(2, 20)
    found = in_store(daemon.data_dir)
    assert sorted(found) == sorted(list(range(EVENTS)) * 2 * rounds)
    check_balance(daemon.data_dir, EVENTS * 2 * rounds)
