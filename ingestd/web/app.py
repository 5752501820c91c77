"""The pages of the HTTP server. Imported late: aiohttp takes longer to import than the daemon to start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

import ingestd
from ingestd.event.jsontext import dumps
from ingestd.web.api.actions import Actions
from ingestd.web.api.routes import routes
from ingestd.web.api.status import Status
from ingestd.web.api.tail import Tails
from ingestd.web.auth.middleware import Guard
from ingestd.web.dashboard_config import Site
from ingestd.web.exposition import render
from ingestd.web.health import Health
from ingestd.web.processes.query_pool import QueryPool
from ingestd.web.processes.query_process import Setup
from ingestd.web.static_files import INDEX, StaticFile, load_files

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What a page of ours may load and do: only what comes from here, and no script or style within the page."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Sent with every answer that says nothing else: nothing is to be cached, framed or guessed at."""

_LINKS = f"""<!doctype html>
<html lang="en"><title>ingestd</title>
<h1>ingestd {ingestd.__version__}</h1>
<ul>
<li><a href="health">health</a>: is it alive and ready
(<a href="health/live">health/live</a> and <a href="health/ready">health/ready</a> for probes)</li>
<li><a href="metrics">metrics</a>: for Prometheus</li>
</ul>
</html>
""".encode()


def make_app(
    site: Site, health: Callable[[], Awaitable[Health]], reload: Callable[[], Awaitable[str]] | None = None
) -> web.Application:
    """Return the application.

    ``health`` is asked at each request for it, and before the metrics are shown: it measures the queues.
    ``reload`` loads the config again and returns what is wrong with it; None: there is no such page.
    """
    guard = Guard(site.access, site.prefix)
    app = web.Application(client_max_size=64 * 1024, middlewares=[guard.middleware()])  # nothing is uploaded here
    app.on_response_prepare.append(_add_headers)
    prefix = site.prefix
    app.add_routes(
        [
            web.get(f"{prefix}/metrics", _metrics_page(health)),
            web.get(f"{prefix}/health", _health_page(health, lambda state: state.ready)),
            web.get(f"{prefix}/health/live", _health_page(health, lambda state: state.live)),
            web.get(f"{prefix}/health/ready", _health_page(health, lambda state: state.ready)),
            *guard.routes(),
        ]
    )
    if reload is not None:
        app.router.add_post(f"{prefix}/reload", _reload_page(reload))
    opened = _nothing if site.data_dir is None else _add_dashboard(app, site, guard, health)
    app.add_routes(_static_routes(prefix, opened))
    return app


def _nothing() -> None:
    """Do nothing when the page is opened."""


def _add_dashboard(
    app: web.Application, site: Site, guard: Guard, health: Callable[[], Awaitable[Health]]
) -> Callable[[], None]:
    """Add what the dashboard asks for; return what is to be done when its page is opened."""
    setup = Setup(
        data_dir=str(site.data_dir),
        memory=site.query_memory,
        timeout_s=site.query_timeout,
        server=site.server,
        indices=site.indices,
        rules=site.rules,
        orders=dict(site.orders) if site.orders is not None else None,
    )
    pool = QueryPool(setup)
    tails = Tails(pool, lambda request: guard.visitor(request).known, site.prefix)
    actions = Actions(site.orders)
    status = Status(site, health, pool, actions)
    app.add_routes([*routes(pool, status, site.prefix), tails.route(), *actions.routes(site.prefix)])
    app.on_shutdown.append(tails.end)
    app.on_shutdown.append(actions.end)

    async def close(_: web.Application) -> None:
        await pool.close()

    app.on_cleanup.append(close)
    return pool.warm


def _static_routes(prefix: str, opened: Callable[[], None]) -> list[web.RouteDef]:
    files = load_files()
    index = files.get(INDEX) or StaticFile(_LINKS, None, "text/html; charset=utf-8", '"links"')

    async def first(request: web.Request) -> web.Response:
        opened()
        return index.answer(request)

    async def file(request: web.Request) -> web.Response:
        found = files.get(request.match_info["path"])
        if found is None:
            raise web.HTTPNotFound
        return found.answer(request)

    async def into_folder(_: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": f"{prefix}/"})

    found = [web.get(f"{prefix}/", first), web.get(f"{prefix}/static/{{path:.+}}", file)]
    return [*found, web.get(prefix, into_folder)] if prefix else found


def _reload_page(reload: Callable[[], Awaitable[str]]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        error = await reload()
        return web.Response(status=422 if error else 200, body=dumps({"error": error}), content_type="application/json")

    return answer


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.content_type == "text/html":
        response.headers["Content-Security-Policy"] = PAGE_POLICY
    response.headers["Server"] = "ingestd"


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
