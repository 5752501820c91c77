"""What depends on the version of a server, without one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ingestd.stores.elastic.backup.snapshots import name_with_metadata, read_snapshot
from ingestd.stores.elastic.connection.server import Server
from ingestd.stores.elastic.field_limit import FullIndex, count_fields
from ingestd.stores.elastic.query import keyword_words
from ingestd.stores.elastic.query.older import with_interval, without_case_insensitive
from ingestd.stores.elastic.template import template
from ingestd.stores.elastic.template_install import for_server

FEATURES = ("has_types", "composable_templates", "can_clone", "snapshot_metadata", "fixed_interval", "case_insensitive")
SERVERS = [  # server, those of `FEATURES` that it has, the start of why it is not supported
    (Server("elasticsearch", (5, 6, 16)), {"has_types"}, "elasticsearch 5.6.16 is not supported"),
    (Server("elasticsearch", (6, 6, 0)), {"has_types"}, ""),
    (Server("elasticsearch", (6, 8, 23)), {"has_types"}, ""),
    (Server("elasticsearch", (7, 1, 0)), set(), ""),
    (Server("elasticsearch", (7, 8, 1)), {"can_clone", "snapshot_metadata", "fixed_interval"}, ""),
    (Server("elasticsearch", (7, 17, 29)), set(FEATURES) - {"has_types"}, ""),
    (Server("elasticsearch", (9, 5, 3)), set(FEATURES) - {"has_types"}, ""),
    (Server("elasticsearch"), set(FEATURES) - {"has_types"}, ""),
    (Server("opensearch", (2, 19, 6)), set(FEATURES) - {"has_types"}, ""),
]


@pytest.mark.parametrize(("server", "features", "unsupported"), SERVERS)
def test_features(server: Server, features: set[str], unsupported: str) -> None:
    assert {name for name in FEATURES if getattr(server, name)} == features
    assert server.unsupported.startswith(unsupported)
    assert bool(server.unsupported) == bool(unsupported)


WILDCARDS = [  # a wildcard, texts that its regular expression matches, texts that it does not match
    ("err*", ["err", "ERROR", "Error 5"], ["an error"]),
    ("a?c", ["abc", "A.C"], ["ac", "abbc"]),
    (r"50\*", ["50*"], ["500"]),
    ("a.b(c", ["A.B(C"], ["axb(c"]),
    ("서울*", ["서울 맛집"], ["부산"]),
    ("é", ["É", "é"], ["e"]),
]


@pytest.mark.parametrize(("wildcard", "matching", "others"), WILDCARDS)
def test_wildcards_that_ignore_case(wildcard: str, matching: list[str], others: list[str]) -> None:
    clause = {"bool": {"filter": [{"wildcard": {"level": {"value": wildcard, "case_insensitive": True}}}]}}
    regexp = without_case_insensitive(clause)["bool"]["filter"][0]["regexp"]["level"]
    assert regexp["flags"] == "NONE"
    assert all(re.fullmatch(regexp["value"], text) for text in matching)
    assert not any(re.fullmatch(regexp["value"], text) for text in others)


def test_regular_expressions_that_ignore_case() -> None:
    clause = {"regexp": {"path": {"value": r"(%[0-9a-fA-F][0-9a-fA-F]|[^%])*e\.x[a-z].*", "case_insensitive": True}}}
    value = without_case_insensitive(clause)["regexp"]["path"]["value"]
    assert value == r"(%[0-9a-fA-F][0-9a-fA-F]|[^%])*[Ee]\.[Xx][a-z].*"


@pytest.mark.parametrize(
    ("path", "found"),
    [("/go?%EC%A0%9C", False), ("/go?%EC%A0%9Cec", True), ("/EC", True), ("/e/c", False)],
    ids=["in_an_escape", "after_one", "capitals", "parted"],
)
def test_words_of_hexadecimal_digits_in_paths(path: str, found: bool) -> None:
    clause = without_case_insensitive(keyword_words.text("request_path", ["ec"], path=True))
    assert bool(re.fullmatch(clause["regexp"]["request_path"]["value"], path)) == found


def test_other_clauses_stay() -> None:
    clause = {"bool": {"must_not": [{"wildcard": {"a": {"value": "x*"}}}, {"terms": {"b": ["c"]}}]}}
    assert without_case_insensitive(clause) == clause


def test_interval() -> None:
    histogram = {"field": "@timestamp", "fixed_interval": "60s"}
    aggs = {"level": {"terms": {"field": "level"}, "aggs": {"time": {"date_histogram": histogram, "aggs": {"x": {}}}}}}
    time = with_interval(aggs)["level"]["aggs"]["time"]
    assert time == {"date_histogram": {"field": "@timestamp", "interval": "60s"}, "aggs": {"x": {}}}
    assert "fixed_interval" in histogram


@pytest.mark.parametrize("uuid", ["QGVIiaYmQwOJUeCqF6Haqw", "sX4069BURoWYk7faYsQMhw", "0123456789abcdef"])
def test_metadata_in_the_name_of_a_snapshot(uuid: str) -> None:
    name = name_with_metadata("logstash-2019.05.15-20261122102030", 500, uuid)
    assert name == name.lower()
    assert name.rpartition("-")[0] == "logstash-2019.05.15"
    snapshot = read_snapshot({"snapshot": name, "state": "SUCCESS", "indices": ["logstash-2019.05.15"]})
    assert (snapshot.index, snapshot.events, snapshot.index_uuid) == ("logstash-2019.05.15", 500, uuid)
    assert read_snapshot({"snapshot": name}).index == "logstash-2019.05.15"


MAPPINGS: list[tuple[dict[str, Any], int]] = [
    ({}, 0),
    ({"properties": {"a": {"type": "keyword"}, "b.c": {"type": "long"}}}, 2),
    ({"properties": {"a": {"type": "text", "fields": {"keyword": {"type": "keyword"}}}}}, 2),
    ({"properties": {"a": {"properties": {"b": {"type": "long"}, "c": {"type": "long"}}}}}, 3),
    ({"properties": {"a": {"type": "long"}}, "runtime": {"r": {"type": "long"}}}, 2),
]


@pytest.mark.parametrize(("mapping", "count"), MAPPINGS)
def test_count_fields(mapping: dict[str, Any], count: int) -> None:
    assert count_fields(mapping) == count


def test_a_full_index_says_what_it_means() -> None:
    assert "new fields are not searchable" in str(FullIndex("i", 2000, 2000, rejects=False))
    assert "become dead letters" in str(FullIndex("i", 2000, 2000, rejects=True))


def test_templates_of_the_older_form() -> None:
    with_type = template("logs-*", server=Server("elasticsearch", (6, 8, 23)), document_type="logs")
    assert (with_type["index_patterns"], list(with_type["mappings"])) == (["logs-*"], ["logs"])
    assert with_type["settings"]["index"]["number_of_shards"] == 1
    without = template("logs-*", server=Server("elasticsearch", (7, 6, 0)))
    assert without["mappings"]["_meta"] == {"managed_by": "ingestd"}
    assert "template" not in without


def test_a_template_of_the_user_gets_the_form_of_the_server() -> None:
    mappings = {"properties": {"a": {"type": "keyword"}}}
    body = {"index_patterns": ["a-*"], "priority": 7, "template": {"mappings": mappings}}
    assert for_server(body, Server("opensearch", (3, 8, 0)), "doc") == body
    older = for_server(body, Server("elasticsearch", (6, 8, 23)), "doc")
    assert (older["order"], older["mappings"]) == (7, {"doc": mappings})
    typed = body | {"template": {"mappings": {"_default_": mappings}}}
    assert for_server(typed, Server("elasticsearch", (6, 8, 23)), "doc")["mappings"] == {"_default_": mappings}
