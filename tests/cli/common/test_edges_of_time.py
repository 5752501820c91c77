"""Events at the ends of the calendar, in time zones on both sides of UTC."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestd.stores.local import LocalWriter, store_root
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from tests.cli.reading import run
from tests.random_cases import sampled

STAMPS = (
    "0001-01-01T00:00:00.000Z",
    "0001-01-02T12:00:00.000Z",
    "2026-11-28T10:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
)


@pytest.fixture(params=sampled(["UTC", "Asia/Seoul", "America/New_York", "Pacific/Kiritimati", "Etc/GMT+12"], usual=2))
def _zone(request: pytest.FixtureRequest, set_zone: Callable[[str], None]) -> None:
    set_zone(request.param)


@pytest.fixture(params=[False, True], ids=["append_logs", "sealed"])
def data_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    writer = LocalWriter(store_root(tmp_path), "w0")
    for number, stamp in enumerate(STAMPS):
        document = b'{"@timestamp":"%b","level":"INFO","n":%d}' % (stamp.encode(), number)
        writer.append(f"logstash-{stamp[:10].replace('-', '.')}", [document], [str(number)])
    writer.close()
    if request.param:
        seal_once(store_root(tmp_path), Policy(idle_s=0))
    return tmp_path


COMMANDS = [["search"], ["histogram"], ["histogram", "--interval", "1d"], ["tail"], ["export", "--format", "csv"]]


@pytest.mark.usefixtures("_zone", "shared_duckdb")
def test_every_command_answers(data_dir: Path) -> None:
    for arguments in COMMANDS:
        result = run(*arguments, data_dir=data_dir)
        assert (result.exit_code, result.exception) == (0, None), (arguments, result.output)
    buckets = json.loads(run("histogram", "--interval", "1d", "--json", data_dir=data_dir).stdout)
    assert sum(sum(bucket["counts"].values()) for bucket in buckets) == len(STAMPS)
    exported = run("export", data_dir=data_dir).stdout.splitlines()
    assert [json.loads(line)["n"] for line in exported] == [3, 2, 1, 0]
    assert len(json.loads(run("top", "n", "--json", data_dir=data_dir).stdout)) == len(STAMPS)
