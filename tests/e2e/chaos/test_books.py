"""Events of a journal file that is cut, damaged or deleted: they are counted, and audit and the log say so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestd.journal.positions import load_positions
from tests.e2e.daemon import Daemon, command, environment, free_port
from tests.e2e.stub import StubElasticsearch
from tests.waiting import wait_until

EVENTS = 3000
SETTINGS = {"workers": "1", "journal_max_bytes": "1MB", "shutdown_timeout": "1s"}
CONFIG = """
input {{ tcp {{ port => 0 host => "127.0.0.1" codec => json_lines }} }}
output {{ elasticsearch {{ hosts => ["{url}"] retry_initial_interval => 0.05 retry_max_interval => 0.2 }} }}
"""
LOST = "events were lost with a damaged or missing part of the journal; see ingestd audit"


def audited(data_dir: Path) -> tuple[int, Any]:
    """Return the exit code and the document of ``ingestd audit``."""
    done = command(environment(data_dir), "audit", "--json")
    return done.exit_code, json.loads(done.stdout)


def events_in_copy(data_dir: Path) -> int:
    loaded = load_positions(data_dir / "ledger" / "w0")
    return loaded.end.events if loaded is not None else 0


def cut(segments: list[Path]) -> None:
    os.truncate(segments[-1], segments[-1].stat().st_size // 2)


def damaged(segments: list[Path]) -> None:
    """Zero 300 bytes in the middle of the second file."""
    data = bytearray(segments[1].read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    segments[1].write_bytes(data)


def first_deleted(segments: list[Path]) -> None:
    segments[0].unlink()


def last_deleted(segments: list[Path]) -> None:
    segments[-1].unlink()


def all_deleted(segments: list[Path]) -> None:
    for segment in segments:
        segment.unlink()


def all_deleted_with_positions(segments: list[Path]) -> None:
    all_deleted(segments)
    segments[0].with_name("positions").unlink()


def folder_deleted(segments: list[Path]) -> None:
    shutil.rmtree(segments[0].parents[1])


ALL_GONE = (all_deleted, all_deleted_with_positions, folder_deleted)


@pytest.mark.parametrize("fault", [cut, damaged, first_deleted, last_deleted, *ALL_GONE])
def test_a_fault_of_the_journal_while_the_server_is_away(tmp_path: Path, fault: Callable[[list[Path]], None]) -> None:
    config = CONFIG.format(url=f"http://127.0.0.1:{free_port()}")
    with Daemon(tmp_path, config=config, **SETTINGS) as daemon:
        for first in range(0, EVENTS, 50):
            daemon.send({"n": number, "text": "x" * 200} for number in range(first, first + 50))
        wait_until(lambda: audited(daemon.data_dir)[1]["queued"] == EVENTS, "all events in the journal")
        wait_until(lambda: events_in_copy(daemon.data_dir) == EVENTS, "the copy of the positions")
        daemon.kill_with_children()
    segments = sorted((daemon.data_dir / "journal" / "w0").glob("*.seg"))
    assert len(segments) > 2
    fault(segments)
    code, found = audited(daemon.data_dir)
    lost, queued = found["outputs"][0]["lost"], found["queued"]
    assert (code, found["received"], lost + queued) == (1, EVENTS, EVENTS)
    assert (lost == EVENTS) is (fault in ALL_GONE)
    assert lost > 0
    verify = [sys.executable, "-m", "ingestd", "journal", "verify"]
    assert subprocess.run(verify, env=environment(daemon.data_dir), capture_output=True, check=False).returncode == 1
    with StubElasticsearch() as stub, Daemon(tmp_path, config=CONFIG.format(url=stub.url), **SETTINGS) as daemon:
        wait_until(lambda: len(stub.documents) == queued, "what is left")
        wait_until(lambda: sum(entry["events"] for entry in daemon.said(LOST)) == lost, "the count in the log")
        assert {entry["level"] for entry in daemon.said(LOST)} == {"ERROR"}
        daemon.send([{"n": EVENTS}])
        wait_until(lambda: len(stub.documents) == queued + 1, "a new event")
    code, found = audited(daemon.data_dir)
    assert (code, found["received"], found["delivered"], found["difference"]) == (1, EVENTS + 1, queued + 1, lost)
    with StubElasticsearch() as stub, Daemon(tmp_path, config=CONFIG.format(url=stub.url), **SETTINGS) as daemon:
        daemon.send([{"n": EVENTS + 1}])
        wait_until(lambda: len(stub.documents) == 1, "another event")
        assert daemon.said(LOST) == [], "it is reported once"


STORE = 'input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } } output { store { } }'


def overwrite(path: Path) -> None:
    path.write_bytes(b"\xff garbage" * 5000)


@pytest.mark.parametrize("fault", [Path.unlink, overwrite], ids=["deleted", "damaged"])
def test_lost_positions_store_no_event_twice(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    """The journal still holds everything, since it was never synced; some of the events are sealed by then.

    The copy of the positions is lost with them.
    """
    settings = {"workers": "1", "journal_sync_interval": "1h", "seal_after": "1s"}
    events = 24_000
    with Daemon(tmp_path, config=STORE, **settings) as daemon:
        for first in range(0, events, 2000):
            daemon.send({"n": number, "text": "x" * 600} for number in range(first, first + 2000))
        wait_until(lambda: audited(daemon.data_dir)[1]["delivered"] == events, "the delivery of all events")
        wait_until(lambda: list((daemon.data_dir / "indices").glob("*/sealed.json")), "sealed events")
        daemon.kill_with_children()
    fault(daemon.data_dir / "journal" / "w0" / "positions")
    shutil.rmtree(daemon.data_dir / "ledger", ignore_errors=True)
    with Daemon(tmp_path, config=STORE, **settings) as daemon:
        wait_until(lambda: audited(daemon.data_dir)[1]["duplicates"] == events, "that all events came again")
        daemon.send([{"n": events}])
        wait_until(lambda: audited(daemon.data_dir)[1]["delivered"] == 1, "a new event")
        repairs = [entry["repair"] for entry in daemon.said("the journal was repaired")]
        assert len(repairs) == 1
        assert "the positions of the outputs cannot be read" in repairs[0]
    code, found = audited(daemon.data_dir)
    assert (code, found["received"], found["duplicates"], found["delivered"]) == (0, events + 1, events, 1)
    assert sum(index["found"] for index in found["indices"]) == events + 1
