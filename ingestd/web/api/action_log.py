"""Puts what people and programs change over HTTP into the action log; ``GET api/action_log`` shows it.

Every POST below ``api/``, and to ``reload``, is such a change: each new route is in the log without further code. The
name of an action is that of its route: ``indices.delete``, ``restore``, ``alerts.mute``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from ingestd.action_log import DONE, FAILED, STARTED, Action, ActionLog, new_action_id
from ingestd.logs import get_logger
from ingestd.web import params
from ingestd.web.responses import FailureResponse, Handler, decoded, json_error, json_response, utc_now

log = get_logger(__name__)

Who = Callable[[web.Request], tuple[str, str]]
"""Returns who sent a request, as `Action.by` has it, and from which address."""

RECORDED: ContextVar[Action | None] = ContextVar("recorded", default=None)
"""What the request that is handled was recorded as."""

_MAX_SHOWN = 500
_MAX_BODY, _QUOTES = 200, '"'
_ACCEPTED = 202
"""The status of an action that continues: whoever runs it logs its end with `ActionRecorder.end`."""


class _Failure(msgspec.Struct):
    message: str = ""


class _Body(msgspec.Struct):
    error: str | _Failure = ""


class ActionRecorder:
    """The action log of a data folder, for requests.

    Args:
        data_dir: The data folder.
        prefix: What all paths start with.
        who: See `Who`.
    """

    def __init__(self, data_dir: Path, prefix: str, who: Who) -> None:
        self._log, self._prefix, self._who = ActionLog(data_dir), prefix, who

    def route(self) -> web.RouteDef:
        """Return the route that shows the log."""
        return web.get(f"{self._prefix}/api/action_log", self._show)

    def middleware(self) -> Middleware:
        """Return the middleware; it comes after the authentication."""

        @web.middleware
        async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
            name = self._action(request)
            if not name:
                return await handler(request)
            action = await self._start(request, name)
            token = RECORDED.set(action)
            try:
                response = await handler(request)
            except BaseException as error:
                await self.end(action, FAILED, str(error))
                raise
            finally:
                RECORDED.reset(token)
            if isinstance(response, FailureResponse):
                await self.end(action, FAILED, response.failure)
            elif response.status >= 400:
                await self.end(action, FAILED, _reason(response))
            elif response.status != _ACCEPTED:
                await self.end(action, DONE)
            return response

        return record

    async def end(self, action: Action, outcome: str, text: str = "") -> None:
        """Log the end of an action."""
        await self._add(Action(action.id, utc_now(), action.action, outcome=outcome, text=text))

    def _action(self, request: web.Request) -> str:
        """Return the name of the action that a request asks for; empty: none."""
        resource = request.match_info.route.resource
        if request.method != "POST" or resource is None:
            return ""
        path = resource.canonical.removeprefix(self._prefix)
        if not path.startswith("/api/"):
            return "reload" if path == "/reload" else ""
        return ".".join(part for part in path.split("/")[2:] if not part.startswith("{"))

    async def _start(self, request: web.Request, name: str) -> Action:
        by, address = self._who(request)
        body = _shown(await request.read())
        target = "/".join(request.match_info.values())
        target, text = (target, body) if target else (body, "")
        action = Action(new_action_id(), utc_now(), name, target, by, "", address, STARTED, text)
        await self._add(action)
        return action

    async def _add(self, action: Action) -> None:
        try:
            await asyncio.to_thread(self._log.add, action)
        except OSError as error:  # such as a full disk, which a deletion is meant to fix
            log.error("the action log cannot be written", action=action.action, target=action.target, error=error)

    async def _show(self, request: web.Request) -> web.Response:
        try:
            limit = params.number(request.query, "limit", 50, 1, _MAX_SHOWN)
            found = await asyncio.to_thread(self._log.read, limit)
        except params.ParameterError as error:
            return json_error(400, str(error))
        except OSError as error:
            return json_error(503, f"the action log cannot be read: {error.strerror or error}")
        return json_response({"actions": [msgspec.to_builtins(action) for action in found]})


def _shown(body: bytes) -> str:
    """Return the body of a request as text: ``day=2026-11-19, force=true``."""
    try:
        found = decoded(body or b"{}", dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return ""
    texts = (f"{key}={bytes(value).decode('utf-8', 'replace').strip(_QUOTES)}" for key, value in found.items())
    return ", ".join(texts)[:_MAX_BODY]


def _reason(response: web.StreamResponse) -> str:
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes):
        return f"status {response.status}"
    try:
        error = decoded(body, _Body).error
    except msgspec.MsgspecError:
        return f"status {response.status}"
    return error.message if isinstance(error, _Failure) else error
