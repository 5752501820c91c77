"""HTTP responses with a JSON body."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from ingestd.decoders import decoder
from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import from_datetime
from ingestd.web.protocol import QueryResponse, error_response

Content = TypeVar("Content")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MIN_COMPRESSED_BYTES = 4096

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What our pages may load and do: only what comes from here, and no inline scripts or styles."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Sent with every response that does not set them: nothing may be cached, framed or sniffed."""


def add_headers(response: web.StreamResponse) -> None:
    """Add the headers that every response has."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.content_type == "text/html":
        response.headers["Content-Security-Policy"] = PAGE_POLICY
    response.headers["Server"] = "ingestd"


def json_response(document: Any, status: int = 200) -> web.Response:
    """Return the response for a document of JSON types."""
    return web.Response(status=status, body=dumps(document), content_type="application/json")


class FailureResponse(web.Response):
    """A response with status 200 that says that an action failed; ``failure``: why, for the action log."""

    failure = ""


def failure_response(document: Any, failure: str) -> FailureResponse:
    """Return a `FailureResponse` for a document of JSON types."""
    response = FailureResponse(body=dumps(document), content_type="application/json")
    response.failure = failure
    return response


def decoded(body: bytes, kind: type[Content]) -> Content:
    """Return the JSON body of a request.

    Raises:
        msgspec.DecodeError: It is not of this kind, not JSON, or not UTF-8.
    """
    try:
        return decoder(kind).decode(body)
    except UnicodeDecodeError:
        raise msgspec.DecodeError("it is not UTF-8") from None


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
