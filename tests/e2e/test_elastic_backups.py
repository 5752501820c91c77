"""Snapshots of real servers: Elasticsearch to a folder, OpenSearch to S3."""

from __future__ import annotations

import datetime
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from ingestd.protocols.http.bulk import action_line
from ingestd.stores import lucene
from ingestd.stores.backups import BackupError, Repository, RepositoryUnavailableError
from ingestd.stores.elastic.backup.backups import ElasticBackups
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.query.store import ElasticStore
from ingestd.stores.query import Query
from tests.e2e.gate import Gate
from tests.e2e.servers import LEGACY_SERVERS, SEARCH_SERVERS, SearchServer

SERVERS = pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3", "opensearch-3.8.0"], indirect=True)


@pytest.fixture
def backups(search_server: SearchServer) -> Iterator[ElasticBackups]:
    made = ElasticBackups(ElasticOptions(hosts=(search_server.url,)), poll=0.1)
    yield made
    made.close()


@pytest.fixture
def repository(search_server: SearchServer, backups: ElasticBackups) -> Iterator[Repository]:
    name = f"r{uuid.uuid4().hex[:8]}"
    if search_server.s3 is not None:
        bucket = search_server.s3.bucket(f"bucket-{name}")
        made = Repository(name, "s3", {"bucket": bucket, "base_path": "django_logs"})
    else:
        made = Repository(name, "fs", {"location": str(search_server.data / "snapshots" / name)})
    backups.add_repository(made)
    yield made
    backups.remove_repository(name)


@pytest.fixture
def index(search_server: SearchServer, index_prefix: str) -> str:
    name = f"{index_prefix}logstash-2019.05.15"
    put(search_server, name, [f"id-{number}" for number in range(500)])
    return name


def put(server: SearchServer, index: str, ids: list[str]) -> None:
    lines = b"".join(
        b'{"create":{"_index":"%s","_id":"%s"}}\n{"message":"%s \xec\x84\x9c\xec\x9a\xb8",  "n" : 1.50}\n'
        % (index.encode(), document_id.encode(), document_id.encode())
        for document_id in ids
    )
    assert not server.call("POST", "/_bulk?refresh=true", lines)["errors"]


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def content(server: SearchServer, index: str) -> dict[str, object]:
    server.call("POST", f"/{index}/_refresh")
    hits = server.call("POST", f"/{index}/_search", {"size": 1000})["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


@SERVERS
def test_back_up_delete_restore(
    search_server: SearchServer, backups: ElasticBackups, repository: Repository, index: str
) -> None:
    before = content(search_server, index)
    snapshot = backups.back_up(repository.name, index, now())
    assert (snapshot.state, snapshot.index, snapshot.events) == ("success", index, 500)
    assert str(snapshot.day) == "2019-05-15"
    assert backups.backed_up_indices(repository.name)[index] == snapshot.name
    assert backups.verify(repository.name, snapshot.name) == []
    assert dict(backups.snapshot_documents(repository.name, [snapshot.name]))["id-7"] == (
        '{"message":"id-7 서울",  "n" : 1.50}'.encode()
    )
    search_server.call("DELETE", f"/{index}")
    assert backups.restore(repository.name, [snapshot.name], index) == 500
    assert content(search_server, index) == before
    assert backups.backed_up_indices(repository.name)[index] == snapshot.name  # it still counts as backed up
    assert abs(backups.restored_indices()[index] - now()) < datetime.timedelta(minutes=5)
    put(search_server, index, ["late"])
    assert index not in backups.backed_up_indices(repository.name)
    if search_server.s3 is not None:
        assert all(key.startswith("django_logs/") for key in search_server.s3.keys(repository.settings["bucket"]))


@pytest.mark.parametrize("search_server", [*SEARCH_SERVERS, *LEGACY_SERVERS], indirect=True)
def test_an_index_restored_under_another_name_counts_only_when_asked_for(
    search_server: SearchServer, backups: ElasticBackups, repository: Repository, index_prefix: str
) -> None:
    """Whether the store's pattern matches the name or not."""
    index = f"{index_prefix}logstash-2019.05.15"
    inside, outside = f"{index_prefix}old-2019.05.15", f"restored-{index}"
    lines = b"".join(
        action_line("create", index, str(number)) + b'{"@timestamp":"2019-05-15T10:00:00.000Z","level":"INFO"}\n'
        for number in range(10)
    )
    assert not search_server.call("POST", f"{search_server.bulk_path}?refresh=true", lines)["errors"]
    name = backups.back_up(repository.name, index, now()).name
    store = ElasticStore(ElasticOptions(hosts=(search_server.url,)), f"{index_prefix}*")

    def found(text: str) -> dict[str, int]:
        query = Query("2019-01-01T00:00:00Z", None, lucene.parse(text))
        hits = Counter(hit.index for hit in store.search(query))
        assert store.count(query) == sum(hits.values())
        assert sum(sum(bucket.counts.values()) for bucket in store.histogram(query, 86_400)) == sum(hits.values())
        assert {top.value: top.count for top in store.top("_index", query)} == hits
        return dict(hits)

    try:
        assert backups.restore(repository.name, [name], inside) == 10
        assert backups.write_index(outside, list(backups.index_documents(index)), source=index) == 10
        assert {(info.index, info.events, info.restored_from) for info in store.indices()} == {
            (index, 10, ""),
            (inside, 10, index),
            (outside, 10, index),
        }
        assert found("*") == found("level:INFO") == found(f"-_index:{inside}") == {index: 10}
        assert found(f"_index:{outside}") == found("_index:restored-* level:INFO") == {outside: 10}
        assert found(f"_index:{inside} OR _index:{index}") == {index: 10, inside: 10}
        assert found("_index:*2019.05.15") == {index: 10, inside: 10, outside: 10}
        assert found("_index:missing") == {}
        backups.mark_restored(inside)
        assert backups.write_index(inside, list(backups.index_documents(index))[:5], overwrite=True) == 5
        assert found("*") == {index: 10}
        store.delete(outside)
        assert [info.index for info in store.indices()] == [index, inside]
    finally:
        store.close()
        search_server.call("DELETE", f"/{outside}?ignore_unavailable=true")


@SERVERS
def test_an_existing_index_is_replaced_only_on_request(
    search_server: SearchServer, backups: ElasticBackups, repository: Repository, index: str
) -> None:
    snapshot = backups.back_up(repository.name, index, now())
    put(search_server, index, ["new"])
    with pytest.raises(BackupError, match="--overwrite"):
        backups.restore(repository.name, [snapshot.name], index)
    assert search_server.count(index) == 501
    assert backups.restore(repository.name, [snapshot.name], index, overwrite=True) == 500
    assert backups.restore(repository.name, [snapshot.name], f"{index}-again") == 500
    assert search_server.count(f"{index}*") == 1000
    put(search_server, index, ["written-again"])  # it is not a read-only copy


@SERVERS
def test_an_index_that_was_created_again_is_restored_from_both_backups(
    search_server: SearchServer, backups: ElasticBackups, repository: Repository, index: str
) -> None:
    first = backups.back_up(repository.name, index, now())
    search_server.call("DELETE", f"/{index}")
    put(search_server, index, ["late", "id-3"])
    assert index not in backups.backed_up_indices(repository.name)
    second = backups.back_up(repository.name, index, now() + datetime.timedelta(seconds=1))
    assert backups.backed_up_indices(repository.name)[index] == second.name
    search_server.call("DELETE", f"/{index}")
    assert backups.restore(repository.name, [first.name, second.name], index) == 501
    assert len(dict(backups.snapshot_documents(repository.name, [first.name, second.name]))) == 501
    names = [entry.name for entry in backups.snapshots(repository.name) if entry.index == index]
    assert names == [first.name, second.name]


@SERVERS
def test_a_damaged_backup_is_found(
    search_server: SearchServer, backups: ElasticBackups, repository: Repository, index: str
) -> None:
    snapshot = backups.back_up(repository.name, index, now())
    damage(search_server, repository)
    wrong = backups.verify(repository.name, snapshot.name)
    assert wrong
    assert "damaged" in wrong[0]
    with pytest.raises(BackupError, match="damaged"):
        backups.restore(repository.name, [snapshot.name], f"{index}-again")
    assert search_server.count(f"{index}-again") == 0
    assert search_server.count(index) == 500


def damage(server: SearchServer, repository: Repository) -> None:
    """Change one byte of the largest file of an index in the repository."""
    if server.s3 is not None:
        bucket = repository.settings["bucket"]
        bodies = {
            key: server.s3.client.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in server.s3.keys(bucket)
            if "/indices/" in key and "/__" in key
        }
        key, body = max(bodies.items(), key=lambda item: len(item[1]))
        server.s3.client.put_object(Bucket=bucket, Key=key, Body=flipped(body))
        return
    folder = server.data / "snapshots" / repository.name
    files = [path for path in folder.rglob("__*") if path.is_file()]
    path = max(files, key=lambda path: path.stat().st_size)
    path.write_bytes(flipped(path.read_bytes()))


def flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]


@SERVERS
def test_a_repository_that_cannot_be_written_is_not_added(
    search_server: SearchServer, backups: ElasticBackups, repository: Repository
) -> None:
    bad = (
        Repository("bad", "s3", {"bucket": "nobody-made-this"})
        if search_server.s3 is not None
        else Repository("bad", "fs", {"location": "/not/in/path.repo"})
    )
    with pytest.raises(BackupError, match="bad"):
        backups.add_repository(bad)
    with pytest.raises(BackupError, match="already, with other settings"):
        backups.add_repository(Repository(repository.name, "fs", {"location": "/elsewhere"}))
    assert [entry for entry in backups.repositories() if entry.name in {"bad", repository.name}] == [repository]
    backups.add_repository(repository)  # adding the same again is fine


@SERVERS
def test_write_index(search_server: SearchServer, backups: ElasticBackups, index_prefix: str) -> None:
    documents = [(f"id-{number}", b'{"n": %d}' % number) for number in range(2500)]
    name = f"{index_prefix}filled"
    assert backups.write_index(name, iter(documents)) == 2500
    with pytest.raises(BackupError, match="already exists"):
        backups.write_index(name, documents)
    with pytest.raises(BackupError, match=r"rejects (a document|documents)"):
        backups.write_index(f"{name}-2", [("good", b"{}"), ("x" * 600, b"{}")])
    assert search_server.count(f"{name}-2") == 0


@SERVERS
def test_a_replacement_that_was_killed_halfway_is_finished(
    search_server: SearchServer, backups: ElasticBackups, repository: Repository, index: str
) -> None:
    """Killed after the old index was deleted, before the new one had its name: nothing is lost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ElasticBackups, "_clone", killed)
        patch.setattr(ElasticBackups, "_delete_quietly", lambda *_: None)  # a killed process cleans nothing up
        with pytest.raises(KeyboardInterrupt):
            backups.write_index(index, [("new", b"{}")], overwrite=True)
    assert search_server.count(index) == 0
    again = f"{index}-again"
    backups.write_index(again, [("other", b"{}")])
    assert list(content(search_server, index)) == ["new"]
    assert index in backups.restored_indices()
    assert search_server.call("GET", "/ingestd-tmp-*?allow_no_indices=true") == {}


def killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)
def test_the_server_goes_away_meanwhile(search_server: SearchServer, repository: Repository, index: str) -> None:
    with (
        Gate(search_server.url) as gate,
        closing(ElasticBackups(ElasticOptions(hosts=(gate.url,)), poll=0.1)) as backups,
    ):
        gate.open()
        name = backups.back_up(repository.name, index, now()).name
        gate.shut()
        for call in (
            lambda: backups.back_up(repository.name, index, now()),
            lambda: backups.backed_up_indices(repository.name),
            lambda: backups.verify(repository.name, name),
            lambda: backups.restore(repository.name, [name], f"{index}-again"),
        ):
            with pytest.raises(RepositoryUnavailableError):
                call()
        gate.open()
        assert backups.verify(repository.name, name) == []
        assert backups.backed_up_indices(repository.name)[index] == name


@SERVERS
def test_an_index_that_is_marked_as_restored(
    search_server: SearchServer, backups: ElasticBackups, repository: Repository, index: str
) -> None:
    """Its backup still counts, and so does what other programs keep in ``_meta``."""
    search_server.call("PUT", f"/{index}/_mapping", {"_meta": {"other": 1}})
    snapshot = backups.back_up(repository.name, index, now())
    backups.mark_restored(index)
    backups.mark_restored(f"{index}-missing")
    assert abs(backups.restored_indices()[index] - now()) < datetime.timedelta(minutes=5)
    assert backups.backed_up_indices(repository.name)[index] == snapshot.name
    meta = search_server.call("GET", f"/{index}/_mapping")[index]["mappings"]["_meta"]
    assert meta["other"] == 1


@pytest.mark.parametrize("search_server", ["elasticsearch-6.8.23"], indirect=True)
def test_an_index_with_a_mapping_type_is_marked_as_restored(
    search_server: SearchServer, backups: ElasticBackups, index_prefix: str
) -> None:
    index = f"{index_prefix}logstash-2019.05.15"
    search_server.call("PUT", f"/{index}/_doc/1", {"message": "a"})
    backups.mark_restored(index)
    backups.mark_restored(f"{index}-missing")
    assert abs(backups.restored_indices()[index] - now()) < datetime.timedelta(minutes=5)
