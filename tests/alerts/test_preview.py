"""What rules would have done."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from ingestd.alerts.preview import MAX_WINDOWS, preview
from ingestd.alerts.runner import open_store
from tests.alerts.site import CHANNEL, START, Site

pytestmark = pytest.mark.usefixtures("shared_duckdb")

CASES = [  # id, rule, values of the last four windows, firings: from, until, in minutes before now
    ("count", "above = 3", [0, 2, 5, 0], [(5, 0)]),
    ("rate", 'type = "rate"\nabove = 0.01', [0, 2 / 300, 5 / 300, 0], [(5, 0)]),
    ("change", 'type = "change"\nabove = 2\nminimum = 3', [None, None, 2.5, 0], [(5, 0)]),
    ("metric", 'type = "metric"\nmetric = "max:duration_ms"\nabove = 100', [None, 30, 400, None], [(5, 0)]),
    ("silence", 'type = "silence"', [0, 2, 5, 0], [(1435, 10), (0, None)]),
    ("new_problem", 'type = "new_problem"', [0, 0, 1, 0], [(5, 0)]),
]


@pytest.mark.parametrize(("rule", "values", "firings"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_preview(rule: str, values: list[float | None], firings: list[tuple[int, int | None]], tmp_path: Path) -> None:
    site = Site(tmp_path, f"{CHANNEL}[alerts.rules.a]\n{rule}\n")
    site.add(1, ago=90_000, problem="old", duration_ms=1)
    site.add(2, ago=800, problem="old", duration_ms=30)
    site.add(5, ago=400, problem="new", duration_ms=400)
    found = preview(open_store(site.engine.config), site.engine.config.rules["a"], START, 1)
    assert [point["value"] for point in found["points"][-4:]] == values
    assert found["window_s"] == 300
    assert len(found["points"]) == 288
    expected = [(START - since * 60, None if until is None else START - until * 60) for since, until in firings]
    assert [(seconds(firing["since"]), seconds(firing["until"])) for firing in found["firings"]] == expected


def seconds(time: str | None) -> float | None:
    return None if time is None else datetime.datetime.fromisoformat(time).timestamp()


def test_short_windows_shorten_the_time(tmp_path: Path) -> None:
    site = Site(tmp_path, f'{CHANNEL}[alerts.rules.a]\nabove = 1\nwindow = "1500ms"\n')
    found = preview(open_store(site.engine.config), site.engine.config.rules["a"], START, 30)
    assert (len(found["points"]), found["window_s"]) == (MAX_WINDOWS, 2)
