"""The daemon's HTTP server: dashboard, ``/metrics``, ``/health``."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ingestd.logs import get_logger
from ingestd.supervisor.connections.sockets import listen_hint
from ingestd.units import Address
from ingestd.web.dashboard_config import NO_DASHBOARD, DashboardConfig
from ingestd.web.health import Health, ReloadResult

if TYPE_CHECKING:
    from aiohttp import web

log = get_logger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
"""Seconds before the next attempt to listen; each pause is twice the one before."""


class HttpServer:
    """Serves the application of ``ingestd.web.app``; life: ``start``, ``listen_later``, ``stop``.

    Args:
        address: Where to listen; with port 0 on a free port, see ``bound``.
        health: Called for each request to ``/health``, and before ``/metrics``: it may set gauges.
        config: What is shown, and to whom.
        reload: Reloads the pipeline config for ``POST /reload``, and returns when that has ended. None: there is no
            such path.
    """

    def __init__(
        self,
        address: Address,
        health: Callable[[], Awaitable[Health]],
        config: DashboardConfig = NO_DASHBOARD,
        *,
        reload: Callable[[], Awaitable[ReloadResult]] | None = None,
    ) -> None:
        self._config, self._reload = config, reload
        self._address, self._health = address, health
        self._runner: web.AppRunner | None = None
        self._update: Callable[[DashboardConfig], None] | None = None
        self.bound: Address | None = None
        """Where it listens; None before ``start``, after ``stop``, and as long as it cannot listen."""

    async def start(self) -> None:
        """Listen, or log why that is impossible: then ``listen_later`` tries again.

        The import of aiohttp (0.2 s of CPU) happens in a thread.

        Raises:
            AccessError: The address can be reached from outside, and there is no password.
        """
        self._config.access.check(self._address)
        app = await asyncio.to_thread(importlib.import_module, "ingestd.web.app")
        application, self._update = app.make_app(self._config, self._health, self._reload)
        self._runner = app.Runner(application)
        await self._runner.setup()
        try:
            await self._listen()
        except OSError as error:
            text = "the dashboard, /metrics and /health cannot be served; trying again until they can"
            log.error(text, address=self._address, reason=_advice(self._address, error))

    async def listen_later(self) -> None:
        """Return once it listens, after as many attempts as that takes."""
        pause = _FIRST_PAUSE
        while self.bound is None:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            with contextlib.suppress(OSError):  # logged by ``start``
                await self._listen()

    async def _listen(self) -> None:
        from aiohttp import web  # noqa: PLC0415 -- ``start`` has imported it

        assert self._runner is not None  # noqa: S101 -- it was started
        site = web.TCPSite(self._runner, self._address.host, self._address.port)
        try:
            await site.start()
        except OSError:
            await site.stop()
            raise
        self.bound = Address(*self._runner.addresses[0][:2])
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


def check_address(address: Address) -> None:
    """Check that an address can be listened on now.

    Raises:
        OSError: It cannot; the text says what to do.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, where in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(where)
    except OSError as error:
        raise OSError(f"cannot serve HTTP on {address}: {_advice(address, error)}") from error


def _reachable(address: Address) -> Address:
    """Return an address that a browser on this machine can open."""
    return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host), address.port)  # noqa: S104


def _advice(address: Address, error: OSError) -> str:
    """Return why an address cannot be listened on, and what to do about it."""
    reason = "address already in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    if error.errno == errno.EACCES:
        return f"{reason}; {listen_hint(address.port, error)}"
    return f"{reason}; choose another with --http HOST:PORT, or --http off"
