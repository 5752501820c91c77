"""The parent's side of a query process: start it, run a query in it, interrupt the query, kill the process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import msgspec

from ingestd.event.jsontext import dumps
from ingestd.web.processes.protocol import INTERRUPT, RESPONSE_HEAD, Arguments, QueryProcessConfig, QueryResponse, frame

TEMPORARY_FOLDER = "query-tmp"
"""In the data folder: a folder for each process, which starts with the id of its parent."""

_numbers = itertools.count(1)


class ProcessEndedError(Exception):
    """The process ended without a response; ``exit_code`` is negative for a signal, None if it never started."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"the process ended with exit code {exit_code}")
        self.exit_code = exit_code


class QueryWorker:
    """One query process.

    Args:
        setup: What it queries and how.
        parent_folder: Where the process gets a folder for what does not fit into its memory; deleted by ``end``.
    """

    def __init__(self, setup: QueryProcessConfig, parent_folder: Path) -> None:
        self.setup, self._parent_folder = setup, parent_folder
        self._folder: Path | None = None
        self._process: Process | None = None
        self._starting = asyncio.Lock()
        self._configured = self._ended = False
        self.number = next(_numbers)
        """Distinguishes it from the other workers of this parent."""

    @property
    def pid(self) -> int | None:
        """The id of the process, None before ``start``."""
        return self._process.pid if self._process is not None else None

    @property
    def exit_code(self) -> int | None:
        """The exit code; None: the process runs, or is yet to start."""
        return self._process.returncode if self._process is not None else None

    @property
    def usable(self) -> bool:
        """Whether the process runs or is yet to start."""
        return not self._ended and (self._process is None or (self._configured and self._process.returncode is None))

    async def start(self) -> None:
        """Start the process unless it runs. Does not wait until it is ready.

        Raises:
            OSError: The process cannot be started.
            ProcessEndedError: It is not usable any more.
        """
        async with self._starting:
            if not self.usable:
                raise ProcessEndedError(self.exit_code)
            if self._process is None:
                self._process = await self._launch()
                self._send(msgspec.json.encode(self.setup))
                self._configured = True

    async def _launch(self) -> Process:
        if self._folder is None:
            self._parent_folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=self._parent_folder))
        return await asyncio.create_subprocess_exec(
            *python_command("ingestd.web.processes.query_process"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={**os.environ, "TMPDIR": str(self._folder)},
        )

    async def run(self, call: str, arguments: Arguments) -> QueryResponse:
        """Run one call and return its response. A worker whose call was cancelled must be ended.

        Raises:
            ProcessEndedError: The process has ended.
            OSError: It cannot be started.
        """
        await self.start()
        assert self._process is not None  # noqa: S101 -- it was started
        assert self._process.stdout is not None  # noqa: S101 -- it has pipes
        self._send(dumps({"call": call, "arguments": arguments}))
        try:
            size, status = RESPONSE_HEAD.unpack(await self._process.stdout.readexactly(RESPONSE_HEAD.size))
            return QueryResponse(status, await self._process.stdout.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ProcessEndedError(await self._process.wait()) from None

    def interrupt(self) -> None:
        """End the running query, if the store can do that; its response, or an error, still comes."""
        if self._process is not None:
            self._send(dumps({"call": INTERRUPT}))

    def _send(self, message: bytes) -> None:
        assert self._process is not None  # noqa: S101
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(frame(message))

    async def end(self) -> None:
        """Kill the process and delete its files. May be called again, also after it failed."""
        async with self._starting:
            self._ended = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


def python_command(module: str) -> tuple[str, ...]:
    """Return the command that runs ``main`` of a module with our interpreter and our import path."""
    return sys.executable, "-P", "-c", f"import sys; sys.path[:] = {sys.path!r}; from {module} import main; main()"
