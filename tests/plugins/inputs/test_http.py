"""The input http: which events a request makes, what it is answered, and that nothing is answered before the disk."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from itertools import pairwise
from typing import Any, cast

import pytest
import zstandard

from ingestd.config.errors import ConfigErrors
from ingestd.plugins.inputs import _http_bodies, _http_server
from ingestd.plugins.inputs._http_server import Reply, Request
from ingestd.settings import Settings
from tests.plugins.inputs.http_requests import HttpServing, Response, built_input, serving_http
from tests.waiting import eventually

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
CONFIG = "input { http { %s } } output { stdout { } }"
OK = Response(200, {}, b"ok")


def waits_for_body(served: HttpServing) -> bool:
    """Return whether a client has sent the head of a request and not the whole body."""
    connections = [row.connection for row in served.running.input._served]
    return any(row is not None and row.reader.waiting and not row._idle for row in connections)


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in {"@timestamp", "@version", *names}}


EVENTS: list[tuple[str, str, dict[str, str], bytes, list[dict[str, Any]]]] = [  # id, options, headers, body, events
    ("object", "", JSON, b'{"a":1}', [{"a": 1}]),
    ("array", "", JSON, b'[{"a":1},\n{"b":"\\n"}]', [{"a": 1}, {"b": "\n"}]),
    ("empty_array", "", JSON, b"[]", []),
    ("lines_as_json", "", JSON, b'{"a":1}\n{"b":2}\n', [{"a": 1}, {"b": 2}]),
    ("ndjson", "", NDJSON, b'{"a":1}\n\n{"b":2}', [{"a": 1}, {"b": 2}]),
    ("parameters", "", {"Content-Type": 'Application/JSON; charset="UTF-8"'}, b'{"a":1}', [{"a": 1}]),
    ("charset", "", {"Content-Type": "application/json; charset=euc-kr"}, '{"a":"가"}'.encode("euc-kr"), [{"a": "가"}]),
    ("gzip", "", {**JSON, "Content-Encoding": "gzip"}, gzip.compress(b'{"a":1}'), [{"a": 1}]),
    ("zstd", "", {**JSON, "Content-Encoding": "zstd"}, zstandard.compress(b'{"a":1}'), [{"a": 1}]),
    ("chunked", "", {**JSON, "Transfer-Encoding": "chunked"}, b'{"a":1}', [{"a": 1}]),
    ("empty", "", JSON, b"", []),
    ("blank", "", {}, b"\r\n", []),
    ("no_json", "", JSON, b"{no\nt", [{"message": "{no\nt", "tags": ["_jsonparsefailure"]}]),
    (
        "damaged_line",
        "",
        NDJSON,
        b'{"a":1}\nno\n',
        [{"a": 1}, {"message": "no", "tags": ["_jsonparsefailure"]}],
    ),
    ("array_of_numbers", "", JSON, b"[1,2]", [{"message": "[1,2]", "tags": ["_jsonparsefailure"]}]),
    ("no_utf8", "", JSON, b"{\xbc\n}", [{"message": "{\\xBC\\n}", "tags": ["_jsonparsefailure"]}]),
    ("text", "", {"Content-Type": "text/plain"}, b"a\nb", [{"message": "a\nb", "host": "192.0.2.1"}]),
    ("lines", "codec => line", {}, b"a\nb\n", [{"message": line, "host": "192.0.2.1"} for line in "ab"]),
    ("json_codec", "codec => json", {}, b'[{"a":1},{"b":2}]', [{"a": 1}, {"b": 2}]),
    (
        "multiline",
        'codec => multiline { pattern => "^ " what => previous }',
        {},
        b"a\n 1\nb\n",
        [{"message": "a\n 1", "host": "192.0.2.1", "tags": ["multiline"]}, {"message": "b", "host": "192.0.2.1"}],
    ),
    (
        "other_codec",
        'additional_codecs => { "text/csv" => "csv" }',
        {"Content-Type": "text/csv"},
        b"1,2\n",
        [{"column1": "1", "column2": "2", "host": "192.0.2.1"}],
    ),
    ("no_codecs", "additional_codecs => { }", JSON, b"{}", [{"message": "{}", "host": "192.0.2.1"}]),
]


@pytest.mark.parametrize(("options", "headers", "body", "events"), [c[1:] for c in EVENTS], ids=[c[0] for c in EVENTS])
async def test_events_of_a_request(
    options: str, headers: dict[str, str], body: bytes, events: list[dict[str, Any]]
) -> None:
    async with serving_http(CONFIG % options) as served:
        assert await served.post(body, headers) == OK
        assert [without(event, "headers", "event") for event in served.events()] == events
        assert served.sink.syncs == bool(served.sink.put_at)


GZIP = {"Content-Encoding": "gzip"}
TWO = [{"@timestamp": "2026-01-02T03:04:05.006Z", "message": text} for text in ("a", "b")]
IN_JSON = [json.dumps(event, separators=(",", ":")).encode() for event in TWO]
MSGPACK = b"\x92\x01\x81\xa1a\x01"  # [time, record]

SENDERS: list[tuple[str, dict[str, str], bytes]] = [  # id, headers, body, as these write two events
    ("vector_newline_delimited", NDJSON, b"".join([line + b"\n" for line in IN_JSON])),
    ("vector_character_delimited", JSON, b"[" + b",".join(IN_JSON) + b"]"),  # without `framing`: an array
    ("vector_gzip", NDJSON | GZIP, gzip.compress(b"".join([line + b"\n" for line in IN_JSON]))),
    ("fluent_bit_json", JSON, b"[" + b",".join(IN_JSON) + b"]"),
    ("fluent_bit_json_gzip", JSON | GZIP, gzip.compress(b"[" + b",".join(IN_JSON) + b"]")),
    ("fluent_bit_json_stream", JSON, b"".join(IN_JSON)),  # nothing between the records
    ("fluent_bit_json_lines", NDJSON, b"".join([line + b"\n" for line in IN_JSON])),
    ("fluent_bit_1_json_lines", JSON, b"".join([line + b"\n" for line in IN_JSON])),
]


@pytest.mark.parametrize(("headers", "body"), [c[1:] for c in SENDERS], ids=[c[0] for c in SENDERS])
async def test_what_senders_write(headers: dict[str, str], body: bytes) -> None:
    """The sources of the formats: Vector's src/sinks/http/config.rs, Fluent Bit's plugins/out_http/http.c."""
    async with serving_http(CONFIG % "") as served:
        assert await served.post(body, headers) == OK
        events = [without(event) | {"@timestamp": str(event["@timestamp"])} for event in served.events()]
    assert events == TWO


async def test_fluent_bits_default_format_is_kept_as_text() -> None:
    """MessagePack needs a codec that reads it; its bytes are not lost without."""
    async with serving_http(CONFIG % "") as served:
        assert await served.post(MSGPACK, {"Content-Type": "application/msgpack"}) == OK
        [event] = served.events()
    assert event["message"] == r"\x92\u0001\x81\xA1a\u0001"


HEADERS = {"User-Agent": "curl/8", "X-Trace-Id": "7", "Authorization": "Basic YTpi", "Content-Type": "text/plain"}
HEADER_FIELDS = {
    "http_host": "test:80",
    "http_user_agent": "curl/8",
    "x_trace_id": "7",
    "content_type": "text/plain",
    "content_length": "1",
    "request_method": "POST",
    "request_path": "/a?b=c",
    "http_version": "HTTP/1.1",
}
ECS_FIELDS = {
    "@metadata": {"input": {"http": {"request": {"headers": HEADER_FIELDS}}}},
    "host": {"ip": "192.0.2.1"},
    "http": {
        "version": "HTTP/1.1",
        "method": "POST",
        "request": {"body": {"bytes": "1"}, "mime_type": "text/plain"},
    },
    "url": {"path": "/a?b=c", "domain": "test", "port": 80},
    "user_agent": {"original": "curl/8"},
}


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ("", {"host": "192.0.2.1", "headers": HEADER_FIELDS}),
        ("ecs_compatibility => v8", ECS_FIELDS),
        (
            'remote_host_target_field => "[client][ip]" request_headers_target_field => "[@metadata][h]"',
            {"client": {"ip": "192.0.2.1"}, "@metadata": {"h": HEADER_FIELDS}},
        ),
    ],
    ids=["flat", "ecs", "targets"],
)
async def test_fields_of_the_request_in_events_of_text(options: str, fields: dict[str, Any]) -> None:
    async with serving_http(CONFIG % options) as served:
        await served.post(b"x", HEADERS, target="/a?b=c")
        [event] = served.events()
    assert without(event, "message", "event") == fields


RECORDS: list[tuple[str, str, str, bytes, dict[str, Any]]] = [  # id, options, filters, record, event without headers
    ("none", "", "", b'{"a":1}', {"a": 1}),
    ("host", "", 'if [host] == "x" { drop { } }', b'{"a":1}', {"a": 1, "host": "192.0.2.1"}),
    ("own_host", "", 'if [host] == "x" { drop { } }', b'{"host":"web"}', {"host": "web"}),
    ("path", "", 'if [headers][request_path] == "x" { drop { } }', b'{"a":1}', {"a": 1, "headers": ...}),
    (
        "ecs",
        "ecs_compatibility => v8",
        'if [host][ip] == "x" { drop { } }',
        b'{"host":{"name":"web"}}',
        {"host": {"name": "web", "ip": "192.0.2.1"}},
    ),
    (
        "ecs_own",
        "ecs_compatibility => v8",
        'if [url][path] == "x" { drop { } }',
        b'{"url":{"path":"/b"}}',
        {"url": {"path": "/b", "domain": "test", "port": 80}},
    ),
    (
        "target",
        'remote_host_target_field => "client"',
        "",
        b'{"client":"forged"}',
        {"client": "192.0.2.1"},
    ),
    (
        "nested_target_in_text",
        'remote_host_target_field => "[client][ip]"',
        "",
        b'{"client":"text"}',
        {"client": "text"},
    ),
]


@pytest.mark.sampled
@pytest.mark.parametrize("count", [1, 2], ids=["one", "array"])
@pytest.mark.parametrize("stamped", [False, True], ids=["", "stamped"])
@pytest.mark.parametrize(
    ("options", "filters", "record", "event"), [c[1:] for c in RECORDS], ids=[c[0] for c in RECORDS]
)
async def test_fields_of_the_request_in_records(
    options: str, filters: str, record: bytes, event: dict[str, Any], stamped: bool, count: int
) -> None:
    """They are the same for a record that stays text (it has all that it needs) and one that is decoded in full."""
    if stamped:
        record = record[:-1] + b',"@timestamp":"2026-11-29T10:00:00.000Z","@version":"1"}'
    config = f"input {{ http {{ {options} }} }} filter {{ {filters} }} output {{ stdout {{ }} }}"
    async with serving_http(config) as served:
        await served.post(b"[" + b",".join([record] * count) + b"]", JSON)
        events = served.events()
    for found in events:
        if "headers" in event:
            assert found.pop("headers")["content_type"] == "application/json"
    wanted = {name: value for name, value in event.items() if value is not ...}
    assert [without(found, "@metadata", "event") for found in events] == [wanted] * count


BASIC = "Basic " + base64.b64encode(b"joe:s:cret").decode()
AUTH = 'user => "joe" password => "s:cret" tokens => ["t0ken"]'


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (BASIC, 200),
        ("basic " + BASIC[6:], 200),
        ("Bearer t0ken", 200),
        ("ApiKey t0ken", 200),
        ("Bearer t0ke", 401),
        ("Basic t0ken", 401),
        ("Bearer " + BASIC[6:], 401),
        ("Basic", 401),
        ("Basic !", 401),
        ("", 401),
    ],
)
async def test_who_may_send(authorization: str, status: int) -> None:
    async with serving_http(CONFIG % AUTH) as served:
        client = served.connect()
        response = await client.request(b"x", {"Authorization": authorization} if authorization else {})
        assert response.status == status
        assert len(served.sink.data) == (status == 200)
        assert response.headers.get("www-authenticate", "").startswith("Basic realm=") == (status == 401)
        assert (await client.request(b"x", {"Authorization": BASIC})) == OK, "the connection goes on"


@pytest.mark.parametrize(
    ("options", "headers", "body", "status", "text"),
    [
        ("max_content_length => 10", {}, b"x" * 11, 413, "max_content_length"),
        ("max_content_length => 10", {"Transfer-Encoding": "chunked"}, b"x" * 11, 413, "max_content_length"),
        ("max_content_length => 99", {"Content-Encoding": "gzip"}, gzip.compress(bytes(100)), 413, "decompressed"),
        ("", {"Content-Encoding": "br"}, b"x", 415, "br"),
        ("", {"Content-Encoding": "gzip"}, b"x", 400, "not gzip"),
        ("", {"Content-Type": "text/plain; charset=nosuch"}, b"x", 415, "nosuch"),
        ("", {"Content-Type": "text/plain; charset=ascii"}, b"\xff", 415, "ascii"),
        ("", {"Content-Type": "text/plain; charset=Punycode"}, b"x", 415, "Punycode"),
        ("", {}, b"x" * 3000, 413, "max_line_bytes"),
        ('codec => line { delimiter => "|" }', {}, b"x" * 3000, 413, "max_line_bytes"),
        ('codec => line { delimiter => "|" }', {}, b"|" * 500_001, 413, "at most 500,000 are allowed"),
        ("", JSON, b"[" + b"{}," * 500_000 + b"{}]", 413, "at most 500,000 are allowed"),
    ],
    ids=[
        "long",
        "chunked",
        "bomb",
        "encoding",
        "no_gzip",
        "charset",
        "not_in_charset",
        "slow_charset",
        "event",
        "one_record",
        "many_records",
        "many_objects",
    ],
)
async def test_what_is_refused(options: str, headers: dict[str, str], body: bytes, status: int, text: str) -> None:
    async with serving_http(CONFIG % options, Settings(max_line_bytes=2000)) as served:
        client = served.connect()
        response = await client.request(body, headers)
        assert (response.status, text in response.body.decode()) == (status, True)
        assert not served.sink.put_at
        unreadable = [body] if status in (400, 415) else []  # clients drop it, unlike what is too large
        assert [raw for raw, _ in served.sink.rejected] == unreadable
        assert await (client if unreadable else served.connect()).request(b"x") == OK


LONG_AMONG_OTHERS: list[dict[str, Any]] = [{"a": 1}, {"a": "x" * 3000}, {"a": 2}]


@pytest.mark.parametrize(
    ("codec", "headers", "body"),
    [
        ("", JSON, json.dumps(LONG_AMONG_OTHERS).encode()),
        (
            'codec => json_lines { delimiter => "|" }',
            {},
            b"|".join(json.dumps(record).encode() for record in LONG_AMONG_OTHERS),
        ),
    ],
    ids=["array", "delimiter"],
)
async def test_a_record_that_is_too_long_is_a_dead_letter_and_the_others_are_events(
    codec: str, headers: dict[str, str], body: bytes
) -> None:
    async with serving_http(CONFIG % codec, Settings(max_line_bytes=2000)) as served:
        assert await served.post(body, headers) == OK
        assert [str(event.get("a", event.get("message"))) for event in served.events()] == ["1", "2"]
        assert len(served.sink.rejected) == 1


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=["", "expects"])
async def test_no_room(headers: dict[str, str]) -> None:
    async with serving_http(CONFIG % "") as served:
        client = served.connect()
        served.sink.pause()
        response = await client.request(b"x", headers)
        assert (response.status, response.headers["retry-after"]) == (429, "2")
        served.sink.resume()
        assert await served.post(b"x") == OK
        assert len(served.sink.put_at) == 1


async def test_no_room_for_another_request() -> None:
    async with serving_http(CONFIG % "max_pending_requests => 1") as served:
        server, go_on = cast("Any", served.running.input), asyncio.Event()
        take = server._answer

        async def slow(request: Request) -> Reply:
            await go_on.wait()
            return cast("Reply", await take(request))

        server._answer = slow
        silent, first, second = served.connect(), served.connect(), served.connect()
        await silent.client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nx")
        await eventually(lambda: len(server._served) == 3)
        answer = asyncio.ensure_future(first.request(b"x"))
        await eventually(lambda: server._pending == 1)
        assert (await second.request(b"x")).status == 429
        await silent.client.send(b"yz")
        assert (await silent.client.receive()).startswith(b"HTTP/1.1 429 ")
        go_on.set()
        assert await answer == OK
        assert await second.request(b"x") == OK


async def test_bodies_share_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http_server, "_MIN_ROOM_BYTES", 200)
    monkeypatch.setattr(_http_bodies, "_PIECE_BYTES", 99)
    async with serving_http(CONFIG % "max_content_length => 100") as served:
        waiting = [served.connect() for _ in range(2)]
        for client in waiting:
            await client.client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + b"x" * 99)
        await eventually(lambda: served.running.input._room._taken == 198)  # type: ignore[attr-defined]
        assert (await served.post(b"xyz")).status == 429
        for client in waiting:
            client.client.sock.close()
        await eventually(lambda: served.running.input._room._taken == 0)  # type: ignore[attr-defined]
        assert await served.post(b"x" * 100) == OK


@pytest.mark.parametrize(
    "start",
    [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\n"],
    ids=["length", "chunk"],
)
async def test_a_body_that_does_not_come_takes_no_memory(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http_server, "_MIN_ROOM_BYTES", 0)
    async with serving_http(CONFIG % "max_content_length => 100") as served:
        silent = served.connect()
        await silent.client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + start)
        await eventually(lambda: waits_for_body(served))
        assert await served.post(b"x" * 100) == OK


async def test_the_longest_body_has_room_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressed as well; and long bodies are read in a thread."""
    monkeypatch.setattr(_http_server, "_MIN_ROOM_BYTES", 0)
    monkeypatch.setattr(_http_server, "_LONG_BYTES", 500)
    async with serving_http(CONFIG % "max_content_length => 1000") as served:
        body = json.dumps([{"a": "x" * 300}, {"a": "y" * 300}, {"a": "z" * 300}]).encode().ljust(1000)
        assert await served.post(body, JSON) == OK
        assert await served.post(gzip.compress(body), {**JSON, "Content-Encoding": "gzip"}) == OK
        assert len(served.events()) == 6


async def test_nothing_is_answered_before_the_disk_has_it() -> None:
    async with serving_http(CONFIG % "") as served:
        served.sink.disk_error = OSError(5, "Input/output error")
        response = await served.post(b"x")
        assert (response.status, response.headers["retry-after"]) == (429, "2")
        assert b"Input/output error" in response.body


async def test_places_in_the_stream_are_never_used_twice() -> None:
    """Also if a request is refused after its events were put."""
    async with serving_http(CONFIG % "") as served:
        client = served.connect()
        for error in (None, OSError(5, "no"), None):
            served.sink.disk_error = error
            await client.request("é".encode("latin-1") * 9, {"Content-Type": "text/plain; charset=latin-1"})
        ends = [(offset, offset + len(data)) for (_, offset), data in served.sink.put_at.items()]
        assert len(ends) == 3
        assert all(end < start for (_, end), (start, _) in pairwise(ends))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (("k", b"x", "/"), ("k", b"x", "/"), True),
        (("k", b"x", "/"), ("k", b"y", "/"), False),
        (("k", b"x", "/"), ("l", b"x", "/"), False),
        (("k", b"x", "/"), ("k", b"x", "/b"), False),
        (("", b"x", "/"), ("", b"x", "/"), False),
    ],
    ids=["same", "other_body", "other_key", "other_path", "no_key"],
)
async def test_idempotency_keys(first: tuple[str, bytes, str], second: tuple[str, bytes, str], same: bool) -> None:
    async with serving_http(CONFIG % "") as served:
        for key, body, target in (first, second):
            await served.post(body, {"Idempotency-Key": key} if key else {}, target=target)
        assert len(served.sink.put_at) == (1 if same else 2)


@pytest.mark.parametrize(("code", "body"), [(200, b"ok"), (201, b"ok"), (202, b"ok"), (204, b"")])
async def test_the_answer(code: int, body: bytes) -> None:
    options = f'response_code => {code} response_headers => {{ "X-A" => "b" "Content-Type" => "text/html" }}'
    async with serving_http(CONFIG % options) as served:
        client = served.connect()
        for method in ("POST", "PUT", "GET"):
            response = await client.request(b"x", method=method)
            assert response == Response(code, {}, body)
            assert (response.headers["x-a"], response.headers["content-type"]) == ("b", "text/html")
        assert (await client.request(method="HEAD")).status == code
        assert len(served.sink.data) == 3


async def test_requests_may_be_pipelined() -> None:
    async with serving_http(CONFIG % "") as served:
        text = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n%s\r\nx"
        data = await served.connect().raw(text % b"" + b"\r\n" + text % b"Connection: close\r\n")
        assert data.count(b"HTTP/1.1 200 OK") == 2
        assert len(served.sink.data) == 2


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz", b"400"),
    ],
    ids=["no_http", "long_head", "no_chunks", "no_end_of_chunk"],
)
async def test_what_is_no_request(data: bytes, status: bytes) -> None:
    async with serving_http(CONFIG % "") as served:
        assert (await served.connect().raw(data)).startswith(b"HTTP/1.1 " + status)
        assert not served.sink.put_at
        assert await served.post(b"x") == OK


@pytest.mark.parametrize("cut", [1, 30, 60, 64])
async def test_a_client_that_leaves_makes_no_event(cut: int) -> None:
    async with serving_http(CONFIG % "") as served:
        client = served.connect()
        await client.client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n0123456789abcdefgh"[:cut])
        client.client.sock.close()
        await eventually(lambda: client.client.reason != "")
        assert not served.sink.put_at


async def test_a_stop_finishes_the_request_that_has_begun() -> None:
    async with serving_http(CONFIG % "") as served:
        client = served.connect()
        await client.client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nx")
        await eventually(lambda: waits_for_body(served))
        stop = asyncio.ensure_future(served.running.stop())
        await asyncio.sleep(0)
        await client.client.send(b"yz")
        assert (await client.raw(b"")).startswith(b"HTTP/1.1 200 ")
        await stop
        assert served.sink.data == [b"xyz"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("response_code => 500", "response_code 500"),
        ('user => "a"', "password is not"),
        ('password => "a"', "user is not"),
        ('tokens => [""]', "token is empty"),
        ("max_content_length => 0", "max_content_length must be positive"),
        ('additional_codecs => { "a/b" => "jsn" }', "no codec 'jsn'"),
        ('response_headers => { "A" => "b\nc" }', "line end"),
        ('response_headers => { "Content-Length" => "1" }', "Content-Length is made by the input"),
        ("port => 70000", "port 70000"),
    ],
)
def test_options_that_cannot_work(options: str, error: str) -> None:
    with pytest.raises(ConfigErrors, match=error):
        built_input(CONFIG % options)
