"""How many requests a server takes at once: found out as TCP does, by additive increase, multiplicative decrease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_SLOWER = 3.0
"""An answer that takes so many times the usual means that the server queues what we send."""


class AdaptiveLimit:
    """A limit of requests under way that rises by one for each round of good answers, and halves at each bad sign.

    Args:
        maximum: Most requests at once.
        initial: Requests at once in the beginning.
    """

    def __init__(self, maximum: int, initial: int = 2) -> None:
        self._maximum = maximum
        self._limit = float(min(initial, maximum))
        self._under_way = 0
        self._usual = 0.0  # seconds an answer takes, as a moving average
        self._freed = asyncio.Condition()

    @property
    def limit(self) -> int:
        """How many requests may be under way."""
        return int(self._limit)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._under_way < self.limit)
            self._under_way += 1
        try:
            yield
        finally:
            async with self._freed:
                self._under_way -= 1
                self._freed.notify_all()

    def good(self, seconds: float) -> None:
        """Note an answer that took in everything."""
        if self._usual and seconds > _SLOWER * self._usual:
            self.bad()
        elif self._limit < self._maximum:
            self._limit = min(self._limit + 1 / self._limit, self._maximum)
        self._usual = seconds if not self._usual else 0.9 * self._usual + 0.1 * seconds

    def bad(self) -> None:
        """Note a refusal for lack of room, or no answer in time."""
        self._limit = max(self._limit / 2, 1.0)
