"""A worker process: reads the connections that the supervisor hands to it, runs the filters, delivers."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import uvloop

from ingestd import metrics
from ingestd.event.chunk import Stream
from ingestd.logs import get_logger
from ingestd.pipeline.pipeline import RunningPipeline
from ingestd.plugins.interfaces import StopMode
from ingestd.supervisor.connections.descriptors import is_scarce
from ingestd.supervisor.processes.channel import Channel, ChannelClosedError, Message
from ingestd.supervisor.processes.children import HEARTBEAT_SECONDS, LOSS_EXIT_CODE
from ingestd.tasks import BackgroundTasks

log = get_logger(__name__)

_GC_THRESHOLDS = (200_000, 20, 100)
"""Batches are freed by reference counting; frequent runs of the collector would cost 5 to 10 % of all CPU."""

_HANDOVER_SECONDS = 2.0
"""How long a worker that is replaced waits for responses; its successor sends the rest again, with the same ids."""


_LIMIT_HELP = "raise the limit of open files: LimitNOFILE= in the systemd unit, or ulimit -n"


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT_BYTES = 16 << 20


def tune_memory() -> None:
    """Prepare a process for batches, which take much memory for a moment: once it has what it needs for good.

    What exists now is excluded from garbage collection, and the rest is rarely collected.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let the allocator keep up to 16 MB that a batch frees for the next one: new memory costs page faults."""
    with contextlib.suppress(AttributeError):  # mallopt(3) of glibc; other C libraries decide for themselves
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES // 2)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


class Worker:
    """Runs the pipelines on the sockets received over ``channel``.

    Args:
        number: Which worker this is, from 0.
        pipelines: Built and not started; each with a journal of its own.
        channel: Connects it to the supervisor.
        shutdown_timeout: Seconds that a stop may take to deliver what was received.
        sockets_kept: Whether systemd keeps the connections if the supervisor is killed.
    """

    def __init__(
        self,
        number: int,
        pipelines: Sequence[RunningPipeline],
        channel: Channel,
        shutdown_timeout: float,
        *,
        sockets_kept: bool,
    ) -> None:
        self._number, self._channel = number, channel
        self._pipelines = {pipeline.name: pipeline for pipeline in pipelines}
        self._kept = {pipeline.name: pipeline.journal.stream_ends() for pipeline in pipelines}
        self._shutdown_timeout = shutdown_timeout
        self._mode: StopMode = "leave" if sockets_kept else "drain"
        """How the inputs end, unless the supervisor says otherwise: it may be killed. A line without an end is read by
        the next worker if there will be one, else it is the last."""
        self._stop = asyncio.Event()
        self._error: Exception | None = None
        """What a callback on the channel raised: it ends the worker, whose successor gets the same connections."""

    async def run(self) -> int:
        """Run until the supervisor asks to stop, or has gone. Returns the exit code.

        Raises whatever ends the worker: what a background task of a pipeline or a callback raised.
        """
        loop = asyncio.get_running_loop()
        for pipeline in self._pipelines.values():
            for repair in pipeline.journal.repairs:
                log.warning("the journal was repaired", pipeline=pipeline.name, worker=self._number, repair=str(repair))
            await pipeline.start()
        tune_memory()
        loop.add_reader(self._channel.fileno(), self._receive)
        self._send({"type": "ready"})
        self._receive()
        tasks = BackgroundTasks(f"worker {self._number}", expected=(Exception,))  # the pipelines log what ends them
        for pipeline in self._pipelines.values():
            tasks.start(f"pipeline {pipeline.name}", pipeline.failed())
        if self._number == 0 and self._pipelines and all(pipeline.finite for pipeline in self._pipelines.values()):
            tasks.start("end of the inputs", self._report_end())
        tasks.start("heartbeat", self._send_heartbeats(), endless=True)
        try:
            await tasks.until(self._stop.wait())
            if self._error is not None:
                raise self._error
            await tasks.until(self._end())
        finally:
            await tasks.close()
        return LOSS_EXIT_CODE if any(pipeline.lost for pipeline in self._pipelines.values()) else 0

    async def _report_end(self) -> None:
        """Let the daemon stop when all inputs have ended; the first worker reads those that can end."""
        for pipeline in self._pipelines.values():
            await pipeline.inputs_ended()
        self._send({"type": "ended"})

    async def _send_heartbeats(self) -> None:
        """Show the supervisor that the event loop turns, and what it reports to systemd."""
        while True:
            if not self._channel.pending:
                waiting = sum(pipeline.waiting for pipeline in self._pipelines.values())
                self._send({"type": "alive", "waiting": waiting, "problems": self._problems()})
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def _problems(self) -> list[str]:
        """Return what needs attention, what is worst first."""
        pipelines = self._pipelines.values()
        paused = [f"pipeline {pipeline.name} accepts nothing" for pipeline in pipelines if pipeline.paused]
        stalls = [str(stall) for pipeline in pipelines for stall in pipeline.stalls()]
        return [*paused, *stalls, *(text for pipeline in pipelines for text in pipeline.problems())]

    async def _end(self) -> None:
        """Let the inputs end, deliver as long as time allows, leave the rest in the journal."""
        for pipeline in self._pipelines.values():
            pipeline.stop_inputs(self._mode)
        if self._mode == "handover":
            for pipeline in self._pipelines.values():
                await pipeline.inputs_ended()
            idle = [delivery.idle() for pipeline in self._pipelines.values() for delivery in pipeline.deliveries]
            await _within(_HANDOVER_SECONDS, asyncio.gather(*idle))
        else:
            drains = asyncio.gather(*(pipeline.drain() for pipeline in self._pipelines.values()))
            if not await _within(self._shutdown_timeout, drains):
                waiting = sum(pipeline.waiting for pipeline in self._pipelines.values())
                text = "the shutdown time is over; what was not delivered stays in the journal"
                log.warning(text, worker=self._number, events=waiting)
        for pipeline in self._pipelines.values():
            await pipeline.close()

    def _receive(self) -> None:
        try:
            for message, fd in self._channel.receive():
                self._handle(message, fd)
        except ChannelClosedError:  # the supervisor was killed: read what clients sent, make way for the next
            self._shutdown_timeout = _HANDOVER_SECONDS
            self._leave()
        except Exception as error:  # noqa: BLE001 -- raised by run
            self._error = error
            self._leave()

    def _leave(self) -> None:
        asyncio.get_running_loop().remove_reader(self._channel.fileno())
        self._stop.set()

    def _handle(self, message: Message, fd: int | None) -> None:
        match message["type"]:
            case "connection" if fd is not None and not is_scarce(fd):
                self._serve(message, socket.socket(fileno=fd))
            case "datagrams" if fd is not None and not is_scarce(fd):
                self._serve_datagrams(message, socket.socket(fileno=fd))
            case "connection" | "datagrams":
                if fd is not None:  # else it did not arrive
                    os.close(fd)
                log.warning("a connection waits: this process has as many open files as it may have", help=_LIMIT_HELP)
                self._send({"type": "missed", "id": message["id"], "new": message["new"]})
            case "stop":
                self._mode = message["mode"]
                self._stop.set()
            case "ask":
                self._send({"type": "answer", "number": message["number"], "state": self._state()})

    def _serve(self, message: Message, sock: socket.socket) -> None:
        name, connection = message["pipeline"], message["id"]
        pipeline = self._pipelines.get(name)
        reader = pipeline.socket_input(message["input"]) if pipeline is not None else None
        if reader is None:  # the config no longer has this input
            sock.close()
            self._send({"type": "closed", "id": connection})
            return
        if message["new"]:
            metrics.CONNECTIONS_ACCEPTED.add(1, name, message["input"])
        stream = Stream(connection, {"host": message["host"], "port": message["port"]})

        def closed(reason: str) -> None:
            if reason != "shutdown" or not reader.outlives_reader:  # else the supervisor keeps it for another worker
                self._send({"type": "closed", "id": connection})

        def on_client(host: str, port: int) -> None:
            self._send({"type": "client", "id": connection, "client": [host, port]})

        reader.serve(sock, stream, self._kept[name].pop(connection, 0), closed, message.get("client"), on_client)

    def _serve_datagrams(self, message: Message, sock: socket.socket) -> None:
        pipeline = self._pipelines.get(message["pipeline"])
        reader = pipeline.datagram_input(message["input"]) if pipeline is not None else None
        if reader is None:  # the config of this process does not have this input
            sock.close()
        else:
            connection = message["id"]

            def on_drops(drops: int) -> None:
                self._send({"type": "drops", "id": connection, "drops": drops})

            reader.serve_datagrams(sock, message["drops"], on_drops)

    def _send(self, message: Message) -> None:
        self._channel.send(message)
        if self._channel.pending:
            loop = asyncio.get_running_loop()
            loop.add_writer(self._channel.fileno(), self._flush)

    def _flush(self) -> None:
        try:
            self._channel.flush()
        except OSError as error:  # raised by run
            self._error = error
            self._leave()
        if self._error is not None or not self._channel.pending:
            asyncio.get_running_loop().remove_writer(self._channel.fileno())

    def _state(self) -> dict[str, Any]:
        """Return what the HTTP server shows about this worker."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        for pipeline in self._pipelines.values():
            pipeline.measure()
        return {
            "worker": self._number,
            "time": time.time(),
            "full": [name for name, pipeline in self._pipelines.items() if pipeline.paused],
            "problems": [text for pipeline in self._pipelines.values() for text in pipeline.problems()],
            "stalls": [stall._asdict() for pipeline in self._pipelines.values() for stall in pipeline.stalls()],
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "metrics": metrics.snapshot(),
        }


async def _within(seconds: float, task: asyncio.Future[Any]) -> bool:
    try:
        await asyncio.wait_for(task, seconds)
    except TimeoutError:
        return False
    return True


Build = Callable[[], Sequence[RunningPipeline]]


def run_worker(number: int, build: Build, channel: Channel, shutdown_timeout: float, *, sockets_kept: bool) -> int:
    """Build the pipelines and run them in this process; returns the exit code."""

    async def main() -> int:
        return await Worker(number, build(), channel, shutdown_timeout, sockets_kept=sockets_kept).run()

    return uvloop.run(main())
