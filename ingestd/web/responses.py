"""HTTP responses with a JSON body."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import from_datetime
from ingestd.web.processes.protocol import QueryResponse, error_response

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MIN_COMPRESSED_BYTES = 4096


def json_response(document: Any, status: int = 200) -> web.Response:
    """Return the response for a document of JSON types."""
    return web.Response(status=status, body=dumps(document), content_type="application/json")


def json_error(status: int, message: str) -> web.Response:
    """Return the response for a request that failed; ``message`` is one sentence for people."""
    return web.Response(status=status, body=error_response(status, message).body, content_type="application/json")


def compressed(response: QueryResponse, request: web.Request) -> web.Response:
    """Return the response of a query process, compressed if that saves much and the client accepts it."""
    found = web.Response(status=response.status, body=response.body, content_type="application/json")
    if len(response.body) >= _MIN_COMPRESSED_BYTES and "gzip" in request.headers.get("Accept-Encoding", ""):
        found.enable_compression(web.ContentCoding.gzip)
    return found


def utc_now(offset_s: float = 0) -> str:
    """Return the current time as the API writes it and stores read it, or a moment ``offset_s`` seconds later."""
    return from_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=offset_s))
