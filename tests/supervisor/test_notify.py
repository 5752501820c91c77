"""Messages to systemd: a supervisor never waits for it with those that come again."""

from __future__ import annotations

import socket
from pathlib import Path

from ingestd.supervisor.notify import Notifier


def test_heartbeats_and_status_do_not_wait(tmp_path: Path) -> None:
    """The queue of a socket has room for net.unix.max_dgram_qlen messages, usually 10 or 512."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(2000):
            notifier.watchdog()
            notifier.status("running")
        assert systemd.recv(100) == b"WATCHDOG=1"
        assert systemd.recv(100) == b"STATUS=running"
