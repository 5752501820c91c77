"""The daemon as packaging/ingestd.service runs it: it tells when it is ready, that it lives, and that it stops."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket in the place of systemd's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        yield listener


def test_notifications(systemd: socket.socket, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ingestd", "run", "--port", "0", "--http", "off", "--log-level", "error"]
    environ = {
        **os.environ,
        "NOTIFY_SOCKET": systemd.getsockname(),
        "WATCHDOG_USEC": "200000",
        "STATE_DIRECTORY": str(tmp_path / "state"),
    }
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as daemon:
        assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        daemon.send_signal(signal.SIGTERM)
        while (said := systemd.recv(100)) == b"WATCHDOG=1":
            pass
        assert said == b"STOPPING=1"
        _, errors = daemon.communicate(timeout=20)
    assert (daemon.returncode, errors) == (0, "")
    assert (tmp_path / "state").is_dir()
