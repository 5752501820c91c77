"""Tell systemd how the daemon fares: READY, WATCHDOG, STOPPING (sd_notify(3)); silent without systemd."""

from __future__ import annotations

import asyncio
import os


class Notifier:
    """Speaks to the socket named by NOTIFY_SOCKET, if there is one."""

    def __init__(self) -> None:
        self._system = None
        self._watchdog: asyncio.Task[None] | None = None
        if os.environ.get("NOTIFY_SOCKET"):
            import sdnotify  # noqa: PLC0415 -- only under systemd

            self._system = sdnotify.SystemdNotifier()

    def ready(self) -> None:
        """Say that events are taken in; start the watchdog's heartbeat if systemd asks for one."""
        self._say("READY=1")
        interval = float(os.environ.get("WATCHDOG_USEC", "0")) / 1e6
        if self._system is not None and interval:
            self._watchdog = asyncio.create_task(self._beat(interval / 2))

    def stopping(self) -> None:
        """Say that the daemon is about to end."""
        self._say("STOPPING=1")

    def close(self) -> None:
        """End the heartbeat."""
        if self._watchdog is not None:
            self._watchdog.cancel()

    def _say(self, state: str) -> None:
        if self._system is not None:
            self._system.notify(state)

    async def _beat(self, seconds: float) -> None:
        while True:
            self._say("WATCHDOG=1")
            await asyncio.sleep(seconds)
