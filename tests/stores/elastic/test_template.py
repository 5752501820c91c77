from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingestd.stores.elastic.connection.server import Server
from ingestd.stores.elastic.template import PRIORITY, index_pattern, template
from ingestd.stores.elastic.template_install import read_template

PATTERNS = [
    ("logstash-%{+YYYY.MM.dd}", "logstash-*"),
    ("logs-%{[host][name]}-%{+YYYY}", "logs-*-*"),
    ("logs-%{type}%{+YYYY}", "logs-*"),
    ("logs-%{{yyyy.MM.dd}}-x", "logs-*-x"),
    ("fixed", "fixed"),
]


@pytest.mark.parametrize(("index", "pattern"), PATTERNS)
def test_index_pattern(index: str, pattern: str) -> None:
    assert index_pattern(index) == pattern


def test_a_template_must_not_match_every_index() -> None:
    with pytest.raises(ValueError, match="manage_template => false"):
        index_pattern("%{type}-%{+YYYY}")


SERVERS: dict[str, tuple[Server, dict[str, Any]]] = {
    "free_shapes": (Server("elasticsearch", (9, 5, 3)), {"subobjects": False, "host": "keyword", "ignore": True}),
    "older": (Server("elasticsearch", (8, 13, 4)), {"subobjects": None, "host": "object", "ignore": None}),
    "hidden": (Server("elasticsearch"), {"subobjects": None, "host": "object", "ignore": None}),
    "opensearch": (Server("opensearch", (3, 8, 0)), {"subobjects": None, "host": "keyword", "ignore": None}),
}


@pytest.mark.parametrize(("server", "expected"), SERVERS.values(), ids=SERVERS.keys())
def test_template_of_each_server(server: Server, expected: dict[str, Any]) -> None:
    body = template("logstash-*", server=server)
    mappings, mapping_settings = body["template"]["mappings"], body["template"]["settings"]["index"]["mapping"]
    assert body["index_patterns"] == ["logstash-*"]
    assert {
        "subobjects": mappings.get("subobjects"),
        "host": mappings["properties"]["host"]["type"],
        "ignore": mapping_settings["total_fields"].get("ignore_dynamic_beyond_limit"),
    } == expected


@pytest.mark.parametrize(("server", "expected"), [(case[0], case[1]["subobjects"]) for case in SERVERS.values()])
def test_objects_where_a_string_is_possible_too(server: Server, expected: bool | None) -> None:
    """``source: "web"`` must not be rejected because of ``source.ip``: only one kind of server accepts both."""
    properties = template("logstash-*", server=server)["template"]["mappings"]["properties"]
    named = {name for name in properties if name.partition(".")[0] in {"client", "source"}}
    expected_names = {f"{name}.{field}" for name in ("client", "source") for field in ("ip", "geo.location")}
    assert named == (expected_names if expected is False else set())


def test_what_is_searched_and_counted() -> None:
    properties = template("logstash-*", server=Server("opensearch", (3, 8, 0)))["template"]["mappings"]["properties"]
    types = {name: properties[name]["type"] for name in properties}
    assert {types["message"], types["stack_trace"]} == {"text"}
    assert {types[name] for name in ("level", "search_word", "request_path", "logger_name", "tags")} == {"keyword"}
    assert (types["status_code"], types["client_ip"], types["geoip.location"]) == ("integer", "ip", "geo_point")


LEGACY = {"index_patterns": "logstash-*", "order": 3, "settings": {"number_of_shards": 1}, "mappings": {}}
COMPOSABLE = {"index_patterns": ["a-*"], "template": {"settings": {}}}
FILES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "composable": (COMPOSABLE, COMPOSABLE),
    "composable_without_pattern": ({"template": {}}, {"index_patterns": ["p-*"], "template": {}}),
    "older_form": (
        LEGACY,
        {
            "index_patterns": ["logstash-*"],
            "priority": 3,
            "template": {"settings": {"number_of_shards": 1}, "mappings": {}},
        },
    ),
    "oldest_form": (
        {"template": "old-*", "mappings": {}},
        {"index_patterns": ["old-*"], "priority": PRIORITY, "template": {"mappings": {}}},
    ),
}


@pytest.mark.parametrize(("content", "expected"), FILES.values(), ids=FILES.keys())
def test_template_file(tmp_path: Path, content: dict[str, Any], expected: dict[str, Any]) -> None:
    file = tmp_path / "template.json"
    file.write_text(json.dumps(content))
    assert read_template(str(file), "p-*") == expected


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(None, "cannot be read: no such file or directory", id="missing"),
        pytest.param("{", "is not JSON", id="not_json"),
        pytest.param("[]", "is not a JSON object", id="not_an_object"),
        pytest.param("{}", "has neither settings nor mappings", id="nothing_in_it"),
    ],
)
def test_wrong_template_file(tmp_path: Path, content: str | None, sentence: str) -> None:
    file = tmp_path / "template.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=sentence):
        read_template(str(file), "p-*")
