"""Damage in an index or in a repository, a folder or S3: no success, nothing deleted, and all else goes on."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingestd.lifecycle import build
from ingestd.lifecycle.scheduler import run_once
from ingestd.settings import load_settings
from ingestd.stores.backups import BackupError, Repository
from ingestd.stores.local import store_root
from ingestd.stores.local.backup.backups import LocalBackups
from ingestd.stores.local.files import manifest
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
        bucket = s3.bucket("backups")

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
    [problem] = backups.verify("repo", snapshot.name)
    assert "sealed-00001.parquet does not have its checksum" in problem
    with build.open_lifecycle(settings, lambda: NOW) as lifecycle:
        [pruned] = lifecycle.prune()
    assert (pruned.deleted, DAMAGED in pruned.error) == (False, True)
    with pytest.raises(BackupError, match=r"sealed-00001\.parquet does not have its checksum"):
        backups.restore("repo", [snapshot.name], DAMAGED, overwrite=True)
    for index in (BEFORE, AFTER):
        [good] = [snapshot.name for snapshot in backups.snapshots("repo") if snapshot.index == index]
        assert backups.restore("repo", [good], index) == EVENTS
    assert (store_root(data_dir) / DAMAGED).is_dir()
