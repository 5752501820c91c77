"""``ingestd health``, which the container's health check calls."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, environment
from tests.waiting import wait_until


def health(data_dir: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ingestd", "health"]
    environ = environment(data_dir) | {"http_proxy": "http://127.0.0.1:1"}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


CASES: dict[str, tuple[str, dict[str, str]]] = {
    "port": ("127.0.0.1:0", {}),
    "all_addresses_prefix_password": ("0.0.0.0:0", {"http_prefix": "/logs", "http_password": "long enough"}),
    "no_pages": ("off", {}),
}


@pytest.mark.parametrize(("http", "settings"), CASES.values(), ids=CASES.keys())
def test_any_address_and_prefix(tmp_path: Path, http: str, settings: dict[str, str]) -> None:
    """The address is in a flag of the daemon, which the command does not see."""
    daemon = Daemon(tmp_path, "--http", http, **settings)
    try:
        wait_until(lambda: health(daemon.data_dir).returncode == 0, "the daemon to be healthy")
    finally:
        daemon.stop()
    assert "no ingestd is running" in health(daemon.data_dir).stderr


def test_a_taken_port_is_tried_again_or_ends_the_start(tmp_path: Path) -> None:
    """Events are received meanwhile, and the log says it once."""
    text = "the dashboard, /metrics and /health cannot be served; trying again until they can"
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        (tmp_path / "required").mkdir()
        required = Daemon(tmp_path / "required", "--http", address, http_required="true")
        required.wait(code=1)
        daemon = Daemon(tmp_path, "--http", address)
        try:
            daemon.wait_for(text)
            daemon.wait_for("listening for events")
            daemon.send([{"message": "nobody sees it yet"}])
            assert health(daemon.data_dir).stdout == "ingestd is running, and serves no pages\n"
            other.close()
            daemon.wait_for("serving metrics and health")
            daemon.wait_for_delivery(1)
            assert "no pages" not in health(daemon.data_dir).stdout
            assert len(daemon.said(text)) == 1
        finally:
            daemon.stop()
    assert required.log_file.read_text() == (
        f"error: cannot serve HTTP on {address}: address already in use; choose another with --http HOST:PORT, or "
        "--http off\n"
    )
