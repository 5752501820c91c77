"""Saved objects: whole, consistent, the same each time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from ingestd.cli.commands.kibana import kibana
from ingestd.kibana.dashboard import CHARTS, SEARCHES, WORLD, GridPosition
from ingestd.kibana.objects import KIBANA, OPENSEARCH, Flavour, ndjson, saved_objects
from ingestd.stores.elastic.connection.server import Server
from ingestd.stores.elastic.template import template

FLAVOURS = {"kibana": KIBANA, "opensearch": OPENSEARCH}
each = pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS.keys())


def objects(flavour: Flavour) -> list[dict[str, Any]]:
    """Return the objects as they stand in the file."""
    return [json.loads(line) for line in ndjson(saved_objects("logstash-*", flavour)).splitlines()]


def texts(value: Any) -> list[str]:
    """Return the attributes that hold JSON as text."""
    if not isinstance(value, dict):
        return []
    own = [child for name, child in value.items() if name.endswith("JSON") or name == "visState"]
    return own + [text for child in value.values() for text in texts(child)]


@each
def test_every_reference_leads_to_an_object_that_came_before(flavour: Flavour) -> None:
    known: set[tuple[str, str]] = set()
    for item in objects(flavour):
        assert {(to["type"], to["id"]) for to in item["references"]} <= known
        known.add((item["type"], item["id"]))
    assert len(known) == len(CHARTS) + len(SEARCHES) + 3


@each
def test_every_reference_that_a_text_names_is_there(flavour: Flavour) -> None:
    for item in objects(flavour):
        written = json.dumps([json.loads(text) for text in texts(item["attributes"])])
        for reference in item["references"]:
            assert f'"{reference["name"]}"' in written


@each
def test_the_forms_are_known_to_the_server(flavour: Flavour) -> None:
    for item in objects(flavour):
        assert list(item["migrationVersion"]) == [item["type"]]
    assert any(item["type"] == "map" for item in objects(flavour)) is flavour.maps


def test_the_same_each_time_and_another_for_each_pattern() -> None:
    assert objects(KIBANA) == objects(KIBANA)
    others = {item["id"] for item in saved_objects("shop-*")}
    assert not others & {item["id"] for item in objects(KIBANA)}


def cells(position: GridPosition) -> set[tuple[int, int]]:
    return {
        (x, y)
        for x in range(position.x, position.x + position.width)
        for y in range(position.y, position.y + position.height)
    }


def test_panels_lie_side_by_side_on_48_columns() -> None:
    places = (
        [chart.position for chart in CHARTS]
        + [WORLD.position]
        + [search.position for search in SEARCHES if search.position]
    )
    taken = [cell for position in places for cell in cells(position)]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) == 47


def test_charts_count_fields_of_the_index_template() -> None:
    """What is counted must be a keyword or a number there; ``geoip.*`` are found when they come, as keywords."""
    known = template("logstash-*", server=Server("elasticsearch", (9, 5, 3)))["template"]["mappings"]["properties"]
    for chart in CHARTS:
        for bucket in chart.buckets:
            field = getattr(bucket, "field", "@timestamp")
            kind = "keyword" if field.startswith("geoip.") else known[field]["type"]
            assert kind in {"keyword", "integer", "date"}


def test_export() -> None:
    done = CliRunner().invoke(kibana, ["export", "--index", "shop-*"])
    assert done.exit_code == 0
    first, *_, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert first["attributes"] == {"title": "shop-*", "timeFieldName": "@timestamp"}
    assert last["type"] == "dashboard"
    other = CliRunner().invoke(kibana, ["export", "--opensearch"]).stdout
    assert "region_map" in other
    assert '"type":"map"' not in other
