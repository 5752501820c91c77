"""An output that delivers nothing is named by /health, metrics and STATUS, whatever the cause, and it recovers."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.disks import remount, small_disk
from tests.e2e.chaos.tools import check_exactly
from tests.e2e.daemon import Daemon, free_port
from tests.e2e.stub import StubElasticsearch
from tests.waiting import PROMPT_SECONDS, wait_until

CONFIG = 'input {{ tcp {{ port => 0 host => "127.0.0.1" codec => json_lines }} }} output {{ {} }}'
EVENTS = [{"n": n, "@timestamp": "2026-11-22T10:00:00.000Z"} for n in range(20)]


def health(daemon: Daemon) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(daemon.get("/health"))
    return document


def stalled_outputs(daemon: Daemon) -> object:
    return health(daemon).get("details", {}).get("stalled_outputs")


def check_stalled(daemon: Daemon, output: str, reason: str) -> None:
    """Wait until the output is named with the age of its oldest event, everywhere; other events are accepted."""
    wait_until(lambda: stalled_outputs(daemon), "a stalled output", PROMPT_SECONDS)
    found = health(daemon)
    [stalled] = found["details"]["stalled_outputs"]
    assert found["degraded"]
    assert (stalled["output"], found["ready"]) == (output, True)
    assert 10 <= stalled["seconds"] <= stalled["oldest_event_seconds"] + 1
    assert reason in stalled["reason"]
    assert f"output {output} of pipeline main has delivered nothing for" in found["reasons"][0]
    assert daemon.metric("ingestd_stalled_events", output=output) == len(EVENTS)


def check_recovered(daemon: Daemon) -> None:
    wait_until(lambda: not stalled_outputs(daemon), "an output that delivers", PROMPT_SECONDS)
    assert daemon.metric("ingestd_stalled_events") == 0
    assert daemon.metric("ingestd_queue_events") == 0


def test_server_away(tmp_path: Path) -> None:
    port = free_port()
    output = f'elasticsearch {{ hosts => ["http://127.0.0.1:{port}"] retry_max_interval => 1 }}'
    with Daemon(tmp_path, config=CONFIG.format(output), workers="1") as daemon:
        daemon.send(EVENTS)
        check_stalled(daemon, "elasticsearch_0", "127.0.0.1")
        with StubElasticsearch(port=port) as stub:
            check_recovered(daemon)
            check_exactly(stub.values("n"), range(20))


def fill_space(disk: Path) -> Callable[[], object]:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return ballast.unlink


def fill_inodes(disk: Path) -> Callable[[], object]:
    files = []
    try:
        for number in range(1000):
            files.append(disk / f".ballast-{number}")
            files[-1].touch()
    except OSError:
        files.pop()

    def mend() -> None:
        for file in files:
            file.unlink()

    return mend


def make_read_only(disk: Path) -> Callable[[], object]:
    remount(disk, "ro")
    return lambda: remount(disk, "rw")


STORE = ("store { }", "store_0")
FILE = ('file { path => "%s/new/%%{+YYYY}.ndjson" }', "file_0")
PLUGINS = pytest.mark.parametrize(("output", "name"), [STORE, FILE], ids=["store", "file"])
CAUSES = [  # id, output, what it is called, options of the mount, how the disk refuses, what the reason says
    ("store_full", *STORE, "size=256k", fill_space, "No space left on device"),
    ("file_full", *FILE, "size=256k", fill_space, "No space left on device"),
    ("store_no_inodes", *STORE, "size=1m,nr_inodes=30", fill_inodes, "No space left on device"),
    ("file_no_inodes", *FILE, "size=1m,nr_inodes=30", fill_inodes, "No space left on device"),
    ("file_read_only", *FILE, "size=1m", make_read_only, "Read-only file system"),  # the store has open files there
]


def check_stored(folder: Path) -> None:
    """Every event is in the files of either output, once."""
    lines = [line for file in folder.rglob("*.ndjson") for line in file.read_text().splitlines()]
    check_exactly([json.loads(line.partition("\t")[0])["n"] for line in lines], range(20))


@pytest.mark.parametrize(
    ("output", "name", "options", "fault", "reason"), [row[1:] for row in CAUSES], ids=[row[0] for row in CAUSES]
)
def test_disk(
    tmp_path: Path, output: str, name: str, options: str, fault: Callable[[Path], Callable[[], object]], reason: str
) -> None:
    with small_disk(tmp_path / "data/indices", options) as disk:
        config = CONFIG.format(output % disk if "%s" in output else output)
        with Daemon(tmp_path, config=config, workers="1") as daemon:
            mend = fault(disk)
            daemon.send(EVENTS)
            check_stalled(daemon, name, reason)
            mend()
            check_recovered(daemon)
        check_stored(disk)


class PlainDaemon(Daemon):
    """Runs without root's right to go past permissions."""

    def _spawn(self, *arguments: Any) -> Any:
        self._command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *self._command]
        return super()._spawn(*arguments)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root may give away a folder")
@PLUGINS
def test_no_rights(tmp_path: Path, output: str, name: str) -> None:
    folder = tmp_path / "data/indices"
    folder.mkdir(parents=True, mode=0o700)
    config = CONFIG.format(output % folder if "%s" in output else output)
    with PlainDaemon(tmp_path, config=config, workers="1") as daemon:
        os.chown(folder, 65534, 65534)
        daemon.send(EVENTS)
        check_stalled(daemon, name, "Permission denied")
        os.chown(folder, 0, 0)
        check_recovered(daemon)
    check_stored(folder)


class PoisonedDaemon(Daemon):
    """See ``with_poison``."""

    def _spawn(self, *arguments: Any) -> Any:
        self._command = [sys.executable, "-m", "tests.e2e.with_poison", *self._command[3:]]
        return super()._spawn(*arguments)


def test_poison(tmp_path: Path) -> None:
    """A defect that strikes on every event: each is tried some times before it becomes a dead letter."""
    with PoisonedDaemon(tmp_path, config=CONFIG.format("store { }"), workers="1") as daemon:
        daemon.send([event | {"message": "poison"} for event in EVENTS])
        check_stalled(daemon, "store_0", "KeyError")
        check_recovered(daemon)
    assert sorted(json.loads(letter["raw"])["n"] for letter in daemon.dead_letters()) == list(range(20))
