"""Processes of our own code beside the HTTP process: their start, their pipes, and their end, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Self

from ingestd.web.protocol import RESPONSE_HEAD, QueryResponse, frame

TEMPORARY_FOLDER = "query-tmp"
"""In the data folder: a folder for each process, which starts with the id of its parent."""

_READ_BYTES = 1 << 16


class ProcessEndedError(Exception):
    """The process ended without a response; ``exit_code`` is negative for a signal, None if it never started."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(f"the process ended with exit code {exit_code}")
        self.exit_code = exit_code


class ChildProcess:
    """A process that was started; ``end`` it in any case.

    Args:
        process: With pipes for stdin and stdout.
        folder: Of its temporary files, deleted at its end; None: it has none.
    """

    def __init__(self, process: Process, folder: str | None) -> None:
        assert process.stdin is not None  # noqa: S101 -- it has pipes
        assert process.stdout is not None  # noqa: S101
        self._process, self._folder = process, folder
        self._stdin, self.stdout = process.stdin, process.stdout
        """What it writes; not to be read while ``receive``, ``read`` or ``end`` run."""
        self._reading = asyncio.Lock()

    @classmethod
    async def start(cls, module: str, parent: Path | None = None) -> Self:
        """Run ``main`` of a module, with our interpreter and our import path.

        ``parent``: where it gets a folder for its temporary files. Raises OSError. Cancelled, it leaves nothing.
        """
        folder = await _temporary_folder(parent) if parent is not None else None
        try:
            process = await asyncio.create_subprocess_exec(
                *_command(module),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=os.environ | ({"TMPDIR": folder} if folder is not None else {}),
            )
        except BaseException:
            if folder is not None:
                await _remove(folder)
            raise
        return cls(process, folder)

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code; None: it runs."""
        return self._process.returncode

    def write(self, data: bytes) -> None:
        """Send bytes to its stdin."""
        self._stdin.write(data)

    def send(self, message: bytes) -> None:
        """Send a message, see ``protocol``."""
        self.write(frame(message))

    async def receive(self) -> QueryResponse:
        """Return its next response. Raises ProcessEndedError."""
        try:
            async with self._reading:
                size, status = RESPONSE_HEAD.unpack(await self.stdout.readexactly(RESPONSE_HEAD.size))
                return QueryResponse(status, await self.stdout.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ProcessEndedError(await self.wait()) from None

    async def read(self) -> bytes:
        """Return some of what it has written, empty at the end."""
        async with self._reading:
            return await self.stdout.read(_READ_BYTES)

    async def wait(self) -> int:
        """Wait for its end and return the exit code."""
        return await self._process.wait()

    def kill(self) -> None:
        """Kill it, if it runs."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """Kill it, wait for it, close its pipes and delete its files. May be called again, also after it failed."""
        self.kill()
        self._stdin.close()
        while await self.read():  # asyncio does not see its end before that of its pipes
            pass
        await self.wait()
        if self._folder is not None:
            await _remove(self._folder)


async def _temporary_folder(parent: Path) -> str:
    """Make a folder, on a thread: the disk may be slow. Raises OSError. Cancelled, it waits for it and removes it."""
    making = asyncio.create_task(asyncio.to_thread(_make_folder, parent))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await _remove(await making)
        raise


async def _remove(folder: str) -> None:
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _make_folder(parent: Path) -> str:
    parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    return tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent)


def _command(module: str) -> tuple[str, ...]:
    return sys.executable, "-P", "-c", f"import sys; sys.path[:] = {sys.path!r}; from {module} import main; main()"
