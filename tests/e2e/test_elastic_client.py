"""The connection, the bulk protocol and the index template against real servers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ingestd.protocols.http.bulk import BulkVerdict, action_line, bulk_body, parse_response
from ingestd.stores.elastic.connection.client import BulkAnswer, ElasticClient
from ingestd.stores.elastic.connection.errors import ElasticResponseError
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.field_limit import full_indices
from ingestd.stores.elastic.query.store import ElasticStore
from ingestd.stores.elastic.template import TOTAL_FIELDS, VERSION, template
from ingestd.stores.elastic.template_install import install_template
from ingestd.stores.misspelt import misspelt
from tests.e2e.servers import SearchServer


@pytest.fixture
async def client(search_server: SearchServer) -> AsyncIterator[ElasticClient]:
    async with ElasticClient(ElasticOptions(hosts=(search_server.url,))) as client:
        yield client


def dumps(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


async def send(client: ElasticClient, index: str, documents: list[bytes]) -> BulkAnswer:
    actions = [action_line("create", index, str(number)).rstrip() for number in range(len(documents))]
    return await client.bulk(bulk_body([(actions, documents)]))


async def test_server_is_recognised(client: ElasticClient, search_server: SearchServer) -> None:
    assert (await client.api.cluster.health(filter_path="status"))["status"] in {"green", "yellow"}
    server = await client.server()
    assert (server.flavour, server.version) == (search_server.flavour, search_server.version)


async def test_a_good_answer_is_short_and_needs_no_parse(client: ElasticClient, index_prefix: str) -> None:
    answer = await send(client, f"{index_prefix}a", [b'{"n":1}'] * 3)
    assert answer.body == b'{"errors":false,"items":[%s]}' % b",".join([b'{"create":{"status":201}}'] * 3)
    assert parse_response(answer.status, answer.body, 3).delivered == 3


async def test_each_document_has_its_own_outcome(client: ElasticClient, index_prefix: str) -> None:
    index = f"{index_prefix}a"
    await client.api.indices.create(index=index, mappings={"properties": {"n": {"type": "long"}}})
    body = b"".join(
        [
            action_line("create", index, "1") + b'{"n":1}\n',
            action_line("create", index, "1") + b'{"n":1}\n',
            action_line("create", index, "2") + b'{"n":"abc"}\n',
            action_line("create", index.upper(), "3") + b'{"n":3}\n',
            action_line("create", index, "4") + b'{"n":4\n',
            action_line("create", index, '"\\한') + b'{"n":5}\n',
        ]
    )
    answer = await client.bulk(body)
    result = parse_response(answer.status, answer.body, 6)
    assert (result.verdict, result.delivered, result.duplicates, result.retry) == (BulkVerdict.ITEMS, 3, (1,), ())
    assert [(dead.position, dead.status) for dead in result.rejected] == [(2, 400), (3, 400), (4, 400)]
    assert "failed to parse field [n] of type [long]" in result.rejected[0].reason
    assert "abc" in result.rejected[0].reason
    assert result.rejected[1].reason.startswith("invalid_index_name_exception: ")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(action_line("create", "x", "i" * 600) + b"{}\n", "is too long", id="id_too_long"),
        pytest.param(b'{"creat":{"_index":"x"}}\n{}\n', "Malformed action", id="unknown_action"),
        pytest.param(b'{"create":{"_index":"x"}}\n{}', "must be terminated by a newline", id="no_last_newline"),
    ],
)
async def test_a_document_that_makes_the_request_invalid(client: ElasticClient, body: bytes, reason: str) -> None:
    answer = await client.bulk(body)
    result = parse_response(answer.status, answer.body, 1)
    assert result.verdict is BulkVerdict.SPLIT
    assert reason in result.reason


@pytest.mark.parametrize("size", [10, 100_000], ids=["packed_here", "packed_in_a_thread"])
async def test_compressed_bodies(search_server: SearchServer, index_prefix: str, size: int) -> None:
    options = ElasticOptions(hosts=(search_server.url,), compression_level=1)
    async with ElasticClient(options) as client:
        answer = await send(client, f"{index_prefix}a", [dumps({"text": "x" * size})])
    assert parse_response(answer.status, answer.body, 1).delivered == 1


async def test_an_error_response_has_a_reason(client: ElasticClient) -> None:
    with pytest.raises(
        ElasticResponseError, match=r"answers HTTP 404: index_not_found_exception: no such index"
    ) as caught:
        await client.api.search(index="there-is-none")
    assert caught.value.status == 404


# What senders really send: the index of a day has to accept all of it, in any order.
SHAPES: dict[str, dict[str, Any]] = {
    "django_access": {
        "@timestamp": "2026-11-22T10:00:00.123Z",
        "@version": "1",
        "message": '"GET /search?q=%EC%84%9C%EC%9A%B8 HTTP/1.1" 200 5316',
        "host": "web1",
        "path": "/usr/lib/python3/basehttp.py",
        "tags": ["django"],
        "type": "logstash",
        "level": "INFO",
        "logger_name": "django.server",
        "request": "<socket.socket fd=7>",
        "server_time": "22/Nov/2026 10:00:00",
        "status_code": 200,
        "method": "GET",
        "search_word": "서울 맛집",
        "request_path": "/search",
        "bytes": 5316,
    },
    "host_object": {"@timestamp": "2026-11-22T10:00:00Z", "host": {"name": "web2", "os": {"name": "Linux"}}},
    "numbers_as_text": {"@timestamp": "2026-11-22T10:00:00.123456789Z", "status_code": "404", "bytes": "17"},
    "no_numbers": {"@timestamp": "2026-11-22T10:00:00Z", "status_code": "-", "bytes": "-", "client_ip": "unknown"},
    "other_date": {"@timestamp": "2026-11-22T10:00:00Z", "server_time": "2026-11-22", "lineno": "x"},
    "long_extra": {"@timestamp": "2026-11-22T10:00:00Z", "extra": "y" * 40_000},
    "number_then_text": {"@timestamp": "2026-11-22T10:00:00Z", "server_time": 5, "lineno": 7},
    "huge_number": {"@timestamp": "2026-11-22T10:00:00Z", "lineno": 2**70, "bytes": 2**70},
    "long_text": {"@timestamp": "2026-11-22T10:00:00Z", "message": "가" * 40_000, "level": "x" * 40_000},
    "no_host": {"@timestamp": "2026-11-22T10:00:00Z", "host": None, "search_word": "서울 맛집"},
    "geo": {
        "@timestamp": "2026-11-22T10:00:00Z",
        "client_ip": "211.36.1.1",
        "geoip": {"ip": "211.36.1.1", "country_code2": "KR", "location": {"lat": 37.5, "lon": 127.0}},
        "search_word": "부산",
    },
    "geo_none": {"@timestamp": "2026-11-22T10:00:00Z", "geoip": {"location": [], "ip": "nowhere"}},
    "stack": {"@timestamp": "2026-11-22T10:00:00Z", "stack_trace": "Traceback\n" + "  File\n" * 9000},
}


@pytest.mark.parametrize("order", [1, -1], ids=["in_order", "reversed"])
async def test_template_accepts_all_shapes(
    client: ElasticClient, search_server: SearchServer, index_prefix: str, order: int
) -> None:
    option = f"{index_prefix}%{{+YYYY.MM.dd}}"
    assert await install_template(client, option, template_name=f"{index_prefix}t")
    index = f"{index_prefix}2026.11.22"
    documents = list(SHAPES.values())[::order]
    answer = await send(client, index, [dumps(document) for document in documents])
    result = parse_response(answer.status, answer.body, len(documents))
    assert result.rejected == ()
    assert result.delivered == len(documents)
    assert sorted(map(str, search_server.documents(index))) == sorted(map(str, documents))  # nothing was rewritten

    aggregations = {
        name: {"terms": {"field": name}} for name in ("search_word", "level", "host", "status_code", "server_time")
    }
    found = await client.api.search(index=index, size=0, aggs=aggregations)
    terms = {
        name: {bucket["key"]: bucket["doc_count"] for bucket in value["buckets"]}
        for name, value in found["aggregations"].items()
    }
    assert terms["search_word"] == {"서울 맛집": 2, "부산": 1}
    assert terms["level"] == {"INFO": 1}
    assert terms["host"] == {"web1": 1}
    assert terms["status_code"] == {200: 1, 404: 1}
    if order == 1:
        assert terms["server_time"] == {"22/Nov/2026 10:00:00": 1, "2026-11-22": 1, "5": 1}
    queries = {
        "message:GET": 1,
        "stack_trace:Traceback": 1,
        "geoip.ip:211.36.1.1": 1,
        "client_ip:[211.36.0.0 TO 211.36.255.255]": 1,
    }
    if search_server.flavour == "elasticsearch":
        queries["host.name:web2"] = 1
    for query, count in queries.items():
        answered = await client.api.count(index=index, q=query)
        assert (query, answered["count"]) == (query, count)
    box = {"top_left": {"lat": 40, "lon": 120}, "bottom_right": {"lat": 30, "lon": 130}}
    near = {"geo_bounding_box": {"geoip.location": box}}
    assert (await client.api.count(index=index, query=near))["count"] == 1


async def test_a_bad_timestamp_is_rejected_not_hidden(client: ElasticClient, index_prefix: str) -> None:
    await install_template(client, f"{index_prefix}*", template_name=f"{index_prefix}t")
    answer = await send(client, f"{index_prefix}a", [b'{"@timestamp":"yesterday"}'])
    (dead,) = parse_response(answer.status, answer.body, 1).rejected
    assert "@timestamp" in dead.reason


async def test_template_is_installed_once(client: ElasticClient, index_prefix: str) -> None:
    name = f"{index_prefix}t"

    async def installed() -> dict[str, Any]:
        answer = await client.api.indices.get_index_template(name=name)
        there: dict[str, Any] = answer["index_templates"][0]["index_template"]
        return there

    assert await install_template(client, f"{index_prefix}a", template_name=name)
    assert not await install_template(client, f"{index_prefix}a", template_name=name)
    assert (await installed())["index_patterns"] == [f"{index_prefix}a"]
    assert await install_template(client, f"{index_prefix}b", template_name=name)
    assert (await installed())["index_patterns"] == [f"{index_prefix}a", f"{index_prefix}b"]
    assert await install_template(client, f"{index_prefix}b", template_name=name, template_overwrite=True)
    assert (await installed())["index_patterns"] == [f"{index_prefix}b"]

    older = template(f"{index_prefix}old", server=await client.server()) | {"version": VERSION - 1}
    await client.api.indices.put_index_template(name=name, body=older)
    assert await install_template(client, f"{index_prefix}c", template_name=name)
    foreign = {key: value for key, value in older.items() if key != "_meta"}
    await client.api.indices.put_index_template(name=name, body=foreign)
    assert not await install_template(client, f"{index_prefix}d", template_name=name)


async def test_too_many_fields(client: ElasticClient, search_server: SearchServer, index_prefix: str) -> None:
    """Elasticsearch keeps what is beyond the limit, without indexing it; OpenSearch rejects new fields.

    Our own fields have their places either way.
    """
    await install_template(client, f"{index_prefix}*", template_name=f"{index_prefix}t")
    wide = dumps({"@timestamp": "2026-11-22T10:00:00Z"} | {f"field{number}": number for number in range(2500)})
    answer = await send(client, f"{index_prefix}a", [wide, b'{"@timestamp":"2026-11-22T10:00:00Z"}'])
    result = parse_response(answer.status, answer.body, 2)
    keeps = search_server.flavour == "elasticsearch"
    assert result.delivered == (2 if keeps else 1)
    full = await full_indices(client, f"{index_prefix}*,{index_prefix}missing")
    assert [(found.index, found.fields, found.limit, found.rejects) for found in full] == (
        [(f"{index_prefix}a", TOTAL_FIELDS, TOTAL_FIELDS, False)] if keeps else []
    )
    late = dumps({"@timestamp": "2026-11-22T10:00:01Z", "geoip": {"country_code2": "KR"}, "search_word": "서울"})
    body = action_line("create", f"{index_prefix}a", "late") + late + b"\n"
    assert parse_response(200, (await client.bulk(body)).body, 1).delivered == 1
    await client.api.indices.refresh(index=f"{index_prefix}a")
    for query in ({"geoip.country_code2": "KR"}, {"search_word": "서울"}):
        assert (await client.api.count(index=f"{index_prefix}a", query={"term": query}))["count"] == 1
    if keeps:
        said = await asyncio.to_thread(hints, search_server, f"{index_prefix}*", ("field2400", "field99999"))
        assert said[0] == "events have a field field2400 which the server did not index; for the reason: ingestd doctor"
        assert said[1].startswith("no event has a field field99999")


def hints(server: SearchServer, indices: str, fields: tuple[str, ...]) -> list[str]:
    store = ElasticStore(ElasticOptions(hosts=(server.url,)), indices)
    try:
        return misspelt(store, None, fields)
    finally:
        store.close()


async def test_a_batch_is_quick(client: ElasticClient, index_prefix: str) -> None:
    """5,000 documents in one request, in seconds of CPU time: the client is not quadratic."""
    document = dumps(SHAPES["django_access"])
    begun = time.process_time()
    answer = await send(client, f"{index_prefix}a", [document] * 5000)
    assert parse_response(answer.status, answer.body, 5000).delivered == 5000
    assert time.process_time() - begun < 5
