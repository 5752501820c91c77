"""A damaged file of the built-in store under a running daemon: API, page, sealer and writers go on with the rest."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.dashboard.conftest import Open
from tests.stores.local.damage import AFTER, BEFORE, DAMAGED, EVENTS, SEALED, cut, fill, garbage, zeroed_pages
from tests.waiting import wait_until

RANGE = "since=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z"


def ask(daemon: Daemon, path: str) -> Any:
    with urllib.request.urlopen(f"{daemon.url}/api/{path}") as answer:
        return json.load(answer)


@pytest.mark.parametrize("fault", [cut, zeroed_pages, Path.unlink])
def test_a_sealed_file(tmp_path: Path, visit: Open, fault: Callable[[Path], None]) -> None:
    path = fill(tmp_path / "data") / "sealed-00001.parquet"
    whole = path.read_bytes()
    fault(path)
    with Daemon(tmp_path, workers="1", retention_max_age="36500d") as daemon:
        found = ask(daemon, f"top?field=day&{RANGE}")
        assert {entry["value"]: entry["count"] for entry in found["values"]} == {
            "21": EVENTS,
            "22": EVENTS - SEALED,
            "23": EVENTS,
        }
        [text] = found["missing"]
        assert text.startswith(f"{DAMAGED}/sealed-00001.parquet ")
        histogram = ask(daemon, f"histogram?{RANGE}")
        assert (histogram["total"], histogram["missing"]) == (3 * EVENTS - SEALED, [text])
        assert ask(daemon, f"search?{RANGE}&limit=1000")["missing"] == [text]
        assert {entry["index"]: entry["events"] for entry in ask(daemon, "indices")["indices"]}[BEFORE] == EVENTS
        page = visit(daemon.url, "from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z&range=90d").page
        banner = page.get_by_role("alert", name="Some events are missing: files of the store are damaged")
        expect(banner).to_contain_text(f"{DAMAGED}/sealed-00001.parquet")
        path.write_bytes(whole)
        wait_until(lambda: "missing" not in ask(daemon, f"top?field=day&{RANGE}"), "that the file is sound again")
        page.reload()
        page.wait_for_selector("main[aria-busy='false']")
        expect(banner).to_be_hidden()


@pytest.mark.parametrize("fault", [cut, garbage, Path.unlink])
def test_a_manifest(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    """The daemon rebuilds it, and meanwhile late events of that day are stored."""
    fault(fill(tmp_path / "data") / "sealed.json")
    with Daemon(tmp_path, workers="1", retention_max_age="36500d") as daemon:
        daemon.send([{"@timestamp": "2026-11-22T12:00:00.000Z", "day": "22"}])
        wait_until(
            lambda: (
                {entry["value"]: entry["count"] for entry in ask(daemon, f"top?field=day&{RANGE}")["values"]}
                == {"21": EVENTS, "22": EVENTS + 1, "23": EVENTS}
            ),
            "all events",
        )
        assert "missing" not in ask(daemon, f"search?{RANGE}")
        assert [entry["index"] for entry in daemon.said("the manifest of an index was made from its sealed files")] == [
            DAMAGED
        ]
        assert [entry for entry in daemon.problems() if entry["level"] == "ERROR"] == []
    assert AFTER in ingestd(tmp_path / "data", "indices")
