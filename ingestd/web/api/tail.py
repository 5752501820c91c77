"""``api/tail``: events as they come in, as server-sent events
(https://html.spec.whatwg.org/multipage/server-sent-events.html).

The store is searched for the last minutes again and again, and what was sent before is left out. So an event that
arrives late, after younger ones, is shown as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from ingestd.event.jsontext import dumps, loads
from ingestd.stores import follow
from ingestd.web import params
from ingestd.web.params import ParameterError
from ingestd.web.processes.query_pool import QueryPool
from ingestd.web.protocol import QueryResponse
from ingestd.web.responses import compressed, json_error, utc_now

MAX_STREAMS = 8
_POLL_SECONDS = 1.0
_KEEP_ALIVE_SECONDS = 15.0
_PAGE = 500
_SHARE = 4
"""A stream spends at most one part in this many on searching; a slow store is searched less often."""

Hit = dict[str, Any]


class UnseenHits:
    """Picks the hits that it has not picked before.

    Args:
        since: A time in UTC; hits that are older at the first call are not picked.
    """

    def __init__(self, since: str) -> None:
        self._since: str | None = since.removesuffix("Z")
        self._unseen = follow.UnseenEvents()

    def pick(self, hits: list[Hit]) -> list[Hit]:
        """Return the unseen ones of hits that are sorted from new to old, from old to new."""
        fresh, since = self._unseen.pick(hits, _key), self._since
        self._since = None
        return fresh if since is None else [hit for hit in fresh if _time(hit) >= since]


class LiveTail:
    """The streams, ``MAX_STREAMS`` at most.

    Args:
        pool: Searches the store.
        allowed: Returns whether the client of a request is still signed in.
        prefix: What all paths start with.
    """

    def __init__(self, pool: QueryPool, allowed: Callable[[web.Request], bool], prefix: str = "") -> None:
        self._pool, self._allowed, self._prefix = pool, allowed, prefix
        self._streams: set[asyncio.Task[Any]] = set()

    def route(self) -> web.RouteDef:
        """Return the route."""
        return web.get(f"{self._prefix}/api/tail", self._handle)

    async def stop(self, _: web.Application) -> None:
        """End all streams: the server's shutdown would wait for them."""
        for task in self._streams:
            task.cancel()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if len(self._streams) >= MAX_STREAMS:
            return json_error(503, f"{MAX_STREAMS} pages follow the log already, which is the maximum")
        try:
            query = request.query.get("q", "")
            unseen = UnseenHits(params.time(request.query, "since") or utc_now())
        except ParameterError as error:
            return json_error(400, str(error))
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a handler runs in one
        self._streams.add(task)
        try:
            return await self._stream(request, query, unseen)
        finally:
            self._streams.discard(task)

    async def _stream(self, request: web.Request, query: str, unseen: UnseenHits) -> web.StreamResponse:
        started = time.monotonic()
        found = await self._search(query)
        if found.status != 200:
            return compressed(found, request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        written = time.monotonic()
        while self._allowed(request):
            if text := _message(found, unseen):
                await response.write(text)
                written = time.monotonic()
            elif time.monotonic() - written >= _KEEP_ALIVE_SECONDS:
                await response.write(b": keep-alive\n\n")
                written = time.monotonic()
            await asyncio.sleep(max(_POLL_SECONDS, (time.monotonic() - started) * (_SHARE - 1)))
            started = time.monotonic()
            found = await self._search(query)
        return response

    async def _search(self, query: str) -> QueryResponse:
        since = utc_now(-follow.OVERLAP_SECONDS)
        arguments = {"q": query, "since": since, "until": None, "limit": _PAGE, "after": None}
        return await self._pool.run("search", arguments)


def _message(found: QueryResponse, unseen: UnseenHits) -> bytes:
    """Return what to send; empty: nothing."""
    document = loads(found.body)
    if found.status != 200:  # the store may come back
        return b"event: problem\ndata: " + dumps(document) + b"\n\n"
    hits = unseen.pick(document["hits"])
    return b"event: hits\ndata: " + dumps(hits) + b"\n\n" if hits else b""


def _time(hit: Hit) -> str:
    return str(hit["event"].get("@timestamp", "")).removesuffix("Z")


def _key(hit: Hit) -> str:
    return follow.event_key(hit["index"], hit["id"], lambda: dumps(hit["event"]))
