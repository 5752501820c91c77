"""Every kind of file in a data folder, damaged in every way: no command ends with a traceback, other days are whole."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingestd.cli.main import main
from ingestd.stores.base import StoreError
from ingestd.stores.local import store_root
from ingestd.stores.local.sealing.sealer import Policy, seal_once
from tests.cli.commands.test_audit import Worker
from tests.random_cases import LONG, sampled
from tests.stores.local.damage import AFTER, BEFORE, DAMAGED, EVENTS, FAULTS, Fault, fill, folder_instead, garbage

FILES = [  # in the data folder
    *(
        f"indices/{DAMAGED}/{name}"
        for name in ("sealed-00001.parquet", "sealed.json", "origin.json", "ids-w0-00002.txt")
    ),
    f"indices/{DAMAGED}/tail-w0-00003.ndjson",
    *("lifecycle.json", "repositories.json", "journal/w0/positions", "journal/w0/journal-00000001.seg"),
    *("indices/.writer-w0.lock", "indices/.sealer.lock", ".lifecycle.lock"),
]
COMMANDS = [
    *(["search"], ["top", "day"], ["histogram"], ["indices"], ["tail", "-n", "5"], ["export", "-o", "-"]),
    *(["audit"], ["audit", "--deep"], ["journal", "inspect"], ["journal", "verify"], ["deadletters", "list"]),
    *(
        ["repository", "list"],
        ["backup", "list"],
        ["backup", "--missing"],
        ["backup", "verify", "2026-11-22"],
        ["prune", "--dry-run", "--max-age", "36500d"],
    ),
    *(
        ["restore", "2026-11-21", "--overwrite"],
        ["restore", "2026-11-22", "--overwrite"],
        ["prune", "--max-age", "36500d"],
        ["doctor"],
    ),
]
pytestmark = pytest.mark.usefixtures("shared_duckdb")

EXACT = {BEFORE: EVENTS, AFTER: EVENTS}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days that are backed up, and a journal with events that wait."""
    folder = tmp_path_factory.mktemp("whole")
    data = folder / "data"
    fill(data)
    add = ["repository", "add", "disk", "--type", "fs", "--location", str(folder / "repository")]
    for arguments in (add, ["backup", "--missing"]):
        assert run(data, *arguments).exit_code == 0
    worker = Worker(data)
    worker.receive(3)
    worker.receive(4)
    worker.deliver(3)
    worker.journal.close()
    return data


def run(data_dir: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(main, [*arguments, "--data-dir", str(data_dir)])
    assert done.exception is None or isinstance(done.exception, SystemExit), arguments
    assert "Traceback" not in done.output
    return done


def events(data_dir: Path) -> dict[str, int]:
    done = run(data_dir, "indices", "--json")
    return {entry["index"]: entry["events"] for entry in json.loads(done.stdout)}


def test_a_whole_folder(whole: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(whole, data_dir)
    for arguments in COMMANDS:
        assert run(data_dir, *arguments).exit_code == (arguments == ["doctor"]), arguments
    assert events(data_dir) == {**EXACT, DAMAGED: EVENTS}


@pytest.mark.parametrize("fault", FAULTS if LONG else [garbage, folder_instead])
@pytest.mark.parametrize("name", sampled(FILES, usual=4))
def test_every_command(whole: Path, tmp_path: Path, name: str, fault: Fault) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(whole, data_dir)
    fault(data_dir / name)
    for arguments in COMMANDS:
        done = run(data_dir, *arguments)
        assert done.exit_code in (0, 1), (arguments, done.output)
        if arguments[0] in {"indices", "backup", "prune", "restore"}:
            assert events(data_dir).items() >= EXACT.items(), arguments
    with contextlib.suppress(StoreError):
        seal_once(store_root(data_dir), Policy(idle_s=0))
    assert events(data_dir).items() >= EXACT.items()
