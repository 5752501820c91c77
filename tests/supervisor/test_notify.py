"""Messages to systemd: a supervisor does not wait long for it with those that come again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.supervisor import notify
from ingestd.supervisor.notify import Notifier

FULL = 2000
"""More messages than the queue of a socket has room for: net.unix.max_dgram_qlen, usually 10 or 512."""


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        yield bound


@pytest.fixture
def notifier(tmp_path: Path, systemd: socket.socket) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})


def test_a_full_queue_holds_nothing_up(
    systemd: socket.socket, notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_HEARTBEAT_SECONDS", 0.01)
    for _ in range(FULL):
        notifier.status("running")
    notifier.watchdog()
    assert systemd.recv(100) == b"STATUS=running"


def test_a_heartbeat_waits_for_room(
    systemd: socket.socket, notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_HEARTBEAT_SECONDS", 300.0)
    for _ in range(FULL):
        notifier.status("running")
    heartbeat = threading.Thread(target=notifier.watchdog)
    heartbeat.start()
    while systemd.recv(100) != b"WATCHDOG=1":
        pass
    heartbeat.join()
