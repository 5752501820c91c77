"""``ingestd`` whose background tasks can be killed by a test: a file named by INGESTD_TEST_KILL says which and how.

It holds ``raise NAME`` or ``cancel NAME``, and is removed by the process that has such a task.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from ingestd.cli.main import main
from ingestd.tasks import BackgroundTasks

FILE = Path(os.environ["INGESTD_TEST_KILL"])
start, keep_running = BackgroundTasks.start, BackgroundTasks.keep_running
groups: list[BackgroundTasks] = []
failing: set[asyncio.Task[Any] | None] = set()


async def mortal(work: Coroutine[Any, Any, Any]) -> Any:
    """Do ``work``; cancelled by ``look``, it fails with an error if that is the order."""
    try:
        return await work
    except asyncio.CancelledError:
        if asyncio.current_task() in failing:
            raise RuntimeError("killed by a test") from None
        raise


def look() -> None:
    """Kill the first task that the file names."""
    asyncio.get_running_loop().call_later(0.05, look)
    try:
        word, _, name = FILE.read_text().partition(" ")
    except FileNotFoundError:
        return
    for task in [task for group in groups for task in group.find(name)][:1]:
        FILE.unlink()
        if word == "raise":
            failing.add(task)
        task.cancel()


def watch(group: BackgroundTasks) -> None:
    if not groups:
        look()
    if group not in groups:
        groups.append(group)


def mortal_start(
    self: BackgroundTasks, name: str, work: Coroutine[Any, Any, Any], *, endless: bool = False
) -> asyncio.Task[Any]:
    watch(self)
    return start(self, name, mortal(work), endless=endless)


def mortal_keep_running(
    self: BackgroundTasks, name: str, make: Callable[[], Coroutine[Any, Any, None]], pause_s: float = 1.0
) -> None:
    watch(self)
    keep_running(self, name, lambda: mortal(make()), min(pause_s, 0.1))


if __name__ == "__main__":
    BackgroundTasks.start = mortal_start  # type: ignore[method-assign]
    BackgroundTasks.keep_running = mortal_keep_running  # type: ignore[method-assign]
    main()
