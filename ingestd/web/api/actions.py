"""``POST api/indices/NAME/backup`` and ``…/delete``, ``POST api/restore``: orders for the indices, one at a time.

The answer comes at once, status 202; how far it is, and what became of it, is in ``action`` of ``api/status`` and in
``GET api/actions``. Who may order is decided by the guard, as for every POST.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import from_datetime
from ingestd.lifecycle.build import repository
from ingestd.lifecycle.manual_actions import Order
from ingestd.logs import get_logger
from ingestd.settings import load_settings
from ingestd.stores.base import StoreError
from ingestd.stores.open import is_builtin, open_backups
from ingestd.web.auth.middleware import problem
from ingestd.web.processes.action_process import Task

log = get_logger(__name__)

_MOST_TEXT = 255
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Words(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an order, JSON; it may be empty where nothing is needed."""

    day: str = ""
    rename: str = ""
    force: bool = False


class _Told(msgspec.Struct):
    """A line of the process."""

    done: int = 0
    total: int = 0
    said: str | None = None
    error: str | None = None


class Actions:
    """Carries out orders, each in a process of its own, and remembers the last one.

    Args:
        settings: As texts by name, for the process; None: nothing can be ordered, for another store is shown.
    """

    def __init__(self, settings: Mapping[str, str] | None) -> None:
        self._settings = settings
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._last: dict[str, Any] | None = None

    def routes(self, prefix: str = "") -> list[web.RouteDef]:
        """Return the routes below ``prefix``."""
        found = [web.post(f"{prefix}/api/indices/{{index}}/{kind}", self._takes(kind)) for kind in ("backup", "delete")]
        return [
            *found,
            web.post(f"{prefix}/api/restore", self._takes("restore")),
            web.get(f"{prefix}/api/actions", self._show),
        ]

    def document(self) -> dict[str, Any] | None:
        """Return the last action as JSON types: ``state`` is running, done or failed; ``message`` says what became."""
        return self._last

    async def end(self, _: web.Application) -> None:
        """Break off what is under way; it can be ordered again."""
        if self._process is not None and self._task is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._task

    async def _show(self, _: web.Request) -> web.Response:
        shown = {"action": self._last} | await asyncio.to_thread(self._repository)
        return web.Response(body=dumps(shown), content_type="application/json")

    def _repository(self) -> dict[str, str | None]:
        """Return the repository of the built-in store, None if it has none; a server is not asked for its own."""
        if self._settings is None:
            return {}
        settings = load_settings(environ={}, flags=self._settings)
        url = settings.store or settings.elasticsearch
        if not is_builtin(url):
            return {}
        try:
            with contextlib.closing(open_backups(url, settings.data_dir)) as backups:
                return {"repository": repository(settings, backups) or None}
        except StoreError:  # which says more when an order is refused
            return {}

    def _takes(self, kind: str) -> _Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if self._settings is None:
                return problem(409, "backups and retention work on another store than the one that is shown")
            if self._task is not None and not self._task.done():
                return problem(409, "another action is under way; wait for its end")
            try:
                order = await _order(kind, request)
            except ValueError as error:
                return problem(400, str(error))
            self._begin(order, self._settings)
            return _answer(202, self._last)

        return handle

    def _begin(self, order: Order, settings: Mapping[str, str]) -> None:
        self._last = {
            "kind": order.kind,
            "index": order.index or None,
            "day": order.day or None,
            "state": "running",
            "done": 0,
            "total": 0,
            "message": "",
            "started": _now(),
            "ended": None,
        }
        log.info("an order from the dashboard", kind=order.kind, index=order.index, day=order.day)
        self._task = asyncio.create_task(self._carry_out(Task(dict(settings), order), self._last))

    async def _carry_out(self, task: Task, shown: dict[str, Any]) -> None:
        """Let a process do it, and show what it tells."""
        code = f"import sys; sys.path[:] = {sys.path!r}; from ingestd.web.processes.action_process import main; main()"
        end = _Told(error="it was broken off; order it again")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-c", code), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=dict(os.environ)
            )
            assert self._process.stdin is not None  # noqa: S101 -- it was made with pipes
            assert self._process.stdout is not None  # noqa: S101
            self._process.stdin.write(msgspec.json.encode(task) + b"\n")
            async for line in self._process.stdout:
                told = msgspec.json.decode(line, type=_Told)
                if told.said is not None or told.error is not None:
                    end = told
                else:
                    shown |= {"done": told.done, "total": told.total}
            await self._process.wait()
            self._process.stdin.close()
        except OSError as error:
            end = _Told(error=f"no process can be had for it: {error.strerror or error}")
        shown |= {"state": "failed" if end.said is None else "done", "message": end.said or end.error, "ended": _now()}
        if end.said is None:
            log.warning("an order from the dashboard failed", kind=task.order.kind, error=end.error)


async def _order(kind: str, request: web.Request) -> Order:
    """Return what a request orders. Raises ValueError."""
    body = await request.read()
    try:
        words = msgspec.json.decode(body or b"{}", type=_Words)
    except msgspec.MsgspecError as error:
        raise ValueError(f"the body is no order: {error}") from None
    if kind == "restore":
        try:
            datetime.date.fromisoformat(words.day.replace(".", "-"))
        except ValueError:
            raise ValueError(f"day is a day such as 2019-05-15, not {words.day[:40]!r}") from None
    if len(words.rename) > _MOST_TEXT:
        raise ValueError(f"rename has more than {_MOST_TEXT} characters")
    given = {
        "kind": kind,
        "index": request.match_info.get("index", ""),
        "day": words.day.replace(".", "-"),
        "rename": words.rename,
        "force": words.force,
    }
    return msgspec.convert(given, Order)


def _answer(status: int, action: dict[str, Any] | None) -> web.Response:
    return web.Response(status=status, body=dumps({"action": action}), content_type="application/json")


def _now() -> str:
    return from_datetime(datetime.datetime.now(datetime.UTC))
