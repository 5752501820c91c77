"""How many concurrent requests a server can handle, found as in TCP: additive increase, multiplicative decrease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_SLOWER = 3.0
"""A response that takes this many times the usual means that the server queues our requests."""


class AdaptiveLimit:
    """A limit of concurrent requests that rises by one for each round of good responses, and halves at each bad sign.

    Args:
        maximum: Of concurrent requests.
        initial: The limit at the start.
    """

    def __init__(self, maximum: int, initial: int = 2) -> None:
        self._maximum = maximum
        self._limit = float(min(initial, maximum))
        self._in_flight = 0
        self._usual = 0.0  # seconds a response takes, as a moving average
        self._freed = asyncio.Condition()

    @property
    def limit(self) -> int:
        """How many requests may be in flight."""
        return int(self._limit)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot, and hold it."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._in_flight < self.limit)
            self._in_flight += 1
        try:
            yield
        finally:
            async with self._freed:
                self._in_flight -= 1
                self._freed.notify_all()

    def good(self, seconds: float) -> None:
        """Note a response that accepted everything."""
        if self._usual and seconds > _SLOWER * self._usual:
            self.bad()
        elif self._limit < self._maximum:
            self._limit = min(self._limit + 1 / self._limit, self._maximum)
        self._usual = seconds if not self._usual else 0.9 * self._usual + 0.1 * seconds

    def bad(self) -> None:
        """Note that the server is overloaded, or did not respond in time."""
        self._limit = max(self._limit / 2, 1.0)
