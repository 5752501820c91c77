"""Backup and retention in a real daemon: due at its start, run in a process next to the workers."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingestd.stores.local import LocalStore, LocalWriter, store_root
from tests.e2e.daemon import Daemon, environment, ingestd
from tests.e2e.stub import StubElasticsearch
from tests.processes import children, niceness, send_signal
from tests.waiting import PROMPT_SECONDS, WAIT_SECONDS, today, wait_until

EVENTS = 50


def day(days_ago: int) -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=days_ago)


def name(days_ago: int) -> str:
    return f"logstash-{day(days_ago):%Y.%m.%d}"


def put(data: Path, days_ago: int, size: int = 20) -> None:
    writer = LocalWriter(store_root(data), "earlier")
    body = os.urandom(size // 2).hex()
    documents = [
        f'{{"@timestamp":"{day(days_ago)}T10:00:{number:02}.000Z","message":"{body}"}}'.encode()
        for number in range(EVENTS)
    ]
    writer.append(name(days_ago), documents, [f"{days_ago}-{number}" for number in range(EVENTS)])
    writer.close()


def indices(data: Path) -> list[str]:
    return [info.index for info in LocalStore(store_root(data)).indices()]


def helpers_of(daemon: Daemon) -> list[int]:
    """Return the process that yields to the workers, with the sealer and the scheduler."""
    usual = os.nice(0)
    return [pid for pid in children(daemon.process.pid) if (niceness(pid) or usual) > usual]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    today()
    made = tmp_path / "data"
    for days_ago in (0, 1, 40):
        put(made, days_ago)
    ingestd(made, "repository", "add", "disk", "--type", "fs", "--location", str(tmp_path / "repository"))
    return made


def test_a_run_on_a_server_with_nothing_to_do_needs_little_memory(tmp_path: Path) -> None:
    """The process stays: it would keep the 7 MB of the official client until the daemon stops."""
    program = (
        "import sys\n"
        "from ingestd.lifecycle import build\n"
        "from ingestd.lifecycle.scheduler import run_once\n"
        "from ingestd.settings import load_settings\n"
        "with build.open_lifecycle(load_settings()) as lifecycle:\n"
        "    print(run_once(lifecycle).failed, 'elasticsearch' in sys.modules)"
    )
    with StubElasticsearch() as stub:
        environ = environment(tmp_path) | {"INGESTD_ELASTICSEARCH": stub.url}
        done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["{}", "False"]
    asked = {request.path.partition("?")[0] for request in stub.requests}
    assert {"/_snapshot", "/_mapping", "/_cat/indices/logstash-*"} <= asked


def test_it_backs_up_yesterday_and_deletes_what_is_old(data: Path, tmp_path: Path) -> None:
    with Daemon(tmp_path, workers="1", retention_max_age="30d") as daemon:
        daemon.wait_for_metric("ingestd_backed_up_indices_total", 2)
        daemon.wait_for_metric("ingestd_deleted_indices_total", 1)
        assert indices(data) == [name(1), name(0)]
        assert daemon.metric("ingestd_overdue_indices") == 0
        success = daemon.metric("ingestd_lifecycle_success_timestamp_seconds")
        assert abs(time.time() - success) < WAIT_SECONDS
        listed = json.loads(ingestd(data, "backup", "list", "--json"))
        assert [(entry["index"], entry["events"]) for entry in listed] == [(name(40), EVENTS), (name(1), EVENTS)]

        # Killed, it comes back, knows what is done, and does it no second time.
        wait_until(lambda: helpers_of(daemon), "the helper")
        killed = helpers_of(daemon)
        for pid in killed:
            send_signal(pid)
        wait_until(lambda: set(helpers_of(daemon)) - set(killed), "the helper to be started again")
        wait_until(lambda: daemon.metric("ingestd_lifecycle_success_timestamp_seconds") == success, "its memory")
        assert len(json.loads(ingestd(data, "backup", "list", "--json"))) == 2
        daemon.send([{"message": "all the same"}])
        daemon.wait_for_delivery(1)
        assert json.loads(daemon.get("/health"))["degraded"] is False
        began = time.monotonic()
        daemon.stop()
        assert time.monotonic() - began < PROMPT_SECONDS


def test_what_fails_makes_it_degraded_but_ready(data: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.rmdir()
    repository.write_text("a file where the folder was")
    with Daemon(tmp_path, workers="1", retention_max_age="30d") as daemon:
        daemon.wait_for_metric("ingestd_failed_indices_total", 1)
        wait_until(lambda: json.loads(daemon.get("/health"))["degraded"], "the daemon to be degraded")
        health = json.loads(daemon.get("/health"))  # 200: it takes in events
        assert (health["live"], health["ready"]) == (True, True)
        assert "repository disk" in health["reasons"][0]
        assert daemon.metric("ingestd_overdue_indices") == 1
        assert [entry["level"] for entry in daemon.problems()] == ["ERROR"]
        daemon.send([{"message": "all the same"}])
        daemon.wait_for_delivery(1)
    assert indices(data) == [name(40), name(1), name(0)]  # nothing goes that is not backed up
    # Who does it by cron is not told of the daemon.
    with Daemon(tmp_path, workers="1", retention_max_age="30d", schedule_cron="off") as daemon:
        assert json.loads(daemon.get("/health"))["degraded"] is False


WRONG = [  # id, cron, what is said
    ("six_fields", "0 10 0 * * *", "expected five fields"),
    ("no_such_hour", "10 25 * * *", "is not a cron expression"),
]


@pytest.mark.parametrize(("cron", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_schedule_is_refused_at_the_start(cron: str, said: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ingestd", "run", "--port", "0", "--http", "off"]
    environ = environment(tmp_path) | {"INGESTD_SCHEDULE_CRON": cron}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("INGESTD_SCHEDULE_CRON: error: schedule.cron: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
