"""``POST api/problems/ID/resolve``, ``…/mute`` and ``…/reopen``: what was decided about a problem.

The body is JSON, ``{"note": "fixed in 2.4"}``, and may be empty. Who may do this is checked by the authentication
middleware, as for every POST. A problem that is neither stored nor was marked before is answered with 404.
``GET api/problems`` lists the problems.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
from aiohttp import web

from ingestd.analytics.problem_marks import ACTIONS, MarkError, UnknownProblemError, check_mark, mark_problem
from ingestd.logs import get_logger
from ingestd.web.api.action_log import Who
from ingestd.web.protocol import Arguments, QueryResponse
from ingestd.web.responses import Handler, compressed, decoded, json_error, json_response, utc_now

log = get_logger(__name__)

Run = Callable[[str, Arguments], Awaitable[QueryResponse]]
"""Runs a call of ``QueryCalls`` in a query process."""


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    note: str = ""


class _Known(msgspec.Struct):
    known: bool


def problem_routes(data_dir: Path, run: Run, who: Who, prefix: str = "") -> list[web.RouteDef]:
    """Return the routes; the marks are in ``data_dir``, ``run`` asks the store, all paths start with ``prefix``."""
    path = f"{prefix}/api/problems/{{problem}}"
    return [web.post(f"{path}/{action}", _mark_handler(data_dir, run, who, action)) for action in ACTIONS]


def _mark_handler(data_dir: Path, run: Run, who: Who, action: str) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        problem, (_, by) = request.match_info["problem"], who(request)
        try:
            body = decoded(await request.read() or b"{}", _Body)
            check_mark(problem, action, body.note)
            found = await run("problem_known", {"problem": problem})
            if found.status != 200:
                return compressed(found, request)
            if not decoded(found.body, _Known).known:
                return json_error(404, str(UnknownProblemError(problem)))
            make = partial(mark_problem, data_dir, problem, action, at=utc_now(), by=by, note=body.note)
            mark = await asyncio.to_thread(make)
        except msgspec.MsgspecError as error:
            return json_error(400, f"the body is not valid: {error}")
        except MarkError as error:
            return json_error(400, str(error))
        except OSError as error:
            return json_error(503, f"the data folder cannot be written: {error.strerror or error}")
        log.info("a problem was marked", problem=problem, state=mark.state, client=by)
        return json_response({"problem": problem, "mark": msgspec.to_builtins(mark)})

    return handle
