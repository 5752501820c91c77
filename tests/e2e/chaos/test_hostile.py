"""Clients that do everything wrong: others are served meanwhile, and memory stays bounded."""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.chaos.tools import check_exactly, figure, in_store, scaled, usage, usage_at_rest, workers
from tests.e2e.daemon import Daemon
from tests.processes import resident_bytes
from tests.threads import Background
from tests.waiting import PROMPT_SECONDS, WAIT_SECONDS, wait_until

STAMP = "2026-11-22T10:00:00.000Z"
CONFIG = """
input { tcp { port => 0 host => "127.0.0.1" codec => json_lines } }
output { if [n] { store { index => "good" } } else { store { index => "bad" } } }
"""
EVENTS = 2000
IDLE = 5000
MOST_RSS_GROWTH = 64 << 20


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECONDS)


def one_byte_at_a_time(port: int, stop: threading.Event) -> None:
    """20 clients that send one byte a second each, in turn."""
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(connect(port)) for _ in range(20)]
        while not stop.wait(0.05):
            for client in random.Random(1).sample(clients, 1):
                client.send(b"x")


def never_a_newline(port: int, stop: threading.Event) -> None:
    """100 MB that are one line."""
    with connect(port) as client:
        for _ in range(100):
            client.sendall(b"x" * 1_000_000)
        stop.wait()


def garbage(port: int, stop: threading.Event) -> None:
    rnd = random.Random(2)
    while not stop.wait(0.1):
        with connect(port) as client:
            client.sendall(rnd.randbytes(50_000))


def tls(port: int, stop: threading.Event) -> None:
    """A TLS hello, which nobody answers."""
    context = ssl.create_default_context()
    while not stop.is_set():
        with connect(port) as client, contextlib.suppress(OSError):
            client.settimeout(0.2)
            context.wrap_socket(client, server_hostname="localhost")


def storm(port: int, stop: threading.Event) -> None:
    """Connections that are closed or reset as soon as they are there."""
    while not stop.is_set():
        with connect(port) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close resets


HOSTILE = [one_byte_at_a_time, never_a_newline, garbage, tls, storm]


@contextlib.contextmanager
def many_descriptors() -> Iterator[int]:
    """Raise the limit of open files, here and for the daemon; yields how many connections it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield min(IDLE, hard - 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def serve_others(daemon: Daemon, first: int) -> float:
    """Send events as a good client and wait until they are stored; returns the seconds that took."""
    begin = time.monotonic()
    daemon.send({"@timestamp": STAMP, "n": number} for number in range(first, first + EVENTS))
    wait_until(lambda: stored(daemon) >= first - 1 + EVENTS, "the events of a good client")
    return time.monotonic() - begin


def stored(daemon: Daemon) -> int:
    """Return the number of events in the index of the good client, none of which is sealed."""
    return sum(file.read_bytes().count(b"\n") for file in daemon.data_dir.glob("indices/good/tail-*.ndjson"))


def memory(daemon: Daemon) -> int:
    """Return the resident bytes of the supervisor and the workers: the sealer takes what its work needs."""
    return sum(map(resident_bytes, (daemon.process.pid, *workers(daemon))))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_others_are_served(tmp_path: Path, hostile: Callable[[int, threading.Event], None]) -> None:
    with Daemon(tmp_path, config=CONFIG, workers="2", seal_after="1h") as daemon:
        serve_others(daemon, 1)
        usage_at_rest(daemon, 2)
        before = memory(daemon)
        stop = threading.Event()
        clients = [Background(lambda: hostile(daemon.port, stop), stop.set) for _ in range(2)]
        with clients[0], clients[1]:
            time.sleep(scaled(1, 60))
            seconds = serve_others(daemon, EVENTS + 1)
            time.sleep(scaled(1, 60))
            after = memory(daemon)
    growth = (after - before) / 1e6
    figure(served_seconds=round(seconds, 2), rss_mb=round(after / 1e6), growth_mb=round(growth))
    assert seconds < PROMPT_SECONDS
    assert after - before < MOST_RSS_GROWTH
    check_exactly(in_store(daemon.data_dir, "_index:good"), range(1, 2 * EVENTS + 1))


def test_idle_connections(tmp_path: Path) -> None:
    with (
        many_descriptors() as most,
        Daemon(tmp_path, config=CONFIG, workers="2", seal_after="1h") as daemon,
        contextlib.ExitStack() as opened,
    ):
        before = usage_at_rest(daemon, 2)
        begin = time.monotonic()
        for _ in range(most):
            opened.enter_context(connect(daemon.port))
        daemon.wait_for_metric("ingestd_open_connections", most)
        accepted = time.monotonic() - begin
        seconds = serve_others(daemon, 1)
        after = usage(daemon)
        opened.close()
        wait_until(lambda: usage(daemon).descriptors <= before.descriptors + 8, "the descriptors to be closed")
    figure(idle=most, accepted_seconds=round(accepted, 1), served_seconds=round(seconds, 2))
    figure(rss_mb=[round(sample.rss / 1e6) for sample in (before, after)])
    assert seconds < PROMPT_SECONDS
    assert after.rss - before.rss < MOST_RSS_GROWTH
    check_exactly(in_store(daemon.data_dir), range(1, EVENTS + 1))
