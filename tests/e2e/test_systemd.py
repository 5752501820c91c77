"""The daemon as packaging/ingestd.service runs it: what it tells systemd, and what it asks it to keep."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import environment, free_port
from tests.waiting import WAIT_SECONDS


class Systemd:
    """Listens where systemd would, and keeps the descriptors that it is asked to keep."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.path = str(path)
        self.stored: dict[str, int] = {}
        self._descriptors: list[int] = []

    def next(self) -> dict[str, str]:
        """Return the next message, but for those that only say that the daemon is alive, and how it is."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (message := self._receive(deadline)).keys() & {"WATCHDOG", "STATUS"}:
            pass
        if "FDSTOREREMOVE" in message:
            self.stored.pop(message["FDNAME"], None)
        return message

    def status(self, text: str) -> None:
        """Wait until the daemon describes itself so."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._receive(deadline).get("STATUS") != text:
            pass

    def beat(self) -> None:
        """Wait for a message that says that the daemon is alive."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._receive(deadline) != {"WATCHDOG": "1"}:
            pass

    def _receive(self, deadline: float) -> dict[str, str]:
        self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
        data, fds, _, _ = socket.recv_fds(self._socket, 4096, 16)
        message = dict(line.split("=", 1) for line in data.decode().splitlines())
        self._descriptors += fds
        if "FDSTORE" in message:
            [self.stored[message["FDNAME"]]] = fds
        return message

    def close(self) -> None:
        for fd in self._descriptors:
            os.close(fd)
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listener = Systemd(tmp_path / "notify")
    yield listener
    listener.close()


@pytest.fixture
def daemon(systemd: Systemd, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A daemon that is killed if the test has not ended it."""
    command = [sys.executable, "-m", "ingestd", "run", "--port", "0", "--http", "off", "--log-level", "error"]
    environ = environment(tmp_path / "unused") | {
        "NOTIFY_SOCKET": systemd.path,
        "WATCHDOG_USEC": "200000",
        "STATE_DIRECTORY": str(tmp_path / "state"),
    }
    del environ["INGESTD_DATA_DIR"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(daemon: subprocess.Popen[str]) -> tuple[int, str]:
    """Return exit code and errors."""
    _, errors = daemon.communicate(timeout=WAIT_SECONDS)
    return daemon.returncode, errors


def test_its_life(systemd: Systemd, daemon: subprocess.Popen[str], tmp_path: Path) -> None:
    listening = systemd.next()
    assert (listening["FDSTORE"], listening["FDNAME"]) == ("1", "l.main.tcp_0")
    assert systemd.next() == {"READY": "1"}
    systemd.beat()
    systemd.beat()
    daemon.send_signal(signal.SIGTERM)
    assert systemd.next() == {"STOPPING": "1"}
    assert ended(daemon) == (0, "")
    assert (tmp_path / "state").is_dir()


def test_it_is_ready_when_http_is_served(systemd: Systemd, tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as other:
        command = [
            sys.executable,
            "-m",
            "ingestd",
            "run",
            "--port",
            "0",
            "--http",
            f"127.0.0.1:{port}",
            "--workers",
            "1",
        ]
        environ = environment(tmp_path / "data") | {"NOTIFY_SOCKET": systemd.path}
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as daemon:
            try:
                systemd.status("running: 1 worker, 0 events waiting")
                other.close()  # until now its address was taken
                while systemd.next() != {"READY": "1"}:
                    pass
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=WAIT_SECONDS) as answer:
                    assert answer.status == 200
                daemon.send_signal(signal.SIGTERM)
                assert ended(daemon)[0] == 0
            finally:
                daemon.kill()


def test_connections_are_kept_while_they_last(systemd: Systemd, daemon: subprocess.Popen[str]) -> None:
    while systemd.next() != {"READY": "1"}:
        pass
    with socket.socket(fileno=os.dup(systemd.stored["l.main.tcp_0"])) as listening:
        address = listening.getsockname()
    with socket.create_connection(address) as client:
        assert systemd.next()["FDNAME"] == "m1"
        message = systemd.next()
        assert (message["FDSTORE"], message["FDPOLL"]) == ("1", "0")
        name = message["FDNAME"]
        assert name == "c0"
        with socket.socket(fileno=os.dup(systemd.stored[name])) as kept:
            assert kept.getpeername() == client.getsockname()
    assert systemd.next() == {"FDSTOREREMOVE": "1", "FDNAME": name}
    daemon.send_signal(signal.SIGTERM)
    assert systemd.next() == {"STOPPING": "1"}
    assert ended(daemon) == (0, "")


def test_a_connection_outlives_a_stop(systemd: Systemd, daemon: subprocess.Popen[str]) -> None:
    """Half a line stays in it for the next start; the client notices nothing."""
    while systemd.next() != {"READY": "1"}:
        pass
    with socket.socket(fileno=os.dup(systemd.stored["l.main.tcp_0"])) as listening:
        address = listening.getsockname()
    with socket.create_connection(address) as client:
        client.sendall(b'{"message":')
        assert [systemd.next()["FDNAME"] for _ in range(2)] == ["m1", "c0"]
        daemon.send_signal(signal.SIGTERM)
        assert systemd.next() == {"STOPPING": "1"}
        assert ended(daemon) == (0, "")
        assert set(systemd.stored) == {"l.main.tcp_0", "m1", "c0"}
        with socket.socket(fileno=os.dup(systemd.stored["c0"])) as kept:
            assert kept.recv(100, socket.MSG_PEEK) == b'{"message":'
        client.settimeout(0.1)  # nor does anybody close it
        with pytest.raises(TimeoutError):
            client.recv(1)
