"""Folders of pipelines that send to each other: the events in ``events.in``, what all write in ``events.out``.

Which pipeline writes first is not known, so the lines are compared without their order.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.daemon import environment
from tests.waiting import WAIT_SECONDS

FOLDERS = sorted(path for path in (Path(__file__).parent / "pipelines").iterdir() if path.is_dir())


def lines(text: str) -> list[str]:
    return sorted(json.dumps(json.loads(line), sort_keys=True) for line in text.splitlines())


@pytest.mark.parametrize("folder", FOLDERS, ids=[path.name for path in FOLDERS])
def test_pipelines(folder: Path, tmp_path: Path) -> None:
    with (folder / "events.in").open("rb") as events:
        done = subprocess.run(
            [sys.executable, "-m", "ingestd", "run", "--path.settings", str(folder)],
            stdin=events,
            capture_output=True,
            text=True,
            env=environment(tmp_path) | {"FOLDER": str(folder)},
            timeout=WAIT_SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert lines(done.stdout) == lines((folder / "events.out").read_text())
