"""A month: backed up each night, the oldest day deleted, brought back as it was. On all kinds of stores."""

from __future__ import annotations

import datetime
import json
import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.lifecycle import build
from ingestd.lifecycle.retention import Rules
from ingestd.settings import Settings, load_settings
from ingestd.stores.elastic.backup.copying import read_documents, write_documents
from ingestd.stores.elastic.connection.client import ElasticClient
from ingestd.stores.elastic.connection.event_loop_thread import EventLoopThread
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.local import LocalStore, LocalWriter, store_root
from ingestd.stores.lucene import parse
from ingestd.stores.query import Query
from tests.e2e.daemon import command
from tests.e2e.s3 import ACCESS_KEY, REGION, S3, SECRET_KEY, emulated_s3
from tests.e2e.servers import SearchServer
from tests.random_cases import LONG

FIRST = datetime.date(2019, 5, 15)
DAYS = [FIRST + datetime.timedelta(days=number) for number in range(32)]
EVENTS = 20


def documents(day: datetime.date) -> list[tuple[str, bytes]]:
    return [
        (
            f"{day:%m%d}-{number:012x}",
            f'{{"@timestamp":"{day}T10:00:{number:02}.000Z", "search_word":"서울 맛집","n":1.{number}0}}'.encode(),
        )
        for number in range(EVENTS)
    ]


class Site(ABC):
    """A store with the days of a month, and a repository."""

    days = DAYS

    def __init__(self, data_dir: Path, environ: dict[str, str], repository: list[str]) -> None:
        self.data_dir = data_dir
        self.environ = environ | {"INGESTD_DATA_DIR": str(data_dir)}
        self.time = datetime.datetime(2019, 6, 15, 0, 5, tzinfo=datetime.UTC)
        self.run("repository", "add", "nightly", *repository)

    def run(self, *arguments: str) -> str:
        """Run a command as a user does; returns what it prints on stdout."""
        done = command(os.environ | self.environ, *arguments)
        assert done.exit_code == 0, done.output
        return done.stdout

    def fail(self, *arguments: str) -> str:
        """Run a command that fails; returns what it says."""
        done = command(os.environ | self.environ, *arguments)
        assert done.exit_code == 1, done.output
        return done.stderr

    def settings(self) -> Settings:
        return load_settings(environ=self.environ | {"INGESTD_SCHEDULE_TIME_ZONE": "UTC"})

    @abstractmethod
    def put(self, index: str, documents: list[tuple[str, bytes]]) -> None: ...

    @abstractmethod
    def content(self, index: str) -> dict[str, bytes]: ...

    @abstractmethod
    def delete(self, index: str) -> None: ...

    @abstractmethod
    def indices(self) -> list[str]: ...


class LocalSite(Site):
    def put(self, index: str, documents: list[tuple[str, bytes]]) -> None:
        writer = LocalWriter(store_root(self.data_dir), "w0")
        writer.append(index, [document for _, document in documents], [event_id for event_id, _ in documents])
        writer.close()

    def content(self, index: str) -> dict[str, bytes]:
        hits = LocalStore(store_root(self.data_dir)).search(Query(condition=parse("_index:*")), 0)
        return {hit.id: hit.document for hit in hits if hit.index == index}

    def delete(self, index: str) -> None:
        LocalStore(store_root(self.data_dir)).delete(index)

    def indices(self) -> list[str]:
        return [info.index for info in LocalStore(store_root(self.data_dir)).indices()]


class ElasticSite(Site):
    days = DAYS if LONG else DAYS[:5] + DAYS[-3:]  # a server takes seconds for each

    def __init__(self, server: SearchServer, data_dir: Path, repository: list[str]) -> None:
        self.server = server
        self._client = ElasticClient(ElasticOptions(hosts=(server.url,)))
        self._loop = EventLoopThread("test")
        environ = {"INGESTD_STORE": server.url, "INGESTD_RETENTION_MAX_AGE": "30d"}
        super().__init__(data_dir, environ, repository)

    def put(self, index: str, documents: list[tuple[str, bytes]]) -> None:
        write_documents(self._client, self._loop, index, documents)

    def content(self, index: str) -> dict[str, bytes]:
        self.server.call("POST", f"/{index}/_refresh")
        return dict(read_documents(self._client, self._loop, index))

    def delete(self, index: str) -> None:
        self.server.call("DELETE", f"/{index}")

    def indices(self) -> list[str]:
        return sorted(index for index in self.server.call("GET", "/logstash-*"))

    def close(self) -> None:
        self._loop.run(self._client.close())
        self._loop.close()


def name(day: datetime.date) -> str:
    return f"logstash-{day:%Y.%m.%d}"


def a_month(site: Site) -> None:
    days = site.days
    for day in days:
        site.put(name(day), documents(day))
    before = site.content(name(FIRST))
    assert before == dict(documents(FIRST))
    scheduler = build.scheduler(site.settings(), lambda: site.time)
    assert scheduler is not None

    report = scheduler.check()  # at the first look, and then each night at ten past midnight
    assert report is not None
    assert not report.failed
    assert sorted(report.backed_up) == [name(day) for day in days[:-1]]
    assert list(report.deleted) == [name(FIRST)]
    assert name(FIRST) not in site.indices()
    site.time += datetime.timedelta(minutes=4)
    assert scheduler.check() is None
    site.time += datetime.timedelta(minutes=2)
    again = scheduler.check()
    assert again is not None
    assert (again.backed_up, again.deleted, again.failed) == ({}, {}, {})

    listed = json.loads(site.run("backup", "list", "--json"))
    assert [(entry["index"], entry["state"], entry["events"]) for entry in listed] == [
        (name(day), "success", EVENTS) for day in days[:-1]
    ]
    assert site.run("restore", "2019.05.15") == f"{name(FIRST)}: {EVENTS} events\n"
    assert site.content(name(FIRST)) == before
    assert "index logstash-2019.05.15 already exists" in site.fail("restore", "2019.05.15")
    site.run("restore", "2019.05.15..2019.05.16", "--rename", "restored-")
    assert site.content(f"restored-{name(FIRST)}") == before
    assert site.content(f"restored-{name(DAYS[1])}") == dict(documents(DAYS[1]))

    # A day is parsed again, in place; one that was deleted, out of its backup.
    config = site.data_dir / "new.conf"
    config.write_text("filter { mutate { add_field => { again => 'yes' } } } input { stdin {} } output { stdout {} }")
    for day in (DAYS[2], DAYS[4]):
        if day == DAYS[4]:
            site.delete(name(day))
        assert f"{EVENTS} written" in site.run("reprocess", "--from", str(day), "--config", str(config))
        parsed = {event_id: json.loads(document) for event_id, document in site.content(name(day)).items()}
        expected = {event_id: json.loads(document) | {"again": "yes"} for event_id, document in documents(day)}
        assert parsed == expected

    # The restored day stays for a week, although it is old; a late event makes it be backed up again.
    site.put(name(DAYS[3]), [("late-000000000001", b'{"@timestamp":"2019-05-18T23:59:59.000Z"}')])
    site.time = datetime.datetime.now(datetime.UTC)
    with build.open_lifecycle(site.settings(), lambda: site.time) as lifecycle:
        decisions = {decision.info.index: decision for decision in lifecycle.plan()}
        assert decisions[name(FIRST)].held
        assert decisions[name(FIRST)].reason.startswith("it was restored")
        assert decisions[name(DAYS[3])].reason.startswith("it is not backed up; otherwise deleted")
        missing = [info.index for info in lifecycle.missing()]
        assert missing == [name(DAYS[2]), name(DAYS[3]), name(DAYS[4]), name(days[-1])]

        # What was restored or parsed again, three days, counts for no limit.
        lifecycle.rules = Rules(max_indices=len(days) - 3 - 1)
        assert [decision.info.index for decision in lifecycle.plan() if decision.delete] == [name(DAYS[1])]

    # Copies go when they are asked for: the originals are backed up.
    pruned = json.loads(site.run("prune", "--index", "restored-*", "--max-age", "1d", "--json"))
    assert {result["index"]: result["result"] for result in pruned} == {
        f"restored-{name(day)}": "deleted" for day in DAYS[:2]
    }


@pytest.fixture
def s3() -> Iterator[S3]:
    with emulated_s3() as made:
        yield made


def test_the_built_in_store_and_s3(s3: S3, tmp_path: Path) -> None:
    credentials = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    bucket = s3.bucket("django-backups")
    options = ["--type", "s3", "--bucket", bucket, "--region", REGION, "--endpoint", s3.url]
    with pytest.MonkeyPatch.context() as patch:
        for key, value in credentials.items():
            patch.setenv(key, value)
        site = LocalSite(tmp_path / "data", credentials, [*options, "--base-path", "django_logs"])
        a_month(site)
    assert all(key.startswith("django_logs/") for key in s3.keys(bucket))


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3", "opensearch-3.8.0"], indirect=True)
def test_a_server_and_its_repository(clean_search_server: SearchServer, tmp_path: Path) -> None:
    server, unique = clean_search_server, uuid.uuid4().hex[:8]
    if server.s3 is not None:
        bucket = server.s3.bucket(f"bucket-{unique}")
        options = ["--type", "s3", "--bucket", bucket, "--base-path", "django_logs"]
    else:
        options = ["--type", "fs", "--location", str(server.data / "snapshots" / unique)]
    site = ElasticSite(server, tmp_path / "data", options)
    try:
        a_month(site)
    finally:
        site.close()
        site.run("repository", "remove", "nightly")
        server.wipe("restored-")
