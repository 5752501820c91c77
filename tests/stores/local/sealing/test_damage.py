"""Damaged files of an index: the sealer makes a new manifest, goes on with what is sound, reports the rest once."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestd.stores.base import StoreError
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.duckdb.core import connect
from ingestd.stores.local.index import manifest
from ingestd.stores.local.sealing.index_sealer import IndexSealer
from ingestd.stores.local.sealing.parquet import parquet_writer
from ingestd.stores.local.sealing.sealer import Policy, SealingError, run, seal_once
from ingestd.stores.query import Query
from tests.stores.local import format_1
from tests.stores.local.damage import cut, empty, garbage, link_outside, zeroed

pytestmark = [pytest.mark.usefixtures("shared_duckdb"), pytest.mark.sampled(usual=2)]

INDEX, OTHER = "logstash-2026.11.22", "logstash-2026.11.23"
NOW = Policy(idle_s=0)
JOIN = Policy(idle_s=0, small_files=1)


def append(root: Path, first: int, count: int, index: str = INDEX) -> None:
    writer = LocalWriter(root, "w0")
    numbers = range(first, first + count)
    writer.append(
        index,
        [b'{"n":%d,"text":"%b"}' % (n, os.urandom(40).hex().encode()) for n in numbers],
        [f"{n}" for n in numbers],
    )
    writer.close()


def ids(root: Path) -> list[int]:
    return sorted(int(hit.id) for hit in LocalStore(root).search(Query(), 0))


def sealed_twice(root: Path) -> Path:
    """Return the folder of an index with two sealed files, of 100 and 50 events, and an append log with 7."""
    append(root, 0, 100)
    seal_once(root, NOW)
    append(root, 100, 50)
    seal_once(root, NOW)
    append(root, 150, 7)
    return root / INDEX


def another_name(path: Path) -> None:
    """A manifest, as from an edited backup, that names a file outside of the folder."""
    document = json.loads(path.read_bytes())
    document["files"][0]["name"] = "../../secret.parquet"
    path.write_bytes(json.dumps(document).encode())


FAULTS: list[Callable[[Path], None]] = [cut, zeroed, garbage, empty, Path.unlink]


@pytest.mark.parametrize("fault", [*FAULTS, another_name])
def test_a_manifest_is_rebuilt(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    folder = sealed_twice(tmp_path)
    before = manifest.load(folder)
    fault(folder / manifest.NAME)
    append(tmp_path, 157, 3)  # meanwhile, writers go on
    seal_once(tmp_path, Policy())
    after = manifest.load(folder)
    assert after.files[: len(before.files)] == before.files
    assert ids(tmp_path) == list(range(160))
    seal_once(tmp_path, JOIN)
    assert ids(tmp_path) == list(range(160))
    assert (folder / f"damaged-{manifest.NAME}").exists() == (fault is not Path.unlink)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_manifest_and_a_sealed_file(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    folder = sealed_twice(tmp_path)
    garbage(folder / manifest.NAME)
    fault(folder / "sealed-00001.parquet")
    seal_once(tmp_path, Policy())
    assert ids(tmp_path) == list(range(100, 157))
    if fault is not Path.unlink:
        assert (folder / "damaged-sealed-00001.parquet").exists()
    seal_once(tmp_path, JOIN)
    assert ids(tmp_path) == list(range(100, 157))


@pytest.mark.parametrize("fault", [garbage, Path.unlink])
def test_events_that_come_before_the_manifest_is_rebuilt(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    """Nothing shows the writer that its numbers were used before, as in an index that was restored."""
    folder = sealed_twice(tmp_path)
    seal_once(tmp_path, NOW)
    for path in [*folder.glob("ids-*")]:
        path.unlink()
    fault(folder / manifest.NAME)
    append(tmp_path, 157, 3)
    assert (folder / "tail-w0-00001.ndjson").exists()
    for _ in range(2):
        seal_once(tmp_path, JOIN)
        assert ids(tmp_path) == list(range(160))
    append(tmp_path, 160, 1)
    seal_once(tmp_path, JOIN)
    assert ids(tmp_path) == list(range(161))


@pytest.mark.parametrize("step", ["_commit", "_clean"])
def test_a_merge_that_was_interrupted_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    folder = sealed_twice(tmp_path)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    # The pass cleans at its start; then it seals the append log, which commits and cleans, and merges.
    left = {"_commit": 1, "_clean": 2}[step]
    calls = itertools.chain([getattr(IndexSealer, step)] * left, itertools.repeat(killed))

    def call(*arguments: Any) -> None:
        next(calls)(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(IndexSealer, step, call)
        with pytest.raises(KeyboardInterrupt):
            seal_once(tmp_path, JOIN)
    (folder / manifest.NAME).unlink()
    seal_once(tmp_path, Policy())
    assert ids(tmp_path) == list(range(157))


class FourPasses(threading.Event):
    """Ends a sealer after four passes."""

    passes = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.passes += 1
        if self.passes == 4:
            self.set()
        return True


@pytest.mark.parametrize("fault", [*FAULTS, link_outside])
def test_a_damaged_sealed_file_is_left_out_of_merges_and_reported_once(
    tmp_path: Path, fault: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    folder = sealed_twice(tmp_path)
    append(tmp_path, 0, 10, OTHER)
    append(tmp_path, 157, 3)
    fault(folder / "sealed-00001.parquet")
    run(tmp_path, FourPasses(), interval_s=0, policy=JOIN)
    [error] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "sealed-00001.parquet" in str(error.__dict__)
    names = [file.name for file in manifest.load(folder).files]
    assert names == ["sealed-00001.parquet", "sealed-00004.parquet"], "the others were merged"
    assert not list((tmp_path / OTHER).glob("tail-*")), "the other index was sealed"
    with pytest.raises(SealingError) as raised:
        seal_once(tmp_path, JOIN)
    assert list(raised.value.failures) == [INDEX]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_ids_file_holds_up_nothing(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    folder = sealed_twice(tmp_path)
    [ids_file] = folder.glob("ids-*")
    fault(ids_file)
    seal_once(tmp_path, JOIN)
    append(tmp_path, 157, 3)
    seal_once(tmp_path, JOIN)
    assert ids(tmp_path) == list(range(160))


@pytest.mark.parametrize("fault", [cut, zeroed, garbage, empty, Path.unlink])
def test_a_damaged_append_log_loses_only_its_own_events(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    folder = sealed_twice(tmp_path)
    append(tmp_path, 0, 10, OTHER)
    [append_log] = folder.glob("tail-*")
    fault(append_log)
    append(tmp_path, 157, 3)
    seal_once(tmp_path, JOIN)
    found = [number for number in ids(tmp_path) if not 150 <= number < 157]
    assert found == sorted([*range(150), *range(157, 160), *range(10)])


@pytest.mark.parametrize("version", [1, 2])
def test_damage_of_any_column_is_found(tmp_path: Path, version: int) -> None:
    append(tmp_path, 0, 50)
    with format_1.sealed() if version == 1 else contextlib.nullcontext():
        seal_once(tmp_path, NOW)
    (path,) = (tmp_path / INDEX).glob("*.parquet")
    data = path.read_bytes()
    with parquet_writer(tmp_path, 256 << 20) as writer, connect({}) as connection:
        chunks = (
            "SELECT coalesce(dictionary_page_offset, data_page_offset) FROM parquet_metadata(?) "
            "WHERE coalesce(stats_null_count, 0) < num_values"
        )
        offsets = [offset for (offset,) in connection.execute(chunks, [str(path)]).fetchall()]
        writer.read_all(path)
        for number, offset in enumerate(offsets):
            damaged = path.with_name(f"sealed-{number + 2:05d}.parquet")
            damaged.write_bytes(data[:offset] + bytes(16) + data[offset + 16 :])
            with pytest.raises(StoreError):
                writer.read_all(damaged)
    assert len(offsets) > 2
