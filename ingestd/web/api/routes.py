"""The routes of the API, ``api/…``: parameters in, JSON out; query processes do the work."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from ingestd.event.jsontext import dumps
from ingestd.web.api import params
from ingestd.web.api.params import ParameterError
from ingestd.web.api.status import Status
from ingestd.web.processes.protocol import Arguments, QueryResponse
from ingestd.web.processes.query_pool import QueryPool
from ingestd.web.responses import Handler, compressed, json_error, utc_now

MAX_HITS = 1000
MAX_VALUES = 1000
_DAY = 86_400


def api_routes(pool: QueryPool, status: Status, prefix: str = "") -> list[web.RouteDef]:
    """Return the routes of the queries and of the status; all paths start with ``prefix``."""
    calls = {"search": _search, "histogram": _histogram, "top": _top, "indices": _no_arguments}
    found = [web.get(f"{prefix}/api/{name}", _query_handler(pool, name, read)) for name, read in calls.items()]
    return [*found, web.get(f"{prefix}/api/status", _status_handler(status))]


def _query_handler(pool: QueryPool, call: str, read: Callable[[web.Request], Arguments]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            arguments = read(request)
        except ParameterError as error:
            return json_error(400, str(error))
        return compressed(await pool.run(call, arguments), request)

    return handle


def _filters(request: web.Request) -> Arguments:
    """Return which events a request is about. Raises ParameterError."""
    query = request.query
    return {
        "q": params.text(query, "q"),
        "since": params.time(query, "since"),
        "until": params.time(query, "until"),
    }


def _search(request: web.Request) -> Arguments:
    limit = params.number(request.query, "limit", 100, 1, MAX_HITS)
    return _filters(request) | {"limit": limit, "after": params.text(request.query, "after") or None}


def _histogram(request: web.Request) -> Arguments:
    query = request.query
    return _filters(request) | {
        "seconds": params.number(query, "seconds", 0, 1, 366 * _DAY),
        "offset": params.number(query, "offset", 0, -366 * _DAY, 366 * _DAY),
        "field": params.field(query, "level"),
        "now": utc_now(),
    }


def _top(request: web.Request) -> Arguments:
    number = params.number(request.query, "n", 10, 1, MAX_VALUES)
    return _filters(request) | {"field": params.field(request.query), "n": number}


def _no_arguments(_: web.Request) -> Arguments:
    return {}


def _status_handler(status: Status) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return compressed(QueryResponse(200, dumps(await status.document())), request)

    return handle
