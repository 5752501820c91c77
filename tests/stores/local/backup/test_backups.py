"""Backups of the built-in store in a folder: what is backed up, found damaged, restored byte for byte."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest

from ingestd.stores.backups import BackupError, Repository
from ingestd.stores.local.backup.backups import LocalBackups
from ingestd.stores.local.files.layout import store_root
from ingestd.stores.local.files.sealer import Policy, seal_once
from ingestd.stores.local.files.writer import LocalWriter
from ingestd.stores.local.query.store import LocalStore
from ingestd.stores.query import Query

INDEX = "logstash-2019.05.15"
NOW = datetime.datetime(2019, 5, 16, 0, 10, tzinfo=datetime.UTC)


class Place:
    """A data folder with a repository ``repo`` beside it."""

    def __init__(self, folder: Path) -> None:
        self.data, self.repository = folder / "data", folder / "repository"
        self.root = store_root(self.data)
        self.backups = LocalBackups(self.data)
        self.store = LocalStore(self.root)
        self.backups.add_repository(Repository("repo", "fs", {"location": str(self.repository)}))

    def write(self, ids: range, index: str = INDEX, writer: str = "w0") -> None:
        made = LocalWriter(self.root, writer)
        documents = [
            f'{{"@timestamp":"2019-05-15T10:00:{one % 60:02}.000Z",  "message":"서울 {one}","n":1.50}}'.encode()
            for one in ids
        ]
        made.append(index, documents, [f"id-{one}" for one in ids])
        made.close()

    def seal(self) -> None:
        seal_once(self.root, Policy(idle_s=0))

    def content(self, index: str = INDEX) -> dict[str, bytes]:
        return {hit.id: hit.document for hit in self.store.search(Query(), 0) if hit.index == index}

    def back_up(self, minutes: int = 0) -> str:
        return self.backups.back_up("repo", INDEX, NOW + datetime.timedelta(minutes=minutes)).name

    def files(self) -> list[Path]:
        return sorted((self.repository / INDEX).glob("files/*"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("sealed", [(), (0,), (0, 1)], ids=["append_logs", "sealed_and_append_logs", "sealed"])
def test_back_up_delete_restore(place: Place, sealed: tuple[int, ...]) -> None:
    for number in range(2):
        place.write(range(number * 100, number * 100 + 100))
        if number in sealed:
            place.seal()
    before = place.content()
    assert len(before) == 200
    snapshot = place.backups.back_up("repo", INDEX, NOW)
    assert snapshot.name == "logstash-2019.05.15-20190516001000"
    assert (snapshot.index, snapshot.events, snapshot.state) == (INDEX, 200, "success")
    assert snapshot.day == datetime.date(2019, 5, 15)
    assert place.backups.backed_up_indices("repo") == {INDEX: snapshot.name}
    assert place.backups.verify("repo", snapshot.name) == []
    place.store.delete(INDEX)
    assert place.backups.backed_up_indices("repo") == {}
    assert place.backups.restore("repo", [snapshot.name], INDEX) == 200
    assert place.content() == before
    assert place.backups.backed_up_indices("repo") == {INDEX: snapshot.name}
    assert set(place.backups.restored_indices()) == {INDEX}
    assert dict(place.backups.snapshot_documents("repo", [snapshot.name])) == before
    assert not [one.name for one in place.root.iterdir() if one.name.startswith(".backup-")]


def test_sealing_changes_nothing_that_counts(place: Place) -> None:
    place.write(range(50))
    name = place.back_up()
    place.seal()
    assert place.backups.backed_up_indices("repo") == {INDEX: name}


def test_an_event_more_and_the_day_is_not_backed_up(place: Place) -> None:
    place.write(range(50))
    first = place.back_up()
    sizes = {path.name for path in place.files()}
    place.write(range(50, 51), writer="w1")
    assert place.backups.backed_up_indices("repo") == {}
    second = place.back_up(1)
    assert place.backups.backed_up_indices("repo") == {INDEX: second}
    assert sizes <= {path.name for path in place.files()}  # what was there already is not sent again
    assert [one.events for one in place.backups.snapshots("repo")] == [50, 51]
    place.backups.delete_snapshot("repo", first)
    assert place.backups.verify("repo", second) == []
    place.backups.delete_snapshot("repo", second)
    assert place.files() == []


def test_a_day_that_began_anew_is_restored_from_both_backups(place: Place) -> None:
    place.write(range(50))
    first = place.back_up()
    place.store.delete(INDEX)
    place.write(range(49, 52))  # one of them came already
    assert place.backups.backed_up_indices("repo") == {}
    second = place.back_up(1)
    assert place.backups.backed_up_indices("repo") == {INDEX: second}
    place.store.delete(INDEX)
    assert place.backups.restore("repo", [first, second], INDEX) == 52
    assert sorted(place.content()) == sorted(f"id-{number}" for number in range(52))
    assert place.backups.backed_up_indices("repo") == {}  # it is neither of the two


def test_an_index_that_is_there_is_replaced_only_if_told(place: Place) -> None:
    place.write(range(50))
    name = place.back_up()
    place.write(range(50, 60))
    with pytest.raises(BackupError, match="--overwrite"):
        place.backups.restore("repo", [name], INDEX)
    assert len(place.content()) == 60
    assert place.backups.restore("repo", [name], INDEX, overwrite=True) == 50
    assert len(place.content()) == 50
    assert place.backups.restore("repo", [name], f"restored-{INDEX}") == 50
    place.write(range(60, 70))  # whoever wrote there goes on
    assert len(place.content()) == 60


DAMAGES = ["flipped", "cut", "missing"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_at_every_file_and_nothing_of_it_is_restored(place: Place, damage: str) -> None:
    place.write(range(100))
    place.seal()
    place.write(range(100, 120))
    name = place.back_up()
    place.store.delete(INDEX)
    for path in place.files():
        whole = path.read_bytes()
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(whole[:-1] + (bytes([whole[-1] ^ 1]) if damage == "flipped" else b""))
        assert len(place.backups.verify("repo", name)) == 1
        with pytest.raises(BackupError, match="damaged"):
            place.backups.restore("repo", [name], INDEX)
        assert not (place.root / INDEX).exists()
        path.write_bytes(whole)
    assert place.backups.verify("repo", name) == []
    assert place.backups.restore("repo", [name], INDEX) == 120


def test_a_damaged_manifest_is_found(place: Place) -> None:
    place.write(range(10))
    name = place.back_up()
    (path,) = (place.repository / INDEX).glob("*.json")
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        wrong = place.backups.verify("repo", name)
        assert wrong, position
    path.write_bytes(whole[:-1])
    assert "manifest" in place.backups.verify("repo", name)[0]


def test_a_manifest_cannot_write_outside(place: Place) -> None:
    from ingestd.stores.local.backup import archive  # noqa: PLC0415

    made = archive.BackupManifest(INDEX, "ab", "", (archive.ArchivedFile("../../x", 1, "0" * 64, 1),))
    with pytest.raises(BackupError, match="not a file name"):
        archive.decode("evil", archive.encode(made))


def test_what_was_sent_before_a_break_is_not_sent_again(place: Place) -> None:
    place.write(range(100))
    name = place.back_up()
    for path in (place.repository / INDEX).glob("*.json"):
        path.unlink()  # killed before the manifest: there is no backup
    assert place.backups.snapshots("repo") == []
    times = {path.name: path.stat().st_mtime_ns for path in place.files()}
    assert place.back_up() == name
    assert {path.name: path.stat().st_mtime_ns for path in place.files()} == times


REFUSED = [  # id, what is done, what is said
    ("unknown_repository", lambda place: place.backups.snapshots("nowhere"), "there is no repository 'nowhere'"),
    ("unknown_backup", lambda place: place.backups.verify("repo", "x"), "there is no backup x"),
    ("unknown_index", lambda place: place.backups.back_up("repo", "no-index", NOW), "there is no index no-index"),
    (
        "other_settings",
        lambda place: place.backups.add_repository(Repository("repo", "fs", {"location": "/elsewhere"})),
        "already, with other settings",
    ),
    (
        "no_folder",
        lambda place: place.backups.add_repository(Repository("new", "fs", {"location": "/proc/nowhere"})),
        "repository new",
    ),
]


@pytest.mark.parametrize(("act", "said"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_what_is_refused(place: Place, act: object, said: str) -> None:
    assert callable(act)
    with pytest.raises(BackupError, match=said):
        act(place)
    assert [one.name for one in place.backups.repositories()] == ["repo"]


def test_what_a_killed_restore_left_is_removed(place: Place) -> None:
    place.write(range(10))
    name = place.back_up()
    left = place.root / ".backup-0123"
    shutil.copytree(place.root / INDEX, left / INDEX)
    assert place.store.count(Query()) == 10
    place.backups.restore("repo", [name], "restored-1")
    assert not left.exists()


def test_a_repository_is_forgotten_and_known_again(place: Place) -> None:
    place.write(range(10))
    name = place.back_up()
    repository = place.backups.repositories()[0]
    place.backups.remove_repository("repo")
    assert place.backups.repositories() == []
    place.backups.add_repository(repository)
    assert [one.name for one in place.backups.snapshots("repo")] == [name]
