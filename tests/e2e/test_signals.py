"""Signals that come while the daemon is busy with another one."""

from __future__ import annotations

import json
import signal
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.stub import Fault, StubElasticsearch
from tests.waiting import WAIT_SECONDS, wait_until

OUTPUT = 'elasticsearch { hosts => ["%s"] retry_initial_interval => 0.05 retry_max_interval => 0.2 }'
CONFIG = 'input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } } output { %s }'


def answers(daemon: Daemon) -> bool:
    try:
        daemon.get("/health/live")
    except OSError:
        return False
    return True


def test_reload_during_a_reload_follows_it(tmp_path: Path) -> None:
    """The files may have changed after the first one read them."""
    with Daemon(tmp_path, workers="2") as daemon:
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("the new config is valid and is being applied")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(daemon.said("every process runs the new config")) == 2, "the second reload")
        wait_until(lambda: answers(daemon), "the last HTTP process")
        daemon.send([{"message": "after"}])
        daemon.wait_for_delivery(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_good_reload_keeps_health_green_and_ends_when_all_workers_run(tmp_path: Path, workers: int) -> None:
    with Daemon(tmp_path, workers=str(workers)) as daemon:
        wait_until(lambda: answers(daemon), "HTTP")
        ended, seen = threading.Event(), []

        def watch() -> None:
            while not ended.is_set():
                seen.append(daemon.get("/health"))  # a status other than 200 raises

        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            try:
                for _ in range(3):
                    assert "reload:" in ingestd(daemon.data_dir, "reload")
                    found = json.loads(daemon.get("/api/status"))["workers"]
                    assert found == {"running": workers, "replacing": 0, "wanted": workers}
            finally:
                ended.set()
            watching.result()
        assert seen


def reload(daemon: Daemon) -> tuple[int, dict[str, str]]:
    """Reload over HTTP; returns the status and the answer."""
    request = urllib.request.Request(f"{daemon.url}/reload", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


def test_a_reload_over_http_ends_when_all_workers_run(tmp_path: Path) -> None:
    """Two at the same time, too: the second one follows the first."""
    config = tmp_path / "web.conf"
    config.write_text(CONFIG % "store { }")
    with Daemon(tmp_path, "-f", str(config), workers="2") as daemon:
        status, answer = reload(daemon)
        assert (status, answer["error"]) == (200, "")
        assert answer["result"]
        assert len(daemon.said("every process runs the new config")) == 1
        with ThreadPoolExecutor(2) as pool:
            statuses = [asked.result()[0] for asked in [pool.submit(reload, daemon) for _ in range(2)]]
        assert statuses == [200, 200]
        assert len(daemon.said("every process runs the new config")) == 3
        config.write_text("input {")
        status, answer = reload(daemon)
        assert (status, "web.conf:1:" in answer["error"]) == (422, True)
        daemon.send([{"message": "after"}])
        daemon.wait_for_delivery(1)


def test_stop_during_a_reload_follows_it(tmp_path: Path) -> None:
    with Daemon(tmp_path, workers="2") as daemon:
        daemon.send([{"message": "before"}])
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("the new config is valid and is being applied")
        daemon.stop()
    messages = [entry["message"] for entry in daemon.log()]
    assert messages.index("every process runs the new config") < messages.index("stopping")


def test_reload_and_upgrade_during_a_stop_are_refused(tmp_path: Path) -> None:
    with StubElasticsearch() as stub, Daemon(tmp_path, config=CONFIG % OUTPUT % stub.url) as daemon:
        stub.bulk_faults.extend([Fault(503)] * 10_000)
        daemon.send([{"n": 1}])
        daemon.wait_for("a delivery is tried again")
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("stopping")
        refused = "a request is refused because the daemon is about to end"
        for number, request in ((signal.SIGHUP, "reload"), (signal.SIGUSR2, "upgrade")):
            daemon.process.send_signal(number)
            wait_until(lambda: request in [entry["request"] for entry in daemon.said(refused)], request)  # noqa: B023
        stub.bulk_faults.clear()
        daemon.wait(0)
    assert stub.values("n") == [1]
