"""Queries in processes of their own: they can be stopped, and what they take is theirs alone.

A query that nobody waits for any more is interrupted; where that does not help, or when it takes too long, its
process is ended and another one started at once, before it is needed. Nothing is started before the first query,
and after some minutes without any the processes end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from ingestd.event.jsontext import dumps
from ingestd.logs import get_logger
from ingestd.web.processes.answers import Answer, Arguments, refusal
from ingestd.web.processes.query_process import HEAD, INTERRUPT, LENGTH, TOO_MUCH_MEMORY, Setup

log = get_logger(__name__)

PROCESSES = 2
MOST_WAITING = 32
WARM_SECONDS = 300.0
"""How long a process without work is kept."""

_GRACE_SECONDS = 0.3
"""A query whose client has gone ends within this time when it is interrupted; else its process is ended."""

_LAST_SECONDS = 0.5
"""So much longer may a process live than its query: the store, which has the same limit, can mostly end it."""

_FOLDER = "query-tmp"


class _EndedError(Exception):
    """The process ended without an answer; ``code`` is its exit code, negative for a signal."""

    def __init__(self, code: int) -> None:
        self.code = code


class QueryProcess:
    """One process. ``folder`` takes what does not fit into its memory, and goes with it."""

    def __init__(self, setup: Setup, folder: Path) -> None:
        self._setup, self._parent = setup, folder
        self._folder: Path | None = None
        self._process: Process | None = None
        self._launched: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process, None before ``start``."""
        return self._process.pid if self._process is not None else None

    @property
    def alive(self) -> bool:
        """Whether the process runs, or is yet to start."""
        return self._process is None or self._process.returncode is None

    async def start(self) -> None:
        """Start the process, unless it runs; that it is ready is not waited for.

        Raises:
            OSError: No process can be had.
        """
        if self._launched is None:
            self._launched = asyncio.create_task(self._launch())
        await asyncio.shield(self._launched)

    async def _launch(self) -> None:
        self._parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=self._parent))
        code = f"import sys; sys.path[:] = {sys.path!r}; from ingestd.web.processes.query_process import main; main()"
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", code),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={**os.environ, "TMPDIR": str(self._folder)},
        )
        self._send(msgspec.json.encode(self._setup))

    async def ask(self, call: str, arguments: Arguments) -> Answer:
        """Return the answer; one at a time, and to its end: a process that was left alone must be ended.

        Raises:
            _EndedError: The process has ended.
            OSError: It could not be started.
        """
        await self.start()
        assert self._process is not None  # noqa: S101 -- it was started
        assert self._process.stdout is not None  # noqa: S101 -- it was made with pipes
        self._send(dumps({"call": call, "arguments": arguments}))
        try:
            size, status = HEAD.unpack(await self._process.stdout.readexactly(HEAD.size))
            return Answer(status, await self._process.stdout.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _EndedError(await self._process.wait()) from None

    def interrupt(self) -> None:
        """End the query, if its store can do that; its answer, or an error, still comes."""
        if self._process is not None:
            self._send(dumps({"call": INTERRUPT}))

    def _send(self, message: bytes) -> None:
        assert self._process is not None  # noqa: S101
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(LENGTH.pack(len(message)) + message)

    async def end(self) -> None:
        """End the process, whatever it does, and take its files away."""
        if self._launched is not None:
            await asyncio.wait({self._launched})
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


class QueryPool:
    """Some processes and a queue of questions. All methods belong to one event loop.

    Args:
        setup: What the processes ask, and what a query may take; as long as it may run, it may wait for its turn.
        processes: How many queries run at the same time.
        most_waiting: How many more may wait for their turn.
        warm_s: How long processes without work are kept.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        processes: int = PROCESSES,
        most_waiting: int = MOST_WAITING,
        warm_s: float = WARM_SECONDS,
    ) -> None:
        self._setup, self._timeout_s = setup, setup.timeout_s
        self._size, self._most_waiting, self._warm_s = processes, most_waiting, warm_s
        self._folder = Path(setup.data_dir) / _FOLDER
        self._turns = asyncio.Semaphore(processes)
        self._waiting = 0
        self._running: set[QueryProcess] = set()
        self._idle: list[QueryProcess] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._swept = self._closed = False

    @property
    def busy(self) -> int:
        """How many queries are running."""
        return len(self._running)

    def warm(self) -> None:
        """Start the processes if there is none: somebody is about to ask."""
        if self._idle or self._running or self._closed:
            return
        self._sweep()
        for _ in range(self._size):
            self._begin()

    def _begin(self) -> None:
        """Start a process ahead of need; what fails is told to the query that gets it."""
        if self._closed or len(self._idle) + len(self._running) >= self._size:
            return
        fresh = QueryProcess(self._setup, self._folder)
        self._spare(fresh)

        async def start() -> None:
            with contextlib.suppress(OSError):
                await fresh.start()

        self._later(start())

    async def ask(self, call: str, arguments: Arguments) -> Answer:
        """Return the answer to a call of ``Answers``, or why there is none. Cancel it to stop the query."""
        if self._waiting >= self._most_waiting:
            return refusal(503, "too many queries are waiting; try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._turns.acquire()
        except TimeoutError:
            return refusal(503, "other queries keep the dashboard busy; try again in a moment")
        finally:
            self._waiting -= 1
        return await self._run(call, arguments)

    async def _run(self, call: str, arguments: Arguments) -> Answer:
        """Run a query in a process; the turn is ours, and is given back when the process is free or gone."""
        self._sweep()
        process = self._take()
        self._running.add(process)
        query = asyncio.create_task(process.ask(call, arguments))
        try:
            await asyncio.wait({query}, timeout=self._timeout_s + _LAST_SECONDS)
        except asyncio.CancelledError:
            self._later(self._let_end(process, query))
            raise
        if not query.done():
            self._later(self._drop(process, query))
            return refusal(504, f"the query took more than {self._timeout_s:g} s; choose a shorter time range")
        return self._answered(process, query)

    def _take(self) -> QueryProcess:
        """Return a process without work, or a new one."""
        while self._idle:
            process = self._idle.pop()
            if process.alive:
                return process
            self._later(process.end())
        return QueryProcess(self._setup, self._folder)

    def _answered(self, process: QueryProcess, query: asyncio.Task[Answer]) -> Answer:
        try:
            answer = query.result()
        except _EndedError as error:
            if not self._closed:
                log.error("a query process ended amid a query", exit_code=error.code)
            self._later(self._drop(process, query))
            return refusal(503, TOO_MUCH_MEMORY)
        except OSError as error:
            self._later(self._drop(process, query))
            return refusal(503, f"no query can be run: {error.strerror or error}")
        if answer.status == 500:
            log.error("a query failed", answer=answer.body.decode())
        self._keep(process)
        return answer

    async def _let_end(self, process: QueryProcess, query: asyncio.Task[Answer]) -> None:
        """Nobody waits for the query any more: keep its process if it can be interrupted, else end it."""
        process.interrupt()
        await asyncio.wait({query}, timeout=_GRACE_SECONDS)
        if query.done() and query.exception() is None:
            self._keep(process)
        else:
            await self._drop(process, query)

    def _keep(self, process: QueryProcess) -> None:
        """Make a process that has answered free for the next query."""
        self._running.discard(process)
        self._turns.release()
        self._spare(process)

    def _spare(self, process: QueryProcess) -> None:
        """Keep a process without work for a while."""
        if self._closed or len(self._idle) + len(self._running) >= self._size:
            self._later(process.end())
            return
        self._idle.append(process)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._warm_s, self._cool)

    async def _drop(self, process: QueryProcess, query: asyncio.Task[Answer]) -> None:
        """End a process and start another in its place."""
        try:
            await process.end()
            with contextlib.suppress(_EndedError, OSError):
                await query
        finally:
            self._running.discard(process)
            self._turns.release()
        self._begin()

    def _cool(self) -> None:
        """End the processes that had no work for a while."""
        while self._idle:
            self._later(self._idle.pop().end())

    def _sweep(self) -> None:
        """Take away what processes of an earlier run, which was killed, have left."""
        if self._swept:
            return
        self._swept = True
        for folder in self._folder.glob("*-*"):
            owner = folder.name.partition("-")[0]
            if not owner.isdecimal() or not _is_another(int(owner)):
                shutil.rmtree(folder, ignore_errors=True)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End all processes; queries under way end with them."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._cool()
        for process in list(self._running):
            self._later(process.end())
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _is_another(pid: int) -> bool:
    """Return whether a process other than this one has the id; ours an earlier one may have had, in a container."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()
