"""``ingestd health``, which the container's health check calls."""

from __future__ import annotations

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
