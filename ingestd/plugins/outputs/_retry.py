"""How long outputs wait before they try again."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator

PAUSE_SECONDS = 60.0
"""How long to wait before the next request when the server says that we are not allowed."""


class Retry:
    """The waits between tries: doubled each time up to a limit, with jitter, without end.

    Args:
        initial: Seconds before the first retry.
        maximum: Of seconds.
    """

    def __init__(self, initial: float, maximum: float) -> None:
        self._initial, self._maximum = initial, maximum

    def attempts(self) -> Iterator[int]:
        """Return 0, 1, 2 ... without end."""
        return itertools.count()

    async def wait(self, attempt: int, at_least: float = 0) -> None:
        """Wait after the failed try number ``attempt``; ``at_least``: the seconds that the server asks for."""
        await asyncio.sleep(max(self.seconds(attempt), at_least))

    def seconds(self, attempt: int) -> float:
        """Return how long to wait after the failed try number ``attempt``."""
        longest: float = min(self._initial * 2 ** min(attempt, 30), self._maximum)
        # half of it is random: many daemons that lost one server must not return in step
        return longest / 2 + random.uniform(0, longest / 2)  # noqa: S311
