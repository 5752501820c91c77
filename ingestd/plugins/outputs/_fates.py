"""What becomes of the events of several loads that an output delivers as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ingestd.plugins.interfaces import Outcome


class Fates:
    """Takes every event for delivered until it is told otherwise.

    Args:
        events: How many events each load has.
        indices: For each load, how many of its events go to which index; empty where that is not known.
    """

    def __init__(self, events: Sequence[int], indices: Sequence[Mapping[str, int]]) -> None:
        self._events = events
        self._indices = [Counter(one) for one in indices]
        self._duplicates: Counter[int] = Counter()
        self._dead: Counter[int] = Counter()

    def duplicate(self, load: int, index: str) -> None:
        """Note that an event of the load with this number was in ``index`` already."""
        self._duplicates[load] += 1
        self._take_off(load, index)

    def dead(self, load: int, index: str) -> None:
        """Note that an event of the load with this number became a dead letter, and is not in ``index``."""
        self._dead[load] += 1
        self._take_off(load, index)

    def _take_off(self, load: int, index: str) -> None:
        if self._indices[load]:
            self._indices[load][index] -= 1

    def outcomes(self) -> list[Outcome]:
        """Return the outcome of each load."""
        found = []
        for load, (events, indices) in enumerate(zip(self._events, self._indices, strict=True)):
            duplicates, dead = self._duplicates[load], self._dead[load]
            found.append(Outcome(events - duplicates - dead, duplicates, dead, +indices))  # without the empty ones
        return found
