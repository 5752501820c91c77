"""The HTTP server in a process of its own, so that a request never delays an event."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingestd import metrics
from ingestd.logs import get_logger
from ingestd.pipeline.stall import Stall, worst
from ingestd.supervisor.pidfile import publish_url
from ingestd.supervisor.processes.channel import Channel, ChannelClosedError, unpickled
from ingestd.supervisor.processes.children import HEARTBEAT_SECONDS
from ingestd.tasks import BackgroundTasks
from ingestd.units import Address
from ingestd.web.dashboard_config import DashboardConfig
from ingestd.web.health import Health, ReloadResult, stall_details
from ingestd.web.lifecycle_summary import LastRun
from ingestd.web.server import HttpServer

log = get_logger(__name__)

_PUBLISH_SECONDS = 10.0
"""How long to wait before the next attempt to note a URL."""

_RELOAD_SECONDS = 120.0
"""How long a reload may take until every process runs the new config."""

_STATE_SECONDS = 2.0
"""How long workers may take to report their state; one that takes longer hangs."""


class _Workers:
    """Queries the workers through the supervisor."""

    def __init__(self, channel: Channel, last_run: LastRun | None) -> None:
        self._channel, self._last_run = channel, last_run
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.stop = asyncio.Event()
        self.failed = False
        self.on_config: Callable[[DashboardConfig], None] = lambda _: None

    def receive(self) -> None:
        """Read the messages of the supervisor. A defect stops the process, which is then restarted."""
        try:
            self._receive()
        except ChannelClosedError:
            self._end()
        except Exception as error:
            log.exception("a message of the supervisor cannot be handled", error=repr(error))
            self.failed = True
            self._end()

    def _end(self) -> None:
        self.stop.set()
        asyncio.get_running_loop().remove_reader(self._channel.fileno())

    def _receive(self) -> None:
        for message, _ in self._channel.receive():
            if message["type"] == "stop":
                self.stop.set()
            elif message["type"] == "config":
                self.on_config(unpickled(message["config"]))
            elif (waiting := self._waiting.pop(message.get("number", -1), None)) and not waiting.done():
                waiting.set_result(message)  # else its client has gone

    async def _request(self, kind: str, seconds: float) -> dict[str, Any]:
        """Send a request to the supervisor and return its response. Raises TimeoutError."""
        number = next(self._numbers)
        response = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._channel.send({"type": kind, "number": number})
        try:
            return await asyncio.wait_for(response, seconds)
        finally:
            self._waiting.pop(number, None)

    async def reload(self) -> ReloadResult:
        """Reload the pipeline config, and return when every process runs it, or why not."""
        try:
            response = await self._request("reload", _RELOAD_SECONDS)
        except TimeoutError:
            return ReloadResult(f"no result after {_RELOAD_SECONDS:.0f} s; the daemon's log has more", late=True)
        return ReloadResult(response["error"], response["text"])

    async def health(self) -> Health:
        """Return the state of the workers, and set the metrics to the sum of theirs and the helpers'."""
        try:
            response = await self._request("ask", _STATE_SECONDS)
        except TimeoutError:
            return Health(not_live=("a worker does not answer",))
        states = response["states"]
        reports = (*states, *response["helpers"])
        metrics.replace([report["metrics"] for report in reports])
        for state in states:
            metrics.WORKER_CPU_SECONDS.add(state["cpu_seconds"], str(state["worker"]))
        reasons = []
        if len(states) + response["replaced"] < response["workers"]:  # one that is being replaced is expected back
            reasons.append(f"{len(states)} of {response['workers']} workers are running")
        if response["ending"]:
            reasons.append("the daemon is stopping")
        full = sorted({name for state in states for name in state["full"]})
        text = "accepts nothing: its journal is full or cannot be written, or its dead letters cannot"
        reasons += [f"pipeline {name} {text}" for name in full]
        stalls = worst(Stall(**stall) for state in states for stall in state["stalls"])
        problems = dict.fromkeys(
            text for report in reports for text in report["problems"]
        )  # workers share most of them
        failures = self._last_run.failures() if self._last_run is not None else ()
        silent = [f"the process {name} does not answer" for name in response["silent"]]
        return Health(
            not_ready=tuple(reasons),
            degraded=(*silent, *map(str, stalls), *problems, *failures),
            details=stall_details(stalls),
            running=len(states),
            replacing=response["replaced"],
            wanted=response["workers"],
        )


async def _send_heartbeats(channel: Channel) -> None:
    """Show the supervisor that the event loop turns."""
    while True:
        if not channel.pending:
            channel.send({"type": "alive"})
        await asyncio.sleep(HEARTBEAT_SECONDS)


def run_http_process(address: Address, channel: Channel, config: DashboardConfig) -> int:
    """Serve HTTP until the supervisor says stop or has gone; returns the exit code."""

    async def main() -> int:
        last_run = LastRun(config.scheduler_data_dir) if config.scheduler_data_dir is not None else None
        workers = _Workers(channel, last_run)
        server = HttpServer(address, workers.health, config, reload=workers.reload)
        try:
            await server.start()
        except OSError as error:
            log.error("no HTTP", reason=error)
            return 1
        workers.on_config = server.update
        asyncio.get_running_loop().add_reader(channel.fileno(), workers.receive)
        tasks = BackgroundTasks("http")
        if server.bound is None or not _publish(config.data_dir, server.url):
            tasks.start("serving later", _serve_later(server, config.data_dir))
        channel.send({"type": "ready"})
        tasks.start("heartbeat", _send_heartbeats(channel), endless=True)
        await tasks.until(workers.stop.wait())
        await tasks.close()
        await server.stop()
        return 1 if workers.failed else 0

    return asyncio.run(main())


def _publish(data_dir: Path | None, url: str) -> bool:
    """Let commands such as ``ingestd health`` find the pages; returns whether that worked."""
    if data_dir is None:
        return True
    try:
        publish_url(data_dir, url)
    except OSError as error:  # a full disk: the pages are served all the same
        log.warning("the URL of the pages cannot be saved for commands; trying again later", error=error)
        return False
    return True


async def _serve_later(server: HttpServer, data_dir: Path | None) -> None:
    """Do what was impossible at the start: listen, and note the URL."""
    if server.bound is not None:
        await asyncio.sleep(_PUBLISH_SECONDS)
    await server.listen_later()
    while True:
        if _publish(data_dir, server.url):
            return
        await asyncio.sleep(_PUBLISH_SECONDS)
