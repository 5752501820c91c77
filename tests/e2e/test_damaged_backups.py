"""Damage in an index or in a repository, a folder or S3: no success, nothing deleted, and all else goes on."""

from __future__ import annotations

import datetime
import hashlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingestd.lifecycle import build
from ingestd.lifecycle.scheduler import run_once
from ingestd.settings import load_settings
from ingestd.stores.backups import BackupError, Repository, newest
from ingestd.stores.local import store_root
from ingestd.stores.local.backup.backups import LocalBackups
from ingestd.stores.local.index import manifest
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from tests.e2e.s3 import ACCESS_KEY, REGION, SECRET_KEY, emulated_s3
from tests.stores.local.damage import AFTER, BEFORE, DAMAGED, EVENTS, fill, zeroed

NOW = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)

Damage = Callable[[str], None]
"""Zeroes 300 bytes of the object with a key."""


@pytest.fixture(params=["fs", "s3"])
def repository(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Repository, Damage]]:
    if request.param == "fs":
        folder = tmp_path / "repository"
        yield Repository("repo", "fs", {"location": str(folder)}), lambda key: zeroed(folder / key)
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    with emulated_s3() as s3:
        bucket = s3.bucket(f"backups-{secrets.token_hex(4)}")  # the emulation keeps its buckets for the next test

        def damage(key: str) -> None:
            body = s3.client.get_object(Bucket=bucket, Key=key)["Body"].read()
            local = tmp_path / "object"
            local.write_bytes(body)
            zeroed(local)
            s3.client.put_object(Bucket=bucket, Key=key, Body=local.read_bytes())

        yield Repository("repo", "s3", {"bucket": bucket, "region": REGION, "endpoint": s3.url}), damage


def test_damage_before_and_after_the_backup(tmp_path: Path, repository: tuple[Repository, Damage]) -> None:
    data_dir = tmp_path / "data"
    folder = fill(data_dir)
    backups = LocalBackups(data_dir)
    settings = load_settings(environ={"INGESTD_DATA_DIR": str(data_dir), "INGESTD_RETENTION_MAX_AGE": "1d"})
    backups.add_repository(repository[0])
    whole = (folder / "sealed-00001.parquet").read_bytes()
    zeroed(folder / "sealed-00001.parquet")
    with build.open_lifecycle(settings, lambda: NOW) as lifecycle:
        report = run_once(lifecycle)
    assert (set(report.deleted), set(report.failed)) == ({BEFORE, AFTER}, {DAMAGED})
    assert "sealed-00001.parquet" in report.failed[DAMAGED]
    (folder / "sealed-00001.parquet").write_bytes(whole)
    snapshot = backups.back_up("repo", DAMAGED, NOW)
    assert (snapshot.events, backups.verify("repo", snapshot.name)) == (EVENTS, [])
    checksum = next(file.sha256 for file in manifest.load(folder).files)
    repository[1](f"{DAMAGED}/files/{checksum}")
    with build.open_lifecycle(settings, lambda: NOW) as lifecycle:
        [pruned] = lifecycle.prune()
    assert (pruned.deleted, DAMAGED in pruned.error) == (False, True)
    [problem] = backups.verify("repo", snapshot.name)
    assert "sealed-00001.parquet does not have its checksum" in problem
    with build.open_lifecycle(settings, lambda: NOW) as lifecycle:
        [pruned] = lifecycle.prune()
    assert (pruned.deleted, pruned.decision.held) == (False, True)
    with pytest.raises(BackupError, match=r"sealed-00001\.parquet does not have its checksum"):
        backups.restore("repo", [snapshot.name], DAMAGED, overwrite=True)
    for index in (BEFORE, AFTER):
        [good] = [snapshot.name for snapshot in backups.snapshots("repo") if snapshot.index == index]
        assert backups.restore("repo", [good], index) == EVENTS
    assert (store_root(data_dir) / DAMAGED).is_dir()


@pytest.mark.parametrize("found_by", ["verify", "restore", "backup"])
def test_a_damaged_backup_is_repaired_from_the_day_in_the_store(
    tmp_path: Path, repository: tuple[Repository, Damage], found_by: str
) -> None:
    """Whether the damage is known, or found only when the day is backed up again."""
    data_dir = tmp_path / "data"
    folder = fill(data_dir)
    backups = LocalBackups(data_dir)
    settings = load_settings(environ={"INGESTD_DATA_DIR": str(data_dir), "INGESTD_RETENTION_MAX_AGE": "0"})
    backups.add_repository(repository[0])
    with build.open_lifecycle(settings, lambda: NOW) as lifecycle:
        assert not run_once(lifecycle).failed
    checksum = next(file.sha256 for file in manifest.load(folder).files)
    repository[1](f"{DAMAGED}/files/{checksum}")
    [first] = [snapshot for snapshot in backups.snapshots("repo") if snapshot.index == DAMAGED]
    if found_by == "verify":
        assert backups.verify("repo", first.name)
    elif found_by == "restore":
        with pytest.raises(BackupError, match="does not have its checksum"):
            backups.restore("repo", [first.name], DAMAGED, overwrite=True)
    with build.open_lifecycle(settings, lambda: NOW + datetime.timedelta(minutes=1)) as lifecycle:
        if found_by != "backup":
            damaged = {snapshot.name: snapshot.reason for snapshot in backups.snapshots("repo") if snapshot.reason}
            assert damaged == {first.name: "sealed-00001.parquet does not have its checksum"}
            assert [info.index for info in lifecycle.missing()] == [DAMAGED]
        [result] = lifecycle.back_up([DAMAGED])
        assert result.error == ""
        assert lifecycle.missing() == []
    states = {snapshot.name: snapshot.state for snapshot in backups.snapshots("repo") if snapshot.index == DAMAGED}
    assert result.snapshot is not None
    assert states == {first.name: "success", result.snapshot.name: "success"}
    assert [backups.verify("repo", name) for name in states] == [[], []]
    assert backups.restore("repo", [first.name], DAMAGED, overwrite=True) == EVENTS


def test_a_damaged_backup_whose_files_are_gone_from_the_store_stays_damaged(
    tmp_path: Path, repository: tuple[Repository, Damage]
) -> None:
    data_dir = tmp_path / "data"
    [log_file] = fill(data_dir).glob("tail-*")
    checksum = hashlib.sha256(log_file.read_bytes()).hexdigest()
    backups = LocalBackups(data_dir)
    settings = load_settings(environ={"INGESTD_DATA_DIR": str(data_dir), "INGESTD_RETENTION_MAX_AGE": "0"})
    backups.add_repository(repository[0])
    first = backups.back_up("repo", DAMAGED, NOW)
    seal_once(store_root(data_dir), Policy(idle_s=0))
    repository[1](f"{DAMAGED}/files/{checksum}")
    assert backups.verify("repo", first.name)
    with build.open_lifecycle(settings, lambda: NOW + datetime.timedelta(minutes=1)) as lifecycle:
        [result] = lifecycle.back_up([DAMAGED])
        assert result.error == ""
        assert DAMAGED not in {info.index for info in lifecycle.missing()}
    assert [snapshot.state for snapshot in backups.snapshots("repo")] == ["damaged", "success"]
    assert newest(backups.snapshots("repo")) == [result.snapshot]
