"""Ten minutes of everyday life (``make chaos``; seconds in CI): flat memory and descriptors, exact counts."""

from __future__ import annotations

import random
import socket
import threading
import time
from pathlib import Path

from tests.e2e.chaos.tools import Clients, Usage, check_balance, check_exactly, figure, in_store, scaled, usage
from tests.e2e.daemon import Daemon
from tests.threads import Background

SECONDS = scaled(8, 600)
EVENTS = scaled(2500, 150_000)
MOST_RSS_GROWTH = 48 << 20
MOST_MORE_DESCRIPTORS = 8

_FEWEST = 4
"""Each half of the time has a few measurements."""

_FIRST = 10**12
"""The number of the first event of a client that passes by."""


def test_soak(tmp_path: Path) -> None:
    """Also with connections that come and go all the time."""
    with Daemon(tmp_path, workers="2") as daemon:
        with Clients(daemon.port, EVENTS, SECONDS) as clients, _Passing(daemon) as passing:
            time.sleep(SECONDS / 5)  # what grows at first is no leak
            seen = [usage(daemon)]
            while clients.running or len(seen) < _FEWEST:
                time.sleep(SECONDS / 20)
                seen.append(usage(daemon))
            clients.finish()
        daemon.stop()
    report(seen)
    sent = [*clients.numbers, *range(_FIRST, _FIRST + passing.sent)]
    check_exactly(in_store(daemon.data_dir), sent)
    check_balance(daemon.data_dir, len(sent))
    assert daemon.dead_letters() == []


class _Passing(Background):
    """Clients of one event each, one after the other: the daemon has closed a connection before the next one comes."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon, self._end, self.sent = daemon, threading.Event(), 0
        super().__init__(self._send, self._end.set)

    def _send(self) -> None:
        rnd = random.Random(4)
        while not self._end.wait(rnd.uniform(0, 0.1)):
            with socket.create_connection(("127.0.0.1", self._daemon.port)) as client:
                client.sendall(b'{"n":%d}\n' % (_FIRST + self.sent))
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
            self.sent += 1


def report(seen: list[Usage]) -> None:
    half = len(seen) // 2
    early, late = seen[:half], seen[half:]
    rss = [round(max(sample.rss for sample in part) / 1e6) for part in (early, late)]
    descriptors = [max(sample.descriptors for sample in part) for part in (early, late)]
    figure(rss_mb=rss, descriptors=descriptors)
    assert max(sample.rss for sample in late) - max(sample.rss for sample in early) < MOST_RSS_GROWTH
    assert descriptors[1] - descriptors[0] <= MOST_MORE_DESCRIPTORS
