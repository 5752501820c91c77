"""``api/status``: how the daemon is, for people: what comes in and goes out, what waits, what failed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import ingestd
from ingestd import metrics
from ingestd.event.jsontext import loads
from ingestd.geoip.database_folder import installed
from ingestd.web.api.actions import Actions
from ingestd.web.dashboard_config import STARTED, Flow, Plugin, Site
from ingestd.web.health import Health
from ingestd.web.processes.query_pool import QueryPool

_FRESH_SECONDS = 1.5
_RATE_SECONDS = 10.0
"""Rates are means over so long, where there were questions before."""

_FIRST_LOOK_SECONDS = 0.5
_SHARE = 20
"""What was counted slowly is counted again when so many times the time it took has gone."""

_PATIENCE_SECONDS = 2.0

Ask = Callable[[], Awaitable[Health]]


class Counted:
    """Something that a query process counts on the disk: old news are shown while new ones are counted.

    ``name`` is the call and the key in its answer; ``nothing`` is shown before there is any, and until then it is
    not ``known``. ``problem`` says why the last count failed, empty if it did not.
    """

    def __init__(self, pool: QueryPool, name: str, nothing: Any) -> None:
        self._pool, self.name = pool, name
        self._value, self.problem = nothing, ""
        self.known = False
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None

    async def get(self) -> Any:
        """Return the value."""
        if self._task is None and time.monotonic() >= self._due:
            self._task = asyncio.create_task(self._count())
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=0.1 if self.known else _PATIENCE_SECONDS)
        return self._value

    async def _count(self) -> None:
        began = time.monotonic()
        try:
            answer = await self._pool.ask(self.name, {})
            document = loads(answer.body)
            if answer.status == 200:
                self._value, self.problem, self.known = document[self.name], "", True
            else:
                self.problem = f"{self.name}: {document['error']['message']}"
        finally:
            ended = time.monotonic()
            self._due = ended + max(_FRESH_SECONDS, (ended - began) * _SHARE)
            self._task = None


class Status:
    """Makes the document, at most once in a second or so.

    Args:
        site: What the pages are about.
        health: Asks the workers, and sets the metrics to theirs.
        pool: The query processes.
        actions: What was ordered by hand.
    """

    def __init__(self, site: Site, health: Ask, pool: QueryPool, actions: Actions) -> None:
        self._site, self._health, self._actions = site, health, actions
        self._letters = Counted(pool, "dead_letters", [])
        self._audit = Counted(pool, "audit", None)
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

    async def _make(self) -> dict[str, Any]:
        health = await self._look()
        if len(self._samples) == 1:
            await asyncio.sleep(_FIRST_LOOK_SECONDS)
            health = await self._look()
        counted = (self._letters, self._audit)
        letters, audit = [await one.get() for one in counted]
        return {
            "version": ingestd.__version__,
            "uptime_s": round(time.monotonic() - STARTED),
            "store": self._site.shown_store,
            "pipelines": [_flow(flow) for flow in self._site.flows],
            "rates": self._rates(),
            "queue": {"events": _total(metrics.QUEUE_EVENTS), "bytes": _total(metrics.QUEUE_BYTES)},
            "dead_letters": letters,
            "audit": audit,
            "workers": {"running": health.running, "wanted": health.wanted},
            "health": health.document(),
            "action": self._actions.document(),
            "geoip": self._geoip(),
            "counting": [one.name for one in counted if not one.known],
            "problems": [one.problem for one in counted if one.problem],
        }

    async def _look(self) -> Health:
        """Ask the workers, and remember how many events there were."""
        health = await self._health()
        now = time.monotonic()
        self._samples.append((now, _total(metrics.EVENTS_RECEIVED), _total(metrics.EVENTS_DELIVERED)))
        while len(self._samples) > 2 and now - self._samples[1][0] >= _RATE_SECONDS:
            self._samples.popleft()
        return health

    def _geoip(self) -> dict[str, str | None]:
        """Return the installed database, when its data was put together, and the line that its licence asks for."""
        origin = installed(self._site.data_dir) if self._site.data_dir is not None else None
        if origin is None:
            return {"database": None, "date": None, "attribution": None}
        return {"database": origin.type, "date": origin.built, "attribution": origin.attribution}

    def _rates(self) -> dict[str, float]:
        first, last = self._samples[0], self._samples[-1]
        seconds = last[0] - first[0]
        received, delivered = (round(max(last[n] - first[n], 0) / seconds, 2) for n in (1, 2))
        return {"received_per_s": received, "delivered_per_s": delivered}


def _total(metric: metrics.Number) -> int:
    return int(sum(value for _, value in metric.series()))


def _flow(flow: Flow) -> dict[str, Any]:
    return {
        "name": flow.name,
        "inputs": [_input(flow.name, one) for one in flow.inputs],
        "outputs": [_output(flow.name, one) for one in flow.outputs],
    }


def _input(pipeline: str, one: Plugin) -> dict[str, Any]:
    labels = (pipeline, one.name)
    return {
        "name": one.name,
        "kind": one.kind,
        "host": one.host,
        "port": one.port,
        "events": int(metrics.EVENTS_RECEIVED.value(*labels)),
        "bytes": int(metrics.BYTES_RECEIVED.value(*labels)),
        "connections": int(metrics.CONNECTIONS_OPEN.value(*labels)),
    }


def _output(pipeline: str, one: Plugin) -> dict[str, Any]:
    labels = (pipeline, one.name)
    return {
        "name": one.name,
        "kind": one.kind,
        "events": int(metrics.EVENTS_DELIVERED.value(*labels)),
        "bytes": int(metrics.BYTES_DELIVERED.value(*labels)),
        "duplicates": int(metrics.EVENTS_DUPLICATE.value(*labels)),
    }
