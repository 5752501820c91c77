"""Elasticsearch 6 and 7: a site's days from the events to the restore; and servers that cannot be served."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.protocols.http.bulk import action_line
from ingestd.stores.elastic.connection.client import ElasticClient
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.connection.server import Server
from ingestd.stores.elastic.query.store import ElasticStore
from ingestd.stores.elastic.template import template
from ingestd.stores.lucene import parse
from ingestd.stores.query import Query
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.servers import LEGACY_SERVERS, SearchServer
from tests.e2e.stub import DEFAULT_ROOT, StubElasticsearch
from tests.stores import suite
from tests.stores.events import DAYS, DOCUMENTS, EVENTS, index_of
from tests.stores.questions import query
from tests.waiting import wait_until

LEGACY = pytest.mark.parametrize("search_server", LEGACY_SERVERS, indirect=True)

VALUES = {"*": 2, "level:INFO": 1, "level:ERROR": 1, "x.y:2": 0, "x.y:3": 1}
"""How many of the events with a key that stands twice a query finds."""

OLD, YESTERDAY, CLOSED = "logstash-2019.05.15", "logstash-2019.05.16", "logstash-2019.05.17"
LINES = {  # index -> the lines of that day
    OLD: ['"GET /search?q=%EC%84%9C%EC%9A%B8 HTTP/1.1" 200 5316', '"GET /search?q=Busan HTTP/1.1" 200 12', "hello"],
    YESTERDAY: ['"GET /search?q=%EC%84%9C%EC%9A%B8 HTTP/1.1" 404 10'],
    CLOSED: ["nobody can read this"],
}


def records() -> Iterator[dict[str, Any]]:
    """Return the records of `LINES` as python-logstash sends them."""
    for index, messages in LINES.items():
        day = index.removeprefix("logstash-").replace(".", "-")
        for number, message in enumerate(messages):
            stamp = f"{day}T10:00:0{number}.000Z"
            yield {"@timestamp": stamp, "@version": "1", "message": message, "host": "web1", "level": "INFO"}


@LEGACY
def test_the_days_of_a_site(clean_search_server: SearchServer, tmp_path: Path) -> None:
    server = clean_search_server
    with Daemon(tmp_path, elasticsearch=server.url) as daemon:
        daemon.send(records())
        daemon.wait_for_delivery(5)
        assert json.loads(daemon.get("/health"))["degraded"] is False
    assert daemon.problems() == []
    assert daemon.dead_letters() == []
    server.call("POST", f"/{OLD}/_refresh")
    types = {hit.get("_type") for hit in server.call("GET", f"/{OLD}/_search")["hits"]["hits"]}
    assert types == ({"doc"} if server.version < (7, 0, 0) else {"_doc"})
    server.call("POST", f"/{CLOSED}/_close")

    def run(*arguments: str) -> str:
        return ingestd(daemon.data_dir, *arguments, "--elasticsearch", server.url)

    assert json.loads(ingestd(daemon.data_dir, "audit", "--json", "--store", server.url))["balanced"]
    check_queries(run)
    location = str(server.data / "snapshots" / uuid.uuid4().hex)
    run("repository", "add", "nightly", "--type", "fs", "--location", location)
    assert OLD in run("backup", "create", "2019.05.15..2019.05.16")
    run("backup", "verify", "2019.05.15")
    before = server.documents(OLD)
    pruned = {row["index"]: row for row in json.loads(run("prune", "--max-age", "30d", "--json"))}
    assert {index for index, row in pruned.items() if row["result"] == "deleted"} == {OLD, YESTERDAY}
    assert "it is not backed up" in pruned[CLOSED]["why"]
    assert server.count("logstash-2019.05.1*") == 0
    run("restore", "2019.05.15")
    assert sorted(map(str, server.documents(OLD))) == sorted(map(str, before))
    check_restored(server)
    server.call("DELETE", "/_snapshot/nightly")


def check_queries(run: Any) -> None:
    top = json.loads(run("top", "search_word", "--json"))
    assert [(row["value"], row["count"]) for row in top] == [("서울", 2), ("busan", 1)]
    [bucket] = json.loads(run("histogram", "--interval", "1d", "status_code:404", "--json"))
    assert bucket["counts"] == {"INFO": 1}
    found = run("search", "SEARCH AND level:info", "--json").splitlines()
    assert len(found) == 3


def check_restored(server: SearchServer) -> None:
    """The restored index is known as such, and accepts events again."""
    mapping = server.call("GET", f"/{OLD}/_mapping")[OLD]["mappings"]
    assert "restored" in str(mapping)
    late = action_line("create", OLD, "late") + b"{}\n"
    assert not server.call("POST", f"{server.bulk_path}?refresh=true", late)["errors"]


@pytest.fixture
def filled(search_server: SearchServer) -> Iterator[ElasticStore]:
    """The events of the suite, as the template indexes them, an index a day."""
    search_server.put_template("suite-t", template("suite-*", server=Server("elasticsearch", search_server.version)))
    for day in DAYS:
        keys = [key for key in DOCUMENTS if key in EVENTS and index_of(EVENTS[key]) == day]
        body = b"".join(action_line("create", f"suite-{day}", key) + DOCUMENTS[key] + b"\n" for key in keys)
        assert not search_server.call("POST", f"{search_server.bulk_path}?refresh=true", body)["errors"]
    store = ElasticStore(ElasticOptions(hosts=(search_server.url,)), "suite-*")
    yield store
    store.close()
    search_server.wipe("suite-")


@LEGACY
def test_all_stores_give_the_same_answers(filled: ElasticStore, search_server: SearchServer) -> None:
    wrong = suite.check(filled, "legacy")
    if search_server.version >= (7, 0, 0):
        for name in ("top_paths_of_an_array", "agg_paths_over_time", "agg_levels_of_paths"):
            del wrong[name]  # only the distribution of version 6 has scripts
        for name in ("number_and_text_wildcard", "number_and_text_wildcard_inside"):
            del wrong[name]
    assert wrong == {}


@LEGACY
async def test_the_server_is_recognised(search_server: SearchServer) -> None:
    async with ElasticClient(ElasticOptions(hosts=(search_server.url,))) as client:
        assert await client.server() == Server("elasticsearch", search_server.version)


@LEGACY
def test_document_type(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    """``document_type`` is for those whose indices have one already; newer servers ignore it."""
    config = f"""
    input {{ tcp {{ port => 0 host => "127.0.0.1" codec => json_lines }} }}
    output {{ elasticsearch {{
      hosts => ["{search_server.url}"] index => "{index_prefix}a" template_name => "{index_prefix}t"
      document_type => "logs"
    }} }}
    """
    with Daemon(tmp_path, config=config) as daemon:
        daemon.send([{"n": 1}])
        daemon.wait_for_delivery(1)
    search_server.call("POST", f"/{index_prefix}a/_refresh")
    [hit] = search_server.call("GET", f"/{index_prefix}a/_search")["hits"]["hits"]
    assert hit["_type"] == ("logs" if search_server.version < (7, 0, 0) else "_doc")


@LEGACY
def test_a_key_that_stands_twice(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    """These servers refuse it as the newer ones do; it is sent again with the last value, which is found."""
    config = f"""
    input {{ tcp {{ port => 0 host => "127.0.0.1" codec => json_lines }} }}
    output {{ elasticsearch {{
      hosts => ["{search_server.url}"] index => "{index_prefix}a" template_name => "{index_prefix}t"
    }} }}
    """
    line = b'{"@timestamp":"2026-11-27T10:00:00.000Z","@timestamp":"2026-11-28T10:00:00.000Z","level":"INFO",%b}'
    with Daemon(tmp_path, config=config) as daemon:
        daemon.send([line % b'"level":"ERROR"', line % b'"x":1,"x":{"y":2,"y":3}'])
        daemon.wait_for_delivery(2)
        assert daemon.dead_letters() == []
    search_server.call("POST", f"/{index_prefix}a/_refresh")
    store = ElasticStore(ElasticOptions(hosts=(search_server.url,)), f"{index_prefix}*")
    try:
        found = {text: store.count(Query("2026-11-28T00:00:00Z", None, parse(text))) for text in VALUES}
        assert found == VALUES
    finally:
        store.close()


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        pytest.param(b'{"version":{"number":"5.6.16"}}', "elasticsearch 5.6.16 is not supported", id="too_old"),
        pytest.param(b"<h1>It works!</h1>", "is neither Elasticsearch nor OpenSearch", id="another_server"),
    ],
)
def test_a_server_that_is_not_supported(tmp_path: Path, version: bytes, sentence: str) -> None:
    with StubElasticsearch() as stub:
        stub.root = version, {}
        with Daemon(tmp_path, elasticsearch=stub.url, shutdown_timeout="1s") as daemon:
            daemon.wait_for("the server accepts nothing yet; events are kept until it does")
            daemon.send([{"n": 1}])
            daemon.wait_for_metric("ingestd_received_events_total", 1)
            health = json.loads(daemon.get("/health"))
            assert (health["ready"], health["degraded"]) == (True, True)
            assert sentence in health["reasons"][0]
            daemon.stop()
        assert (stub.stored(), daemon.dead_letters()) == (0, [])
        stub.root = DEFAULT_ROOT
        with Daemon(tmp_path, elasticsearch=stub.url) as daemon:
            daemon.wait_for_delivery(1)
        assert stub.stored() == 1


@LEGACY
def test_too_many_fields(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    """Our own fields have their places before any record comes."""
    config = f"""
    input {{ tcp {{ port => 0 host => "127.0.0.1" codec => json_lines }} }}
    output {{ elasticsearch {{
      hosts => ["{search_server.url}"] index => "{index_prefix}a" template_name => "{index_prefix}t"
    }} }}
    """
    with Daemon(tmp_path, config=config) as daemon:
        daemon.send([{f"k{number}": number for number in range(3000)}])
        wait_until(lambda: len(daemon.dead_letters()) == 1, "the dead letter")
        daemon.send([{"order_id": "A-77", "geoip": {"country_code2": "KR"}}])
        daemon.wait_for_delivery(1)
    [letter] = daemon.dead_letters()
    assert "Limit of total fields" in letter["reason"]
    assert letter["index"] == f"{index_prefix}a"
    store = ElasticStore(ElasticOptions(hosts=(search_server.url,)), f"{index_prefix}*")
    search_server.call("POST", f"/{index_prefix}a/_refresh")
    assert [found.value for found in store.top("geoip.country_code2", query())] == ["KR"]
    assert [found.value for found in store.top("order_id", query())] == ["A-77"]
    store.close()
