"""What rules measure on the built-in store; on servers: tests/e2e/test_stores.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestd.stores.local import LocalStore, LocalWriter
from tests.alerts.questions import EVENTS, INDEX, check

pytestmark = pytest.mark.usefixtures("shared_duckdb")


def test_what_rules_measure(tmp_path: Path) -> None:
    writer = LocalWriter(tmp_path, "w0")
    writer.append(f"logstash-{INDEX}", list(EVENTS.values()), list(EVENTS))
    writer.close()
    store = LocalStore(tmp_path, threads=1)
    check(store)
    store.close()
