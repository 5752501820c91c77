"""``api/tail``: what comes in, as it comes in, as server-sent events
(https://html.spec.whatwg.org/multipage/server-sent-events.html).

The store is asked again and again for the last minutes, and what was sent already is left out: so an event that
arrives late, behind younger ones, is shown as well.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from ingestd.event.jsontext import dumps, loads
from ingestd.event.timestamp import from_datetime
from ingestd.stores import follow
from ingestd.web.api import params
from ingestd.web.api.params import ParameterError
from ingestd.web.api.routes import respond
from ingestd.web.auth.middleware import problem
from ingestd.web.processes.answers import Answer
from ingestd.web.processes.query_pool import QueryPool

MOST_STREAMS = 8
_POLL_SECONDS = 1.0
_KEEP_ALIVE_SECONDS = 15.0
_PAGE = 500
_SHARE = 4
"""A stream spends at most one part in so many on asking; a store that is slow to answer is asked less often."""

Hit = dict[str, Any]


class News:
    """Picks out of the newest hits those that have not been picked before.

    ``since``: a time in UTC; what is older when it is seen first, at the first call, is no news.
    """

    def __init__(self, since: str) -> None:
        self._since: str | None = since.removesuffix("Z")
        self._news = follow.UnseenEvents()

    def pick(self, hits: list[Hit]) -> list[Hit]:
        """Return the news among hits that are sorted from new to old, from old to new."""
        fresh, since = self._news.pick(hits, _key), self._since
        self._since = None
        return fresh if since is None else [one for one in fresh if _time(one) >= since]


class Tails:
    """The streams; at most ``MOST_STREAMS``. ``allowed`` tells of a request whether its session goes on."""

    def __init__(self, pool: QueryPool, allowed: Callable[[web.Request], bool], prefix: str = "") -> None:
        self._pool, self._allowed, self._prefix = pool, allowed, prefix
        self._tasks: set[asyncio.Task[Any]] = set()

    def route(self) -> web.RouteDef:
        """Return the route."""
        return web.get(f"{self._prefix}/api/tail", self._handle)

    async def end(self, _: web.Application) -> None:
        """End all streams; for the server's shutdown, which would wait for them."""
        for task in self._tasks:
            task.cancel()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if len(self._tasks) >= MOST_STREAMS:
            return problem(503, f"{MOST_STREAMS} pages follow the log already; that is the most")
        try:
            query = params.text(request.query, "q")
            news = News(params.time(request.query, "since") or _ago(0))
        except ParameterError as error:
            return problem(400, str(error))
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a handler runs in one
        self._tasks.add(task)
        try:
            return await self._stream(request, query, news)
        finally:
            self._tasks.discard(task)

    async def _stream(self, request: web.Request, query: str, news: News) -> web.StreamResponse:
        began = time.monotonic()
        answer = await self._ask(query)
        if answer.status != 200:
            return respond(answer, request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        written = time.monotonic()
        while self._allowed(request):
            if text := _message(answer, news):
                await response.write(text)
                written = time.monotonic()
            elif time.monotonic() - written >= _KEEP_ALIVE_SECONDS:
                await response.write(b": keep-alive\n\n")
                written = time.monotonic()
            await asyncio.sleep(max(_POLL_SECONDS, (time.monotonic() - began) * (_SHARE - 1)))
            began = time.monotonic()
            answer = await self._ask(query)
        return response

    async def _ask(self, query: str) -> Answer:
        arguments = {"q": query, "since": _ago(follow.OVERLAP_SECONDS), "until": None, "limit": _PAGE, "after": None}
        return await self._pool.ask("search", arguments)


def _message(answer: Answer, news: News) -> bytes:
    """Return what to send; empty: nothing."""
    document = loads(answer.body)
    if answer.status != 200:  # the store may come back
        return b"event: problem\ndata: " + dumps(document) + b"\n\n"
    hits = news.pick(document["hits"])
    return b"event: hits\ndata: " + dumps(hits) + b"\n\n" if hits else b""


def _ago(seconds: float) -> str:
    return from_datetime(datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds))


def _time(hit: Hit) -> str:
    return str(hit["event"].get("@timestamp", "")).removesuffix("Z")


def _key(hit: Hit) -> str:
    return follow.event_key(hit["index"], hit["id"], lambda: dumps(hit["event"]))
