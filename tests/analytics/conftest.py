"""Fixtures of the tests of reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.stores.local import LocalStore, LocalWriter
from tests.e2e import incident
from tests.stores.shared_duckdb import duckdb_for_all, shared_duckdb, shared_sealing

__all__ = ["duckdb_for_all", "shared_duckdb", "shared_sealing"]

Fill = Callable[[Iterable[dict[str, Any]]], LocalStore]


def fill(root: Path, events: Iterable[dict[str, Any]]) -> None:
    """Append events to the built-in store, each to the index of its day."""
    days: dict[str, list[bytes]] = {}
    for event in events:
        day = str(event["@timestamp"])[:10].replace("-", ".")
        days.setdefault(f"logstash-{day}", []).append(json.dumps(event, ensure_ascii=False).encode())
    writer = LocalWriter(root, "w0")
    for index, documents in days.items():
        writer.append(index, documents, [f"{index}-{number}" for number in range(len(documents))])
    writer.close()


@pytest.fixture
def store_of(tmp_path: Path) -> Iterator[Fill]:
    """Return a function that makes a store of events."""
    opened: list[LocalStore] = []

    def make(events: Iterable[dict[str, Any]]) -> LocalStore:
        fill(tmp_path, events)
        opened.append(LocalStore(tmp_path, threads=1))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture(scope="module")
def incident_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStore]:
    """The days of `incident` in the built-in store."""
    root = tmp_path_factory.mktemp("incident")
    fill(root, incident.events())
    store = LocalStore(root, threads=1)
    yield store
    store.close()
