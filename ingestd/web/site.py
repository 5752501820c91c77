"""What the pages are about: the store that they ask, the pipelines that run, who may see them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingestd.compiler.bound import Step
from ingestd.compiler.pipeline import Pipeline
from ingestd.plugins.interfaces import SocketInput
from ingestd.settings import Settings
from ingestd.stores.elastic.options import ElasticOptions
from ingestd.web.access import Access, access_of, prefix_of

LOCAL = "local"

STARTED = time.monotonic()
"""When the daemon began: the HTTP process is forked from the keeper, which imports this at its start."""


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
        store: What is searched: a URL, or ``local``. It may hold credentials.
        data_dir: Where the built-in store, dead letters and journals are; None: there is no dashboard.
        query_timeout: Seconds that a query may take.
        query_memory: Bytes that a query may take.
        flows: The pipelines.
    """

    access: Access = field(default_factory=Access)
    prefix: str = ""
    store: str = LOCAL
    data_dir: Path | None = None
    query_timeout: float = 30.0
    query_memory: int = 512 << 20
    flows: tuple[Flow, ...] = ()

    @property
    def shown_store(self) -> str:
        """The store without credentials: ``local``, or ``elasticsearch http://host:9200``."""
        if self.store == LOCAL:
            return LOCAL
        [host] = ElasticOptions(hosts=(self.store,)).resolve()
        return f"elasticsearch {host.url}"


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
    return Site(
        access=access,
        prefix=prefix_of(settings),
        store=settings.store or settings.elasticsearch or LOCAL,
        data_dir=settings.data_dir,
        query_timeout=settings.query_timeout,
        query_memory=settings.query_memory,
        flows=tuple(_flow(name, pipeline) for name, pipeline in pipelines.items()),
    )


def _flow(name: str, pipeline: Pipeline) -> Flow:
    inputs = (_plugin(one.step, one.input) for one in pipeline.inputs)
    outputs = (_plugin(one.step, one.output) for route in pipeline.routes for one in route)
    return Flow(name, tuple(inputs), tuple(dict.fromkeys(outputs)))


def _plugin(step: Step, part: object) -> Plugin:
    host, port = part.address if isinstance(part, SocketInput) else (None, None)
    return Plugin(step.plugin_id, step.spec.name, host, port)
