"""What the pages are about: the store that they ask, the pipelines that run, who may see them."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ingestd.compiler.bound import Step
from ingestd.compiler.pipeline import Pipeline
from ingestd.lifecycle.build import rules
from ingestd.lifecycle.retention import Rules
from ingestd.plugins.interfaces import SocketInput
from ingestd.settings import Settings
from ingestd.stores.elastic.options import ElasticOptions
from ingestd.stores.open import INDICES, LOCAL, is_builtin, server_options
from ingestd.units import format_duration
from ingestd.web.auth.access import Access, AccessError, access_of, prefix_of

_PLACEHOLDER = re.compile(r"%\{\{.*?\}\}|%\{.*?\}")

STARTED = time.monotonic()
"""When the daemon began: the HTTP process is forked from the supervisor, which imports this at its start."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """An input or output of a pipeline; ``host`` and ``port`` of what listens, else None."""

    name: str
    kind: str
    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A pipeline: where its events come from and go to."""

    name: str
    inputs: tuple[Plugin, ...] = ()
    outputs: tuple[Plugin, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """What an HTTP server shows.

    Attributes:
        access: Who may see it.
        prefix: What all paths begin with, such as ``/logs``; empty, or with a slash in front and none behind.
        server: The Elasticsearch or OpenSearch that is searched; None: the built-in store.
        indices: What is searched there, names with wildcards.
        data_dir: Where the built-in store, dead letters and journals are; None: there is no dashboard.
        query_timeout: Seconds that a query may take.
        query_memory: Bytes that a query may take.
        rules: Those by which the daemon deletes indices of this store; None: it deletes none.
        flows: The pipelines.
        scheduled: Data folder of the daily work on indices; None: the daemon does none.
        orders: Settings under which indices can be backed up, deleted and restored by hand, as texts by name; None:
            they are not those of the store that is shown.
    """

    access: Access = field(default_factory=Access)
    prefix: str = ""
    server: ElasticOptions | None = None
    indices: str = INDICES
    data_dir: Path | None = None
    query_timeout: float = 30.0
    query_memory: int = 512 << 20
    rules: Rules | None = None
    flows: tuple[Flow, ...] = ()
    scheduled: Path | None = None
    orders: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def shown_store(self) -> str:
        """The store without credentials: ``local``, or ``elasticsearch http://host:9200``."""
        if self.server is None:
            return LOCAL
        return "elasticsearch " + ", ".join(host.url for host in self.server.resolve())


NO_DASHBOARD = Site()
"""Metrics and health alone."""


def site_of(settings: Settings, pipelines: Mapping[str, Pipeline]) -> Site:
    """Return what the settings say about the pages. Reads the files of secrets.

    Raises:
        AccessError: They cannot be served so.
    """
    access = access_of(settings)
    if settings.http is not None:
        access.check(settings.http)
    server, indices = _searched(settings, pipelines)
    return Site(
        access=access,
        prefix=prefix_of(settings),
        server=server,
        indices=indices,
        data_dir=settings.data_dir,
        query_timeout=settings.query_timeout,
        query_memory=settings.query_memory,
        rules=_rules(settings, server),
        flows=tuple(_flow(name, pipeline) for name, pipeline in pipelines.items()),
        scheduled=settings.data_dir if settings.schedule.cron != "off" else None,
        orders=_orders(settings, server),
    )


def _rules(settings: Settings, server: ElasticOptions | None) -> Rules | None:
    """Return the rules of retention, if it works on the store that is shown; it follows the settings alone."""
    own = is_builtin(settings.store or settings.elasticsearch)
    if settings.schedule.cron == "off" or own != (server is None):
        return None
    return rules(settings, own_store=own)


def _orders(settings: Settings, server: ElasticOptions | None) -> Mapping[str, str] | None:
    """Return what a process for orders has to know; it holds passwords."""
    if is_builtin(settings.store or settings.elasticsearch) != (server is None):
        return None
    found = {
        "data_dir": str(settings.data_dir.absolute()),
        "store": settings.store,
        "elasticsearch": settings.elasticsearch,
        "index_timezone": settings.index_timezone,
        "backup.repository": settings.backup.repository,
        "retention.index": settings.retention.index,
        "restore.keep": format_duration(settings.restore.keep),
    }
    return {name: text for name, text in found.items() if text}


def _searched(settings: Settings, pipelines: Mapping[str, Pipeline]) -> tuple[ElasticOptions | None, str]:
    """Return the server to ask, None for the built-in store, and its indices.

    What the setting says; else where the pipelines deliver, the built-in store first; else where the built-in
    pipeline would.
    """
    if settings.store:
        return _named("store", settings.store)
    steps = [one.step for pipeline in pipelines.values() for route in pipeline.routes for one in route]
    if any(step.spec.name == "store" for step in steps):
        return None, INDICES
    if found := next((step.options for step in steps if step.spec.name == "elasticsearch"), None):
        return _connection(found), _PLACEHOLDER.sub("*", found.index.text)
    return _named("elasticsearch", settings.elasticsearch)


def _named(setting: str, store: str) -> tuple[ElasticOptions | None, str]:
    if store in {"", LOCAL}:
        return None, INDICES
    try:
        return server_options(store)
    except ValueError as error:
        raise AccessError(f"{setting}: {error}") from None


def _connection(options: Any) -> ElasticOptions:
    """Return those options of an output that say how to reach its server; they have the same names."""
    found = {one.name: getattr(options, one.name, None) for one in fields(ElasticOptions)}
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found.items()
        if value not in (None, "", [], {}, -1)
    }
    if "user" in given:
        given.setdefault("password", "")
    return ElasticOptions(**given)


def _flow(name: str, pipeline: Pipeline) -> Flow:
    inputs = (_plugin(one.step, one.input) for one in pipeline.inputs)
    outputs = (_plugin(one.step, one.output) for route in pipeline.routes for one in route)
    return Flow(name, tuple(inputs), tuple(dict.fromkeys(outputs)))


def _plugin(step: Step, part: object) -> Plugin:
    host, port = part.address if isinstance(part, SocketInput) else (None, None)
    return Plugin(step.plugin_id, step.spec.name, host, port)
