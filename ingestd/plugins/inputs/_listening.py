"""What inputs that clients connect to have in common: where they listen, how they are stopped, what they count."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ingestd import metrics
from ingestd.logs import get_logger
from ingestd.plugins.interfaces import Sink, StopMode
from ingestd.plugins.registry import BuildContext
from ingestd.tasks import BackgroundTasks

log = get_logger(__name__)

_SHARE_OF_STOP = 0.9
"""Of the time that a stop may take: how long connections may be read; the rest is for reporting them."""


class ListeningOptions(Protocol):
    """Where to listen."""

    @property
    def host(self) -> str:
        """The address."""

    @property
    def port(self) -> int:
        """The port; 0: a free one."""

    @property
    def max_connections(self) -> int:
        """Maximum number of connections at a time; 0: no limit."""


class ListeningInput:
    """The base of inputs whose connections the supervisor accepts.

    Args:
        options: Where to listen.
        context: Of the input.
    """

    finite = False

    def __init__(self, options: ListeningOptions, context: BuildContext) -> None:
        self._where = options
        self._stop_seconds = context.settings.shutdown_timeout * _SHARE_OF_STOP
        self._labels = (context.pipeline_id, context.plugin_id)
        self.tasks = BackgroundTasks(f"input {context.plugin_id}")
        self._mode: StopMode = "drain"
        self._ended = asyncio.Event()
        self._sink: Sink | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return self._where.host, self._where.port

    @property
    def max_connections(self) -> int:
        """Maximum number of connections at a time; 0: no limit."""
        return self._where.max_connections

    async def open(self) -> None:
        """Do nothing: the supervisor listens."""

    def stop(self, mode: StopMode) -> None:
        """Let ``run`` return."""
        self._mode = mode
        self._ended.set()

    def _count_open(self, connections: int) -> None:
        metrics.CONNECTIONS_OPEN.set(connections, *self._labels)

    def _log_lost(self, **counts: int) -> None:
        """Log that a stop has cut off connections; ``counts``: how many, and what is known of them."""
        text = "the stop could not wait for everything that clients had sent: the rest is lost"
        log.error(text, pipeline=self._labels[0], input=self._labels[1], **counts)
        if self._sink is not None:
            self._sink.note_loss()
