"""Queries run in processes of their own, which can be killed and whose memory is bounded.

A query whose client has gone is interrupted; if that does not help, or if it takes too long, its process is killed
and replaced at once. No process starts before the first query, and after some minutes without queries all end.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from ingestd.logs import get_logger
from ingestd.tasks import BackgroundTasks
from ingestd.web.processes.child_process import TEMPORARY_FOLDER, ProcessEndedError
from ingestd.web.processes.query_process import FAILED_EXIT_CODE, OUT_OF_MEMORY, TOO_MUCH_MEMORY
from ingestd.web.processes.query_worker import QueryWorker
from ingestd.web.protocol import Arguments, QueryProcessConfig, QueryResponse, error_response

log = get_logger(__name__)

PROCESSES = 2
MAX_WAITING = 32
IDLE_TIMEOUT_S = 300.0
"""How long a process without work is kept."""

_INTERRUPT_TIMEOUT_S = 0.3
"""A query that has not ended this long after its interrupt is killed with its process."""

_KILL_DELAY_S = 0.5
"""A process is killed this long after its query's timeout: the store has the same limit, and mostly ends it itself."""

_HEAVY = (500, 504)
"""What a process answers that failed, or that ran out of time."""


class QueryPool:
    """Query processes, and the queries that wait for them. All methods belong to one event loop.

    Args:
        setup: What the processes query. A query may wait for a process as long as it may run.
        processes: How many queries run at the same time.
        max_waiting: How many more may wait.
        idle_timeout_s: How long processes without work are kept.
    """

    def __init__(
        self,
        setup: QueryProcessConfig,
        *,
        processes: int = PROCESSES,
        max_waiting: int = MAX_WAITING,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
    ) -> None:
        self._setup, self._timeout_s = setup, setup.timeout_s
        self._size, self._max_waiting, self._idle_timeout_s = processes, max_waiting, idle_timeout_s
        self._folder = Path(setup.data_dir) / TEMPORARY_FOLDER
        self._slots = asyncio.Semaphore(processes)
        self._waiting = 0
        self._running: set[QueryWorker] = set()
        self._idle: list[QueryWorker] = []
        self._ending: set[QueryWorker] = set()
        self._tasks = BackgroundTasks("query pool", expected=(ProcessEndedError, OSError))
        self._timer: asyncio.TimerHandle | None = None
        self._swept = self._closed = False

    @property
    def busy(self) -> int:
        """How many queries are running."""
        return len(self._running)

    def update(self, setup: QueryProcessConfig) -> None:
        """Let processes with another setup run the next queries. The folder stays; running queries end as they are."""
        if setup != self._setup:
            self._setup, self._timeout_s = setup, setup.timeout_s
            self._end_idle()

    def warm_up(self) -> None:
        """Start the processes if there is none: queries are about to come."""
        if self._idle or self._running or self._closed:
            return
        self._sweep()
        for _ in range(self._size):
            self._start_ahead()

    def _start_ahead(self) -> None:
        """Start a process before it is needed. If that fails, the query that gets the process tries again."""
        if self._closed or len(self._idle) + len(self._running) >= self._size:
            return
        worker = QueryWorker(self._setup, self._folder)
        self._keep_idle(worker)
        self._tasks.start(f"start of query process {worker.number}", worker.start())

    async def run(self, call: str, arguments: Arguments) -> QueryResponse:
        """Run a call of ``QueryCalls`` and return its response, or the error. Cancelling it stops the query."""
        if self._waiting >= self._max_waiting:
            return error_response(503, "too many queries are waiting; try again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            return error_response(503, "other queries keep the dashboard busy; try again in a moment")
        finally:
            self._waiting -= 1
        if self._closed:
            self._slots.release()
            return error_response(503, "the daemon is stopping")
        return await self._run(call, arguments)

    async def _run(self, call: str, arguments: Arguments) -> QueryResponse:
        """Run a call in a process. Our slot is released once the process is idle or has ended."""
        self._sweep()
        worker = self._take()
        self._running.add(worker)
        query = self._tasks.start(f"query in process {worker.number}", worker.run(call, arguments))
        try:
            await asyncio.wait({query}, timeout=self._timeout_s + _KILL_DELAY_S)
        except asyncio.CancelledError:
            self._tasks.start(f"interrupt of query process {worker.number}", self._interrupt(worker, query))
            raise
        if not query.done():
            self._replace(worker)
            return error_response(504, f"the query took more than {self._timeout_s:g} s; choose a shorter time range")
        return self._response(worker, query)

    def _take(self) -> QueryWorker:
        """Return an idle process, or a new one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.usable:
                return worker
            log.warning("an idle query process ended", exit_code=worker.exit_code)
            self._end(worker)
        return QueryWorker(self._setup, self._folder)

    def _response(self, worker: QueryWorker, query: asyncio.Task[QueryResponse]) -> QueryResponse:
        """Return the response of a query that is done, and keep or replace its process."""
        try:
            response = query.result()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 -- BackgroundTasks logs the unexpected ones
            self._replace(worker)
            return self._failure(error)
        if response.status == 500:
            log.error("a query failed", response=response.body.decode())
        if response.status in _HEAVY or response == OUT_OF_MEMORY:
            self._replace(worker)  # it may not have given back its memory, and fail with the next query
        else:
            self._keep(worker)
        return response

    def _failure(self, error: BaseException) -> QueryResponse:
        if self._closed:
            return error_response(503, "the daemon is stopping")
        if isinstance(error, ProcessEndedError):
            log.error("a query process ended during a query", exit_code=error.exit_code)
            if error.exit_code not in {None, FAILED_EXIT_CODE}:
                return error_response(503, TOO_MUCH_MEMORY)
        elif isinstance(error, OSError):
            return error_response(503, f"no query process can be started: {error.strerror or error}")
        return error_response(500, "the query was aborted by an internal error; the daemon's log has the reason")

    async def _interrupt(self, worker: QueryWorker, query: asyncio.Task[QueryResponse]) -> None:
        """Interrupt a query whose client has gone; keep its process if it responds in time."""
        responded = False
        try:
            worker.interrupt()
            await asyncio.wait({query}, timeout=_INTERRUPT_TIMEOUT_S)
            responded = query.done() and not query.cancelled() and query.exception() is None
        finally:
            if responded:
                self._keep(worker)
            else:
                self._replace(worker)

    def _keep(self, worker: QueryWorker) -> None:
        """Make a process that has responded available for the next query."""
        self._running.discard(worker)
        self._slots.release()
        self._keep_idle(worker)

    def _keep_idle(self, worker: QueryWorker) -> None:
        outdated = worker.setup is not self._setup
        if self._closed or outdated or len(self._idle) + len(self._running) >= self._size:
            self._end(worker)
            return
        self._idle.append(worker)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._idle_timeout_s, self._end_idle)

    def _replace(self, worker: QueryWorker) -> None:
        """Kill a process, then release its slot and start another."""

        async def replace() -> None:
            await worker.end()
            self._running.discard(worker)
            self._slots.release()
            self._start_ahead()

        if self._closed:  # and ``close`` ends it
            self._slots.release()
        else:
            self._tasks.keep_running(f"replacement of query process {worker.number}", replace)

    def _end(self, worker: QueryWorker) -> None:
        """Kill a process that holds no slot."""

        async def end() -> None:
            await worker.end()
            self._ending.discard(worker)

        self._ending.add(worker)
        if not self._closed:
            self._tasks.keep_running(f"end of query process {worker.number}", end)

    def _end_idle(self) -> None:
        while self._idle:
            self._end(self._idle.pop())

    def _sweep(self) -> None:
        """Delete what processes of an earlier run left behind if it was killed."""
        if self._swept:
            return
        self._swept = True
        for folder in self._folder.glob("*-*"):
            owner = folder.name.partition("-")[0]
            if not owner.isdecimal() or not _is_another_process(int(owner)):
                shutil.rmtree(folder, ignore_errors=True)

    async def close(self) -> None:
        """End all processes, and with them the running queries."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        workers = {*self._idle, *self._running, *self._ending}
        results = await asyncio.gather(*(worker.end() for worker in workers), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                log.error("a query process could not be ended", error=repr(result))
        await self._tasks.close()


def _is_another_process(pid: int) -> bool:
    """Return whether a process other than this one has the id; in a container we may have that of an earlier run."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()
