"""The daemon's HTTP server: dashboard, ``/metrics``, ``/health``."""

from __future__ import annotations

import asyncio
import errno
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ingestd.logs import get_logger
from ingestd.units import Address
from ingestd.web.dashboard_config import NO_DASHBOARD, Site
from ingestd.web.health import Health

if TYPE_CHECKING:
    from aiohttp import web

log = get_logger(__name__)


class HttpServer:
    """Serves the pages of ``ingestd.web.app`` at ``address``; life: ``start``, ``stop``.

    Args:
        address: Where to listen; port 0 takes a free one, ``bound`` tells which.
        health: Called at each request for ``/health``, and before ``/metrics``: it may set gauges.
        site: What is shown, and to whom.
        reload: Called for ``POST /reload``: loads the config again, returns what is wrong with it. None: no such page.
        explicit: Whether somebody chose the address. At the default one a port that is taken is no reason to
            stop a daemon: it warns, and goes on without HTTP.
    """

    def __init__(
        self,
        address: Address,
        health: Callable[[], Awaitable[Health]],
        site: Site = NO_DASHBOARD,
        *,
        reload: Callable[[], Awaitable[str]] | None = None,
        explicit: bool = True,
    ) -> None:
        self._site, self._reload = site, reload
        self._address, self._health, self._explicit = address, health, explicit
        self._runner: web.AppRunner | None = None
        self.bound: Address | None = None
        """Where it listens; None before ``start``, after ``stop``, and if the default port is taken."""

    async def start(self) -> None:
        """Listen. Runs beside everything else: the import of aiohttp (0.2 s of CPU) happens in a thread.

        Raises:
            OSError: The address cannot be had; the message says what to do.
            AccessError: It can be reached from outside, and nobody has to sign in.
        """
        self._site.access.check(self._address)
        app = await asyncio.to_thread(importlib.import_module, "ingestd.web.app")
        pages = app.make_app(self._site, self._health, self._reload)
        # A client that goes away cancels the handler, and so its query.
        runner = app.web.AppRunner(pages, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        self._runner = runner
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
        log.info("serving metrics and health", url=f"http://{self.bound}{self._site.prefix}")

    async def stop(self) -> None:
        """Close the port; answers under way get a second to end."""
        runner, self._runner, self.bound = self._runner, None, None
        if runner:
            await runner.cleanup()


def _reason(error: OSError) -> str:
    return "address already in use" if error.errno == errno.EADDRINUSE else str(error)


def _advice(address: Address, error: OSError) -> str:
    return f"cannot serve HTTP on {address}: {_reason(error)}; choose another with --http HOST:PORT, or --http off"
