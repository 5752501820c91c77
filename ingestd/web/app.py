"""The pages of the HTTP server. Imported late: aiohttp takes longer to import than the daemon to start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

import ingestd
from ingestd.event.jsontext import dumps
from ingestd.web.exposition import render
from ingestd.web.health import Health

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Sent with every answer: nothing here is to be cached, framed or guessed at, and no page loads anything."""

_INDEX = f"""<!doctype html>
<html lang="en"><title>ingestd</title>
<h1>ingestd {ingestd.__version__}</h1>
<ul>
<li><a href="/health">/health</a>: is it alive and ready
(<a href="/health/live">/health/live</a> and <a href="/health/ready">/health/ready</a> for probes)</li>
<li><a href="/metrics">/metrics</a>: for Prometheus</li>
</ul>
</html>
"""


def make_app(
    health: Callable[[], Awaitable[Health]], reload: Callable[[], Awaitable[str]] | None = None
) -> web.Application:
    """Return the application.

    ``health`` is asked at each request for it, and before the metrics are shown: it measures the queues.
    ``reload`` loads the config again and returns what is wrong with it; None: there is no such page.
    """
    app = web.Application(client_max_size=64 * 1024)  # nothing is uploaded here
    app.on_response_prepare.append(_add_headers)
    app.add_routes(
        [
            web.get("/", _index),
            web.get("/metrics", _metrics_page(health)),
            web.get("/health", _health_page(health, lambda state: state.ready)),
            web.get("/health/live", _health_page(health, lambda state: state.live)),
            web.get("/health/ready", _health_page(health, lambda state: state.ready)),
        ]
    )
    if reload is not None:
        app.router.add_post("/reload", _reload_page(reload))
    return app


def _reload_page(reload: Callable[[], Awaitable[str]]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        if "Origin" in request.headers:  # a page in somebody's browser; programs send no such header
            return web.json_response({"error": "not for browsers"}, status=403)
        error = await reload()
        return web.Response(
            status=422 if error else 200, body=dumps({"error": error}), content_type="application/json"
        )

    return answer


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    response.headers["Server"] = "ingestd"


async def _index(_: web.Request) -> web.Response:
    return web.Response(text=_INDEX, content_type="text/html")


def _metrics_page(health: Callable[[], Awaitable[Health]]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        await health()
        body, content_type = render()
        return web.Response(body=body, headers={"Content-Type": content_type})

    return answer


def _health_page(health: Callable[[], Awaitable[Health]], good: Callable[[Health], bool]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        state = await health()
        status = 200 if good(state) else 503
        return web.Response(status=status, body=dumps(state.document()), content_type="application/json")

    return answer
