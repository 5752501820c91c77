"""Runs the alerts of a daemon on a thread of its helper process."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ingestd.alerts.config import AlertsConfig
from ingestd.stores.base import LogStore

if TYPE_CHECKING:
    from ingestd.alerts.engine import Engine

_TICK_S, _IDLE_TICK_S = 1.0, 5.0
"""How often it is checked what is due; without rules, whether the page has made one."""

_MEMORY_BYTES = 256 << 20
_THREADS = 1
"""Limits of DuckDB: a rule may take its time, and the workers need the processors."""


def open_store(config: AlertsConfig) -> LogStore:
    """Return the store that rules are evaluated on."""
    if config.server is None:
        from ingestd.stores.local import LocalStore, store_root  # noqa: PLC0415 -- DuckDB only where it is needed

        return LocalStore(store_root(config.data_dir), _MEMORY_BYTES, _THREADS, config.query_timeout_s)
    from ingestd.stores.elastic.query.store import ElasticStore  # noqa: PLC0415

    return ElasticStore(replace(config.server, timeout=config.query_timeout_s), config.indices)


class AlertsRunner:
    """The alerts of a daemon, as its helper process runs them; the supervisor only keeps the config."""

    def __init__(self) -> None:
        self._config: AlertsConfig | None = None
        self._engine: Engine | None = None

    def configure(self, config: object) -> None:
        """Use a config, an `AlertsConfig`, from now on. From any thread."""
        if not isinstance(config, AlertsConfig):  # a plan without alerts
            return
        self._config = config
        if self._engine is not None:
            self._engine.configure(config)

    def problems(self) -> list[str]:
        """Return what needs attention, in sentences. From any thread."""
        return self._engine.problems() if self._engine is not None else []

    def run(self, stop: threading.Event) -> None:
        """Evaluate and send until ``stop`` is set. Blocks."""
        if self._config is None:  # a plan without alerts
            stop.wait()
            return
        from ingestd.alerts.engine import Engine  # noqa: PLC0415 -- in its own process

        first = self._config
        engine = self._engine = Engine(first, open_store, time.time)
        if self._config is not first:  # it came meanwhile
            engine.configure(self._config)
        while not stop.is_set():
            engine.step()
            busy = min(_TICK_S, engine.config.interval_s)
            stop.wait(_IDLE_TICK_S if engine.idle else busy)
        engine.close()
