"""The calls that the dashboard makes, ``api/…``: parameters in, JSON out; the work is done by query processes."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable

from aiohttp import web

from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import from_datetime
from ingestd.web.api import params
from ingestd.web.api.params import ParameterError
from ingestd.web.api.status import Status
from ingestd.web.auth.middleware import problem
from ingestd.web.processes.answers import Answer, Arguments
from ingestd.web.processes.query_pool import QueryPool

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MOST_HITS = 1000
MOST_VALUES = 1000
_DAY = 86_400
_WORTH_PACKING = 4096


def routes(pool: QueryPool, status: Status, prefix: str = "") -> list[web.RouteDef]:
    """Return the routes below ``prefix``."""
    calls = {"search": _search, "histogram": _histogram, "top": _top, "indices": _nothing}
    found = [web.get(f"{prefix}/api/{name}", _asks(pool, name, read)) for name, read in calls.items()]
    return [*found, web.get(f"{prefix}/api/status", _shows(status))]


def now() -> str:
    """Return the time, in UTC, as stores take it."""
    return from_datetime(datetime.datetime.now(datetime.UTC))


def asked(request: web.Request) -> Arguments:
    """Return which documents a request is about. Raises ParameterError."""
    query = request.query
    return {
        "q": params.text(query, "q"),
        "since": params.time(query, "since"),
        "until": params.time(query, "until"),
    }


def respond(answer: Answer, request: web.Request) -> web.Response:
    """Return an answer of a query process, packed if that is worth it."""
    response = web.Response(status=answer.status, body=answer.body, content_type="application/json")
    if len(answer.body) >= _WORTH_PACKING and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _asks(pool: QueryPool, call: str, read: Callable[[web.Request], Arguments]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            arguments = read(request)
        except ParameterError as error:
            return problem(400, str(error))
        return respond(await pool.ask(call, arguments), request)

    return handle


def _search(request: web.Request) -> Arguments:
    limit = params.number(request.query, "limit", 100, 1, MOST_HITS)
    return asked(request) | {"limit": limit, "after": params.text(request.query, "after") or None}


def _histogram(request: web.Request) -> Arguments:
    query = request.query
    return asked(request) | {
        "seconds": params.number(query, "seconds", 0, 1, 366 * _DAY),
        "offset": params.number(query, "offset", 0, -366 * _DAY, 366 * _DAY),
        "field": params.field(query, "level"),
        "now": now(),
    }


def _top(request: web.Request) -> Arguments:
    number = params.number(request.query, "n", 10, 1, MOST_VALUES)
    return asked(request) | {"field": params.field(request.query), "n": number}


def _nothing(_: web.Request) -> Arguments:
    return {}


def _shows(status: Status) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return respond(Answer(200, dumps(await status.document())), request)

    return handle
