"""The main job: a real Django site with python-logstash's handler in front, searchable daily indices behind."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.servers import SearchServer
from tests.e2e.site import Site, django_site

SEOUL, BUSAN, JEJU = "서울 맛집", "부산 여행", "제주"

REQUESTS = [  # target, status, the search word in it
    (f"/search?q={quote_plus(SEOUL)}", 200, SEOUL),
    (f"/search?page=2&q={quote(SEOUL)}&sort=new", 200, None),  # a further page of a result
    (f"/search?q={quote_plus(SEOUL.encode('cp949'))}", 200, SEOUL),
    (f"/search?query={quote_plus(BUSAN.encode('cp949'))}", 200, BUSAN),
    (f"/search?keyword={quote(unicodedata.normalize('NFD', JEJU))}", 200, JEJU),
    ("/search?q=c%2B%2B+%26+rust", 200, "c++ & rust"),
    ("/search?page=2", 200, None),
    ("/order", 200, None),
    ("/favicon.ico", 404, None),
    ("/broken", 500, None),
]
WORDS = {SEOUL: 2, BUSAN: 1, JEJU: 1, "c++ & rust": 1}
EVENTS = len(REQUESTS) + 3  # every access line; a line of the view, of the 404 and of the 500

CODES = {200: 8, 404: 1, 500: 1}
LEVELS = {200: "INFO", 404: "WARNING", 500: "ERROR"}


def visit(site: Site, daemon: Daemon, events: int = EVENTS) -> None:
    """Send the requests and wait until all that is logged about them is in."""
    for target, status, _ in REQUESTS:
        assert site.get(target) == status
    daemon.wait_for_metric("ingestd_received_events_total", events)


def check_documents(documents: list[dict[str, Any]]) -> None:
    assert len(documents) == EVENTS
    by_logger: dict[str, list[dict[str, Any]]] = {}
    for document in documents:
        by_logger.setdefault(document["logger_name"], []).append(document)
        assert document["type"] == "django"
        assert document["tags"] == ["django.request"]  # no failure tags
    check_access_lines(by_logger["django.server"])
    check_error_lines(by_logger["django.request"])
    [order] = by_logger["shop"]
    assert (order["message"], order["level"], order["price"]) == ("주문 완료: 떡볶이", "INFO", 12500)
    assert order["order"] == {"id": 17, "items": ["떡볶이", "순대"]}
    assert "method" not in order


def check_access_lines(documents: list[dict[str, Any]]) -> None:
    found = {document["request_path"]: document for document in documents}
    assert len(documents) == len(REQUESTS)
    for target, status, word in REQUESTS:
        document = found[target]
        assert document["message"] == f'"GET {target} HTTP/1.1" {status} {document["bytes"]}'
        assert (document["method"], document["status_code"], document["level"]) == ("GET", status, LEVELS[status])
        assert (document.get("search_word"), document["visit"]) == (word, True)
        assert document["bytes"] > 0


def check_error_lines(documents: list[dict[str, Any]]) -> None:
    not_found, broken = sorted(documents, key=lambda document: document["status_code"])
    assert (not_found["message"], not_found["level"]) == ("Not Found: /favicon.ico", "WARNING")
    assert (not_found["method"], not_found["request_path"], not_found["visit"]) == ("GET", "/favicon.ico", False)
    assert (broken["message"], broken["level"]) == ("Internal Server Error: /broken", "ERROR")
    assert (broken["method"], broken["request_path"], broken["status_code"]) == ("GET", "/broken", 500)
    assert broken["stack_trace"].startswith("Traceback (most recent call last):\n")
    assert '1 / stock["떡볶이"]' in broken["stack_trace"]
    assert broken["stack_trace"].endswith("ZeroDivisionError: division by zero\n")


def index_of(document: dict[str, Any]) -> str:
    return f"logstash-{document['@timestamp'][:10].replace('-', '.')}"


def test_into_a_search_server(clean_search_server: SearchServer, tmp_path: Path) -> None:
    server = clean_search_server
    with (
        Daemon(tmp_path, "--elasticsearch", server.url) as daemon,
        django_site(tmp_path, LOGSTASH_PORT=str(daemon.port)) as site,
    ):
        visit(site, daemon)
    assert daemon.problems() == []
    server.call("POST", "/logstash-*/_refresh")
    terms = {name: {"terms": {"field": field}} for name, field in (("words", "search_word"), ("levels", "level"))}
    answer = server.call("POST", "/logstash-*/_search", {"size": 100, "aggs": terms})
    hits = answer["hits"]["hits"]
    check_documents([hit["_source"] for hit in hits])
    assert all(hit["_index"] == index_of(hit["_source"]) for hit in hits)
    assert buckets(answer, "words") == WORDS
    assert buckets(answer, "levels") == {"INFO": 9, "WARNING": 2, "ERROR": 2}
    found = server.call("POST", "/logstash-*/_search", {"query": {"match": {"message": "주문"}}})
    assert found["hits"]["total"]["value"] == 1
    visits = {"query": {"query_string": {"query": "NOT visit:false"}}, "size": 0}
    answer = server.call(
        "POST", "/logstash-*/_search", visits | {"aggs": {"codes": {"terms": {"field": "status_code"}}}}
    )
    assert buckets(answer, "codes") == CODES
    check_mappings(server)


def buckets(answer: Any, name: str) -> dict[Any, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"][name]["buckets"]}


def check_mappings(server: SearchServer) -> None:
    types = {
        "@timestamp": "date",
        "message": "text",
        "stack_trace": "text",
        "status_code": "integer",
        "bytes": "long",
        "visit": "keyword",
    }
    types |= dict.fromkeys(("search_word", "level", "method", "request_path", "logger_name", "server_time"), "keyword")
    for index in server.call("GET", "/logstash-*/_mapping").values():
        fields = index["mappings"]["properties"]
        assert {name: fields[name]["type"] for name in types} == types
        assert fields["message"]["fields"]["keyword"]["type"] == "keyword"


@pytest.mark.parametrize("version", ["0", "1"])
def test_into_the_built_in_store(tmp_path: Path, version: str) -> None:
    with (
        Daemon(tmp_path) as daemon,
        django_site(tmp_path, LOGSTASH_PORT=str(daemon.port), LOGSTASH_VERSION=version) as site,
    ):
        visit(site, daemon)
    assert daemon.problems() == []
    documents = [json.loads(line) for line in ingestd(daemon.data_dir, "search", "--json").splitlines()]
    check_documents(documents)
    check_commands(daemon.data_dir, documents)


def check_commands(data_dir: Path, documents: list[dict[str, Any]]) -> None:
    indices = json.loads(ingestd(data_dir, "indices", "--json"))
    assert {item["index"]: item["events"] for item in indices} == Counter(index_of(item) for item in documents)
    assert all(index["bytes"] > 0 for index in indices)
    codes = json.loads(ingestd(data_dir, "top", "status_code", "NOT visit:false", "--json"))
    assert {term["value"]: term["count"] for term in codes} == CODES
    top = json.loads(ingestd(data_dir, "top", "search_word", "--json"))
    assert {entry["value"]: entry["count"] for entry in top} == WORDS
    assert top[0] == {"value": SEOUL, "count": 2}
    warnings = [json.loads(line) for line in ingestd(data_dir, "search", "--level", "WARNING", "--json").splitlines()]
    assert Counter(warning["level"] for warning in warnings) == {"WARNING": 2, "ERROR": 2}
    assert [document for document in documents if document["level"] != "INFO"] == warnings  # the newest first
    [found] = ingestd(data_dir, "search", "주문 완료", "--json").splitlines()
    assert json.loads(found)["logger_name"] == "shop"
