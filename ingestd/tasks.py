"""Background tasks that cannot die unnoticed.

A task that nobody awaits keeps its exception to itself, and what it was there for stops without a line in the log.
So every background task belongs to the ``BackgroundTasks`` of its owner. The first failure is logged with the name of
the task and its reason, and either ends the owner, which waits for ``failure``, or starts the task again.

``asyncio.TaskGroup`` does the same for work that lives within one ``async with``. Our owners have ``start`` and
``close`` instead, and end in an order of their own: inputs first, then deliveries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NoReturn, TypeVar

from ingestd.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")


class TaskEndedError(Exception):
    """A background task was cancelled from outside, or returned although its work never ends."""


class BackgroundTasks:
    """The named background tasks of one owner.

    Args:
        owner: Named in the log, as in ``pipeline main``.
        expected: Exceptions with which a task ends its owner on purpose: they are raised by ``failure`` as any other,
            but not logged here.
    """

    def __init__(self, owner: str, expected: tuple[type[Exception], ...] = ()) -> None:
        self._owner, self._expected = owner, expected
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self._pauses: dict[str, asyncio.TimerHandle] = {}
        self._failed = asyncio.Event()
        self._error: Exception | None = None

    def __len__(self) -> int:
        """Return how many tasks are running."""
        return len(self._tasks)

    def find(self, name: str) -> list[asyncio.Task[Any]]:
        """Return the running tasks of this name."""
        return [task for task, found in self._tasks.items() if found == name]

    @property
    def names(self) -> list[str]:
        """The names of the running tasks, in the order of their start."""
        return list(self._tasks.values())

    def start(self, name: str, work: Coroutine[Any, Any, T], *, endless: bool = False) -> asyncio.Task[T]:
        """Run ``work`` in the background; an exception, or being cancelled, is a failure of the owner.

        ``endless``: so is its return.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._watch(name, task, self._fail, endless=endless)
        return task

    def keep_running(self, name: str, make: Callable[[], Coroutine[Any, Any, None]], pause_s: float = 1.0) -> None:
        """Run ``make()`` in the background, and start it again ``pause_s`` seconds after each failure.

        For work that is safe to do twice, one task of a name. It is done once it returns.
        """
        loop = asyncio.get_running_loop()

        def again(error: Exception) -> None:
            self._pauses[name] = loop.call_later(pause_s, self.keep_running, name, make, pause_s)

        self._pauses.pop(name, None)
        self._watch(name, loop.create_task(make(), name=name), again, endless=False)

    def _watch(self, name: str, task: asyncio.Task[Any], failed: Callable[[Exception], None], *, endless: bool) -> None:
        self._tasks[task] = name
        task.add_done_callback(lambda done: self._ended(done, failed, endless=endless))

    def _ended(self, task: asyncio.Task[Any], failed: Callable[[Exception], None], *, endless: bool) -> None:
        name = self._tasks.pop(task, None)
        try:
            task.result()
            if name is None or not endless:
                return
            raise TaskEndedError(f"{name} returned")
        except asyncio.CancelledError:
            if name is None or _loop_is_ending():  # by its owner, or with everything else
                return
            error: Exception = TaskEndedError(f"{name} was cancelled")
            log.error("a background task was cancelled", owner=self._owner, task=name)
        except Exception as raised:  # noqa: BLE001 -- logged
            error = raised
            self._log(name or task.get_name(), error)
        if name is not None:
            failed(error)

    def fail(self, name: str, error: Exception) -> None:
        """Fail with ``error``, which was caught outside of the tasks, as in a callback, and is being handled."""
        self._log(name, error)
        self._fail(error)

    def call(self, name: str, callback: Callable[[], None]) -> None:
        """Call ``callback`` for the event loop, which would only log what it raises: here that fails the owner."""
        try:
            callback()
        except Exception as error:  # noqa: BLE001 -- logged and raised by ``failure``
            self.fail(name, error)

    def _log(self, name: str, error: Exception) -> None:
        if not isinstance(error, self._expected):
            log.exception(  # noqa: LOG004 -- called while it is handled
                "a background task failed", owner=self._owner, task=name, error=repr(error)
            )

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            self._failed.set()

    async def failure(self) -> NoReturn:
        """Wait for the first failure and raise it."""
        await self._failed.wait()
        assert self._error is not None  # noqa: S101 -- set before the event
        raise self._error

    async def until(self, work: Awaitable[T]) -> T:
        """Return what ``work`` returns, unless a task fails first: then cancel it and raise the failure."""
        waiting, failing = asyncio.ensure_future(work), asyncio.ensure_future(self.failure())
        try:
            await asyncio.wait((waiting, failing), return_when=asyncio.FIRST_COMPLETED)
            if self._error is not None:  # first: what waits for a task may end with it
                raise self._error
            return waiting.result()
        finally:
            for future in (waiting, failing):
                future.cancel()
            await asyncio.gather(waiting, failing, return_exceptions=True)

    def cancel(self, task: asyncio.Task[Any]) -> None:
        """Cancel one task on purpose: that is not a failure."""
        self._tasks.pop(task, None)
        task.cancel()

    def cancel_all(self) -> None:
        """Cancel all tasks on purpose, and start none again."""
        for handle in self._pauses.values():
            handle.cancel()
        self._pauses.clear()
        for task in list(self._tasks):
            self.cancel(task)

    async def close(self) -> None:
        """Cancel all tasks and wait for their end; what they raise in it is logged, and not raised."""
        tasks = list(self._tasks)
        self.cancel_all()
        await asyncio.gather(*tasks, return_exceptions=True)


def _loop_is_ending() -> bool:
    """Return whether every task is cancelled, as ``asyncio.run`` does when its main task has ended."""
    return all(task.cancelling() for task in asyncio.all_tasks())
