"""Fixtures of the tests of the web processes."""

from pathlib import Path

import pytest

from tests.web.processes.store import fill


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return fill(tmp_path)
