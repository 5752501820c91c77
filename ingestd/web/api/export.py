"""``GET api/export``: all events that a query finds, as a file; a process of its own writes it while it is read.

The parameters are those of ``api/search``, ``format`` (ndjson, csv, parquet) and any number of ``field``: only these.
CSV is for Excel: it has a byte order mark, and texts that Excel would take for formulas are protected.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from aiohttp import web

from ingestd.logs import get_logger
from ingestd.tasks import BackgroundTasks
from ingestd.web import params
from ingestd.web.params import ParameterError
from ingestd.web.processes.child_process import TEMPORARY_FOLDER, ChildProcess, ProcessEndedError
from ingestd.web.protocol import ExportRequest, QueryProcessConfig
from ingestd.web.responses import compressed, json_error

log = get_logger(__name__)

TYPES = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
"""Formats and their content types."""

MAX_DOWNLOADS = 2
"""How many are written at the same time."""

MAX_FIELDS = 200
_END = "end of a download's process"  # the name of the task
_STALL_SECONDS = 60.0
"""A client that takes nothing for so long has gone: others wait for its turn."""


class Exports:
    """The route of downloads.

    Args:
        setup: What is queried and how.
        prefix: What all paths start with.
    """

    def __init__(self, setup: QueryProcessConfig, prefix: str = "") -> None:
        self._setup, self._prefix = setup, prefix
        self._slots = asyncio.Semaphore(MAX_DOWNLOADS)
        self._downloads: set[asyncio.Task[object]] = set()
        self._tasks = BackgroundTasks("downloads")

    def route(self) -> web.RouteDef:
        """Return the route."""
        return web.get(f"{self._prefix}/api/export", self._handle, allow_head=False)

    def update(self, setup: QueryProcessConfig) -> None:
        """Use another setup for the next download."""
        self._setup = setup

    async def stop(self, _: web.Application) -> None:
        """End all downloads, and wait for the end of their processes: the server's shutdown would wait for clients."""
        for task in self._downloads:
            task.cancel()
        while tasks := [*self._downloads, *self._tasks.find(_END)]:
            await asyncio.wait(tasks)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            wanted = self._read(request)
        except ParameterError as error:
            return json_error(400, str(error))
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a handler runs in one
        self._downloads.add(task)
        try:
            async with asyncio.timeout(self._setup.timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            return json_error(503, f"{MAX_DOWNLOADS} downloads are running, which is the maximum; try again later")
        else:
            try:
                return await self._download(request, wanted)
            except OSError as error:
                return json_error(503, f"no process can be started for it: {error.strerror or error}")
            finally:
                self._slots.release()
        finally:
            self._downloads.discard(task)

    def _read(self, request: web.Request) -> ExportRequest:
        """Return the download that a request asks for. Raises ParameterError."""
        query = request.query
        return ExportRequest(
            self._setup,
            params.choice(query, "format", tuple(TYPES)),
            query.get("q", ""),
            params.time(query, "since"),
            params.time(query, "until"),
            [params.field({"field": name}) for name in params.texts(query, "field", MAX_FIELDS)],
        )

    async def _download(self, request: web.Request, wanted: ExportRequest) -> web.StreamResponse:
        async with self._process(Path(wanted.setup.data_dir) / TEMPORARY_FOLDER) as process:
            process.send(msgspec.json.encode(wanted))
            try:
                first = await process.receive()
            except ProcessEndedError as error:
                log.error("a download failed before it started", exit_code=error.exit_code)
                return json_error(503, "the download was aborted; it may need more memory than query_memory allows")
            if first.status != 200:
                return compressed(first, request)
            response = web.StreamResponse(headers=_headers(wanted.format))
            await response.prepare(request)
            if not await _copy(process, response) and request.transport is not None:
                request.transport.abort()  # without the end of the body the client knows that it is not whole
            return response

    @contextlib.asynccontextmanager
    async def _process(self, parent: Path) -> AsyncIterator[ChildProcess]:
        """Start a process, which ends with the block, also if that is cancelled."""
        process = await ChildProcess.start("ingestd.web.processes.export_process", parent)
        try:
            yield process
        finally:
            await asyncio.shield(self._tasks.start(_END, process.end()))


async def _copy(process: ChildProcess, response: web.StreamResponse) -> bool:
    """Send what a process writes, as fast as the client takes it; return whether it is the whole file."""
    while data := await process.read():
        try:
            async with asyncio.timeout(_STALL_SECONDS):
                await response.write(data)
        except TimeoutError:
            log.warning("a download was aborted: its client reads nothing")
            return False
    if exit_code := await process.wait():
        log.error("a download failed before its end", exit_code=exit_code)
    return not exit_code


def _headers(form: str) -> dict[str, str]:
    return {
        "Content-Type": TYPES[form],
        "Content-Disposition": f'attachment; filename="events.{form}"',
        "X-Accel-Buffering": "no",
    }
