"""What the exported dashboard asks, asked of real servers: the aggregations and queries inside the saved objects.

They are put together as Kibana does it: each aggregation inside of the one before, counts as the metric, the query
of the object as a ``query_string``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestd.kibana.objects import KIBANA, OPENSEARCH, ndjson, saved_objects
from ingestd.stores.elastic.connection.server import Server
from ingestd.stores.elastic.template import template
from tests.e2e.servers import SearchServer

HOUR = timedelta(hours=1)
NOW = (datetime.now(UTC) - HOUR).replace(microsecond=0, second=0, minute=30)
"""In the middle of an hour that is over: what is asked for ends now."""

PROBLEM = {"problem": "25cd21aac86c", "problem_title": "E in a.f", "host": "web1", "request_path": "/pay"}
FOUND = {"level": "INFO", "status_code": 200}

EVENTS: list[dict[str, Any]] = [  # as the built-in pipeline makes them; "age" and "from": see ``document``
    {"age": 0 * HOUR, "search_word": "서울 맛집", "request_path": "/search?q=a", "from": "KR", **FOUND},
    {"age": 0 * HOUR, "search_word": "서울 맛집", "request_path": "/search?q=a", "from": "KR", **FOUND},
    {"age": 1 * HOUR, "search_word": "서울 맛집", "request_path": "/search?q=b", "from": "US", **FOUND},
    {"age": 1 * HOUR, "search_word": "python", "request_path": "/search?q=c", "from": "US", **FOUND},
    {"age": 1 * HOUR, "level": "WARNING", "request_path": "/favicon.ico", "status_code": 404, "from": "DE"},
    {"age": 2 * HOUR, "level": "ERROR", "status_code": 500, "stack_trace": "Traceback: ...", **PROBLEM},
    {"age": 2 * HOUR, "level": "CRITICAL"},
    {"age": 40 * 24 * HOUR, "search_word": "old", "request_path": "/search?q=d", **FOUND},
]

CHARTS: dict[str, Any] = {  # title -> values and counts, nested where the aggregations are
    "Levels over time": {
        0: {"INFO": 2},
        1: {"INFO": 2, "WARNING": 1},
        2: {"CRITICAL": 1, "ERROR": 1},
        960: {"INFO": 1},
    },
    "Top search words": {"서울 맛집": 3, "old": 1, "python": 1},
    "Top paths": {"/search?q=a": 2, "/favicon.ico": 1, "/search?q=b": 1, "/search?q=c": 1, "/search?q=d": 1, "/pay": 1},
    "Status codes": {200: 5, 404: 1, 500: 1},
    "Top search words by country": {"KR": {"서울 맛집": 2}, "US": {"python": 1, "서울 맛집": 1}},
    "Top problems": {"E in a.f": {"25cd21aac86c": 1}},
    "Visitors by country": {"KR": 2, "US": 2, "DE": 1},
}

SEARCHES = {  # title -> number of events
    "Search words of the last 30 days": 4,
    "Search words of the chosen time": 5,
    "Warnings and above": 3,
    "Problems": 1,
    "What happened then": 8,
    "Events by level": 8,
    "Visitors": 5,
}


def document(event: dict[str, Any]) -> dict[str, Any]:
    """Return the document of one of the EVENTS."""
    found = {key: value for key, value in event.items() if key not in {"age", "from"}}
    stamp = (NOW - event["age"]).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    found |= {"@timestamp": stamp, "@version": "1", "message": "m", "logger_name": "django"}
    if country := event.get("from"):
        found |= {"client_ip": "1.2.3.4", "geoip": {"country_code2": country, "location": {"lat": 1.0, "lon": 2.0}}}
    return found


@pytest.fixture
def index(search_server: SearchServer, index_prefix: str) -> str:
    """The pattern of two indices with the EVENTS and ingestd's own template."""
    pattern = f"{index_prefix}*"
    body = template(pattern, server=Server(search_server.flavour, search_server.version))
    search_server.call("PUT", f"/_index_template/{index_prefix}t", body)
    lines: list[dict[str, Any]] = []
    for event in EVENTS:
        lines += [{"create": {"_index": f"{index_prefix}{len(lines) // 8}"}}, document(event)]
    bulk = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    answer = search_server.call("POST", "/_bulk?refresh=true", bulk)
    assert not answer["errors"], answer
    return pattern


def objects(server: SearchServer, index: str) -> dict[str, dict[str, Any]]:
    """Return the exported objects for this kind of server, by title."""
    flavour = OPENSEARCH if server.flavour == "opensearch" else KIBANA
    found = [json.loads(line) for line in ndjson(saved_objects(index, flavour)).splitlines()]
    return {item["attributes"]["title"]: item for item in found}


def query_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return the query of an object; an empty one means all events."""
    meta = item["attributes"].get("kibanaSavedObjectMeta")
    query = json.loads(meta["searchSourceJSON"])["query"] if meta else {"query": "", "language": "lucene"}
    assert query["language"] == "lucene"
    return {"query_string": {"query": query["query"] or "*", "analyze_wildcard": True}}


def clauses(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the bucket aggregations of a chart, the outermost first."""
    if item["type"] == "map":
        layers = json.loads(item["attributes"]["layerListJSON"])
        [right] = [join["right"] for layer in layers for join in layer.get("joins", [])]
        assert right["metrics"][0]["type"] == "count"
        return [{"terms": {"field": right["term"], "size": right["size"]}}]
    metric, *buckets = json.loads(item["attributes"]["visState"])["aggs"]
    assert metric["type"] == "count"
    return [clause(bucket["type"], bucket["params"], metric["id"]) for bucket in buckets]


def clause(kind: str, params: dict[str, Any], metric: str) -> dict[str, Any]:
    if kind == "terms":
        assert params["orderBy"] == metric
        return {"terms": {"field": params["field"], "size": params["size"], "order": {"_count": params["order"]}}}
    assert (kind, params["interval"]) == ("date_histogram", "auto")  # Kibana chooses by the range on the screen
    bars = {"field": params["field"], "fixed_interval": "1h", "min_doc_count": params["min_doc_count"]}
    return {"date_histogram": bars}


def counts(answer: dict[str, Any]) -> Any:
    """Return the buckets as nested dicts; times become hours before NOW."""
    found = {}
    for bucket in answer["buckets"]:
        key = bucket["key"]
        if "key_as_string" in bucket and "T" in bucket["key_as_string"]:
            key = (NOW - datetime.fromtimestamp(key / 1000, UTC)) // HOUR
        found[key] = counts(bucket["inner"]) if "inner" in bucket else bucket["doc_count"]
    return found


@pytest.mark.parametrize("title", CHARTS)
def test_charts(title: str, search_server: SearchServer, index: str) -> None:
    item = objects(search_server, index)[title]
    body: dict[str, Any] = {}
    for outer in reversed(clauses(item)):
        body = {"inner": {**outer, "aggs": body} if body else outer}
    answer = search_server.call("POST", f"/{index}/_search", {"size": 0, "query": query_of(item), "aggs": body})
    assert counts(answer["aggregations"]["inner"]) == CHARTS[title]


@pytest.mark.parametrize("title", SEARCHES)
def test_searches(title: str, search_server: SearchServer, index: str) -> None:
    item = objects(search_server, index)[title]
    [[field, order]] = item["attributes"]["sort"]
    body = {"query": query_of(item), "sort": [{field: order}], "size": 100}
    hits = search_server.call("POST", f"/{index}/_search", body)["hits"]["hits"]
    assert len(hits) == SEARCHES[title]
    stamps = [hit["_source"]["@timestamp"] for hit in hits]
    assert stamps == sorted(stamps, reverse=True)
    seen = {name for hit in hits for name in flat(hit["_source"])}
    assert set(item["attributes"]["columns"]) - {"geoip.city_name"} <= seen


def flat(source: dict[str, Any], prefix: str = "") -> set[str]:
    """Return the dotted names of all fields of a document."""
    found: set[str] = set()
    for name, value in source.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name}
    return found
