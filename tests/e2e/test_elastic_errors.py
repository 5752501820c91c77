"""Errors when there is no response, or an unexpected one: small local servers, no Elasticsearch."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import math
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ingestd.protocols.http.bulk import FILTER_PATH
from ingestd.stores.base import StoreError
from ingestd.stores.elastic.connection.client import BulkAnswer, ElasticClient
from ingestd.stores.elastic.connection.errors import ElasticResponseError, ElasticUnavailable
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.elastic.connection.server import Server
from ingestd.stores.elastic.query.store import ElasticStore
from ingestd.stores.query import Query
from tests.e2e.daemon import free_port

Handler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]


@asynccontextmanager
async def serve(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run an HTTP server with one handler for everything; yields ``host:port``."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=1)  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        assert site._server is not None
        yield f"127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    finally:
        await runner.cleanup()


def answering(status: int = 200, text: str = "{}", **headers: str) -> Handler:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers, content_type="application/json")

    return handle


async def failure(client: ElasticClient) -> ElasticUnavailable:
    async with client:
        with pytest.raises(ElasticUnavailable) as caught:
            await client.bulk(b"{}\n")
    return caught.value


async def test_connection_refused() -> None:
    address = f"127.0.0.1:{free_port()}"
    error = await failure(ElasticClient(ElasticOptions(hosts=(f"http://me:secret@{address}",))))
    assert (error.kind, str(error)) == ("refused", f"http://{address} cannot be reached: connection refused")


async def test_unknown_name() -> None:
    error = await failure(ElasticClient(ElasticOptions(hosts=("no-such-host.invalid",))))
    assert (error.kind, str(error)) == ("dns", "the host name in http://no-such-host.invalid:9200 cannot be resolved")


async def test_no_answer_in_time() -> None:
    async def sleep(_request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with serve(sleep) as address:
        error = await failure(ElasticClient(ElasticOptions(hosts=(address,), timeout=0.2)))
    assert (error.kind, str(error)) == ("timeout", f"no answer from http://{address} within 0.2 s")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(b"", "closed", id="at_once"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "closed", id="within_the_answer"),
        pytest.param(b"hello\r\n\r\n", "network", id="not_http"),
    ],
)
async def test_the_connection_breaks(answer: bytes, kind: str) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await failure(ElasticClient(ElasticOptions(hosts=(f"127.0.0.1:{port}",))))).kind == kind


async def test_a_dead_node_is_skipped() -> None:
    async with serve(answering()) as address:
        options = ElasticOptions(hosts=(f"127.0.0.1:{free_port()}", address))
        async with ElasticClient(options) as client:
            failures, start = 0, time.monotonic()
            for _ in range(6):
                try:
                    await client.api.cluster.health()
                except ElasticUnavailable:
                    failures += 1
            seconds = time.monotonic() - start
    assert 1 <= failures <= 1 + math.log2(1 + seconds)  # it is left out for a second, then for two, for four ...


async def test_what_is_sent() -> None:
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append((request.method, request.path_qs, dict(request.headers), await request.read()))
        return web.json_response({}, headers={"Retry-After": "7"}, status=429)

    async with serve(handle) as address:
        options = ElasticOptions(
            hosts=(f"http://{address}/es",),
            user="me",
            password="pass:word",
            parameters={"a": "b c"},
            custom_headers={"X-Tenant": "one"},
            compression_level=0,
        )
        async with ElasticClient(options) as client:
            assert await client.bulk(b"{}\n", pipeline="p") == BulkAnswer(429, b"{}", 7.0)
    ((method, path, headers, body),) = seen
    assert (method, path, body) == ("POST", f"/es/_bulk?a=b%20c&filter_path={FILTER_PATH}&pipeline=p", b"{}\n")
    expected = {
        "Authorization": "Basic bWU6cGFzczp3b3Jk",
        "Content-Type": "application/x-ndjson",
        "Accept": "application/json",
        "X-Tenant": "one",
        "Content-Length": "3",
    }
    given = {name.title(): value for name, value in headers.items()}
    assert {name: given.get(name) for name in expected} == expected


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
async def test_bodies_arrive_whole(size: int) -> None:
    seen: list[bytes] = []

    async def handle(request: web.Request) -> web.Response:
        body = b"".join([part async for part in request.content.iter_any()])  # aiohttp's server has unpacked it
        seen.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        return web.json_response({})

    async with serve(handle) as address:
        for level in (0, 1):
            async with ElasticClient(ElasticOptions(hosts=(address,), compression_level=level)) as client:
                await client.bulk(b"x" * size)
    assert seen == [b"x" * size] * 2


async def test_credentials_of_one_node_go_to_no_other() -> None:
    seen: set[tuple[str, str]] = set()

    async def handle(request: web.Request) -> web.Response:
        seen.add((request.host, request.headers["Authorization"]))
        return web.json_response({})

    async with serve(handle) as first, serve(handle) as second:
        options = ElasticOptions(hosts=(f"http://a:1@{first}", f"http://b:2@{second}"))
        async with ElasticClient(options) as client:
            for _ in range(4):
                await client.api.cluster.health()
                await client.bulk(b"{}\n")
    assert seen == {(first, "Basic YTox"), (second, "Basic Yjoy")}


async def test_the_official_client_talks_to_any_server() -> None:
    """It sends media types that OpenSearch and Elasticsearch 7 know, and accepts responses without Elastic's header."""
    seen: list[tuple[str, str | None, str | None]] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append((request.path_qs, request.headers.get("Accept"), request.headers.get("Content-Type")))
        return web.json_response({"count": 3}, headers={"Warning": '299 OpenSearch-3.8.0 "old"'})

    async with serve(handle) as address:
        options = ElasticOptions(hosts=(address,), parameters={"pretty": "true", "a": "b,c"})
        async with ElasticClient(options) as client:
            assert (await client.api.count(index="a,b*", query={"match_all": {}}, pretty=False))["count"] == 3
            await client.api.cat.indices(format="json")
    assert seen == [
        ("/a,b*/_count?a=b,c&pretty=false", "application/json", "application/json"),
        ("/_cat/indices?pretty=true&a=b,c&format=json", "text/plain,application/json", None),
    ]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_nothing_is_sent_twice(status: int) -> None:
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({"error": "busy"}, status=status)

    async with serve(handle) as address, ElasticClient(ElasticOptions(hosts=(address,))) as client:
        assert (await client.bulk(b"{}\n")).status == status
        with pytest.raises(ElasticResponseError, match=f"HTTP {status}: busy") as caught:
            await client.api.indices.refresh(index="a")
    assert caught.value.status == status
    assert seen == ["/_bulk", "/a/_refresh"]


async def test_a_response_that_is_not_json_is_an_error() -> None:
    page = answering(text="<h1>It works!</h1>")
    async with serve(page) as address, ElasticClient(ElasticOptions(hosts=(address,))) as client:
        with pytest.raises(ElasticResponseError, match="is neither Elasticsearch nor OpenSearch"):
            await client.api.cat.indices(format="json")


async def test_through_a_proxy() -> None:
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(f"{request.headers['Host']} {request.headers.get('Proxy-Authorization')}")
        return web.json_response({"status": "green"})

    async with serve(handle) as address:
        options = ElasticOptions(hosts=("http://es.invalid:9200",), proxy=f"http://u:secret@{address}")
        async with ElasticClient(options) as client:
            await client.api.cluster.health()
    assert seen == ["es.invalid:9200 Basic dTpzZWNyZXQ="]
    options = ElasticOptions(hosts=("http://es.invalid",), proxy=f"http://u:secret@127.0.0.1:{free_port()}")
    error = await failure(ElasticClient(options))
    assert (error.kind, "secret" in str(error)) == ("proxy", False)


SERVERS: dict[str, tuple[Handler, Server]] = {
    "elasticsearch": (answering(text='{"version":{"number":"8.19.21"}}'), Server("elasticsearch", (8, 19, 21))),
    "opensearch": (
        answering(text='{"version":{"number":"2.19.6","distribution":"opensearch"}}'),
        Server("opensearch", (2, 19, 6)),
    ),
    "opensearch_in_disguise": (
        answering(text='{"version":{"number":"7.10.2"},"tagline":"The OpenSearch Project: https://opensearch.org/"}'),
        Server("opensearch", (7, 10, 2)),
    ),
    "no_right_to_know": (
        answering(403, '{"error":{"type":"security_exception"}}', **{"X-Elastic-Product": "Elasticsearch"}),
        Server("elasticsearch"),
    ),
}


@pytest.mark.parametrize(("handler", "expected"), SERVERS.values(), ids=SERVERS.keys())
async def test_server(handler: Handler, expected: Server) -> None:
    async with serve(handler) as address, ElasticClient(ElasticOptions(hosts=(address,))) as client:
        assert await client.server() == expected


@pytest.mark.parametrize(
    ("status", "text", "sentence"),
    [
        pytest.param(200, "<h1>It works!</h1>", "is neither Elasticsearch nor OpenSearch", id="another_server"),
        pytest.param(401, "{}", "requires credentials (401)", id="wrong_user"),
        pytest.param(302, "", "is neither Elasticsearch nor OpenSearch", id="redirect"),
    ],
)
async def test_no_server(status: int, text: str, sentence: str) -> None:
    async with serve(answering(status, text)) as address, ElasticClient(ElasticOptions(hosts=(address,))) as client:
        with pytest.raises(ElasticResponseError) as caught:
            await client.server()
    assert sentence in str(caught.value)


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


async def test_a_certificate_is_trusted_by_its_authority(certificate: tuple[Path, Path]) -> None:
    async with serve(answering(), server_context(certificate)) as address:
        ways: list[dict[str, Any]] = [
            {"ssl_certificate_authorities": (str(certificate[0]),)},
            {"ssl_verification_mode": "none"},
        ]
        for options in ways:
            async with ElasticClient(ElasticOptions(hosts=(f"https://{address}",), **options)) as client:
                await client.api.cluster.health()


async def test_an_untrusted_certificate_is_reported_clearly(certificate: tuple[Path, Path]) -> None:
    async with serve(answering(), server_context(certificate)) as address:
        error = await failure(ElasticClient(ElasticOptions(hosts=(f"https://{address}",))))
    assert error.kind == "tls"
    assert str(error) == (
        f"the certificate of https://{address} is not trusted: self-signed certificate; "
        "set ssl_certificate_authorities to its authority"
    )


async def test_https_to_a_plain_port_is_reported_clearly() -> None:
    async with serve(answering()) as address:
        error = await failure(ElasticClient(ElasticOptions(hosts=(f"https://{address}",))))
    assert error.kind == "tls"
    assert str(error).startswith(f"no TLS connection to https://{address}: ")


async def test_a_client_certificate_is_sent(certificate: tuple[Path, Path]) -> None:
    context = server_context(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate[0])
    async with serve(answering(), context) as address:
        options = ElasticOptions(
            hosts=(f"https://{address}",),
            ssl_certificate_authorities=(str(certificate[0]),),
            ssl_certificate=str(certificate[0]),
            ssl_key=str(certificate[1]),
        )
        async with ElasticClient(options) as client:
            await client.api.cluster.health()


QUERIES: dict[str, Callable[[ElasticStore], object]] = {
    "search": lambda store: list(store.search(Query())),
    "count": lambda store: store.count(Query()),
    "top": lambda store: store.top("level", Query()),
    "histogram": lambda store: store.histogram(Query(), 3600),
    "indices": lambda store: store.indices(),
}


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("text", ["{}", "[]", '{"version": "1"}'])
async def test_a_server_with_empty_answers(query: str, text: str) -> None:
    """It says that it is Elasticsearch, and is not: an error, or nothing is found, but no defect."""
    async with serve(answering(200, text, **{"X-Elastic-Product": "Elasticsearch"})) as address:

        def ask() -> None:
            store = ElasticStore(ElasticOptions(hosts=(f"http://{address}",)), "logstash-*")
            with closing(store), contextlib.suppress(StoreError):
                assert QUERIES[query](store) in ([], 0)

        await asyncio.to_thread(ask)
