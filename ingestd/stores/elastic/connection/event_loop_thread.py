"""Blocking calls to asynchronous code: an event loop in its own thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class EventLoopThread:
    """An event loop that runs until `close`; until then any thread but its own may call `run`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._running: set[concurrent.futures.Future[Any]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._loop.is_closed()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for ``work`` and return its result; an interrupted wait (Ctrl-C) cancels it.

        Raises:
            concurrent.futures.CancelledError: `cancel` was called.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._running.add(future)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise
        finally:
            self._running.discard(future)

    def cancel(self) -> None:
        """Cancel what other threads wait for: their `run` raises ``concurrent.futures.CancelledError``."""
        for future in tuple(self._running):
            future.cancel()

    def close(self) -> None:
        """Stop the loop and its thread; a second call does nothing."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
