"""What is damaged is never backed up as a success, and retention deletes no day whose backup is not proven."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingestd.lifecycle import build
from ingestd.lifecycle.scheduler import run_once
from ingestd.settings import load_settings
from ingestd.stores.backups import BackupError, Repository
from ingestd.stores.base import StoreError
from ingestd.stores.local import LocalStore, store_root
from ingestd.stores.local.backup import archive, backups
from ingestd.stores.local.backup.archive import ArchivedFile, BackupManifest, NewerBackupError
from ingestd.stores.local.backup.backups import LocalBackups
from ingestd.stores.local.index import manifest
from ingestd.stores.local.index.manifest import Manifest, SealedFile
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from tests.stores.local.damage import (
    AFTER,
    BEFORE,
    DAMAGED,
    EVENTS,
    FAULTS,
    Fault,
    append,
    empty,
    fill,
    folder_instead,
    link_outside,
    names_outside,
    zeroed,
    zeroed_pages,
)

pytestmark = pytest.mark.usefixtures("shared_duckdb")

NOW = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)


def backups_of(data_dir: Path) -> LocalBackups:
    found = LocalBackups(data_dir)
    found.add_repository(Repository("repo", "fs", {"location": str(data_dir / "repository")}))
    return found


CASES = [
    *(("sealed-00001.parquet", fault) for fault in FAULTS),
    *(("sealed.json", fault) for fault in [*FAULTS, names_outside]),
    *(("tail-w0-00003.ndjson", fault) for fault in [zeroed, link_outside, folder_instead]),
]


@pytest.mark.sampled
@pytest.mark.parametrize(("name", "fault"), CASES, ids=[f"{name}_{fault.__name__}" for name, fault in CASES])
def test_a_damaged_day_is_not_backed_up_and_not_deleted(tmp_path: Path, name: str, fault: Fault) -> None:
    fault(fill(tmp_path) / name)
    found = backups_of(tmp_path)
    with pytest.raises(StoreError, match=name.replace(".", r"\.")):
        found.back_up("repo", DAMAGED, NOW)
    settings = load_settings(environ={"INGESTD_DATA_DIR": str(tmp_path), "INGESTD_RETENTION_MAX_AGE": "1d"})
    with build.open_lifecycle(settings, lambda: NOW) as lifecycle:
        report = run_once(lifecycle)
    assert set(report.backed_up) == set(report.deleted) == {BEFORE, AFTER}
    assert set(report.failed) == {DAMAGED}
    assert (store_root(tmp_path) / DAMAGED).is_dir()
    assert {snapshot.index: snapshot.events for snapshot in found.snapshots("repo")} == {BEFORE: EVENTS, AFTER: EVENTS}
    for snapshot in found.snapshots("repo"):
        assert found.verify("repo", snapshot.name) == []
        assert found.restore("repo", [snapshot.name], snapshot.index) == EVENTS


@pytest.mark.parametrize("wrong", [Manifest(), Manifest(sealed={"w0": 9}, next=9)], ids=["names_nothing", "seals_all"])
def test_a_day_whose_manifest_names_too_little(tmp_path: Path, wrong: Manifest) -> None:
    folder = fill(tmp_path)
    (folder / manifest.NAME).write_bytes(manifest.encode(wrong))
    found = backups_of(tmp_path)
    with pytest.raises(StoreError, match=r"is not backed up .*sealed-00001\.parquet"):
        found.back_up("repo", DAMAGED, NOW)
    seal_once(store_root(tmp_path), Policy())
    assert found.back_up("repo", DAMAGED, NOW).events == EVENTS


@pytest.mark.parametrize("fault", [zeroed_pages, Path.unlink])
def test_the_documents_of_a_damaged_index_are_all_or_an_error(tmp_path: Path, fault: Fault) -> None:
    """Else `ingestd reprocess` would replace the index by what could be read."""
    path = fill(tmp_path) / "sealed-00001.parquet"
    found = backups_of(tmp_path)
    assert len(list(found.index_documents(DAMAGED))) == EVENTS
    fault(path)
    with pytest.raises(StoreError, match="sealed-00001"):
        list(found.index_documents(DAMAGED))


def without_checksums(folder: Path) -> None:
    """Make the manifest of an index one of an older version."""
    found = manifest.load(folder)
    files = tuple(dataclasses.replace(file, sha256="") for file in found.files)
    (folder / manifest.NAME).write_bytes(manifest.encode(dataclasses.replace(found, files=files)))


def unproven(*parts: Any, proven: bool) -> BackupManifest:
    """Make a manifest as older versions did."""
    assert proven
    return BackupManifest(*parts)


@pytest.mark.parametrize("fault", [zeroed, empty])
def test_an_index_without_checksums(tmp_path: Path, fault: Fault) -> None:
    folder = fill(tmp_path)
    without_checksums(folder)
    found = backups_of(tmp_path)
    whole = found.back_up("repo", DAMAGED, NOW)
    assert found.verify("repo", whole.name) == []
    fault(folder / "sealed-00001.parquet")
    with pytest.raises(BackupError, match="sealed-00001"):
        found.back_up("repo", DAMAGED, NOW + datetime.timedelta(minutes=1))
    assert found.restore("repo", [whole.name], DAMAGED, overwrite=True) == EVENTS


def test_a_backup_of_an_older_version_is_proven_by_reading_every_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stored 300 zeroed bytes, with their checksum."""
    folder = fill(tmp_path)
    seal_once(store_root(tmp_path), Policy(idle_s=0))
    without_checksums(folder)
    zeroed(folder / "sealed-00001.parquet")
    found = backups_of(tmp_path)
    with monkeypatch.context() as older:
        older.setattr(backups, "check_source", lambda *_: None)
        older.setattr(backups, "BackupManifest", unproven)
        snapshot = found.back_up("repo", DAMAGED, NOW)
    assert snapshot.events == EVENTS
    [problem] = found.verify("repo", snapshot.name)
    assert "sealed-00001.parquet" in problem
    settings = load_settings(environ={"INGESTD_DATA_DIR": str(tmp_path), "INGESTD_RETENTION_MAX_AGE": "1d"})
    with build.open_lifecycle(settings, lambda: NOW) as lifecycle:
        assert {result.decision.info.index: result.deleted for result in lifecycle.prune()}[DAMAGED] is False
    with pytest.raises(BackupError, match="sealed-00001"):
        found.restore("repo", [snapshot.name], DAMAGED, overwrite=True)
    assert sum(info.events for info in LocalStore(store_root(tmp_path)).indices()) == 3 * EVENTS


def wrong_by_one(name: str) -> Callable[[SealedFile], SealedFile]:
    return lambda file: dataclasses.replace(file, **{name: getattr(file, name) + 1})


WRONG = ["untimed", "first", "last", "raw_bytes"]


@pytest.mark.parametrize("name", WRONG)
def test_a_manifest_without_checksums_that_says_something_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is not backed up; a backup that an older version made is reported, and restored with the right values."""
    folder = fill(tmp_path)
    right = manifest.load(folder)
    without_checksums(folder)
    older_manifest = manifest.load(folder)
    files = tuple(map(wrong_by_one(name), older_manifest.files))
    (folder / manifest.NAME).write_bytes(manifest.encode(dataclasses.replace(older_manifest, files=files)))
    found = backups_of(tmp_path)
    with pytest.raises(BackupError, match=rf"its {name} is .*delete its sealed\.json"):
        found.back_up("repo", DAMAGED, NOW)
    with monkeypatch.context() as older:
        older.setattr(backups, "check_source", lambda *_: None)
        older.setattr(backups, "BackupManifest", unproven)
        snapshot = found.back_up("repo", DAMAGED, NOW)
    [problem] = found.verify("repo", snapshot.name)
    [listed] = [file for file in right.files if file.name == "sealed-00001.parquet"]
    assert f"sealed-00001.parquet: its {name} is {getattr(listed, name)}" in problem
    assert found.restore("repo", [snapshot.name], DAMAGED, overwrite=True) == EVENTS
    assert manifest.load(folder) == right
    assert found.back_up("repo", DAMAGED, NOW + datetime.timedelta(minutes=1)).events == EVENTS


def test_a_backup_whose_index_manifest_is_of_a_newer_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no damage, and is not noted as such."""
    folder = fill(tmp_path)
    encode, decode = manifest.encode, manifest.decode

    def of_next_year(found: Manifest) -> bytes:
        return encode(dataclasses.replace(found, version=3))

    found = backups_of(tmp_path)
    monkeypatch.setattr(manifest, "encode", of_next_year)
    snapshot = found.back_up("repo", DAMAGED, NOW)
    monkeypatch.setattr(manifest, "encode", encode)
    with pytest.raises(BackupError, match="written by a newer version of ingestd: its format is 3"):
        found.restore("repo", [snapshot.name], DAMAGED, overwrite=True)
    assert decode((folder / manifest.NAME).read_bytes(), folder).version == 2
    assert [snapshot.state for snapshot in found.snapshots("repo")] == ["success"]


@pytest.mark.parametrize(
    "newer",
    [{"format": 2, "index": DAMAGED, "files": [entry_of_next_year]} for entry_of_next_year in ({"name": "x.lance"}, 7)],
    ids=["other_files", "other_types"],
)
def test_a_backup_of_a_newer_version(newer: dict[str, Any]) -> None:
    body = msgspec.json.encode(newer)
    with pytest.raises(NewerBackupError, match="made by a newer version"):
        archive.decode("x", msgspec.json.encode({"manifest": newer, "sha256": hashlib.sha256(body).hexdigest()}))


def entry(name: str = "sealed-00001.parquet", sha256: str = "0" * 64) -> ArchivedFile:
    return ArchivedFile(name, 1, sha256, 1)


EVIL = [  # id, manifest
    *(
        (f"name_{name!r}", BackupManifest(DAMAGED, "ab", "", (entry(name),)))
        for name in ("../x", "../../x", "/etc/passwd", "a/b", "..", ".", "", "origin.json", "x\0y", "..\\x")
    ),
    ("checksum", BackupManifest(DAMAGED, "ab", "", (entry(sha256="../../../../etc/passwd"),))),
    ("index", BackupManifest("../../x", "ab", "", (entry(),))),
    ("twice", BackupManifest(DAMAGED, "ab", "", (entry(), entry()))),
]


@pytest.mark.parametrize("evil", [case[1] for case in EVIL], ids=[case[0] for case in EVIL])
def test_a_backup_cannot_name_files_outside(evil: BackupManifest) -> None:
    with pytest.raises(BackupError, match="is damaged"):
        archive.decode("evil", archive.encode(evil))


def more_files(document: dict[str, Any]) -> None:
    document["files"].append({**document["files"][0], "name": "sealed-00009.parquet"})


def other_events(document: dict[str, Any]) -> None:
    document["files"][0]["events"] += 1


def outside(document: dict[str, Any]) -> None:
    document["files"][0]["name"] = "../../secret.parquet"


def absolute(document: dict[str, Any]) -> None:
    document["files"][0]["name"] = "/etc/sealed-00001.parquet"


@pytest.mark.parametrize("edit", [more_files, other_events, outside, absolute])
def test_the_manifest_of_an_index_in_a_backup_is_checked(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edited backup: all its checksums are right."""
    fill(tmp_path)
    found = backups_of(tmp_path)
    encode = manifest.encode

    def edited(sound: manifest.Manifest) -> bytes:
        document = msgspec.json.decode(encode(sound))
        edit(document)
        return msgspec.json.encode(document)

    with monkeypatch.context() as attacker:
        attacker.setattr(manifest, "encode", edited)
        snapshot = found.back_up("repo", DAMAGED, NOW)
    with pytest.raises(BackupError, match="is damaged"):
        found.restore("repo", [snapshot.name], f"restored-{DAMAGED}")
    assert not (store_root(tmp_path) / f"restored-{DAMAGED}").exists()
    append(tmp_path, 24, 0, 1)  # the store goes on
    assert not list(store_root(tmp_path).glob(".backup-*"))


def test_keys_of_a_repository_that_name_no_index(tmp_path: Path) -> None:
    for key in ("evil/..-20261122001000.ab.1.2.json", "x/.hidden-20261122001000.ab.1.2.json"):
        assert archive.snapshot_of(key) is None
