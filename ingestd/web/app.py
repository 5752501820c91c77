"""The aiohttp application: routes, middlewares, headers. Imported late, because importing aiohttp takes 0.2 s."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion10, web

import ingestd
from ingestd.web.api.action_log import ActionRecorder
from ingestd.web.api.actions import ManualActions
from ingestd.web.api.alerts import AlertsApi
from ingestd.web.api.export import Exports
from ingestd.web.api.problems import problem_routes
from ingestd.web.api.routes import api_routes
from ingestd.web.api.status import Status
from ingestd.web.api.tail import LiveTail
from ingestd.web.api.views import view_routes
from ingestd.web.auth.middleware import Authentication
from ingestd.web.bad_requests import MAX_URL_BYTES, Runner, url_too_long
from ingestd.web.dashboard_config import DashboardConfig
from ingestd.web.health import Health, ReloadResult
from ingestd.web.processes.query_pool import QueryPool
from ingestd.web.protocol import QueryProcessConfig
from ingestd.web.responses import Handler, add_headers, json_error, json_response
from ingestd.web.static_files import INDEX, StaticFile, StaticFiles, load_files

__all__ = ["Runner", "make_app", "web"]

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
    config: DashboardConfig,
    health: Callable[[], Awaitable[Health]],
    reload: Callable[[], Awaitable[ReloadResult]] | None = None,
) -> tuple[web.Application, Callable[[DashboardConfig], None]]:
    """Return the application, and a function that changes what it shows and to whom: not the prefix.

    Args:
        config: What it shows.
        health: Called for each request to ``/health``, and before the metrics are rendered: it measures the queues.
        reload: Reloads the pipeline config and returns when that has ended; None: there is no ``/reload``.
    """
    authentication = Authentication(config.access, config.prefix, config.data_dir)
    recorder = None
    middlewares = [_check_first_line, authentication.middleware()]
    if config.data_dir is not None:
        recorder = ActionRecorder(config.data_dir, config.prefix, authentication.who)
        middlewares.append(recorder.middleware())
    app = web.Application(client_max_size=64 * 1024, middlewares=middlewares)  # nothing is uploaded here
    app.on_response_prepare.append(_add_headers)
    prefix = config.prefix
    app.add_routes(
        [
            web.get(f"{prefix}/metrics", _metrics_handler(health)),
            web.get(f"{prefix}/health", _health_handler(health, lambda state: state.ready)),
            web.get(f"{prefix}/health/live", _health_handler(health, lambda state: state.live)),
            web.get(f"{prefix}/health/ready", _health_handler(health, lambda state: state.ready)),
            *authentication.routes(),
        ]
    )
    if reload is not None:
        app.router.add_post(f"{prefix}/reload", _reload_handler(reload))
    if config.data_dir is None or recorder is None:
        app.add_routes(_static_routes(prefix, lambda: None))
        return app, lambda new: authentication.update(new.access)
    pool = QueryPool(_query_config(config))
    update_dashboard = _add_dashboard(app, config, authentication, health, pool, recorder)
    app.add_routes(_static_routes(prefix, pool.warm_up))

    def update(new: DashboardConfig) -> None:
        authentication.update(new.access)
        update_dashboard(new)

    return app, update


@web.middleware
async def _check_first_line(request: web.Request, handler: Handler) -> web.StreamResponse:
    if (size := len(request.raw_path)) > MAX_URL_BYTES:
        return url_too_long(size)
    if request.version < HttpVersion10:
        return json_error(505, "HTTP/0.9 is not supported; use HTTP/1.1")
    return await handler(request)


def _query_config(config: DashboardConfig) -> QueryProcessConfig:
    return QueryProcessConfig(
        data_dir=str(config.data_dir),
        memory=config.query_memory,
        timeout_s=config.query_timeout,
        server=config.server,
        indices=config.indices,
        retention=config.retention,
        action_settings=dict(config.action_settings) if config.action_settings is not None else None,
        configs=config.configs,
        kafka=list(config.kafka),
        fills_store=config.fills_store,
    )


def _add_dashboard(
    app: web.Application,
    config: DashboardConfig,
    authentication: Authentication,
    health: Callable[[], Awaitable[Health]],
    pool: QueryPool,
    recorder: ActionRecorder,
) -> Callable[[DashboardConfig], None]:
    """Add the API of the dashboard; ``pool`` answers its queries and is closed with the application.

    Returns a function that changes what it shows; running queries and actions are not interrupted.
    """
    tail = LiveTail(pool, lambda request: authentication.identify(request).authenticated, config.prefix)
    actions = ManualActions(config.action_settings, recorder.end)
    exports = Exports(_query_config(config), config.prefix)
    status = Status(config, health, pool, actions)
    alerts = AlertsApi(config.alerts)
    app.add_routes([*api_routes(pool, status, config.prefix), tail.route(), exports.route(), recorder.route()])
    app.add_routes([*actions.routes(config.prefix), *alerts.routes(config.prefix)])
    if config.data_dir is not None:
        app.add_routes(problem_routes(config.data_dir, pool.run, authentication.who, config.prefix))
        app.add_routes(view_routes(config.data_dir, config.prefix))
    app.on_shutdown.append(tail.stop)
    app.on_shutdown.append(exports.stop)
    app.on_shutdown.append(actions.stop)

    async def close(_: web.Application) -> None:
        await status.close()
        await pool.close()

    app.on_cleanup.append(close)

    def update(new: DashboardConfig) -> None:
        pool.update(_query_config(new))
        exports.update(_query_config(new))
        status.update(new)
        actions.update(new.action_settings)
        alerts.update(new.alerts)

    return update


def _static_routes(prefix: str, on_open: Callable[[], None]) -> list[web.RouteDef]:
    files = load_files()
    static = StaticFiles(files, files.get(INDEX) or StaticFile(_LINKS, "text/html; charset=utf-8", '"links"'))

    async def page(request: web.Request) -> web.Response:
        on_open()
        return static.page.response(request)

    async def file(request: web.Request) -> web.Response:
        found = static.response(request, request.match_info["path"])
        if found is None:
            raise web.HTTPNotFound
        return found

    async def add_slash(_: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": f"{prefix}/"})

    async def to_prefix(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"{prefix}/"})  # not for good: the prefix is a setting

    found = [web.get(f"{prefix}/", page), web.get(f"{prefix}/static/{{path:.+}}", file)]
    return [*found, web.get(prefix, add_slash), web.get("/", to_prefix)] if prefix else found


def _reload_handler(reload: Callable[[], Awaitable[ReloadResult]]) -> Handler:
    async def handle(_: web.Request) -> web.Response:
        result = await reload()
        if not result.error:
            return json_response({"error": "", "result": result.text})
        return json_response({"error": result.error}, 504 if result.late else 422)

    return handle


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    add_headers(response)


def _metrics_handler(health: Callable[[], Awaitable[Health]]) -> Handler:
    async def handle(_: web.Request) -> web.Response:
        from ingestd.web.exposition import render  # noqa: PLC0415 -- 3 MB that only a site with Prometheus needs

        await health()
        body, content_type = render()
        return web.Response(body=body, headers={"Content-Type": content_type})

    return handle


def _health_handler(health: Callable[[], Awaitable[Health]], is_good: Callable[[Health], bool]) -> Handler:
    async def handle(_: web.Request) -> web.Response:
        state = await health()
        return json_response(state.document(), 200 if is_good(state) else 503)

    return handle
