"""``GET api/export``: all events that a query finds, as a file; a process of its own writes it while it is read.

The parameters are those of ``api/search``, ``format`` (ndjson, csv, parquet) and any number of ``field``: only these.
CSV is for Excel: it has a byte order mark, and texts that Excel would take for formulas are protected.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from aiohttp import web

from ingestd.logs import get_logger
from ingestd.web.api import params
from ingestd.web.api.params import ParameterError
from ingestd.web.processes.protocol import RESPONSE_HEAD, ExportRequest, QueryProcessConfig, QueryResponse, frame
from ingestd.web.processes.query_worker import TEMPORARY_FOLDER, python_command
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
_CHUNK_BYTES = 1 << 16
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
        self._ending: set[asyncio.Task[None]] = set()

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
        while tasks := self._downloads | self._ending:
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
            return json_error(503, f"{MAX_DOWNLOADS} downloads are running, and no more can; try again later")
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
            assert process.stdin is not None  # noqa: S101 -- it has pipes
            assert process.stdout is not None  # noqa: S101
            process.stdin.write(frame(msgspec.json.encode(wanted)))
            try:
                size, status = RESPONSE_HEAD.unpack(await process.stdout.readexactly(RESPONSE_HEAD.size))
                body = await process.stdout.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                log.error("a download failed before it started", exit_code=await process.wait())
                return json_error(503, "the download was aborted; it may need more memory than query_memory allows")
            if status != 200:
                return compressed(QueryResponse(status, body), request)
            response = web.StreamResponse(headers=_headers(wanted.format))
            await response.prepare(request)
            if not await _copy(process, response) and request.transport is not None:
                request.transport.abort()  # without the end of the body the client knows that it is not whole
            return response

    @contextlib.asynccontextmanager
    async def _process(self, parent: Path) -> AsyncIterator[Process]:
        """Start a process with a folder for its temporary files; both end with the block, also if it is cancelled."""
        await asyncio.to_thread(parent.mkdir, parents=True, exist_ok=True, mode=0o750)
        folder = await asyncio.to_thread(tempfile.mkdtemp, prefix=f"{os.getpid()}-", dir=parent)
        try:
            process = await asyncio.create_subprocess_exec(
                *python_command("ingestd.web.processes.export_process"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={**os.environ, "TMPDIR": folder},
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        try:
            yield process
        finally:
            ending = asyncio.create_task(_end(process, folder))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
            await asyncio.shield(ending)


async def _copy(process: Process, response: web.StreamResponse) -> bool:
    """Send what a process writes, as fast as the client takes it; return whether it is the whole file."""
    assert process.stdout is not None  # noqa: S101 -- it has pipes
    while data := await process.stdout.read(_CHUNK_BYTES):
        try:
            async with asyncio.timeout(_STALL_SECONDS):
                await response.write(data)
        except TimeoutError:
            log.warning("a download was aborted: its client takes nothing")
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


async def _end(process: Process, folder: str) -> None:
    """Kill a process, wait for it, and delete its folder."""
    assert process.stdin is not None  # noqa: S101 -- it has pipes
    assert process.stdout is not None  # noqa: S101
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.stdin.close()
    while await process.stdout.read(_CHUNK_BYTES):  # asyncio does not see its end before that of its pipes
        pass
    await process.wait()
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
