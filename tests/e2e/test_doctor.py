"""``ingestd doctor`` on running systems: a good site, and sites on which something is missing."""

from __future__ import annotations

import datetime as dt
import json
import re
import socket
from pathlib import Path
from typing import Any

from tests.e2e.daemon import Daemon, command, environment
from tests.e2e.servers import SearchServer
from tests.e2e.serving import served
from tests.waiting import WAIT_SECONDS

TARGET = "/search?q=%EC%84%9C%EC%9A%B8"


def doctor(data_dir: Path, *arguments: str, code: int = 0, **settings: str) -> str:
    """Run the command, expect an exit code, return what it prints."""
    variables = {f"INGESTD_{name.upper()}": value for name, value in settings.items()}
    done = command(environment(data_dir) | variables, "doctor", *arguments)
    assert done.exit_code == code, done.output
    return done.stdout


def statuses(data_dir: Path, *arguments: str, code: int = 0, **settings: str) -> dict[str, str]:
    """Return the status of each finding by its code."""
    document = json.loads(doctor(data_dir, "--json", *arguments, code=code, **settings))
    assert document["ok"] is (code == 0)
    return {finding["code"]: finding["status"] for finding in document["findings"]}


def roomy(found: dict[str, str]) -> dict[str, str]:
    """Return findings without that on the disk, which is that of whoever runs the tests."""
    return {code: status for code, status in found.items() if not code.startswith("disk.")}


def test_a_good_site(tmp_path: Path) -> None:
    with Daemon(tmp_path, retention_max_age="30d") as daemon, served(tmp_path, "gunicorn", daemon.port) as site:
        for target in (TARGET, "/order", "/none"):
            site.get(target)
        daemon.wait_for_delivery(5)
        address = daemon.url.removeprefix("http://")
        found = statuses(daemon.data_dir, "--http", address, retention_max_age="30d")
        text = doctor(daemon.data_dir, "--http", address, retention_max_age="30d")
        without_backups = statuses(
            daemon.data_dir, "--http", address, backup_repository="none", retention_max_age="30d"
        )
    notes = {code for code, status in found.items() if status == "note"}
    assert (set(roomy(found).values()), notes) == ({"ok", "note"}, {"backup.later", "geoip.none"}), text
    assert without_backups["backup.off"] == "ok"
    assert found.keys() >= {
        "daemon.running",
        "access.arriving",
        "senders.good",
        "format.version",
        "clock.good",
        "sealing.good",
    }
    assert "access lines arrive from gunicorn.access" in text
    assert "python-logstash come in version 1" in text


def test_gunicorn_without_access_lines(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon, served(tmp_path, "gunicorn without access lines", daemon.port) as site:
        for _ in range(3):
            site.get("/order")  # its view logs
            site.get("/none")  # Django logs the 404
        daemon.wait_for_delivery(6)
        assert roomy(statuses(daemon.data_dir, code=1))["access.missing"] == "fix"
        text = doctor(daemon.data_dir, code=1)
        shown = json.loads(daemon.get("/api/doctor?lang=ko"))
    assert "6 records, 3 of them of Django, and no access line" in text
    assert '"gunicorn.access": {"handlers": ["console", "logstash"], "level": "INFO", "propagate": False},' in text
    assert "gunicorn --access-logfile - mysite.wsgi" in text
    [missing] = [finding for finding in shown["findings"] if finding["code"] == "access.missing"]
    assert missing["text"].startswith("기록 6건")
    assert "gunicorn --access-logfile -" in missing["fix"]
    assert shown["ok"] is False


def test_local_time_and_version_0(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    ahead = (now + dt.timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    fields = {"levelname": "INFO", "logger": "django.server"}
    line = f'"GET {TARGET} HTTP/1.1" 200 5'
    event = {"@timestamp": ahead, "@source_host": "web1", "@message": line, "@fields": fields}
    with Daemon(tmp_path) as daemon:
        daemon.send([event] * 3)
        daemon.wait_for_delivery(3)
        text = doctor(daemon.data_dir, code=1)
    assert "timestamps of web1 are 9 h ahead: it sends local time as if it were UTC" in text
    assert "python-logstash come in version 0" in text


def visits(now: dt.datetime, seconds_ago: int, logger: str = "") -> list[dict[str, Any]]:
    """Return four access lines, a second apart: of a logger, or without one as those of nginx."""
    start = now - dt.timedelta(seconds=seconds_ago)
    return [
        {"@timestamp": f"{start + dt.timedelta(seconds=number):%Y-%m-%dT%H:%M:%S.000Z}", "@version": "1"}
        | ({"logger_name": logger} if logger else {})
        | {"message": f'10.0.0.7 - - [22/Nov/2026:10:11:12 +0000] "GET {TARGET} HTTP/1.1" 200 5'}
        for number in range(4)
    ]


def test_the_same_requests_from_two_servers(tmp_path: Path) -> None:
    """Not for servers that took turns, such as runserver and gunicorn, or for the sample lines of the README."""
    now = dt.datetime.now(dt.UTC)
    with Daemon(tmp_path) as daemon:
        daemon.send(visits(now, 90, "django.server") + visits(now, 30))
        daemon.wait_for_delivery(8)
        assert "access lines arrive from a web server, django.server" in doctor(daemon.data_dir)
        daemon.send(visits(now, 30, "gunicorn.access"))
        daemon.wait_for_delivery(12)
        text = doctor(daemon.data_dir)
    assert "the same requests come from gunicorn.access and from a web server in front: visits count twice" in text


def test_wrong_senders(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        with socket.create_connection(("127.0.0.1", daemon.port), WAIT_SECONDS) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while client.recv(1000):
                pass
        daemon.wait_for_metric("ingestd_unsupported_connections_total", 1)
        address = daemon.url.removeprefix("http://")
        text = doctor(daemon.data_dir, "--http", address, code=1)  # there are no events
        elsewhere = doctor(daemon.data_dir, "--http", "127.0.0.1:1", code=1)
        shown = json.loads(daemon.get("/api/doctor"))
    assert re.search(r"warning  senders      input \S+: 1 connection with HTTP, answered with status 400\n", text)
    assert "/metrics and /health have a port of their own" in text
    assert "its pages cannot be read, so its connections and Kafka are not checked: Connection refused" in elsewhere
    assert "cannot be read" not in text
    assert "senders.http" in {finding["code"] for finding in shown["findings"]}


def test_no_daemon(tmp_path: Path) -> None:
    found = statuses(tmp_path / "data", code=1)
    assert found["daemon.down"] == found["records.none"] == "fix"


def test_a_search_server(clean_search_server: SearchServer, tmp_path: Path) -> None:
    server, now = clean_search_server, dt.datetime.now(dt.UTC)
    with Daemon(tmp_path, "--elasticsearch", server.url) as daemon:
        daemon.send(visits(now, 90, "django.server") + visits(now, 30))
        daemon.wait_for_delivery(8)
        server.call("POST", "/logstash-*/_refresh")
        found = roomy(statuses(daemon.data_dir, "--elasticsearch", server.url))
        daemon.send(visits(now, 30, "gunicorn.access"))
        daemon.wait_for_delivery(12)
        server.call("POST", "/logstash-*/_refresh")
        assert "come from gunicorn.access and" in doctor(daemon.data_dir, "--elasticsearch", server.url)
        shown: dict[str, Any] = json.loads(daemon.get("/api/doctor"))
    assert found.keys() >= {"access.arriving", "server.good", "template.current", "daemon.running"}
    assert {finding["code"] for finding in shown["findings"]} >= {"server.good", "template.current"}


def test_a_server_that_is_away(tmp_path: Path) -> None:
    text = doctor(tmp_path / "data", "--elasticsearch", "http://127.0.0.1:1", code=1)
    assert text.startswith("fix      store        the store cannot be queried: ")
    assert "daemon" not in text


def test_the_zone_of_days_is_kept_and_a_change_is_reported(tmp_path: Path) -> None:
    """Three daemons on one data folder: the zone is set, not set as in another folder, and set to another one."""
    # There are no events, which has to be fixed: code 1.
    with Daemon(tmp_path, index_timezone="Asia/Seoul"):
        pass
    with Daemon(tmp_path) as daemon:
        daemon.wait_for("index_timezone is not set: days stay those of the data folder")
        assert "zone.differs" not in statuses(tmp_path / "data", code=1)
        assert statuses(tmp_path / "data", code=1, index_timezone="UTC")["zone.differs"] == "warning"
    with Daemon(tmp_path, index_timezone="UTC") as daemon:
        daemon.wait_for("the time zone of days has changed: days that are stored keep the one before")
        assert '"before":"Asia/Seoul"' in daemon.log_file.read_text().replace(": ", ":")
        assert statuses(tmp_path / "data", code=1)["zone.changed"] == "warning"
        assert "from Asia/Seoul to UTC" in doctor(tmp_path / "data", code=1)
