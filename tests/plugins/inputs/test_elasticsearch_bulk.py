"""The input elasticsearch_bulk: events of the documents, and the answers that clients of Elasticsearch want."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingestd.config.errors import ConfigErrors
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import EventIds
from ingestd.plugins.interfaces import NamesEvents
from ingestd.protocols.http import bulk_requests
from ingestd.settings import Settings
from tests.plugins.inputs.http_requests import HttpServing, Response, built_input, serving_http

CONFIG = "input { elasticsearch_bulk { %s } } %s output { stdout { } }"
CREATE = b'{"create":{"_index":"a"}}\n'


def bulk(*actions: tuple[str, dict[str, Any], dict[str, Any]]) -> bytes:
    lines = [json.dumps(line) for name, metadata, document in actions for line in ({name: metadata}, document)]
    return "\n".join([*lines, ""]).encode()


def statuses(response: Response) -> list[tuple[str, str, int]]:
    items = json.loads(response.body)["items"]
    return [(name, item["_id"], item["status"]) for result in items for name, item in result.items()]


def ids(served: HttpServing) -> list[str]:
    return [event_id for table, stream_id in served.tables() for event_id in EventIds(stream_id, table.keys)]


@pytest.mark.parametrize("path", ["/_bulk", "/b/_bulk", "/b/_doc/_bulk?refresh=true"])
async def test_events_and_results_of_a_request(path: str) -> None:
    stamped = {"@timestamp": "2026-11-29T10:00:00.000Z", "@version": "1", "n": 2}
    body = bulk(
        ("create", {"_index": "a"}, {"n": 1}),
        ("index", {"_index": "a", "_id": "x"}, stamped),
        ("create", {"pipeline": "p"}, {"n": 3, "@metadata": {"no": 1}}),
    )
    async with serving_http(CONFIG % ("", "")) as served:
        response = await served.post(body, {"Content-Type": "application/x-ndjson"}, target=path)
        events, found = served.events(), ids(served)
        assert (response.status, response.headers["x-elastic-product"]) == (200, "Elasticsearch")
        assert statuses(response) == [("create", found[0], 201), ("index", "x", 201), ("create", found[2], 201)]
        assert not json.loads(response.body)["errors"]
        assert served.sink.syncs == 1
    index = {} if path == "/_bulk" else {"_index": "b"}
    assert [event["@metadata"] for event in events] == [
        {"action": "create", "_index": "a"},
        {"action": "index", "_index": "a", "_id": "x"},
        {"action": "create", "pipeline": "p", **index},
    ]
    assert [event["n"] for event in events] == [1, 2, 3]
    assert events[1]["@timestamp"] == "2026-11-29T10:00:00.000Z"


async def test_documents_with_an_id_get_the_same_id_again_and_others_do_not() -> None:
    body = bulk(
        ("index", {"_index": "a", "_id": "x"}, {"n": 1}),
        ("index", {"_index": "b", "_id": "x"}, {"n": 2}),
        ("create", {"_index": "a"}, {"n": 3}),
    )
    async with serving_http(CONFIG % ("", "")) as served:
        client = served.connect()
        for _ in range(2):
            await client.request(body, target="/_bulk")
        await served.post(body, target="/_bulk")
        found = ids(served)
    assert len(found) == 9
    assert len({*found[::3]}) == len({*found[1::3]}) == 1
    assert len({*found}) == 5


async def test_dead_letters_find_the_lines_of_documents_with_an_id() -> None:
    body = bulk(
        ("create", {"_index": "a"}, {"n": 1}),
        ("index", {"_index": "a", "_id": "x"}, {"n": 2}),
        ("index", {"_index": "a", "_id": "y"}, {"n": 3}),
    )
    async with serving_http(CONFIG % ("", "")) as served:
        await served.post(body, target="/_bulk")
        codec = served.built.codec
        assert isinstance(codec, NamesEvents)
        [(stream_id, offset)], [data] = served.sink.put_at, served.sink.data
        places = codec.own_ids(Chunk("a", stream_id, {}, offset, 0, 3, data))
        assert [*places] == ids(served)[1:]
        lines = [data[place - offset :].partition(b"\t")[2].partition(b"\n")[0] for place in places.values()]
        assert lines == [b'{"n": 2}', b'{"n": 3}']
        assert codec.own_ids(Chunk("a", stream_id, {}, 0, 0, 0, b"")) == {}


async def test_documents_that_are_refused() -> None:
    body = CREATE + b'{"n":1}\n' + CREATE + b"[1]\n" + b'{"delete":{"_id":"1"}}\n'
    body += CREATE + json.dumps({"n": "x" * 2000}).encode() + b"\n" + CREATE + b'{"n":2}\n'
    async with serving_http(CONFIG % ("", ""), Settings(max_line_bytes=1000)) as served:
        response = await served.post(body, target="/_bulk")
        assert [status for _, _, status in statuses(response)] == [201, 400, 400, 400, 201]
        assert json.loads(response.body)["errors"]
        assert [event["n"] for event in served.events()] == [1, 2]
        assert [raw[:10] for raw, _ in served.sink.rejected] == [b"[1]", b'{"n": "xxx']
        assert [statuses(response)[place][1] for place in (0, 4)] == ids(served)


@pytest.mark.parametrize(
    "document",
    [b"{no}", b'{"a":}', b'{"a":1}}', b'{"a":[1}', b'{"a":01}', b'{"a":1},{"b":2}', b'{"a":' + b"[" * 5000 + b"}"],
    ids=["word", "no_value", "brace", "bracket", "number", "two", "deep"],
)
async def test_a_document_that_is_no_json_is_a_dead_letter(document: bytes) -> None:
    body = CREATE + b'{"n":1}\n' + CREATE + document + b"\n" + CREATE + b'{"n":2}\n'
    async with serving_http(CONFIG % ("", "")) as served:
        response = await served.post(body, target="/_bulk")
        assert (response.status, [status for _, _, status in statuses(response)]) == (200, [201, 400, 201])
        error = json.loads(response.body)["items"][1]["create"]["error"]
        assert error["type"] == "mapper_parsing_exception"
        assert [event["n"] for event in served.events()] == [1, 2]
        assert [raw for raw, _ in served.sink.rejected] == [document]
        single = await served.post(document, target="/a/_doc")
        assert (single.status, len(served.sink.rejected)) == (400, 2)


@pytest.mark.parametrize(
    ("document", "value"),
    [(b'{"a":NaN}', None), (b'{"a":"\\ud800"}', "\ufffd"), (b'{"a":"\xb0\xa1"}', None)],
    ids=["nan", "lone_surrogate", "not_utf8"],
)
async def test_a_document_that_the_codec_mends_is_an_event(document: bytes, value: str | None) -> None:
    async with serving_http(CONFIG % ("", "")) as served:
        assert [status for _, _, status in statuses(await served.post(CREATE + document + b"\n", target="/_bulk"))] == [
            201
        ]
        [event] = served.events()
        assert event.get("a") == value


@pytest.mark.parametrize(
    ("method", "path", "metadata"),
    [
        ("POST", "/a/_doc", {"action": "index", "_index": "a"}),
        ("PUT", "/a/_doc/x%2Fy", {"action": "index", "_index": "a", "_id": "x/y"}),
        ("PUT", "/a/_create/x", {"action": "create", "_index": "a", "_id": "x"}),
        ("POST", "/a/logs", {"action": "index", "_index": "a"}),
        ("PUT", "/a/logs/x/_create", {"action": "create", "_index": "a", "_id": "x"}),
    ],
)
async def test_single_documents(method: str, path: str, metadata: dict[str, str]) -> None:
    async with serving_http(CONFIG % ("", "")) as served:
        response = await served.post(b'{"n":\n1}', method=method, target=path)
        [event] = served.events()
        [event_id] = ids(served)
        assert (response.status, json.loads(response.body)["_id"]) == (201, metadata.get("_id", event_id))
        assert (event["n"], event["@metadata"]) == (1, metadata)
        assert (await served.post(b"no", method=method, target=path)).status == 400


@pytest.mark.parametrize(
    ("body", "text"),
    [(b"", "no documents"), (b"no\n{}\n", "line 1"), (CREATE, "no document")],
    ids=["empty", "text", "no_document"],
)
async def test_requests_that_cannot_be_read(body: bytes, text: str) -> None:
    async with serving_http(CONFIG % ("", "")) as served:
        response = await served.post(body, target="/_bulk")
        assert (response.status, text in json.loads(response.body)["error"]["reason"]) == (400, True)
        assert not served.sink.put_at
        assert [raw for raw, _ in served.sink.rejected] == ([body] if body else [])


SETUP: list[tuple[str, str, int]] = [  # what Filebeat 7 to 9, Logstash, Vector, Fluent Bit and the clients ask for
    ("GET", "/", 200),
    ("HEAD", "/", 200),
    ("GET", "/_license?human=false", 200),
    ("GET", "/_xpack", 200),
    ("GET", "/_cluster/health", 200),
    ("HEAD", "/_template/filebeat-7.17.0", 404),
    ("PUT", "/_template/filebeat-7.17.0", 200),
    ("GET", "/_index_template/filebeat-8.19.0", 404),
    ("PUT", "/_index_template/filebeat-8.19.0", 200),
    ("GET", "/_ilm/policy/filebeat", 404),
    ("PUT", "/_ilm/policy/filebeat", 200),
    ("GET", "/_data_stream/filebeat-8.19.0", 404),
    ("PUT", "/_data_stream/filebeat-8.19.0", 200),
    ("GET", "/_ingest/pipeline/filebeat-nginx", 404),
    ("PUT", "/_ingest/pipeline/filebeat-nginx", 200),
    ("HEAD", "/_alias/filebeat-7.17.0", 404),
    ("PUT", "/%3Cfilebeat-7.17.0-%7Bnow%2Fd%7D-000001%3E", 200),
    ("HEAD", "/logs", 404),
    ("PUT", "/logs", 200),
    ("POST", "/_search", 400),
    ("GET", "/logs/_search", 400),
    ("POST", "/logs/_search", 400),
]


@pytest.mark.parametrize(("method", "path", "status"), SETUP, ids=str)
async def test_what_clients_ask_before_they_send(method: str, path: str, status: int) -> None:
    async with serving_http(CONFIG % ("", "")) as served:
        body = b"{}" if method in ("PUT", "POST") else b""
        response = await served.post(body, method=method, target=path)
        assert (response.status, response.headers["x-elastic-product"]) == (status, "Elasticsearch")
        assert response.headers["content-type"] == "application/json"
        assert (method == "HEAD") == (response.body == b"")
        assert not served.sink.put_at


async def test_the_version_is_what_the_config_says() -> None:
    async with serving_http(CONFIG % ('version => "9.1.0"', "")) as served:
        assert json.loads((await served.post(method="GET")).body)["version"]["number"] == "9.1.0"


async def test_refusals_have_the_form_of_elasticsearch() -> None:
    async with serving_http(CONFIG % ('tokens => ["k"]', "")) as served:
        response = await served.post(CREATE, target="/_bulk")
        assert (response.status, json.loads(response.body)["error"]["type"]) == (401, "security_exception")
        served.sink.pause()
        response = await served.post(CREATE, {"Authorization": "ApiKey k"}, target="/_bulk")
        assert (response.status, response.headers["retry-after"]) == (429, "2")
        assert json.loads(response.body)["error"]["type"] == "es_rejected_execution_exception"


async def test_the_host_of_the_client_is_there_if_the_config_reads_it() -> None:
    async with serving_http(CONFIG % ("", 'filter { if [host] == "x" { drop { } } }')) as served:
        await served.post(CREATE + b'{"n":1}\n' + CREATE + b'{"host":"web"}\n', target="/_bulk")
        assert [event["host"] for event in served.events()] == ["192.0.2.1", "web"]


def test_a_version_that_is_none() -> None:
    with pytest.raises(ConfigErrors, match="not a version"):
        built_input(CONFIG % ('version => "8"', ""))


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b'{"a":1}\n{"a":\t2}', [{"a": 1}, {"a": 2}]),
        (b'[{"a":1},{"a":2}]\n\n', [{"a": 1}, {"a": 2}]),
        (b"\n", []),
        (b'{"a":1,"@metadata":{"_index":"x"}}', [{"a": 1, "@metadata": {"_index": "x"}}]),
    ],
    ids=["documents", "array", "blank", "metadata"],
)
def test_lines_that_no_request_brought(data: bytes, events: list[dict[str, Any]]) -> None:
    """`ingestd trace` and `ingestd test` give documents to the codec."""
    built = built_input(CONFIG % ("", ""))
    table = built.decode(Chunk("a", "s", {}, 0, 0, 0, data))
    found = [table.whole(row) for row in table.rows]
    assert [
        {name: value for name, value in event.items() if name not in ("@timestamp", "@version")} for event in found
    ] == events


async def test_a_request_of_too_many_documents_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_requests, "MAX_LINES", 4)
    async with serving_http(CONFIG % ("", "")) as served:
        response = await served.post(3 * (CREATE + b"{}\n"), target="/_bulk")
        assert (response.status, json.loads(response.body)["error"]["type"]) == (413, "content_too_long_exception")
        assert not served.events()
        assert not served.sink.rejected
        assert (await served.post(2 * (CREATE + b"{}\n"), target="/_bulk")).status == 200
