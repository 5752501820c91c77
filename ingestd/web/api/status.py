"""``api/status``: how the daemon is doing, for people: what comes in and goes out, what waits, what failed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import ingestd
from ingestd import metrics
from ingestd.event.jsontext import loads
from ingestd.geoip.database_folder import installed_database
from ingestd.geoip.setup import INSTALL_CITIES, has_package, install_command
from ingestd.plugins.inputs._tcp_senders import ADVICE
from ingestd.protocols.framing.senders import Sender
from ingestd.tasks import BackgroundTasks
from ingestd.web.api.actions import ManualActions
from ingestd.web.dashboard_config import STARTED, DashboardConfig, PipelineInfo, PluginInfo
from ingestd.web.health import Health
from ingestd.web.processes.query_pool import QueryPool
from ingestd.web.responses import utc_now

_FRESH_SECONDS = 1.5
_RATE_SECONDS = 10.0
"""Rates are means over this long, once there are samples that old."""

_FIRST_SAMPLE_SECONDS = 0.5
_SHARE = 20
"""A slow count is repeated after this many times as long as it took."""

_FIRST_COUNT_SECONDS = 2.0
"""How long the first answer, and one after a pause, waits for a count."""

_PAUSE_SECONDS = 10.0
"""Nobody has looked for this long: what was counted then is old."""


class BackgroundCount:
    """Something that a query process counts on the disk.

    The last value is shown while it is counted again, with the time of that count.

    Args:
        pool: The query processes.
        tasks: Those of the owner.
        name: The call, and the key in its response.
        nothing: The value until the first count has ended.
    """

    def __init__(self, pool: QueryPool, tasks: BackgroundTasks, name: str, nothing: Any) -> None:
        self._pool, self._tasks, self.name = pool, tasks, name
        self._value = nothing
        self.problem = ""
        """Why the last count failed; empty: it did not."""
        self.known = False
        """Whether there was a count yet."""
        self.time: str | None = None
        """When the value was counted; None: it was not."""
        self._next_count = 0.0
        self._looked = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def get(self) -> Any:
        """Return the value; wait for a count that is running, but only briefly if the value is recent."""
        now = time.monotonic()
        old = not self.known or now - self._looked >= _PAUSE_SECONDS
        self._looked = now
        if self._task is None and now >= self._next_count:
            self._task = self._tasks.start(f"count of {self.name}", self._count())
            self._task.add_done_callback(self._ended)
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_FIRST_COUNT_SECONDS if old else 0.1)
        return self._value

    async def _count(self) -> None:
        started = time.monotonic()
        self._next_count = started + _FRESH_SECONDS
        response = await self._pool.run(self.name, {})
        document = loads(response.body)
        if response.status == 200:
            self._value, self.problem, self.known, self.time = document[self.name], "", True, utc_now()
        else:
            self.problem = f"{self.name}: {document['error']['message']}"
        ended = time.monotonic()
        self._next_count = ended + max(_FRESH_SECONDS, (ended - started) * _SHARE)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled() or task.exception() is not None:
            self.problem = f"{self.name}: the count was aborted by an internal error; the daemon's log has the reason"


class Status:
    """Makes the document, about once a second at most.

    Args:
        config: What the dashboard shows.
        health: Queries the workers, and sets the metrics to theirs.
        pool: The query processes.
        actions: The manual actions.
    """

    def __init__(
        self,
        config: DashboardConfig,
        health: Callable[[], Awaitable[Health]],
        pool: QueryPool,
        actions: ManualActions,
    ) -> None:
        self._config, self._health, self._actions = config, health, actions
        self._tasks = BackgroundTasks("status")
        self._dead_letters = BackgroundCount(pool, self._tasks, "dead_letters", [])
        self._audit = BackgroundCount(pool, self._tasks, "audit", None)
        self._samples: deque[tuple[float, float, float]] = deque()
        self._lock = asyncio.Lock()
        self._made = float("-inf")
        self._document: dict[str, Any] = {}

    async def document(self) -> dict[str, Any]:
        """Return the document."""
        async with self._lock:
            if time.monotonic() - self._made >= _FRESH_SECONDS:
                self._document = await self._make()
                self._made = time.monotonic()
            return self._document

    @property
    def config(self) -> DashboardConfig:
        """What is shown."""
        return self._config

    def pipelines(self) -> list[dict[str, Any]]:
        """Return the inputs and outputs of the pipelines, with their counts as of the last document."""
        return [_pipeline(pipeline) for pipeline in self._config.pipelines]

    def update(self, config: DashboardConfig) -> None:
        """Show what another config says."""
        self._config = config
        self._made = float("-inf")

    async def close(self) -> None:
        """Stop counting."""
        await self._tasks.close()

    async def _make(self) -> dict[str, Any]:
        health = await self._sample()
        if len(self._samples) == 1:
            await asyncio.sleep(_FIRST_SAMPLE_SECONDS)
            health = await self._sample()
        counts = (self._dead_letters, self._audit)
        dead_letters, audit = await asyncio.gather(*(count.get() for count in counts))
        return {
            "version": ingestd.__version__,
            "uptime_s": round(time.monotonic() - STARTED),
            "store": self._config.shown_store,
            "site_zone": self._config.site_zone,
            "pipelines": self.pipelines(),
            "rates": self._rates(),
            "queue": {"events": _total(metrics.QUEUE_EVENTS), "bytes": _total(metrics.QUEUE_BYTES)},
            "dead_letters": dead_letters,
            "audit": audit,
            "workers": {"running": health.running, "replacing": health.replacing, "wanted": health.wanted},
            "health": health.document(),
            "action": self._actions.document(),
            "geoip": self._geoip(),
            "counted": {count.name: count.time for count in counts},
            "counting": [count.name for count in counts if not count.known],
            "senders": senders(),
            "problems": [count.problem for count in counts if count.problem],
        }

    async def _sample(self) -> Health:
        """Query the workers, and remember how many events there were; rates are not measured across a pause."""
        health = await self._health()
        now = time.monotonic()
        if self._samples and now - self._samples[-1][0] >= 2 * _RATE_SECONDS:
            self._samples.clear()
        self._samples.append((now, _total(metrics.EVENTS_RECEIVED), _total(metrics.EVENTS_DELIVERED)))
        while len(self._samples) > 2 and now - self._samples[1][0] >= _RATE_SECONDS:
            self._samples.popleft()
        return health

    def _geoip(self) -> dict[str, str | None]:
        """Return the installed database, the date of its data, and the attribution that its licence asks for.

        Without a database: the command that installs one; ``cities``: the one that installs one with cities.
        """
        database = installed_database(self._config.data_dir) if self._config.data_dir is not None else None
        if database is None:
            command = install_command(package=has_package())
            return {"database": None, "date": None, "attribution": None, "install": command}
        return {
            "database": database.type,
            "date": database.built,
            "attribution": database.attribution,
            "cities": INSTALL_CITIES,
        }

    def _rates(self) -> dict[str, float]:
        first, last = self._samples[0], self._samples[-1]
        seconds = last[0] - first[0]
        received, delivered = (round(max(last[n] - first[n], 0) / seconds, 2) for n in (1, 2))
        return {"received_per_s": received, "delivered_per_s": delivered}


def senders() -> list[dict[str, Any]]:
    """Return which clients send something that an input is not for, and what to do about it, most connections first."""
    rows = [
        {
            "pipeline": pipeline,
            "input": input_id,
            "kind": kind,
            "connections": int(connections),
            "message": ADVICE[Sender(kind)].message,
            "help": ADVICE[Sender(kind)].help,
        }
        for (pipeline, input_id, kind), connections in metrics.SENDERS_UNSUPPORTED.series()
        if kind in ADVICE
    ]
    return sorted(rows, key=lambda row: (-row["connections"], row["kind"]))


def _total(metric: metrics.Number) -> int:
    return int(sum(value for _, value in metric.series()))


def _pipeline(pipeline: PipelineInfo) -> dict[str, Any]:
    return {
        "name": pipeline.name,
        "inputs": [_input(pipeline.name, plugin) for plugin in pipeline.inputs],
        "outputs": [_output(pipeline.name, plugin) for plugin in pipeline.outputs],
    }


def _input(pipeline: str, plugin: PluginInfo) -> dict[str, Any]:
    labels = (pipeline, plugin.name)
    return {
        "name": plugin.name,
        "kind": plugin.kind,
        "host": plugin.host,
        "port": plugin.port,
        "events": int(metrics.EVENTS_RECEIVED.value(*labels)),
        "bytes": int(metrics.BYTES_RECEIVED.value(*labels)),
        "connections": int(metrics.CONNECTIONS_OPEN.value(*labels)),
    }


def _output(pipeline: str, plugin: PluginInfo) -> dict[str, Any]:
    labels = (pipeline, plugin.name)
    return {
        "name": plugin.name,
        "kind": plugin.kind,
        "events": int(metrics.EVENTS_DELIVERED.value(*labels)),
        "bytes": int(metrics.BYTES_DELIVERED.value(*labels)),
        "duplicates": int(metrics.EVENTS_DUPLICATE.value(*labels)),
    }
