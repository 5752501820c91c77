"""``POST api/indices/NAME/backup`` and ``…/delete``, ``POST api/restore``: manual actions on indices, one at a time.

The response comes at once, with status 202; ``action`` of ``api/status`` and ``GET api/actions`` have the progress and
the result. Who may start actions is checked by the authentication middleware, as for every POST.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from ingestd.action_log import Action
from ingestd.lifecycle.build import repository
from ingestd.lifecycle.manual_actions import ManualAction
from ingestd.settings import load_settings
from ingestd.stores.base import StoreError
from ingestd.stores.open import is_builtin, open_backups
from ingestd.web.api.action_log import RECORDED
from ingestd.web.processes.action_runner import ActionRunner, Ended
from ingestd.web.responses import Handler, decoded, json_error, json_response

_MAX_RENAME = 255

EndAction = Callable[[Action, str, str], Awaitable[None]]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON body of a request; it may be empty where nothing is needed."""

    day: str = ""
    rename: str = ""
    force: bool = False


class ManualActions:
    """The routes of manual actions.

    Args:
        settings: For the process of an action, as texts by name; None: there are no actions, because they would
            concern another store than the one that is shown.
        end: Logs the end of an action that a request has started, see `action_log.ActionRecorder`.
    """

    def __init__(self, settings: Mapping[str, str] | None, end: EndAction | None = None) -> None:
        self._settings = settings
        self._end = end
        self._runner = ActionRunner()

    def routes(self, prefix: str = "") -> list[web.RouteDef]:
        """Return the routes; all paths start with ``prefix``."""
        index = f"{prefix}/api/indices/{{index}}"
        return [
            *(web.post(f"{index}/{kind}", self._start_handler(kind)) for kind in ("backup", "delete")),
            web.post(f"{prefix}/api/restore", self._start_handler("restore")),
            web.get(f"{prefix}/api/actions", self._show),
        ]

    def update(self, settings: Mapping[str, str] | None) -> None:
        """Use other settings for the next action; the running one continues."""
        self._settings = settings

    def document(self) -> dict[str, Any] | None:
        """Return the last action, see ``ActionRunner.last``."""
        return self._runner.last

    async def stop(self, _: web.Application) -> None:
        """Interrupt the running action; it can be started again."""
        await self._runner.close()

    async def _show(self, _: web.Request) -> web.Response:
        return json_response({"action": self._runner.last} | await asyncio.to_thread(self._repository))

    def _repository(self) -> dict[str, str | None]:
        """Return the repository of the built-in store, None if it has none; a server is not queried for its own."""
        if self._settings is None:
            return {}
        settings = load_settings(environ={}, flags=self._settings)
        url = settings.store or settings.elasticsearch
        if not is_builtin(url):
            return {}
        try:
            with contextlib.closing(open_backups(url, settings.data_dir)) as backups:
                return {"repository": repository(settings, backups) or None}
        except StoreError:  # an action that is started says why
            return {}

    def _start_handler(self, kind: str) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if self._settings is None:
                return json_error(409, "backups and retention work on a store other than the one that is shown")
            if self._runner.busy:
                return json_error(409, "another action is running; wait until it has ended")
            try:
                action = await _read_action(kind, request)
            except ValueError as error:
                return json_error(400, str(error))
            self._runner.start(action, self._settings, self._logged())
            return json_response({"action": self._runner.last}, 202)

        return handle

    def _logged(self) -> Ended | None:
        """Return what is called with the outcome of the action that this request has started, and a sentence."""
        entry = RECORDED.get()
        return partial(self._end, entry) if self._end is not None and entry is not None else None


async def _read_action(kind: str, request: web.Request) -> ManualAction:
    """Return the action that a request asks for. Raises ValueError."""
    content = await request.read()
    try:
        body = decoded(content or b"{}", _Body)
    except msgspec.MsgspecError as error:
        raise ValueError(f"the body is not valid: {error}") from None
    day = body.day.replace(".", "-")
    if kind == "restore":
        try:
            datetime.date.fromisoformat(day)
        except ValueError:
            raise ValueError(f"day must be a date such as 2019-05-15, not {body.day[:40]!r}") from None
    if len(body.rename) > _MAX_RENAME:
        raise ValueError(f"rename has more than {_MAX_RENAME} characters")
    index = request.match_info.get("index", "")
    found = {"kind": kind, "index": index, "day": day, "rename": body.rename, "force": body.force}
    return msgspec.convert(found, ManualAction)
