"""Runs the alerts of a daemon on a thread of its helper process."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ingestd.alerts.config import AlertsConfig
from ingestd.logs import get_logger
from ingestd.stores.base import LogStore

if TYPE_CHECKING:
    from ingestd.alerts.engine import Engine

log = get_logger(__name__)

_TICK_S, _IDLE_TICK_S = 1.0, 5.0
"""How often it is checked what is due; without rules, whether the page has made one."""

_RETRY_S = 60.0
"""When they are tried again after a defect of ours."""

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
        self._failure = ""

    def configure(self, config: object) -> None:
        """Use a config, an `AlertsConfig`, from now on. From any thread."""
        if not isinstance(config, AlertsConfig):  # a plan without alerts
            return
        self._config = config
        if self._engine is not None:
            self._engine.configure(config)

    def problems(self) -> list[str]:
        """Return what needs attention, in sentences. From any thread."""
        found = self._engine.problems() if self._engine is not None else []
        return [f"alerts failed, trying again: {self._failure}", *found] if self._failure else found

    def run(self, stop: threading.Event) -> None:
        """Evaluate and send until ``stop`` is set. Blocks."""
        while not stop.is_set():
            stop.wait(self._step())
        if self._engine is not None:
            self._engine.close()

    def _step(self) -> float:
        """Do what is due; returns in how many seconds to look again.

        A defect of ours does not end the process: backups and the sealing of the store are its work, too.
        """
        try:
            engine = self._engine or self._start()
            if engine is None:
                return _IDLE_TICK_S
            engine.step()
        except Exception as error:
            log.exception("the alerts failed, trying again", seconds=_RETRY_S)
            self._failure = repr(error)
            return _RETRY_S
        self._failure = ""
        return _IDLE_TICK_S if engine.idle else min(_TICK_S, engine.config.interval_s)

    def _start(self) -> Engine | None:
        """Return the engine, once there is a config."""
        if self._config is None:
            return None
        from ingestd.alerts.engine import Engine  # noqa: PLC0415 -- in its own process

        first = self._config
        self._engine = Engine(first, open_store, time.time)
        if self._config is not first:  # it came meanwhile
            self._engine.configure(self._config)
        return self._engine
