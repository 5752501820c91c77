"""The routes of the API, ``api/…``: parameters in, JSON out; query processes do the work."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from ingestd.analytics.problems import MAX_PROBLEMS
from ingestd.diagnosis.messages import LANGUAGES
from ingestd.event.jsontext import NotJsonError, dumps, loads
from ingestd.recipes import HOST, PORT, Recipe, recipes
from ingestd.stores.aggregation import MAX_METRICS, MAX_TERMS
from ingestd.web import params
from ingestd.web.api.status import Status, senders
from ingestd.web.params import ParameterError
from ingestd.web.processes.query_pool import QueryPool
from ingestd.web.protocol import Arguments, QueryResponse
from ingestd.web.responses import Handler, compressed, json_error, utc_now

MAX_HITS = 1000
MAX_VALUES = 1000
MAX_TOPICS = 200
_DAY = 86_400
_HOST = re.compile(r"[\w.:-]{1,253}", re.ASCII)


def api_routes(pool: QueryPool, status: Status, prefix: str = "") -> list[web.RouteDef]:
    """Return the routes of the queries and of the status; all paths start with ``prefix``."""
    calls = {
        "search": _search,
        "histogram": _histogram,
        "top": _top,
        "aggregate": _aggregate,
        "words": _words,
        "word": _word,
        "indices": _no_arguments,
        "accounts": _no_arguments,
        "kafka": _kafka,
        "doctor": _doctor,
        "trace": _trace,
        "alert_preview": _alert_preview,
        "problems": _problems,
    }
    found = [web.get(f"{prefix}/api/{name}", _query_handler(pool, name, read)) for name, read in calls.items()]
    others = {"status": _status_handler(status), "recipes": _recipes_handler, "pipelines": _pipelines_handler(status)}
    return [*found, *(web.get(f"{prefix}/api/{name}", handler) for name, handler in others.items())]


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
        "q": query.get("q", ""),  # the parser has a limit of its own, and says where the mistake is
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
    paths = params.number(request.query, "paths", 0, 0, 1)
    return _filters(request) | {"field": params.field(request.query), "n": number, "paths": bool(paths)}


def _aggregate(request: web.Request) -> Arguments:
    query = request.query
    return _filters(request) | {
        "metrics": params.texts(query, "metric", MAX_METRICS) or ["count"],
        "by": params.texts(query, "by", MAX_TERMS),
        "n": params.number(query, "n", 10, 1, MAX_VALUES),
        "paths": bool(params.number(query, "paths", 0, 0, 1)),
        "seconds": params.number(query, "seconds", 0, 1, 366 * _DAY),
        "offset": params.number(query, "offset", 0, -366 * _DAY, 366 * _DAY),
        "now": utc_now(),
    }


def _words(request: web.Request) -> Arguments:
    query = request.query
    return _period(request) | {
        "n": params.number(query, "n", 50, 1, MAX_VALUES),
        "find": params.text(query, "find"),
        "csv": bool(params.number(query, "csv", 0, 0, 1)),
    }


def _word(request: web.Request) -> Arguments:
    word = params.text(request.query, "word")
    if not word:
        raise ParameterError("word is missing")
    return _period(request) | {"word": word}


def _period(request: web.Request) -> Arguments:
    """Return a period of events: which, in which time zone its days are, and what it is divided into."""
    query = request.query
    return _filters(request) | {
        "zone": params.zone(query),
        "seconds": params.number(query, "seconds", 0, 1, 366 * _DAY),
        "offset": params.number(query, "offset", 0, -366 * _DAY, 366 * _DAY),
        "now": utc_now(),
    }


def _doctor(request: web.Request) -> Arguments:
    clients = [(row["input"], row["kind"], row["connections"]) for row in senders()]
    return {"lang": params.choice(request.query, "lang", LANGUAGES), "senders": clients}


def _kafka(request: web.Request) -> Arguments:
    return {"topics": params.texts(request.query, "topic", MAX_TOPICS)}


def _trace(request: web.Request) -> Arguments:
    time = params.time(request.query, "time")
    if time is None:
        raise ParameterError("time is missing: that of the event")
    return {"time": time} | {name: params.text(request.query, name) for name in ("index", "id")}


def _alert_preview(request: web.Request) -> Arguments:
    """Return the rule, JSON as in a table ``alerts.rules.NAME`` of the settings, and for how many days to look back."""
    text = params.text(request.query, "rule")
    try:
        rule = loads(text.encode())
    except NotJsonError:
        rule = None
    if not isinstance(rule, dict):
        raise ParameterError("rule must be a JSON object")
    days = params.number(request.query, "days", 3, 1, 30)
    return {"rule": rule, "days": days, "now": time.time()}


def _problems(request: web.Request) -> Arguments:
    query = request.query
    number = params.number(query, "n", 50, 1, MAX_PROBLEMS)
    return _filters(request) | {"n": number, "problem": params.text(query, "problem"), "now": utc_now()}


def _no_arguments(_: web.Request) -> Arguments:
    return {}


def _status_handler(status: Status) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return compressed(QueryResponse(200, dumps(await status.document())), request)

    return handle


def _pipelines_handler(status: Status) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        document = {"fills_store": status.config.fills_store, "pipelines": status.pipelines()}
        return compressed(QueryResponse(200, dumps(document)), request)

    return handle


async def _recipes_handler(request: web.Request) -> web.Response:
    """Return how a site sends its logs, with ingestd-django and for each server.

    The parameters: ``host``, the ``port`` of an input ``tcp``, and the ``beats_port`` of an input ``beats``, 0 if there
    is none.
    """
    try:
        host = params.text(request.query, "host") or HOST
        port = params.number(request.query, "port", PORT, 1, 65535)
        beats_port = params.number(request.query, "beats_port", 0, 0, 65535)
    except ParameterError as error:
        return json_error(400, str(error))
    if not _HOST.fullmatch(host):
        return json_error(400, "host must be the name or address of a host")
    found = [_recipe(recipe) for recipe in recipes(host, port, beats_port)]
    return compressed(QueryResponse(200, dumps({"recipes": found})), request)


def _recipe(recipe: Recipe) -> dict[str, Any]:
    snippets = [{"place": snippet.place, "text": snippet.text} for snippet in recipe.snippets]
    return {"name": recipe.name, "title": recipe.title, "package": recipe.package, "snippets": snippets}
