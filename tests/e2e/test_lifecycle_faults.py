"""What can go wrong with backups in S3: nothing is deleted that is not safe, and a second run makes it whole."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingestd.lifecycle import build
from ingestd.lifecycle.state import State
from ingestd.settings import Settings, load_settings
from ingestd.stores.local import LocalStore, LocalWriter, store_root
from ingestd.stores.lucene import parse
from ingestd.stores.query import Query
from tests.e2e.daemon import Daemon, command, environment
from tests.e2e.s3 import ACCESS_KEY, REGION, S3, SECRET_KEY
from tests.e2e.s3_gate import S3Gate
from tests.e2e.test_scheduler import helpers_of
from tests.processes import command_line, send_signal
from tests.threads import Background
from tests.waiting import PROMPT_SECONDS, WAIT_SECONDS, today, wait_until

AGES = (1, 31, 40)
"""Days ago: of three indices two are older than retention lets them be."""

EVENTS = 30


def day(age: int) -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=age)


def name(age: int) -> str:
    return f"logstash-{day(age):%Y.%m.%d}"


class Site:
    """The built-in store with three days, backed up to S3 through a gate."""

    def __init__(self, folder: Path, s3: S3, gate: S3Gate, bucket: str) -> None:
        today()
        self.data, self.s3, self.gate, self.bucket = folder / "data", s3, gate, bucket
        keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        self._environ = environment(self.data) | keys | {"INGESTD_RETENTION_MAX_AGE": "30d"}
        self._processes: list[subprocess.Popen[str]] = []
        for age in AGES:
            self.put(age, "w0", EVENTS)
        options = ["--type", "s3", "--bucket", bucket, "--region", REGION, "--endpoint", gate.url]
        self.run("repository", "add", "nightly", *options)

    def put(self, age: int, writer: str, events: int, size: int = 100) -> None:
        documents = [
            f'{{"@timestamp":"{day(age)}T10:00:00.{n:03}Z", "message":"{os.urandom(size // 2).hex()}"}}'.encode()
            for n in range(events)
        ]
        made = LocalWriter(store_root(self.data), writer)
        made.append(name(age), documents, [f"{age}-{writer}-{n}" for n in range(events)])
        made.close()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "ingestd", *arguments],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End what a test that failed has left."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()
                process.communicate()

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command in this process and expect an exit code; returns all it says."""
        done = command(self._environ, *arguments)
        assert done.exit_code == code, done.output
        assert SECRET_KEY not in done.output
        return done.output

    def content(self) -> dict[str, dict[str, bytes]]:
        found: dict[str, dict[str, bytes]] = {}
        for hit in LocalStore(store_root(self.data)).search(Query(condition=parse("_index:*")), 0):
            found.setdefault(hit.index, {})[hit.id] = hit.document
        return found

    def backups(self) -> list[str]:
        return [entry["index"] for entry in json.loads(self.run("backup", "list", "--json"))]

    def hidden(self) -> list[str]:
        return [path.name for path in store_root(self.data).glob(".backup-*")]

    def damage(self, age: int) -> None:
        """Change one byte of the largest file of a day in the bucket."""
        keys = [key for key in self.s3.keys(self.bucket) if key.startswith(f"{name(age)}/files/")]
        bodies = {key: self.s3.client.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}
        key, body = max(bodies.items(), key=lambda item: len(item[1]))
        self.s3.client.put_object(Bucket=self.bucket, Key=key, Body=body[:-1] + bytes([body[-1] ^ 1]))


@pytest.fixture
def gate(s3: S3) -> Iterator[S3Gate]:
    with S3Gate(s3.url) as made:
        made.open()
        yield made


@pytest.fixture
def site(tmp_path: Path, s3: S3, gate: S3Gate) -> Iterator[Site]:
    with closing(Site(tmp_path, s3, gate, s3.bucket(f"bucket-{time.monotonic_ns()}"))) as made:
        yield made


FAULTS: dict[str, tuple[Callable[[S3Gate], None], str]] = {  # id: what is done to S3, what is said
    "down": (S3Gate.shut, "repository nightly (bucket bucket-"),
    "forbidden": (S3Gate.forbid, "denies access"),
}

COMMANDS = {  # id: command, whether there is a backup already, what it says when all is well
    "backup": ("backup --missing", False, "NAME-"),
    "prune": ("prune", True, "deleted"),
    "verify": ("backup verify DAY", True, "good"),
    "restore": ("restore DAY --rename restored-", True, f"{EVENTS} events"),
    "list": ("backup list", True, "success"),
}


@pytest.mark.parametrize(("command", "backed_up", "well"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_repository_that_does_not_answer(site: Site, command: str, backed_up: bool, well: str) -> None:
    arguments, well = command.replace("DAY", str(day(31))).split(), well.replace("NAME", name(31))
    if backed_up:
        site.run("backup", "--missing")
        (site.data / "lifecycle.json").unlink()  # so that prune has to read the backups
    before = site.content()
    for fault, said in FAULTS.values():
        fault(site.gate)
        assert said in site.run(*arguments, code=1)
        assert site.content() == before
        assert site.hidden() == []
        site.gate.allow()
    assert well in site.run(*arguments)
    assert len(site.backups()) == len(AGES)


def test_it_goes_away_in_the_middle(site: Site) -> None:
    """The schedule fails, says so, deletes nothing that it could not read again, and does all of it an hour later."""
    site.put(40, "w1", 40, 200_000)
    site.gate.bytes_per_second = 4_000_000
    time_now = datetime.datetime.now(datetime.UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        scheduler = build.scheduler(settings(site), lambda: time_now)
        assert scheduler is not None
        before = site.content()
        sent = site.gate.sent

        def shut() -> None:
            wait_until(lambda: site.gate.sent > sent + 2_000_000, "the upload")
            site.gate.shut()

        with Background(shut):
            report = scheduler.check()
        assert report is not None
        assert sorted(report.failed) == sorted(map(name, AGES))
        assert report.deleted == {}
        assert site.content() == before
        site.gate.allow()
        assert scheduler.check() is None  # not at once again
        time_now += datetime.timedelta(hours=1, minutes=1)
        report = scheduler.check()
        assert report is not None
        assert report.failed == {}
        assert sorted(report.backed_up) == sorted(map(name, AGES))
        assert sorted(report.deleted) == [name(40), name(31)]


def settings(site: Site) -> Settings:
    return load_settings(environ={"INGESTD_DATA_DIR": str(site.data), "INGESTD_SCHEDULE_TIME_ZONE": "UTC"})


def test_killed_halfway_through_an_upload(site: Site) -> None:
    for number in range(1, 6):
        site.put(1, f"w{number}", 20, 100_000)  # files of two megabytes
    site.put(1, "w6", 90, 100_000)  # one that goes in parts
    prefix = f"{name(1)}/files/"
    site.gate.bytes_per_second = 1_500_000
    running = site.start("backup", "yesterday")
    wait_until(lambda: len([key for key in site.s3.keys(site.bucket) if key.startswith(prefix)]) >= 3, "some files")
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert site.backups() == []
    there = {key for key in site.s3.keys(site.bucket) if key.startswith(prefix)}
    site.gate.allow()
    sent = site.gate.sent
    assert "success" in site.run("backup", "yesterday")
    assert site.gate.sent - sent < 23_000_000 - 2_000_000 * (len(there) - 2)  # what was there was not sent again
    keys = [key for key in site.s3.keys(site.bucket) if key.startswith(name(1))]
    files = {path for path in (store_root(site.data) / name(1)).iterdir() if path.name.startswith("tail-")}
    assert len(keys) == len(files) + 2  # and the manifests: that of the sealed files, that of the backup
    assert site.backups() == [name(1)]
    before = site.content()[name(1)]
    LocalStore(store_root(site.data)).delete(name(1))
    site.run("restore", "yesterday")
    assert site.content()[name(1)] == before


def test_a_slow_repository_is_waited_for(site: Site) -> None:
    site.put(1, "w1", 40, 100_000)
    site.gate.bytes_per_second = 1_000_000
    before = site.content()
    assert "success" in site.run("backup", "--missing")
    site.run("restore", "yesterday", "--overwrite")
    assert site.content() == before


def test_killed_while_it_restores(site: Site) -> None:
    site.put(1, "w1", 40, 100_000)
    site.run("backup", "--missing")
    before = site.content()
    site.gate.bytes_per_second = 2_000_000
    for arguments in (("--rename", "restored-"), ("--overwrite",)):
        running = site.start("restore", "yesterday", *arguments)
        wait_until(lambda: list(store_root(site.data).glob(f".backup-*/*{name(1)}/tail-*")), "the first file")
        running.kill()
        running.communicate()
        assert site.content() == before  # the new one is not there, the old one still is
    site.gate.allow()
    site.run("restore", "yesterday", "--rename", "restored-")
    assert site.content()[f"restored-{name(1)}"] == before[name(1)]
    assert site.hidden() == []


def test_a_damaged_object(site: Site) -> None:
    site.run("backup", "--missing")
    site.damage(31)
    before = site.content()
    said = site.run("backup", "verify", str(day(31)), code=1)
    assert "tail-w0-00001.ndjson does not have its checksum" in said
    assert f"{name(31)}  5.1 kB  held     it is not backed up" in site.run("prune")
    assert {*site.content()} == {*before} - {name(40)}
    assert "damaged" in site.run("restore", str(day(31)), "--overwrite", code=1)
    assert site.content()[name(31)] == before[name(31)]
    assert site.hidden() == []


def test_that_a_backup_was_good_when_it_was_made_is_not_enough(site: Site) -> None:
    site.run("backup", "--missing")
    site.damage(31)
    state = State.load(site.data)
    made = state.verified["nightly"]
    state.verified["nightly"] = {snapshot: time - datetime.timedelta(days=2) for snapshot, time in made.items()}
    state.save()
    before = site.content()
    assert "does not have its checksum" in site.run("prune", code=1)
    assert {*site.content()} == {*before} - {name(40)}


def test_no_secret_can_be_read(site: Site) -> None:
    """Not in the list of processes, not in what is printed, not in what is stored."""
    site.put(1, "w1", 40, 100_000)
    site.gate.bytes_per_second = 2_000_000
    running = site.start("backup", "--missing", "--json")
    wait_until(lambda: site.s3.keys(site.bucket), "the first file")
    shown = command_line(running.pid)  # what ps shows of it to others
    assert "backup\0--missing" in shown
    site.gate.forbid()
    output, errors = running.communicate(timeout=WAIT_SECONDS)
    assert running.returncode == 1
    listed = site.run("repository", "list", "--json")
    for text in (shown, output, errors, listed):
        assert SECRET_KEY not in text
        assert f'"{ACCESS_KEY}"' not in text
    stored = [path for path in site.data.rglob("*") if path.is_file()]
    assert "repositories.json" in {path.name for path in stored}
    assert [path for path in stored if SECRET_KEY.encode() in path.read_bytes()] == []


def test_wrong_credentials_in_a_file_are_reported_in_a_sentence(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"aws_secret_access_key = {SECRET_KEY}\n")
    environ = environment(site.data) | {"AWS_SHARED_CREDENTIALS_FILE": str(file)}
    command = [sys.executable, "-m", "ingestd", "backup", "list"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)
    assert done.returncode == 1
    assert done.stderr == f"error: the credentials in {file} cannot be read: MissingSectionHeaderError\n"


def test_a_stop_does_not_wait_for_an_upload(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    site.put(40, "w1", 100, 200_000)
    site.gate.bytes_per_second, sent = 4_000_000, site.gate.sent
    with Daemon(tmp_path, workers="1", retention_max_age="30d") as daemon:
        wait_until(lambda: site.gate.sent > sent + 1_000_000, "the upload")
        site.gate.bytes_per_second = 20_000  # from now on it takes a quarter of an hour
        began = time.monotonic()
        daemon.stop()
        assert time.monotonic() - began < PROMPT_SECONDS
        assert daemon.problems() == []
    site.gate.allow()
    with Daemon(tmp_path, workers="1", retention_max_age="30d") as daemon:
        daemon.wait_for_metric("ingestd_deleted_indices_total", 2)
    assert sorted(site.content()) == [name(1)]
    assert sorted(site.backups()) == sorted(map(name, AGES))


def test_the_daemon_goes_on_when_its_work_is_killed_amid_an_upload(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    site.put(40, "w1", 100, 200_000)
    site.gate.bytes_per_second, sent = 1_000_000, site.gate.sent
    with Daemon(tmp_path, workers="1", retention_max_age="30d") as daemon:
        wait_until(lambda: site.gate.sent > sent + 1_000_000, "the upload")
        for pid in helpers_of(daemon):
            send_signal(pid)
        assert site.backups() == []
        site.gate.allow()
        daemon.wait_for_metric("ingestd_deleted_indices_total", 2)
    assert sorted(site.content()) == [name(1)]
    assert sorted(site.backups()) == sorted(map(name, AGES))
