"""The daemon's HTTP server: dashboard, ``/metrics``, ``/health``."""

from __future__ import annotations

import asyncio
import errno
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ingestd.logs import get_logger
from ingestd.supervisor.connections.sockets import listen_hint
from ingestd.units import Address
from ingestd.web.dashboard_config import NO_DASHBOARD, DashboardConfig
from ingestd.web.health import Health
from ingestd.web.reload import ReloadResult

if TYPE_CHECKING:
    from aiohttp import web

log = get_logger(__name__)


class HttpServer:
    """Serves the application of ``ingestd.web.app``; life: ``start``, ``stop``.

    Args:
        address: Where to listen; with port 0 on a free port, see ``bound``.
        health: Called for each request to ``/health``, and before ``/metrics``: it may set gauges.
        config: What is shown, and to whom.
        reload: Reloads the pipeline config for ``POST /reload``, and returns when that has ended. None: there is no
            such path.
        explicit: Whether the user chose the address. If the default port is taken, the daemon warns and runs without
            HTTP.
    """

    def __init__(
        self,
        address: Address,
        health: Callable[[], Awaitable[Health]],
        config: DashboardConfig = NO_DASHBOARD,
        *,
        reload: Callable[[], Awaitable[ReloadResult]] | None = None,
        explicit: bool = True,
    ) -> None:
        self._config, self._reload = config, reload
        self._address, self._health, self._explicit = address, health, explicit
        self._runner: web.AppRunner | None = None
        self._update: Callable[[DashboardConfig], None] | None = None
        self.bound: Address | None = None
        """Where it listens; None before ``start``, after ``stop``, and if the default port is taken."""

    async def start(self) -> None:
        """Listen. The import of aiohttp (0.2 s of CPU) happens in a thread.

        Raises:
            OSError: It cannot listen on the address; the message says what to do.
            AccessError: The address can be reached from outside, and there is no password.
        """
        self._config.access.check(self._address)
        app = await asyncio.to_thread(importlib.import_module, "ingestd.web.app")
        application, self._update = app.make_app(self._config, self._health, self._reload)
        runner = self._runner = app.Runner(application)
        await runner.setup()
        try:
            await app.web.TCPSite(runner, self._address.host, self._address.port).start()
        except OSError as error:
            await self.stop()
            if self._explicit:
                raise OSError(error.errno, _advice(self._address, error)) from error
            log.warning("no HTTP: the default port is taken", address=self._address, reason=_reason(error))
            return
        self.bound = Address(*runner.addresses[0][:2])
        log.info("serving metrics and health", url=f"http://{self.bound}{self._config.prefix}")
        if self._config.data_dir is not None:
            log.info(f"dashboard: {self.url}/")  # to click on in a terminal

    @property
    def url(self) -> str:
        """The URL of the pages for this machine, without a slash at its end; empty if none are served."""
        return f"http://{_reachable(self.bound)}{self._config.prefix}" if self.bound is not None else ""

    def update(self, config: DashboardConfig) -> None:
        """Show something else from now on; the path prefix and whether there is a dashboard stay as they are."""
        assert self._update is not None  # noqa: S101 -- it was started
        self._update(config)

    async def stop(self) -> None:
        """Close the port; running requests get a second to finish."""
        runner, self._runner, self.bound = self._runner, None, None
        if runner:
            await runner.cleanup()


def _reachable(address: Address) -> Address:
    """Return an address that a browser on this machine can open."""
    return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host), address.port)  # noqa: S104


def _reason(error: OSError) -> str:
    return "address already in use" if error.errno == errno.EADDRINUSE else str(error)


def _advice(address: Address, error: OSError) -> str:
    where = f"cannot serve HTTP on {address}: {_reason(error)}"
    if error.errno == errno.EACCES:
        return f"{where}; {listen_hint(address.port, error)}"
    return f"{where}; choose another with --http HOST:PORT, or --http off"
