"""The parent's side of a query process: start it, run a query in it, interrupt the query, kill the process."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import msgspec

from ingestd.event.jsontext import dumps
from ingestd.web.processes.child_process import ChildProcess, ProcessEndedError
from ingestd.web.protocol import INTERRUPT, Arguments, QueryProcessConfig, QueryResponse

_numbers = itertools.count(1)


class QueryWorker:
    """One query process.

    Args:
        setup: What it queries and how.
        parent_folder: Where the process gets a folder for what does not fit into its memory; deleted by ``end``.
    """

    def __init__(self, setup: QueryProcessConfig, parent_folder: Path) -> None:
        self.setup, self._parent_folder = setup, parent_folder
        self._process: ChildProcess | None = None
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
        return self._process.exit_code if self._process is not None else None

    @property
    def usable(self) -> bool:
        """Whether the process runs or is yet to start."""
        return not self._ended and (self._process is None or (self._configured and self._process.exit_code is None))

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
                self._process = await ChildProcess.start("ingestd.web.processes.query_process", self._parent_folder)
                self._process.send(msgspec.json.encode(self.setup))
                self._configured = True

    async def run(self, call: str, arguments: Arguments) -> QueryResponse:
        """Run one call and return its response. A worker whose call was cancelled must be ended.

        Raises:
            ProcessEndedError: The process has ended.
            OSError: It cannot be started.
        """
        await self.start()
        assert self._process is not None  # noqa: S101 -- it was started
        self._process.send(dumps({"call": call, "arguments": arguments}))
        return await self._process.receive()

    def interrupt(self) -> None:
        """End the running query, if the store can do that; its response, or an error, still comes."""
        if self._process is not None:
            self._process.send(dumps({"call": INTERRUPT}))

    async def end(self) -> None:
        """Kill the process and delete its files. May be called again, also after it failed."""
        async with self._starting:
            self._ended = True
        if self._process is not None:
            await self._process.end()
