"""The base of inputs that read sockets for datagrams: udp, syslog, gelf."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingestd import metrics
from ingestd.logs import get_logger
from ingestd.plugins.inputs._datagrams import MAX_BATCH, DatagramFilter, DatagramReader, socket_state
from ingestd.plugins.interfaces import Codec, DatagramSocket, Sink, StopMode
from ingestd.plugins.registry import BuildContext
from ingestd.tasks import BackgroundTasks

log = get_logger(__name__)

_SHARE_OF_STOP = 0.9
"""Of the time that a stop may take: how long datagrams wait for room; the rest is for reporting them."""

_PROBLEM_SECONDS = 600.0
"""How long drops are reported as a problem."""

_TICK_SECONDS = 1.0

MAX_RECEIVE_BUFFER = (1 << 30) - 1
"""Of SO_RCVBUF, of which the kernel doubles the value: an int."""


def check_datagram_options(port: int, buffer_size: int = 1, queue_size: int = 1, receive_buffer_bytes: int = 0) -> None:
    """Raise ValueError if an option is not possible."""
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} is not possible: write 1 to 65535, or 0 for a free one")
    if not 1 <= buffer_size <= 1 << 24:
        raise ValueError(
            f"buffer_size {buffer_size} is not possible: write 1 to {1 << 24}; 65536 fits every UDP datagram"
        )
    if queue_size < 1:
        raise ValueError(f"queue_size {queue_size} is not possible: write 1 or more")
    if not 0 <= receive_buffer_bytes <= MAX_RECEIVE_BUFFER:
        text = f"write 1 to {MAX_RECEIVE_BUFFER}, or 0 for the default"
        raise ValueError(f"receive_buffer_bytes {receive_buffer_bytes} is not possible: {text}")


@dataclass(slots=True)
class DropCount:
    """How many datagrams that the kernel dropped were counted; ``on_drops`` is called when it has risen."""

    drops: int
    on_drops: Callable[[int], None]


class Datagrams:
    """Reads the sockets of one input.

    Args:
        sockets: What is to be opened.
        context: Of the input.
        max_bytes: What a longer datagram has more is cut off.
        max_batch: Maximum number of datagrams that are read before they are stored.
        clock: Seconds since any moment.
    """

    def __init__(
        self,
        sockets: Sequence[DatagramSocket],
        context: BuildContext,
        *,
        max_bytes: int = 1 << 16,
        max_batch: int = MAX_BATCH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sockets = sockets
        self._max_bytes, self._max_batch, self._clock = max_bytes, max_batch, clock
        self._labels = (context.pipeline_id, context.plugin_id)
        self._stop_seconds = context.settings.shutdown_timeout * _SHARE_OF_STOP
        self._readers: dict[DatagramReader, DropCount] = {}
        self._dropped_at: float | None = None

    def serve(
        self,
        sock: socket.socket,
        count: DropCount,
        sink: Sink,
        tasks: BackgroundTasks,
        datagram_filter: DatagramFilter | None = None,
    ) -> None:
        """Read a socket until ``drain``."""
        reader = DatagramReader(
            sock,
            sink,
            max_bytes=self._max_bytes,
            max_batch=self._max_batch,
            tasks=tasks,
            datagram_filter=datagram_filter,
        )
        self._readers[reader] = count
        self._count_drops()
        reader.start()

    async def watch(self) -> None:
        """Count what the kernel drops, as long as the input runs."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._count_drops()
            for reader in self._readers:
                reader.tick()

    def _count_drops(self) -> None:
        for reader, count in self._readers.items():
            drops = socket_state(reader.sock).drops
            if drops > count.drops:
                metrics.DATAGRAMS_DROPPED.add(drops - count.drops, *self._labels)
                count.drops = drops
                count.on_drops(drops)
                self._dropped_at = self._clock()

    def problems(self) -> list[str]:
        """Return whether the kernel has dropped datagrams lately."""
        if self._dropped_at is None or self._clock() - self._dropped_at > _PROBLEM_SECONDS:
            return []
        drops = sum(count.drops for count in self._readers.values())
        size = min((socket_state(reader.sock).buffer_bytes for reader in self._readers), default=0)
        return [
            f"input {self._labels[1]}: the kernel has dropped {drops} datagrams, since its buffer of {size} bytes was "
            "full: raise net.core.rmem_max (sysctl), and restart; senders do not learn of it"
        ]

    async def drain(self, stopped_at: float) -> None:
        """Read what the kernel holds, then end; what comes later is for the next process.

        ``stopped_at``: since when the input is to stop, on the monotonic clock.
        """
        waited = time.monotonic() - stopped_at
        deadline = asyncio.get_running_loop().time() + self._stop_seconds - waited
        self._count_drops()
        lost = sum(await asyncio.gather(*(reader.drain(deadline) for reader in self._readers)))
        self._readers.clear()
        if lost:
            text = "datagrams were read, and there was no room to store them until the stop: they are lost"
            log.error(text, pipeline=self._labels[0], input=self._labels[1], datagrams=lost)

    def close(self) -> None:
        """Stop reading; what the kernel holds is for the next process."""
        for reader in self._readers:
            reader.close()
        self._readers.clear()


class DatagramServer:
    """An input that reads datagrams.

    Args:
        datagrams: Its sockets.
        codec: Decodes what it puts.
        context: Of the input.
        filter_of: Returns the filter of a socket whose messages go to a sink; None: it has none.
    """

    finite = False

    def __init__(
        self,
        datagrams: Datagrams,
        codec: Codec,
        context: BuildContext,
        filter_of: Callable[[Sink], DatagramFilter] | None = None,
    ) -> None:
        self._datagrams, self.codec, self._filter_of = datagrams, codec, filter_of
        self._tasks = BackgroundTasks(f"input {context.plugin_id}")
        self._watch: asyncio.Task[None] | None = None
        self._ended, self._stopped_at = asyncio.Event(), 0.0
        self._sink: Sink | None = None

    @property
    def datagram_sockets(self) -> Sequence[DatagramSocket]:
        """What to open."""
        return self._datagrams.sockets

    async def open(self) -> None:
        """Do nothing: the supervisor opens the socket."""

    async def run(self, sink: Sink) -> None:
        """Read until ``stop``; then read what the kernel holds."""
        self.start(sink)
        try:
            await self._tasks.until(self._ended.wait())
            await self._tasks.until(self.finish())
        finally:
            await self._tasks.close()
            self._datagrams.close()

    def start(self, sink: Sink, tasks: BackgroundTasks | None = None) -> None:
        """Read from now on, without ``run``; ``tasks``: who notices what fails."""
        self._sink, self._tasks = sink, tasks or self._tasks
        self._watch = self._tasks.start("drops", self._datagrams.watch(), endless=True)

    async def finish(self) -> None:
        """Read what the kernel holds, then end."""
        if self._watch is not None:
            self._tasks.cancel(self._watch)
        await self._datagrams.drain(self._stopped_at)

    def stop(self, mode: StopMode) -> None:
        """Let ``run`` return."""
        self._stopped_at = time.monotonic()
        self._ended.set()

    def serve_datagrams(self, sock: socket.socket, drops: int, on_drops: Callable[[int], None]) -> None:
        """Read a socket."""
        assert self._sink is not None  # noqa: S101 -- ``run`` runs
        found = None if self._filter_of is None else self._filter_of(self._sink)
        self._datagrams.serve(sock, DropCount(drops, on_drops), self._sink, self._tasks, found)

    def problems(self) -> list[str]:
        """Return whether the kernel drops datagrams."""
        return self._datagrams.problems()
