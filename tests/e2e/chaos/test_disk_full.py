"""A disk that is full under load: no crash, nothing that was accepted is lost, and all goes on when there is space."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.chaos.tools import (
    check_balance,
    check_exactly,
    children,
    figure,
    in_store,
    kill,
    usage,
    workers,
)
from tests.e2e.chaos.traffic import Sender
from tests.e2e.daemon import Daemon
from tests.e2e.gate import Gate
from tests.e2e.stub import StubElasticsearch
from tests.waiting import wait_until

EVENTS = 120_000  # three times the disk: the kernel holds some too
DISK_BYTES = 12 << 20
CONFIG = """
input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
output { elasticsearch { hosts => ["%s"] retry_initial_interval => 0.05 retry_max_interval => 0.2 } }
"""
JOURNAL_FULL = "the journal cannot be written; inputs wait until it can"
LETTERS_FULL = "dead letters cannot be written; they are kept in memory, and delivery waits until they can"
STORE_FULL = "the store cannot be written; inputs wait until it can"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 12 MiB; see ``resize``."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def away() -> Iterator[tuple[StubElasticsearch, Gate]]:
    """A server behind a gate that is shut."""
    with StubElasticsearch() as stub, Gate(stub.url) as gate:
        yield stub, gate


def all_children(daemon: Daemon) -> list[int]:
    """Wait until a daemon with one worker has started all processes: also that of HTTP, the sealer, the scheduler."""
    wait_until(lambda: len(children(daemon.process.pid)) == 4, "four processes")
    return children(daemon.process.pid)


def resize(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def test_at_the_journal(disk: Path) -> None:
    """The server is away, and the journal's bound is above what the disk has; also a new worker finds it full."""
    settings = {"workers": "1", "queue_bytes": "1MB"}
    with (
        away() as (stub, gate),
        Daemon(disk, config=CONFIG % gate.url, **settings) as daemon,
        Sender(daemon.port, EVENTS) as sender,
    ):
        born = all_children(daemon)
        daemon.wait_for(JOURNAL_FULL)
        wait_until(sender.stuck, "the sender to be held up")
        assert children(daemon.process.pid) == born
        assert len(daemon.said(JOURNAL_FULL)) <= 2  # one a minute
        figure(taken_mb=round(sender.sent / 1e6), rss_mb=round(usage(daemon).rss / 1e6))
        for pid in born:
            kill(pid)
        time.sleep(1)
        resize(disk, 20 * DISK_BYTES)
        sender.join()
        gate.open()
        wait_until(lambda: len(stub.documents) >= EVENTS, "all events")
    check_exactly(stub.values("n"), range(EVENTS))
    assert daemon.dead_letters() == []


def test_at_the_journal_without_more_space(disk: Path) -> None:
    """The server comes back, and what is delivered makes the space for what waits."""
    settings = {"workers": "1", "journal_segment_bytes": "1MB"}
    with (
        away() as (stub, gate),
        Daemon(disk, config=CONFIG % gate.url, **settings) as daemon,
        Sender(daemon.port, EVENTS) as sender,
    ):
        daemon.wait_for(JOURNAL_FULL)
        wait_until(sender.stuck, "the sender to be held up")
        gate.open()
        sender.join()
        wait_until(lambda: len(stub.documents) >= EVENTS, "all events")
    check_exactly(stub.values("n"), range(EVENTS))


def test_at_the_store(disk: Path) -> None:
    """Store and journal are on the same disk; small journal files leave the store the greater part."""
    settings = {"journal_segment_bytes": "256kB", "journal_max_bytes": "2MB"}
    with Daemon(disk, workers="1", **settings) as daemon, Sender(daemon.port, EVENTS) as sender:
        born = all_children(daemon)
        wait_until(lambda: daemon.said(STORE_FULL) or daemon.said(JOURNAL_FULL), "a full disk")
        wait_until(sender.stuck, "the sender to be held up")
        with socket.create_connection(("127.0.0.1", daemon.port)):  # others are accepted all the same
            time.sleep(0.1)
        assert children(daemon.process.pid) == born
        resize(disk, 20 * DISK_BYTES)
        sender.join()
        wait_until(lambda: daemon.metric("ingestd_delivered_events_total") >= EVENTS, "all events")
        assert children(daemon.process.pid) == born
    check_exactly(in_store(daemon.data_dir), range(EVENTS))
    assert daemon.dead_letters() == []


def test_at_the_dead_letters(disk: Path) -> None:
    """Every event is refused, and their letters fill the disk: then nothing more is taken from the senders."""
    settings = {"workers": "1", "queue_bytes": "1MB", "journal_segment_bytes": "256kB", "journal_max_bytes": "2MB"}
    with StubElasticsearch() as stub:
        stub.refuses = lambda document: bool(document["n"] % 2)
        with Daemon(disk, config=CONFIG % stub.url, **settings) as daemon, Sender(daemon.port, EVENTS) as sender:
            born = all_children(daemon)
            daemon.wait_for(LETTERS_FULL)
            wait_until(sender.stuck, "the sender to be held up")
            assert children(daemon.process.pid) == born
            assert len(daemon.said(LETTERS_FULL)) <= 2
            figure(taken_mb=round(sender.sent / 1e6), rss_mb=round(usage(daemon).rss / 1e6))
            for pid in workers(daemon):
                kill(pid)
            time.sleep(1)
            resize(disk, 20 * DISK_BYTES)
            sender.join()
            wait_until(lambda: stub.stored() >= EVENTS // 2, "all events")
    check_exactly(stub.values("n"), range(0, EVENTS, 2))
    check_exactly([json.loads(letter["raw"])["n"] for letter in daemon.dead_letters()], range(1, EVENTS, 2))
    check_balance(daemon.data_dir, EVENTS, EVENTS // 2)
