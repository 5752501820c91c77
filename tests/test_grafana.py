"""The Grafana dashboard asks for metrics and labels that exist."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ingestd.metrics import REGISTRY
from tools.grafana import FILE, text

DASHBOARD = json.loads(FILE.read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
QUERIES += [variable["definition"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]

_METRIC = re.compile(r"\b(ingestd_[a-z0-9_]+)")
_OURS_OF_PROMETHEUS = {"instance", "job"}


def declared(name: str) -> str | None:
    """Return the metric that a name in a query means: a histogram has three series."""
    if name in REGISTRY:
        return name
    whole = re.sub(r"_(bucket|sum|count)$", "", name)
    return whole if whole in REGISTRY and REGISTRY[whole].kind == "histogram" else None


def labels_of(query: str) -> set[str]:
    """Return the labels that a query groups, picks or lists by."""
    groups = re.findall(r"by \(([^)]*)\)", query) + re.findall(r"label_values\([^,]+(?:\{[^}]*\})?, (\w+)\)", query)
    picked = re.findall(r"[{,](\w+)(?:=~|=|!=)", query)
    return {label.strip() for group in groups for label in group.split(",")} | set(picked)


def test_the_file_is_what_the_tool_writes() -> None:
    assert FILE.read_text("utf-8") == text(), "run python -m tools.grafana"


@pytest.mark.parametrize("query", QUERIES)
def test_every_metric_and_label_exists(query: str) -> None:
    names = _METRIC.findall(query)
    assert names or "process_" in query
    found = [declared(name) for name in names]
    assert None not in found, names
    known = {label for name in found if name for label in REGISTRY[name].labels} | _OURS_OF_PROMETHEUS
    if any(name.endswith("_bucket") for name in names):
        known.add("le")
    assert labels_of(query) <= known


@pytest.mark.parametrize("query", QUERIES)
def test_counters_are_shown_as_rates(query: str) -> None:
    for name in _METRIC.findall(query):
        if name.endswith("_total") and not query.startswith("label_values"):
            assert re.search(rf"(rate|increase)\({name}\b", query)


def test_names_of_lines_use_labels_that_the_query_keeps() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            used = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert used <= labels_of(target["expr"]) | _OURS_OF_PROMETHEUS


def cells(panel: dict[str, Any]) -> list[tuple[int, int]]:
    place = panel["gridPos"]
    columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
    return [(x, y) for x in columns for y in rows]


def test_panels_lie_side_by_side_on_24_columns() -> None:
    taken = [cell for panel in DASHBOARD["panels"] for cell in cells(panel)]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) == 23


def test_ids_are_unique() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
