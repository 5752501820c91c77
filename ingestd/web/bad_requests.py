"""Requests that fail: every error is JSON, and a fault of the client is not logged.

aiohttp answers a request that it cannot parse with plain text, and logs a traceback for each.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestPayloadError

from ingestd.logs import get_logger
from ingestd.units import counted
from ingestd.web.responses import add_headers, json_error

log = get_logger(__name__)

MAX_URL_BYTES = 128 << 10
"""Room for the longest query, ``lexer.MAX_CHARS`` characters: when encoded, each has up to 12 bytes."""

_MAX_LINE_BYTES = 1 << 20
"""Longest first line that is parsed: the connection stays usable after a URL between the two limits."""

_MAX_HEADER_BYTES = 8190
_MAX_REASON = 200
_INTERNAL = "the request failed because of an internal error; the daemon's log has the reason"


class Runner(web.AppRunner):
    """Runs an application whose errors are JSON."""

    def __init__(self, app: web.Application) -> None:
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=1.0,
            handler_cancellation=True,  # a client that disconnects cancels the handler, and so its query
            max_line_size=_MAX_LINE_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,  # there is no other way to have connections of a class of ours
        )


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    """Handles the requests of one connection."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Return the response to a request that cannot be parsed, or that failed; then the connection is closed."""
        if isinstance(exc, HttpProcessingError | RequestPayloadError):
            response = json_error(*_explained(exc))
        else:
            _log_defect(exc, method=request.method, path=request.path)
            response = json_error(500, _INTERNAL)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the response has been sent")
        add_headers(response)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response; 404 and the like, which aiohttp raises, as JSON."""
        if isinstance(resp, web.HTTPException):
            resp = _as_json(request, resp)
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log a defect; not that a client sent a bad body, or left."""
        error = kw.get("exc_info")
        if not isinstance(error, HttpProcessingError | RequestPayloadError | ConnectionError):
            _log_defect(error)


def _log_defect(error: BaseException | None, **fields: str) -> None:
    log.exception("a request failed", **fields, error=repr(error))  # noqa: LOG004 -- called where it is handled


def url_too_long(size: int) -> web.Response:
    """Return the response to a request whose URL has ``size`` bytes."""
    text = f"the URL has {size:,} bytes, and at most {MAX_URL_BYTES:,} are allowed; make the query shorter"
    return json_error(414, text)


def _explained(error: HttpProcessingError | RequestPayloadError) -> tuple[int, str]:
    """Return the status and the message for a request that cannot be read."""
    if isinstance(error, RequestPayloadError):
        return (
            400,
            f"the body is not what its headers say: {_reason(str(error).partition('message:')[2] or str(error))}",
        )
    if isinstance(error, LineTooLong):
        if str(error.args[1]) == str(_MAX_LINE_BYTES):
            return 414, f"the URL is too long: at most {MAX_URL_BYTES:,} bytes are allowed; make the query shorter"
        return 431, f"a header is too long: at most {_MAX_HEADER_BYTES:,} bytes are allowed; are there old cookies?"
    return 400, f"this is not a valid HTTP request: {_reason(error.message)}"


def _reason(message: str) -> str:
    """Return the first paragraph of a message as one line: the others show the bytes that were sent."""
    return " ".join(message.strip().partition("\n\n")[0].split()).rstrip(":")[:_MAX_REASON]


def _as_json(request: web.BaseRequest, error: web.HTTPException) -> web.Response:
    allowed = ", ".join(error.headers.get("Allow", "").split(","))
    texts = {
        404: "there is nothing at this path",
        405: f"{request.method} is not possible here, only {allowed}",
        413: f"the body is too large: at most {counted(request.client_max_size, 'byte')} are allowed",
    }
    response = json_error(error.status, texts.get(error.status, error.reason))
    if allowed:
        response.headers["Allow"] = allowed
    return response
