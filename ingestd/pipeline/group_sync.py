"""One sync of the disk for all that wait for it at the time, as databases commit transactions in groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ingestd.journal.base import JournalError
from ingestd.tasks import BackgroundTasks


class GroupSync:
    """Syncs in a thread; those that come meanwhile wait for the next sync, all for the same one.

    Args:
        sync: Syncs everything that was written before the call; raises OSError or JournalError.
        tasks: Of the pipeline.
    """

    def __init__(self, sync: Callable[[], None], tasks: BackgroundTasks) -> None:
        self._sync, self._tasks = sync, tasks
        self._waiting: list[asyncio.Future[None]] = []
        self._running = False

    async def wait(self) -> None:
        """Return as soon as everything that was written before the call is on the disk.

        Raises:
            OSError: It cannot be synced.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if not self._running:
            self._running = True
            self._tasks.start("sync for acknowledgements", self._run())
        await future

    async def _run(self) -> None:
        waiting: list[asyncio.Future[None]] = []
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                error = await self._try()
                for future in waiting:
                    _resolve(future, error)
        finally:
            self._running = False
            for future in (*waiting, *self._waiting):  # cancelled: the pipeline ends
                future.cancel()

    async def _try(self) -> OSError | None:
        try:
            await asyncio.to_thread(self._sync)
        except (OSError, JournalError) as error:
            return error if isinstance(error, OSError) else OSError(str(error))
        return None


def _resolve(future: asyncio.Future[None], error: OSError | None) -> None:
    if future.done():  # whoever waited has given up
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
