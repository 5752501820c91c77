"""``POST api/problems/ID/resolve``, ``…/mute`` and ``…/reopen``: what was decided about a problem.

The body is JSON, ``{"note": "fixed in 2.4"}``, and may be empty. Who may do this is checked by the authentication
middleware, as for every POST. ``GET api/problems`` lists the problems.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import msgspec
from aiohttp import web

from ingestd.analytics.problem_marks import ACTIONS, MarkError, mark_problem
from ingestd.logs import get_logger
from ingestd.web.responses import Handler, decoded, json_error, json_response, utc_now

log = get_logger(__name__)


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    note: str = ""


def problem_routes(data_dir: Path, prefix: str = "") -> list[web.RouteDef]:
    """Return the routes; the marks are kept in ``data_dir``, all paths start with ``prefix``."""
    path = f"{prefix}/api/problems/{{problem}}"
    return [web.post(f"{path}/{action}", _mark_handler(data_dir, action)) for action in ACTIONS]


def _mark_handler(data_dir: Path, action: str) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        problem, by = request.match_info["problem"], request.remote or ""
        try:
            body = decoded(await request.read() or b"{}", _Body)
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
