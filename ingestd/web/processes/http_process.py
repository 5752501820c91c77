"""The HTTP server as a process of its own: a page that is asked for never keeps an event waiting."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from ingestd import metrics
from ingestd.logs import get_logger
from ingestd.supervisor.channel import Channel, ChannelClosedError
from ingestd.units import Address
from ingestd.web.dashboard_config import Site
from ingestd.web.health import Health
from ingestd.web.last_run import LastRun
from ingestd.web.server import HttpServer

log = get_logger(__name__)

_RELOAD_SECONDS = 30.0
_ANSWER_SECONDS = 2.0
"""How long workers may take to say how they are; one that is silent for longer hangs."""


class _Workers:
    """Asks the workers how they are, through the supervisor."""

    def __init__(self, channel: Channel, last_run: LastRun | None) -> None:
        self._channel, self._last_run = channel, last_run
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.stop = asyncio.Event()

    def receive(self) -> None:
        """Read what the supervisor says."""
        try:
            messages = self._channel.receive()
        except ChannelClosedError:
            self.stop.set()
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            return
        for message, _ in messages:
            if message["type"] == "stop":
                self.stop.set()
            elif answer := self._waiting.pop(message.get("number", -1), None):
                answer.set_result(message)

    async def _ask(self, kind: str, seconds: float) -> dict[str, Any]:
        """Ask the supervisor; raises TimeoutError."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._channel.send({"type": kind, "number": number})
        try:
            return await asyncio.wait_for(answer, seconds)
        finally:
            self._waiting.pop(number, None)

    async def reload(self) -> str:
        """Let the config be loaded again; returns what is wrong with it, empty if nothing."""
        try:
            error: str = (await self._ask("reload", _RELOAD_SECONDS))["error"]
        except TimeoutError:
            return "the daemon does not answer"
        return error

    async def health(self) -> Health:
        """Return how the workers are, and set the metrics to the sum of theirs and the helpers'."""
        try:
            told = await self._ask("ask", _ANSWER_SECONDS)
        except TimeoutError:
            return Health(not_live=("a worker does not answer",))
        states = told["states"]
        metrics.replace([state["metrics"] for state in (*states, *told["helpers"])])
        for state in states:
            metrics.WORKER_CPU_SECONDS.add(state["cpu_seconds"], str(state["worker"]))
        reasons = []
        if len(states) < told["workers"]:
            reasons.append(f"{len(states)} of {told['workers']} workers are running")
        if told["ending"]:
            reasons.append("the daemon is stopping")
        full = sorted({name for state in states for name in state["full"]})
        reasons += [f"pipeline {name} takes in nothing: its journal is full, or cannot be written" for name in full]
        degraded = self._last_run.failures() if self._last_run is not None else ()
        return Health(not_ready=tuple(reasons), degraded=degraded, running=len(states), wanted=told["workers"])


def serve_for_keeper(address: Address, channel: Channel, site: Site, *, explicit: bool) -> int:
    """Serve HTTP until the supervisor says stop or has gone; returns the exit code. ``site`` is what is shown."""

    async def main() -> int:
        workers = _Workers(channel, LastRun(site.scheduled) if site.scheduled is not None else None)
        asyncio.get_running_loop().add_reader(channel.fileno(), workers.receive)
        server = HttpServer(address, workers.health, site, reload=workers.reload, explicit=explicit)
        try:
            await server.start()
        except OSError as error:
            log.error("no HTTP", reason=error)
            return 1
        channel.send({"type": "ready"})
        await workers.stop.wait()
        await server.stop()
        return 0

    return asyncio.run(main())
