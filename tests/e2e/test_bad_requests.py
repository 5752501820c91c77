"""Whatever a client sends, it gets a JSON error that fits, and nothing in the log: no traceback, no ERROR."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingestd.units import Address
from ingestd.web.auth.access import Access
from ingestd.web.bad_requests import MAX_URL_BYTES
from ingestd.web.dashboard_config import DashboardConfig
from ingestd.web.health import Health
from ingestd.web.server import HttpServer
from tests.waiting import WAIT_SECONDS

TOKEN = "battery-staple"
LOCKED = Access(password="correct horse", token=TOKEN)
END = b"Host: 127.0.0.1\r\nConnection: close\r\n"
AUTHORIZED = END + f"Authorization: Bearer {TOKEN}\r\n".encode()
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


def get(target: bytes | str, headers: bytes = b"", end: bytes = AUTHORIZED) -> bytes:
    target = target if isinstance(target, bytes) else target.encode()
    return b"GET " + target + b" HTTP/1.1\r\n" + end + headers + b"\r\n"


def post(target: str, headers: bytes, body: bytes = b"", end: bytes = AUTHORIZED) -> bytes:
    return f"POST {target} HTTP/1.1\r\n".encode() + end + headers + b"\r\n" + body


def sized(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(body)


BROKEN = b"no multipart"
ZIPPED = gzip.compress(b"password=x")[:-9] + b"xxxxxxxxx"
REQUESTS: dict[str, tuple[bytes, int, str]] = {  # id: request, status, part of the message
    "long_url": (get("/?" + "x" * MAX_URL_BYTES), 414, "131,072"),
    "very_long_url": (get("/?" + "x" * (1 << 20)), 414, "131,072"),
    "long_url_signed_out": (get("/?" + "x" * MAX_URL_BYTES, end=END), 414, "make the query shorter"),
    "long_query": (get("/api/search?q=" + "%EA%B0%80" * 10_001), 400, "10,001 characters; the limit is 10,000"),
    "long_cursor": (get("/api/search?after=" + "x" * 5000), 400, "after has 5,000 characters, and at most 4,096"),
    "long_header": (get("/health/live", b"Cookie: " + b"x" * 9000 + b"\r\n"), 431, "8,190"),
    "many_headers": (get("/health/live", b"X: y\r\n" * 200), 400, "Too many headers"),
    "multipart": (
        post("/login", b"Content-Type: multipart/form-data; boundary=x\r\n" + sized(BROKEN), BROKEN),
        400,
        "application/x-www-form-urlencoded",
    ),
    "json_form": (post("/login", b"Content-Type: application/json\r\n" + sized(b"{}"), b"{}"), 400, "send the form"),
    "gzip": (post("/login", FORM + b"Content-Encoding: gzip\r\n" + sized(ZIPPED), ZIPPED), 400, "the body is not what"),
    "gzip_unread": (post("/logout", b"Content-Encoding: gzip\r\n" + sized(ZIPPED), ZIPPED), 204, ""),
    "deflate": (post("/login", b"Content-Encoding: deflate\r\n" + sized(BROKEN), BROKEN), 400, "the body is not what"),
    "chunk_size": (post("/login", FORM + b"Transfer-Encoding: chunked\r\n", b"zz\r\n"), 400, ""),
    "chunk_unread": (get("/health/live", b"Transfer-Encoding: chunked\r\n") + b"zz\r\n", 400, ""),
    "chunked_and_sized": (post("/login", b"Transfer-Encoding: chunked\r\n" + sized(b"0"), b"0\r\n\r\n"), 400, ""),
    "transfer_encoding": (post("/login", b"Transfer-Encoding: odd\r\n"), 400, ""),
    "length_negative": (post("/login", b"Content-Length: -1\r\n"), 400, "Invalid character in Content-Length"),
    "length_twice": (post("/login", b"Content-Length: 1\r\nContent-Length: 2\r\n", b"xx"), 400, ""),
    "length_odd": (post("/login", "Content-Length: ١\r\n".encode(), b"x"), 400, ""),
    "too_large": (post("/login", FORM + sized(b"x" * 70_000), b"x" * 70_000), 413, "at most 65,536 bytes"),
    "header_bytes": (get("/health/live", b"X\xff: y\r\n"), 400, ""),
    "header_nul": (get("/health/live", b"X: y\0\r\n"), 400, ""),
    "header_folded": (get("/health/live", b"X: y\r\n z\r\n"), 400, ""),
    "no_host": (b"GET / HTTP/1.1\r\n\r\n", 400, "Host"),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, ""),
    "http_0_9": (b"GET /\r\n\r\n", 505, "HTTP/0.9 is not supported"),
    "http_2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, ""),
    "http_9": (b"GET / HTTP/9.9\r\n" + END + b"\r\n", 400, ""),
    "garbage": (b"\0\xff\n\n", 400, ""),
    "trace": (b"TRACE /api/status HTTP/1.1\r\n" + AUTHORIZED + b"\r\n", 405, "TRACE is not possible here, only GET"),
    "put": (b"PUT / HTTP/1.1\r\n" + AUTHORIZED + b"\r\n", 405, "only GET, HEAD"),
    "connect": (b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n" + AUTHORIZED + b"\r\n", 404, ""),
    "connect_odd": (b"CONNECT [ HTTP/1.1\r\n" + AUTHORIZED + b"\r\n", 400, ""),
    "options_star": (b"OPTIONS * HTTP/1.1\r\n" + AUTHORIZED + b"\r\n", 404, ""),
    "expectation": (get("/health/live", b"Expect: miracles\r\n"), 417, "Expectation Failed"),
    "not_there": (get("/a/b"), 404, "there is nothing at"),
    "nul": (get("/%00"), 404, "there is nothing at"),
    "escape": (get("/%zz%"), 404, ""),
    "bytes": (get(b"/\xff\xfe"), 400, "not a valid HTTP request"),
    "escaped_bytes": (get("/%ff%fe"), 404, "there is nothing at"),
    "bytes_in_query": (get(b"/api/search?q=\xff(&since=\xff"), 400, ""),
    "escaped_bytes_in_query": (get("/api/search?limit=%ff"), 400, "limit must be"),
    "surrogate": (get("/api/search?after=%ED%A0%80"), 400, "after is not a cursor"),
    "url": (get("http://[::/"), 400, ""),
    "port": (get("http://127.0.0.1:99999/"), 400, ""),
    "host": (get("/", end=b"Host: \xff\xfe[::1\r\nConnection: close\r\n"), 303, ""),
    "cookie": (get("/api/status", b'Cookie: ="\\\xff;;=; ingestd_session="\r\n', END), 401, ""),
    "authorization": (get("/api/status", b"Authorization: Bearer \xff\r\n", END), 401, ""),
    "accept_language": (get("/login", b"Accept-Language: \xff,;q=,\r\n", END), 200, ""),
    "bytes_in_next": (get("/?%ff", end=END), 303, ""),
    "range": (get("/static/app.js", b"Range: bytes=9-1\r\n"), 200, ""),
    "websocket": (get("/health/live", b"Upgrade: websocket\r\n", b"Host: a\r\nConnection: close,upgrade\r\n"), 200, ""),
    "field": (get("/api/top?field=" + "[a]" * 600), 400, "a field may have at most 50 levels, and this one has 600"),
    "digits": (get("/api/search?since=%EF%BC%92026-11-22T10:00:00Z"), 400, "since must be a time"),
    "number": (get("/api/search?limit=%EF%BC%91"), 400, "limit must be a whole number"),
    "underscore": (get("/api/search?limit=1_0"), 400, "limit must be a whole number"),
    "host_digits": (get("/api/recipes?host=%D9%A1"), 400, "host must be"),
}  # fmt: skip


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[HttpServer]:
    async def health() -> Health:
        return Health()

    server = HttpServer(Address("127.0.0.1", 0), health, DashboardConfig(access=LOCKED, data_dir=tmp_path))
    await server.start()
    yield server
    await server.stop()


async def exchange(server: HttpServer, request: bytes, *, leave: bool = False) -> bytes:
    """Send a request, and return everything up to the end of the connection; ``leave``: do not wait for an answer."""
    assert server.bound is not None
    reader, writer = await asyncio.open_connection(*server.bound)
    try:
        writer.write(request)
        if leave:
            writer.write_eof()
        async with asyncio.timeout(WAIT_SECONDS):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_requests(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    found = {}
    for name, (request, status, text) in REQUESTS.items():
        head, _, body = (await exchange(server, request)).partition(b"\r\n\r\n")
        if b" %d " % status in head[:13] and b"X-Content-Type-Options: nosniff" in head:
            if status < 400:
                continue
            if b"Content-Type: application/json" in head and text in json.loads(body)["error"]["message"]:
                continue
        found[name] = (head, body)
    assert found == {}
    assert caplog.records == []


async def test_requests_with_wrong_bytes(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever bytes are wrong, and whenever the client leaves, the server serves the next one."""
    caplog.set_level(logging.ERROR)
    chosen = random.Random(7)
    shorter = [request for request, *_ in REQUESTS.values() if len(request) < 1000]
    for _ in range(300):
        request = bytearray(chosen.choice(shorter))
        for _ in range(chosen.randrange(1, 4)):
            request[chosen.randrange(len(request))] = chosen.randrange(256)
        assert (await exchange(server, bytes(request), leave=True))[:5] in {b"", b"HTTP/"}
    assert (await exchange(server, get("/health/live"))).startswith(b"HTTP/1.1 200")
    assert caplog.records == []
