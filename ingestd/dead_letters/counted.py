"""Dead letters on their way to the disk, counted, so that nobody takes them for handed over."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ingestd.dead_letters.base import DurableDeadLetters
from ingestd.journal.base import Position


class CountedDeadLetters:
    """Passes dead letters on to ``inner`` and counts those of each plugin."""

    def __init__(self, inner: DurableDeadLetters) -> None:
        self._inner = inner
        self._counts: Counter[str] = Counter()

    def add(self, *, plugin: str = "", **letter: Any) -> None:
        """Keep one event; see ``DeadLetters``."""
        self._counts[plugin] += 1
        self._inner.add(plugin=plugin, **letter)

    @property
    def stuck(self) -> bool:
        """Whether letters wait for the disk."""
        return self._inner.stuck

    @property
    def unsynced(self) -> bool:
        """Whether ``sync`` has something to do."""
        return self._inner.unsynced

    def recall(self, position: Position) -> None:
        """Learn which letters there are; see ``DurableDeadLetters``."""
        self._inner.recall(position)

    def sync(self) -> None:
        """Return when all letters are on the disk; may run in a thread. Raises OSError."""
        self._inner.sync()

    def take(self, plugin: str) -> int:
        """Return how many letters of ``plugin`` came since the last call."""
        return self._counts.pop(plugin, 0)
