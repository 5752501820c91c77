"""Backups of the built-in store in a folder: backup, detection of damage, restore byte for byte."""

from __future__ import annotations

import datetime
import shutil
from collections import Counter
from pathlib import Path

import pytest

from ingestd.stores import lucene
from ingestd.stores.backups import BackupError, Repository
from ingestd.stores.local.append_logs.writer import LocalWriter
from ingestd.stores.local.backup.backups import LocalBackups
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.layout import store_root
from ingestd.stores.local.query.store import LocalStore
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from ingestd.stores.query import Query
from tests.stores.exact import exact
from tests.stores.local import format_1

pytestmark = pytest.mark.usefixtures("shared_duckdb")

INDEX = "logstash-2019.05.15"
NOW = datetime.datetime(2019, 5, 16, 0, 10, tzinfo=datetime.UTC)


class BackedUpStore:
    """A data folder, with a repository ``repo`` next to it."""

    def __init__(self, folder: Path) -> None:
        self.data, self.repository = folder / "data", folder / "repository"
        self.root = store_root(self.data)
        self.backups = LocalBackups(self.data)
        self.store = LocalStore(self.root)
        self.backups.add_repository(Repository("repo", "fs", {"location": str(self.repository)}))

    def write(self, ids: range, index: str = INDEX, writer: str = "w0") -> None:
        log_writer = LocalWriter(self.root, writer)
        documents = [
            f'{{"@timestamp":"2019-05-15T10:00:{number % 60:02}.000Z",  "message":"서울 {number}","n":1.50}}'.encode()
            for number in ids
        ]
        log_writer.append(index, documents, [f"id-{number}" for number in ids])
        log_writer.close()

    def seal(self) -> None:
        seal_once(self.root, Policy(idle_s=0))

    def content(self, index: str = INDEX) -> dict[str, bytes]:
        return {hit.id: hit.document for hit in self.store.search(Query(), 0) if hit.index == index}

    def back_up(self, minutes: int = 0) -> str:
        return self.backups.back_up("repo", INDEX, NOW + datetime.timedelta(minutes=minutes)).name

    def files(self) -> list[Path]:
        return sorted((self.repository / INDEX).glob("files/*"))


def test_a_relative_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon, which backs up at night, has another working folder than the command."""
    monkeypatch.chdir(tmp_path)
    backups = LocalBackups(tmp_path / "data")
    backups.add_repository(Repository("repo", "fs", {"location": "backups"}))
    backups.add_repository(Repository("repo", "fs", {"location": "backups"}))
    [repository] = backups.repositories()
    assert repository.settings["location"] == str(tmp_path / "backups")


@pytest.fixture
def site(tmp_path: Path) -> BackedUpStore:
    return BackedUpStore(tmp_path)


@pytest.mark.parametrize("sealed", [(), (0,), (0, 1)], ids=["append_logs", "sealed_and_append_logs", "sealed"])
def test_back_up_delete_restore(site: BackedUpStore, sealed: tuple[int, ...]) -> None:
    for number in range(2):
        site.write(range(number * 100, number * 100 + 100))
        if number in sealed:
            site.seal()
    before = site.content()
    assert len(before) == 200
    snapshot = site.backups.back_up("repo", INDEX, NOW)
    assert snapshot.name == "logstash-2019.05.15-20190516001000"
    assert (snapshot.index, snapshot.events, snapshot.state) == (INDEX, 200, "success")
    assert snapshot.day == datetime.date(2019, 5, 15)
    assert site.backups.backed_up_indices("repo") == {INDEX: snapshot.name}
    assert site.backups.verify("repo", snapshot.name) == []
    site.store.delete(INDEX)
    assert site.backups.backed_up_indices("repo") == {}
    assert site.backups.restore("repo", [snapshot.name], INDEX) == 200
    assert site.content() == before
    assert site.backups.backed_up_indices("repo") == {INDEX: snapshot.name}
    assert set(site.backups.restored_indices()) == {INDEX}
    assert dict(site.backups.snapshot_documents("repo", [snapshot.name])) == before
    assert not list(site.root.glob(".backup-*"))


@pytest.mark.parametrize("sealed", [False, True], ids=["append_log", "sealed"])
def test_an_index_restored_under_another_name_counts_only_when_asked_for(site: BackedUpStore, sealed: bool) -> None:
    copy = f"restored-{INDEX}"

    def found(text: str, since: str | None = None) -> dict[str, int]:
        query = Query(since, None, lucene.parse(text))
        hits = Counter(hit.index for hit in site.store.search(query, 0))
        assert Counter(hit.index for hit in site.store.search(query, 1000)) == hits
        assert site.store.count(query) == sum(hits.values())
        assert sum(sum(bucket.counts.values()) for bucket in site.store.histogram(query, 86_400)) == sum(hits.values())
        assert {top.value: top.count for top in site.store.top("_index", query)} == hits
        return dict(hits)

    site.write(range(10))
    if sealed:
        site.seal()
    name = site.back_up()
    assert site.backups.restore("repo", [name], copy) == 10
    assert [(info.index, info.events, info.restored_from) for info in site.store.indices()] == [
        (INDEX, 10, ""),
        (copy, 10, INDEX),
    ]
    assert found("*") == found("서울", "2019-01-01T00:00:00Z") == found(f"-_index:{copy}") == {INDEX: 10}
    assert found(f"_index:{copy}") == found("_index:restored-* 서울") == {copy: 10}
    assert found(f"_index:{copy} OR _index:{INDEX}") == found("_index:*2019.05.15") == {INDEX: 10, copy: 10}
    assert found("_index:missing") == {}

    site.backups.mark_restored(copy)
    site.backups.write_index(copy, [("id-1", b'{"@timestamp":"2019-05-15T10:00:00Z"}')], overwrite=True)
    assert found("*") == {INDEX: 10}
    site.store.delete(INDEX)
    assert found("*") == {}  # it stays a copy
    assert site.backups.restore("repo", [name], INDEX) == 10
    assert found("*") == {INDEX: 10}


def test_several_backups_under_another_name(site: BackedUpStore) -> None:
    site.write(range(10))
    first = site.back_up()
    site.store.delete(INDEX)
    site.write(range(5, 15))
    second = site.back_up(1)
    assert site.backups.restore("repo", [second, first], "old") == 15
    assert [(info.index, info.restored_from) for info in site.store.indices()] == [(INDEX, ""), ("old", INDEX)]
    assert len(site.content()) == 10


def test_sealing_leaves_the_backup_current(site: BackedUpStore) -> None:
    site.write(range(50))
    name = site.back_up()
    site.seal()
    assert site.backups.backed_up_indices("repo") == {INDEX: name}


def test_a_day_of_an_older_version(site: BackedUpStore) -> None:
    """It is restored as it is, and then rewritten as any other file of format 1; its backup stays current."""
    with format_1.sealed():
        site.write(range(100))
        site.seal()
        site.write(range(100, 150))
    before = site.content()
    name = site.back_up()
    site.seal()
    assert site.backups.backed_up_indices("repo") == {INDEX: name}
    assert site.backups.verify("repo", name) == []
    assert site.backups.restore("repo", [name], INDEX, overwrite=True) == 150
    assert [type(file.columns) for file in manifest.load(site.root / INDEX).files] == [tuple]
    assert site.content() == before
    site.seal()
    site.seal()
    assert [type(file.columns) for file in manifest.load(site.root / INDEX).files] == [dict, dict]
    after = site.content()
    assert {key: exact(document.decode()) for key, document in after.items()} == {
        key: exact(document.decode()) for key, document in before.items()
    }
    assert site.backups.backed_up_indices("repo") == {INDEX: name}
    newer = site.back_up(minutes=1)
    site.store.delete(INDEX)
    assert site.backups.restore("repo", [newer], INDEX) == 150
    assert site.content() == after


def test_another_event_makes_the_backup_outdated(site: BackedUpStore) -> None:
    site.write(range(50))
    first = site.back_up()
    sizes = {path.name for path in site.files()}
    site.write(range(50, 51), writer="w1")
    assert site.backups.backed_up_indices("repo") == {}
    second = site.back_up(1)
    assert site.backups.backed_up_indices("repo") == {INDEX: second}
    assert sizes <= {path.name for path in site.files()}  # what was uploaded already is not uploaded again
    assert [snapshot.events for snapshot in site.backups.snapshots("repo")] == [50, 51]
    assert site.backups.verify("repo", first) == site.backups.verify("repo", second) == []


def test_an_index_that_was_created_again_is_restored_from_both_backups(site: BackedUpStore) -> None:
    site.write(range(50))
    first = site.back_up()
    site.store.delete(INDEX)
    site.write(range(49, 52))  # one of them is in the backup
    assert site.backups.backed_up_indices("repo") == {}
    second = site.back_up(1)
    assert site.backups.backed_up_indices("repo") == {INDEX: second}
    site.store.delete(INDEX)
    assert site.backups.restore("repo", [first, second], INDEX) == 52
    assert sorted(site.content()) == sorted(f"id-{number}" for number in range(52))
    assert site.backups.backed_up_indices("repo") == {}  # it is neither of the two


def test_an_existing_index_is_replaced_only_on_request(site: BackedUpStore) -> None:
    site.write(range(50))
    name = site.back_up()
    site.write(range(50, 60))
    with pytest.raises(BackupError, match="--overwrite"):
        site.backups.restore("repo", [name], INDEX)
    assert len(site.content()) == 60
    assert site.backups.restore("repo", [name], INDEX, overwrite=True) == 50
    assert len(site.content()) == 50
    assert site.backups.restore("repo", [name], f"restored-{INDEX}") == 50
    site.write(range(60, 70))  # writers carry on
    assert len(site.content()) == 60


DAMAGES = ["flipped", "cut", "missing"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_any_file_is_found_and_nothing_is_restored(site: BackedUpStore, damage: str) -> None:
    site.write(range(100))
    site.seal()
    site.write(range(100, 120))
    name = site.back_up()
    site.store.delete(INDEX)
    for path in site.files():
        whole = path.read_bytes()
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(whole[:-1] + (bytes([whole[-1] ^ 1]) if damage == "flipped" else b""))
        assert len(site.backups.verify("repo", name)) == 1
        with pytest.raises(BackupError, match="damaged"):
            site.backups.restore("repo", [name], INDEX)
        assert not (site.root / INDEX).exists()
        path.write_bytes(whole)
    assert site.backups.verify("repo", name) == []
    assert site.backups.restore("repo", [name], INDEX) == 120


def test_a_damaged_manifest_is_found(site: BackedUpStore) -> None:
    site.write(range(10))
    name = site.back_up()
    (path,) = (site.repository / INDEX).glob("*.json")
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert site.backups.verify("repo", name), position
    path.write_bytes(whole[:-1])
    assert "manifest" in site.backups.verify("repo", name)[0]


def test_a_manifest_cannot_write_outside(site: BackedUpStore) -> None:
    from ingestd.stores.local.backup import archive  # noqa: PLC0415

    manifest = archive.BackupManifest(INDEX, "ab", "", (archive.ArchivedFile("../../x", 1, "0" * 64, 1),))
    with pytest.raises(BackupError, match=r"'../../x' is not a file of an index"):
        archive.decode("evil", archive.encode(manifest))


def test_an_interrupted_backup_continues_where_it_stopped(site: BackedUpStore) -> None:
    site.write(range(100))
    name = site.back_up()
    for path in (site.repository / INDEX).glob("*.json"):
        path.unlink()  # killed before the manifest was written: there is no backup
    assert site.backups.snapshots("repo") == []
    times = {path.name: path.stat().st_mtime_ns for path in site.files()}
    assert site.back_up() == name
    assert {path.name: path.stat().st_mtime_ns for path in site.files()} == times


ERRORS = [  # id, action, error
    ("unknown_repository", lambda site: site.backups.snapshots("nowhere"), "there is no repository 'nowhere'"),
    ("unknown_backup", lambda site: site.backups.verify("repo", "x"), "there is no backup x"),
    ("unknown_index", lambda site: site.backups.back_up("repo", "no-index", NOW), "there is no index no-index"),
    (
        "other_settings",
        lambda site: site.backups.add_repository(Repository("repo", "fs", {"location": "/elsewhere"})),
        "already, with other settings",
    ),
    (
        "no_folder",
        lambda site: site.backups.add_repository(Repository("new", "fs", {"location": "/proc/nowhere"})),
        "repository new",
    ),
]


@pytest.mark.parametrize(("action", "message"), [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS])
def test_errors(site: BackedUpStore, action: object, message: str) -> None:
    assert callable(action)
    with pytest.raises(BackupError, match=message):
        action(site)
    assert [entry.name for entry in site.backups.repositories()] == ["repo"]


def test_leftovers_of_a_killed_restore_are_removed(site: BackedUpStore) -> None:
    site.write(range(10))
    name = site.back_up()
    leftover = site.root / ".backup-0123"
    shutil.copytree(site.root / INDEX, leftover / INDEX)
    assert site.store.count(Query()) == 10
    site.backups.restore("repo", [name], "restored-1")
    assert not leftover.exists()


def test_a_repository_is_removed_and_added_again(site: BackedUpStore) -> None:
    site.write(range(10))
    name = site.back_up()
    repository = site.backups.repositories()[0]
    site.backups.remove_repository("repo")
    assert site.backups.repositories() == []
    site.backups.add_repository(repository)
    assert [entry.name for entry in site.backups.snapshots("repo")] == [name]


def test_an_index_that_is_marked_as_restored(site: BackedUpStore) -> None:
    site.write(range(10))
    name = site.back_up()
    site.backups.mark_restored(INDEX)
    site.backups.mark_restored("logstash-2019.05.16")
    assert set(site.backups.restored_indices()) == {INDEX}
    assert site.backups.backed_up_indices("repo") == {INDEX: name}
    assert not (site.root / "logstash-2019.05.16").exists()


@pytest.mark.parametrize(
    ("old", "new", "reason"), [(b"location", b"lFcatiBn", "has no 'location'"), (b"repository", b"rep\xefsitory", "")]
)
def test_a_wrong_byte_in_the_list_of_repositories(tmp_path: Path, old: bytes, new: bytes, reason: str) -> None:
    found = BackedUpStore(tmp_path).backups
    path = tmp_path / "data" / "repositories.json"
    body = path.read_bytes()
    assert old in body
    path.write_bytes(body.replace(old, new))
    with pytest.raises(BackupError, match=rf"repositories\.json cannot be read: .*{reason}"):
        found.repositories()
