"""Fixtures of the tests of the commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.reading import fill
from tests.stores.shared_duckdb import duckdb_for_all, shared_duckdb

__all__ = ["duckdb_for_all", "shared_duckdb"]


@pytest.fixture
def set_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set the zone of the machine for one test."""

    def change(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield change
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def seoul(set_zone: Callable[[str], None]) -> None:
    """The machine is in Seoul."""
    set_zone("Asia/Seoul")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the events of ``tests.cli.reading``; tests only read it."""
    return fill(tmp_path_factory.mktemp("data"))
