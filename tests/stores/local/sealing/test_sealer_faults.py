"""The sealer is killed, or its disk is full: nothing is lost, and the next run does the work."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingestd.stores.base import StoreFullError
from ingestd.stores.local import LocalWriter
from ingestd.stores.local.sealing.sealer import Policy, SealingError, seal_once
from tests.disks import small_disk
from tests.stores.local import format_1
from tests.stores.local.sealing.test_sealer import INDEX, NOW, append, event, names, read


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("small_files", "versions"),
    [(99, []), (1, [2, 2]), (99, [1]), (1, [1, 2])],
    ids=["seal", "join", "rewrite", "join_versions"],
)
def test_killed_at_each_step(small_files: int, versions: list[int], kill_steps: list[str], tmp_path: Path) -> None:
    root = tmp_path / "store"
    for at in range(3):
        append(root, event(at), prefix=f"a{at}-")
        writer = LocalWriter(root, "w1", roll_bytes=150)
        for number in range(3 * at, 3 * at + 3):
            writer.append(INDEX, [event(number)], [f"b{number}"])
        writer.close()
        if at < len(versions):
            with format_1.sealed() if versions[at] == 1 else contextlib.nullcontext():
                seal_once(root, Policy(idle_s=0, quiet_s=9e9))
    with (root / INDEX / names(root)[-1]).open("ab") as append_log:
        append_log.write(b'{"torn')
    (tmp_path / "work").mkdir()
    arguments: list[str | Path] = [root, tmp_path / "work", str(small_files), *kill_steps]
    result = subprocess.run(
        [sys.executable, "-m", "tests.stores.local.sealing.killed", *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 20


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=2m"):
        append(tmp_path, *(b'{"message":"%b"}' % os.urandom(300).hex().encode() for _ in range(900)))
        before, listed = read(tmp_path), names(tmp_path)
        free = os.statvfs(tmp_path)
        (tmp_path / "filler").write_bytes(b"x" * (free.f_bavail * free.f_bsize - 50_000))
        with pytest.raises(SealingError, match="No space left on device") as raised:
            seal_once(tmp_path, NOW)
        assert isinstance(raised.value.failures[INDEX], StoreFullError)
        assert (read(tmp_path), names(tmp_path)) == (before, listed)
        (tmp_path / "filler").unlink()
        assert len(seal_once(tmp_path, NOW)) == 1
        assert read(tmp_path) == before
