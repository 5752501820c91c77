"""What the HTTP server shows: the store that it queries, the pipelines that run, who may see them."""

from __future__ import annotations

import pickle
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ingestd.alerts.config import AlertsConfig, alerts_config
from ingestd.compiler.bound import Step
from ingestd.compiler.pipeline import Pipeline
from ingestd.config.nodes import Config
from ingestd.lifecycle.build import rules
from ingestd.lifecycle.retention import Rules
from ingestd.plugins._kafka_offsets import KafkaClient, kafka_client
from ingestd.plugins.filters._times import machine_zone
from ingestd.plugins.interfaces import SocketInput
from ingestd.settings import Settings
from ingestd.stores.elastic.connection.options import ElasticOptions
from ingestd.stores.open import INDICES, LOCAL, SERVER_OUTPUTS, STORE_OUTPUTS, is_builtin, server_options
from ingestd.units import format_duration
from ingestd.web.auth.access import Access, AccessError, load_access, path_prefix

_PLACEHOLDER = re.compile(r"%\{\{.*?\}\}|%\{.*?\}")

STARTED = time.monotonic()
"""When the daemon started: the HTTP process is forked from the supervisor, which imports this at its start."""


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """An input or output of a pipeline; ``host`` and ``port`` if it listens, else None."""

    name: str
    kind: str
    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class PipelineInfo:
    """A pipeline: where its events come from and go to."""

    name: str
    inputs: tuple[PluginInfo, ...] = ()
    outputs: tuple[PluginInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class DashboardConfig:
    """What an HTTP server shows, and to whom.

    Attributes:
        access: Who may see it.
        prefix: What all paths start with: empty, or a path such as ``/logs``, without a slash at the end.
        server: The Elasticsearch or OpenSearch that is queried; None: the built-in store.
        indices: The indices to query there, names with wildcards.
        data_dir: Where the built-in store, dead letters and journals are; None: there is no dashboard.
        query_timeout: Seconds that a query may take.
        query_memory: Bytes that a query may take.
        retention: The rules by which the daemon deletes indices of this store; None: it deletes none.
        pipelines: The pipelines.
        scheduler_data_dir: Where the scheduler of backup and retention keeps its state; None: it is off.
        action_settings: Settings for manual actions (backup, delete, restore), as texts by name; None: they would
            concern another store than the one that is shown.
        configs: Settings and parsed configs of the pipelines, pickled for the process that traces an event; empty:
            none. They hold passwords.
        kafka: The inputs and outputs ``kafka`` of the pipelines.
        alerts: The alerts of the settings, on this store.
        site_zone: The name of the site's time zone: ``index_timezone``, else the machine's; empty: it has none.
    """

    access: Access = field(default_factory=Access)
    prefix: str = ""
    server: ElasticOptions | None = None
    indices: str = INDICES
    data_dir: Path | None = None
    query_timeout: float = 30.0
    query_memory: int = 512 << 20
    retention: Rules | None = None
    pipelines: tuple[PipelineInfo, ...] = ()
    scheduler_data_dir: Path | None = None
    action_settings: Mapping[str, str] | None = field(default=None, repr=False)
    configs: bytes = field(default=b"", repr=False)
    kafka: tuple[KafkaClient, ...] = ()
    alerts: AlertsConfig | None = field(default=None, repr=False)
    site_zone: str = ""

    @property
    def shown_store(self) -> str:
        """The store without credentials: ``local``, or ``elasticsearch http://host:9200``."""
        if self.server is None:
            return LOCAL
        return "elasticsearch " + ", ".join(host.url for host in self.server.resolve())

    @property
    def fills_store(self) -> bool:
        """Whether the pipelines write to a store that can be queried; also if none is known."""
        kinds = {output.kind for pipeline in self.pipelines for output in pipeline.outputs}
        return not kinds or bool(kinds & {*STORE_OUTPUTS})


NO_DASHBOARD = DashboardConfig()
"""Metrics and health only."""


def make_dashboard_config(
    settings: Settings, pipelines: Mapping[str, Pipeline], configs: Mapping[str, Config]
) -> DashboardConfig:
    """Return what the HTTP server shows with these settings and ``pipelines``, compiled from ``configs``.

    Reads the files of secrets.

    Raises:
        AccessError: The pages cannot be served with them.
        SettingsError: An alert is wrong.
    """
    access = load_access(settings)
    if settings.http is not None:
        access.check(settings.http)
    server, indices = _queried_store(settings, pipelines)
    return DashboardConfig(
        access=access,
        prefix=path_prefix(settings),
        server=server,
        indices=indices,
        data_dir=settings.data_dir,
        query_timeout=settings.query_timeout,
        query_memory=settings.query_memory,
        retention=_retention(settings, server),
        pipelines=tuple(_pipeline(name, pipeline) for name, pipeline in pipelines.items()),
        scheduler_data_dir=settings.data_dir if settings.schedule.cron != "off" else None,
        action_settings=_action_settings(settings, server),
        configs=_dumped(settings, configs) if settings.http is not None else b"",
        kafka=_kafka_clients(pipelines),
        alerts=alerts_config(settings, server, indices),
        site_zone=getattr(settings.site_zone or machine_zone(), "key", ""),
    )


def _kafka_clients(pipelines: Mapping[str, Pipeline]) -> tuple[KafkaClient, ...]:
    found = {}
    for name, pipeline in pipelines.items():
        steps = [built.step for built in pipeline.inputs]
        steps += [built.step for route in pipeline.routes for built in route]
        for step in steps:
            if step.spec.name == "kafka":
                found[name, step.plugin_id] = kafka_client(name, step.plugin_id, step.options)
    return tuple(found.values())


def _dumped(settings: Settings, configs: Mapping[str, Config]) -> bytes:
    plain = replace(settings, origins={**settings.origins})  # a read-only view cannot be pickled
    return pickle.dumps((plain, {**configs}))


def _retention(settings: Settings, server: ElasticOptions | None) -> Rules | None:
    """Return the rules of retention if they concern the store that is shown: they follow the settings alone."""
    own = is_builtin(settings.store or settings.elasticsearch)
    if settings.schedule.cron == "off" or own != (server is None):
        return None
    return rules(settings, builtin_store=own)


def _action_settings(settings: Settings, server: ElasticOptions | None) -> Mapping[str, str] | None:
    """Return the settings that the process of a manual action needs; they hold passwords."""
    if is_builtin(settings.store or settings.elasticsearch) != (server is None):
        return None
    found = {
        "data_dir": str(settings.data_dir.absolute()),
        "store": settings.store,
        "elasticsearch": settings.elasticsearch,
        "index_timezone": settings.index_timezone if settings.explicit("index_timezone") else "",
        "backup.repository": settings.backup.repository,
        "retention.index": settings.retention.index,
        "restore.keep": format_duration(settings.restore.keep),
    }
    return {name: text for name, text in found.items() if text}


def _queried_store(settings: Settings, pipelines: Mapping[str, Pipeline]) -> tuple[ElasticOptions | None, str]:
    """Return the server to query, None for the built-in store, and its indices.

    That of the setting ``store``; else where the pipelines deliver, preferably the built-in store; else where the
    built-in pipeline would.
    """
    if settings.store:
        return _parse_store("store", settings.store)
    steps = [output.step for pipeline in pipelines.values() for route in pipeline.routes for output in route]
    if any(step.spec.name == "store" for step in steps):
        return None, INDICES
    if found := next((step.options for step in steps if step.spec.name in SERVER_OUTPUTS), None):
        return _connection(found), _PLACEHOLDER.sub("*", found.index.text)
    return _parse_store("elasticsearch", settings.elasticsearch)


def _parse_store(setting: str, store: str) -> tuple[ElasticOptions | None, str]:
    if store in {"", LOCAL}:
        return None, INDICES
    try:
        return server_options(store)
    except ValueError as error:
        raise AccessError(f"{setting}: {error}") from None


def _connection(options: Any) -> ElasticOptions:
    """Return the options of an output that concern the connection to its server; they have the same names."""
    if (with_login := getattr(options, "with_login", None)) is not None:
        options = with_login()
    found = {option.name: getattr(options, option.name, None) for option in fields(ElasticOptions)}
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found.items()
        if value not in (None, "", [], {}, -1)
    }
    if "user" in given:
        given.setdefault("password", "")
    return ElasticOptions(**given)


def _pipeline(name: str, pipeline: Pipeline) -> PipelineInfo:
    inputs = (_plugin(built.step, built.input) for built in pipeline.inputs)
    outputs = (_plugin(built.step, built.output) for route in pipeline.routes for built in route)
    return PipelineInfo(name, tuple(inputs), tuple(dict.fromkeys(outputs)))


def _plugin(step: Step, part: object) -> PluginInfo:
    host, port = part.address if isinstance(part, SocketInput) and not part.address[0].startswith("/") else (None, None)
    return PluginInfo(step.plugin_id, step.spec.name, host, port)
