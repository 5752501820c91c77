"""Which ids an index has: in append logs, in sealed files, and around damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestd.stores.local import LocalWriter
from ingestd.stores.local.append_logs.stored_ids import stored_ids
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from tests.stores.local.damage import FAULTS, Fault

INDEX = "logstash-2026.11.22"
ODD = ["it's", 'a "quote"', "서울", "tab\t", "null\0", "\\"]


def append(root: Path, ids: list[str]) -> None:
    writer = LocalWriter(root, "w0")
    writer.append(INDEX, [b"{}"] * len(ids), ids)
    writer.close()


def test_sealed_and_not(tmp_path: Path) -> None:
    append(tmp_path, ["a", "b", *ODD[:3], ""])
    seal_once(tmp_path, Policy(idle_s=0))
    append(tmp_path, ["c", *ODD[3:], ""])
    assert stored_ids(tmp_path / INDEX, ["a", "c", "d", "", *ODD]) == {"a", "c", *ODD}
    assert stored_ids(tmp_path / INDEX, ["d", ""]) == set()
    assert stored_ids(tmp_path / "another", ["a"]) == set()


@pytest.mark.sampled
@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_file_is_left_out(tmp_path: Path, fault: Fault) -> None:
    append(tmp_path, ["a", "b"])
    seal_once(tmp_path, Policy(idle_s=0))
    append(tmp_path, ["c"])
    fault(tmp_path / INDEX / "tail-w0-00002.ndjson")
    assert stored_ids(tmp_path / INDEX, ["a", "c"]) >= {"a"}
