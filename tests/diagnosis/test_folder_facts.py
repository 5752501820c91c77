"""Facts from real folders."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from pathlib import Path

import pytest

from ingestd.diagnosis import folder_facts
from ingestd.diagnosis.facts import GeoIp, Rights
from ingestd.event.chunk import Chunk
from ingestd.journal.folders import journal_folder
from ingestd.journal.journal import Journal
from ingestd.journal.survey import newest_chunks
from ingestd.stores.local.index.layout import store_root

TODAY = dt.date(2026, 11, 22)
RECEIVED_NS = 1_795_342_200 * 10**9  # 2026-11-22T10:10:00Z


def chunk(number: int, *lines: object) -> Chunk:
    data = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    return Chunk("tcp_0", "stream", {}, number * 1000, RECEIVED_NS, len(lines), data)


V1 = {"@timestamp": "2026-11-22T10:10:01.500Z", "@version": "1", "host": "web1", "logger_name": "shop", "message": "a"}
V0 = {"@timestamp": "2026-11-22T10:10:00Z", "@source_host": "web0", "@fields": {"levelname": "INFO"}, "@message": "a"}


def test_samples(tmp_path: Path) -> None:
    journal = Journal(journal_folder(tmp_path, "w0"))
    journal.append(
        [
            chunk(0, V1, V0),
            chunk(1, b"1.2.3.4 - - [", {"message": "x"}, [1], {"@timestamp": 5, "host": {"name": "web2"}}),
        ]
    )
    journal.close()
    found = folder_facts.samples(tmp_path)
    assert [(sample.version, sample.host) for sample in found] == [(1, "web1"), (0, "web0"), (None, ""), (None, "web2")]
    assert [sample.timestamp and sample.timestamp.isoformat() for sample in found[:3]] == [
        "2026-11-22T10:10:01.500000+00:00",
        "2026-11-22T10:10:00+00:00",
        None,
    ]
    assert {sample.received.isoformat() for sample in found} == {"2026-11-22T10:10:00+00:00"}
    assert folder_facts.samples(tmp_path / "none") == ()


def test_newest_chunks_of_several_segments(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "w0", segment_bytes=2000)
    for number in range(40):
        journal.append([chunk(number, V1)])
    journal.close()
    assert len(list((tmp_path / "w0").iterdir())) > 3
    assert [found.offset for found in newest_chunks(tmp_path / "w0", 15)] == [n * 1000 for n in range(25, 40)]
    assert len(newest_chunks(tmp_path / "w0", 1000)) == 40


def test_unsealed_days(tmp_path: Path) -> None:
    sizes = {"logstash-2026.11.20": 100, "logstash-2026.11.21": 0, "logstash-2026.11.22": 100, "logstash-app": 100}
    for index, size in sizes.items():
        log = store_root(tmp_path) / index / "tail-w0-00001.ndjson"
        log.parent.mkdir(parents=True)
        log.write_bytes(b"x" * size)
        os.utime(log, (time.time() - 3600,) * 2)
    [day] = folder_facts.unsealed_days(tmp_path, TODAY)
    assert (day.index, day.bytes) == ("logstash-2026.11.20", 100)
    assert day.idle_s == pytest.approx(3600, abs=60)


def test_rights(tmp_path: Path) -> None:
    secret, closed = tmp_path / "password", tmp_path / "token"
    for path, mode in ((secret, 0o644), (closed, 0o600)):
        path.write_text("x")
        path.chmod(mode)
    found = folder_facts.rights(tmp_path, [secret, closed, tmp_path / "none"])
    assert found == Rights(owner=found.owner, open_secrets=(str(secret),))
    assert found.owner
    if os.geteuid() == 0:
        os.chown(closed, 12345, 12345)
        assert folder_facts.rights(tmp_path, ()).foreign == ("token",)


def test_dead_letters_since(tmp_path: Path) -> None:
    assert folder_facts.dead_letters_since(tmp_path, dt.datetime.now(dt.UTC)) == 0


def test_geoip(tmp_path: Path) -> None:
    assert folder_facts.geoip(tmp_path) == GeoIp(None, package=True)


def test_app_servers(tmp_path: Path) -> None:
    commands = {
        "1": b"/usr/bin/python3\0/opt/site/bin/gunicorn\0mysite.wsgi\0",
        "2": b"uwsgi\0--ini\0site.ini\0",
        "3": b"python\0manage.py\0runserver\0",
        "4": b"grep\0-r\0something\0here\0gunicorn\0",
        "5": b"",
    }
    for pid, command in commands.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_bytes(command)
    assert folder_facts.app_servers(tmp_path) == ("gunicorn", "runserver", "uwsgi")
