"""A disk that is full under load: no crash, nothing that was accepted is lost, and all goes on when there is space."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from logging.handlers import SocketHandler
from pathlib import Path

import pytest

from ingestd.supervisor.pidfile import find_url
from tests.disks import remount, small_disk
from tests.e2e.chaos.tools import (
    OTHERS,
    check_balance,
    check_exactly,
    figure,
    in_store,
    scaled,
    usage,
    wait_for_nothing_queued,
    workers,
)
from tests.e2e.chaos.traffic import Sender, events_to_fill
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.gate import Gate
from tests.e2e.stub import StubElasticsearch
from tests.processes import children, send_signal
from tests.threads import Background
from tests.waiting import wait_until

DISK_BYTES = 12 << 20
LINE_BYTES = scaled(1500, 300)
"""Fewer events fill a disk in less time."""
EVENTS = events_to_fill(DISK_BYTES, LINE_BYTES)
CONFIG = """
input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
output { elasticsearch { hosts => ["%s"] retry_initial_interval => 0.05 retry_max_interval => 0.2 } }
"""
STDOUT = 'input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } } output { stdout { codec => json_lines } }'
JOURNAL_FULL = "the journal cannot be written; inputs wait until it can"
LETTERS_FULL = "dead letters cannot be written; inputs and delivery wait until they can"
STORE_FULL = "the store cannot be written; inputs wait until it can"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system for a daemon, its log included."""
    with small_disk(tmp_path / "disk", f"size={DISK_BYTES}") as folder:
        yield folder


@pytest.fixture
def data_disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system for the data folder of ``Daemon(tmp_path)`` alone."""
    with small_disk(tmp_path / "data", f"size={DISK_BYTES}") as folder:
        yield folder


@contextmanager
def away() -> Iterator[tuple[StubElasticsearch, Gate]]:
    """A server behind a gate that is shut."""
    with StubElasticsearch() as stub, Gate(stub.url) as gate:
        yield stub, gate


def all_children(daemon: Daemon) -> list[int]:
    """Wait until a daemon with one worker has started all processes."""
    wait_until(lambda: len(children(daemon.process.pid)) == 1 + len(OTHERS), "the other processes")
    return children(daemon.process.pid)


def check_once_a_minute(daemon: Daemon, message: str) -> None:
    times = [datetime.datetime.fromisoformat(entry["time"]) for entry in daemon.said(message)]
    assert all(late - early > datetime.timedelta(seconds=59) for early, late in pairwise(times))


def resize(disk: Path, size: int) -> None:
    remount(disk, f"size={size}")


def test_at_the_journal(disk: Path) -> None:
    """The server is away, and the journal's bound is above what the disk has; also a new worker finds it full."""
    settings = {"workers": "1", "queue_bytes": "1MB"}
    with (
        away() as (stub, gate),
        Daemon(disk, config=CONFIG % gate.url, **settings) as daemon,
        Sender(daemon.port, EVENTS, LINE_BYTES) as sender,
    ):
        born = all_children(daemon)
        daemon.wait_for(JOURNAL_FULL)
        wait_until(sender.stuck, "the sender to be held up")
        assert children(daemon.process.pid) == born
        check_once_a_minute(daemon, JOURNAL_FULL)
        figure(taken_mb=round(sender.sent / 1e6), rss_mb=round(usage(daemon).rss / 1e6))
        for pid in born:
            send_signal(pid)
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
        Sender(daemon.port, EVENTS, LINE_BYTES) as sender,
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
    with Daemon(disk, workers="1", **settings) as daemon, Sender(daemon.port, EVENTS, LINE_BYTES) as sender:
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
        with (
            Daemon(disk, config=CONFIG % stub.url, **settings) as daemon,
            Sender(daemon.port, EVENTS, LINE_BYTES) as sender,
        ):
            born = all_children(daemon)
            daemon.wait_for(LETTERS_FULL)
            wait_until(sender.stuck, "the sender to be held up")
            assert children(daemon.process.pid) == born
            check_once_a_minute(daemon, LETTERS_FULL)
            figure(taken_mb=round(sender.sent / 1e6), rss_mb=round(usage(daemon).rss / 1e6))
            for pid in workers(daemon):
                send_signal(pid)
            time.sleep(1)
            resize(disk, 20 * DISK_BYTES)
            sender.join()
            wait_until(lambda: stub.stored() >= EVENTS // 2, "all events")
    check_exactly(stub.values("n"), range(0, EVENTS, 2))
    check_exactly([json.loads(letter["raw"])["n"] for letter in daemon.dead_letters()], range(1, EVENTS, 2))
    check_balance(daemon.data_dir, EVENTS, EVENTS // 2)


REJECTED = 1500
"""Records of each client that are rejected as they come; together they are more than the disk holds."""


def long_lines(first: int) -> bytes:
    """Lines that are too long, each after an event; the peek that finds them has them whole."""
    return b"".join(b'{"event":%d}\nn=%d;%s\n' % (n, n, b"x" * 5000) for n in range(first, first + REJECTED))


def huge_lines(first: int) -> bytes:
    """Lines of which the kernel gives up the start before their end is seen."""
    return b"".join(b"n=%d;%s\n" % (n, b"x" * 300_000) for n in range(first, first + 20))


def pickles(first: int) -> bytes:
    """Records of ``logging.handlers.SocketHandler``."""
    handler = SocketHandler("127.0.0.1", 0)
    records = (
        logging.LogRecord("a", 20, "a.py", 1, f"n={n};{'x' * 3000}", (), None) for n in range(first, first + REJECTED)
    )
    return b"".join(map(handler.makePickle, records))


KINDS = [long_lines(0), huge_lines(10_000), pickles(20_000)]
NUMBERS = [*range(REJECTED), *range(10_000, 10_020), *range(20_000, 20_000 + REJECTED)]


def clients(stack: ExitStack, port: int) -> list[Background]:
    """Start a client for each kind; each ends when everything was taken."""

    def client(data: bytes) -> Background:
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        return stack.enter_context(Background(lambda: send(connection, data), lambda: end(connection)))

    return [client(data) for data in KINDS]


def send(connection: socket.socket, data: bytes) -> None:
    """Send as much as the daemon takes before it ends."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)


def end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def rejected(daemon: Daemon) -> list[int]:
    """Return the numbers of the dead letters."""
    found = [re.match(rb"(?s).*?n=(\d+);", letter["raw"]) for letter in daemon.dead_letters()]
    return [int(match[1]) for match in found if match is not None]


@pytest.mark.parametrize("fault", ["kill", "reload"])
def test_at_rejected_records(tmp_path: Path, data_disk: Path, fault: str) -> None:
    """Records that are rejected before they are in the journal stay with the kernel while the disk is full.

    A worker that ends within a huge line leaves its remainder to the next one, which drops it.
    """
    settings = {"workers": "1", "max_line_bytes": "4000", "journal_segment_bytes": "256kB"}
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(tmp_path, config=STDOUT, **settings))
        senders = clients(stack, daemon.port)
        daemon.wait_for(LETTERS_FULL)
        for _ in range(3):
            [before] = workers(daemon)
            if fault == "kill":
                send_signal(before)
            else:
                daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: len(found := workers(daemon)) == 1 and found != [before], "the next worker")  # noqa: B023
            time.sleep(1)
        check_that_commands_find_new_pages(daemon)
        resize(data_disk, 20 * DISK_BYTES)
        for sender in senders:
            sender.join()
        wait_until(lambda: len(daemon.dead_letters()) >= len(NUMBERS), "all dead letters")
    assert len(daemon.dead_letters()) == len(NUMBERS)
    check_exactly(rejected(daemon), NUMBERS)
    check_balance(daemon.data_dir, len(NUMBERS) + REJECTED, len(NUMBERS))


def check_that_commands_find_new_pages(daemon: Daemon) -> None:
    """The disk is full when the HTTP process is started again, on another port."""
    before = daemon.url
    for pid in set(children(daemon.process.pid)) - set(workers(daemon)):
        send_signal(pid, signal.SIGKILL)
    wait_until(lambda: daemon.url != before, "the next HTTP process")
    wait_until(lambda: find_url(daemon.data_dir) == daemon.url, "its URL in the data folder")


def test_a_stop_with_rejected_records(tmp_path: Path, data_disk: Path) -> None:
    """What was counted as dead is in the dead letters; what they cannot take was not read."""
    settings = {"workers": "1", "max_line_bytes": "4000", "journal_segment_bytes": "256kB", "shutdown_timeout": "1s"}
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(tmp_path, config=STDOUT, **settings))
        clients(stack, daemon.port)
        daemon.wait_for(LETTERS_FULL)
        daemon.stop(code=1)
        assert daemon.said("the stop could not wait for everything that clients had sent: the rest is lost")
        assert not daemon.said("dead letters could not be written")
        resize(data_disk, 20 * DISK_BYTES)
        daemon.start()
        daemon.wait_until_ready()
        wait_for_nothing_queued(daemon)
    numbers = rejected(daemon)
    assert len(numbers) == len(set(numbers)) < len(NUMBERS)
    audit = json.loads(ingestd(daemon.data_dir, "audit", "--json"))
    assert (audit["balanced"], audit["dead"]) == (True, len(numbers))
