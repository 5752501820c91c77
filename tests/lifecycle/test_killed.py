"""Killed at any step of a backup, a deletion or a restore: nothing is lost, and the next run comes to the same end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.sampled
@pytest.mark.parametrize(("action", "least"), [("work", 60), ("restore", 12), ("replace", 20), ("fill", 12)])
def test_killed_at_each_step(action: str, least: int, kill_steps: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lifecycle.killed", action, tmp_path, *kill_steps],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > least
