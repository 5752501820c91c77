"""Threads of tests: each belongs to a ``with`` block, is joined at its end, and fails the test that started it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from tests.waiting import WAIT_SECONDS


class Background:
    """Runs ``work`` on a thread of its own from the start of the ``with`` block to its end.

    Args:
        work: What runs. An exception is raised again by `join` and at the end of the block.
        stop: Called at the end of the block, to make ``work`` return.
    """

    def __init__(self, work: Callable[[], object], stop: Callable[[], object] | None = None) -> None:
        self._work, self._stop = work, stop
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *raised: object) -> None:
        if self._stop is not None:
            self._stop()
        try:
            self.join()
        except BaseException:
            if kind is None:  # else the error of the block is the one to look at
                raise

    @property
    def running(self) -> bool:
        """Whether ``work`` has not returned yet."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the end of ``work``; raise what it raised."""
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive(), f"{self._work} did not end in {WAIT_SECONDS} s"
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - `join` raises it
            self._error = error
