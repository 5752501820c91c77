"""How long tests wait, in one place.

Waits are loops over a condition: they end as soon as it holds, so that a generous bound costs nothing on a fast
machine and saves the test on a busy one.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable
from typing import Any

WAIT_SECONDS = 300.0
"""For what must come."""

PROMPT_SECONDS = 60.0
"""For what must not wait for something else, which in these tests would take minutes."""


def wait_until(holds: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Return once ``holds()`` is true; fail with ``what`` if that takes too long."""
    deadline = time.monotonic() + seconds
    while True:
        started = time.monotonic()
        if holds():
            return
        now = time.monotonic()
        assert now < deadline, f"waited {seconds} s for {what}"
        time.sleep(min(max(0.02, 2 * (now - started)), 0.2))  # what is waited for needs the processor more than this


async def eventually(holds: Callable[[], Any], what: str = "a condition") -> None:
    """Return once ``holds()`` is true, while the event loop goes on; fail with ``what`` if that takes too long."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited {WAIT_SECONDS} s for {what}"
        await asyncio.sleep(0.005)


def today(zone: datetime.tzinfo = datetime.UTC, minutes: float = 3) -> datetime.date:
    """Return today, which it will be for ``minutes``: shortly before midnight the next day is waited for."""
    while (now := datetime.datetime.now(zone)).date() != (now + datetime.timedelta(minutes=minutes)).date():
        time.sleep(1)
    return now.date()
