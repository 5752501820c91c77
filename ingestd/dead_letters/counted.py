"""Counts dead letters on their way to the disk, so that they are not counted as delivered."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ingestd.dead_letters.base import DurableDeadLetters
from ingestd.journal.base import Position


class CountedDeadLetters:
    """Passes dead letters on to ``inner`` and counts them by plugin."""

    def __init__(self, inner: DurableDeadLetters) -> None:
        self._inner = inner
        self._counts: Counter[str] = Counter()

    def add(self, *, plugin: str = "", **dead_letter: Any) -> None:
        """Keep one event; see ``DeadLetters``."""
        self._counts[plugin] += 1
        self._inner.add(plugin=plugin, **dead_letter)

    @property
    def stuck(self) -> bool:
        """Whether dead letters are waiting for the disk."""
        return self._inner.stuck

    @property
    def unsynced(self) -> bool:
        """Whether ``sync`` has something to do."""
        return self._inner.unsynced

    def recall(self, position: Position) -> None:
        """Load the keys of earlier ones; see ``DurableDeadLetters``."""
        self._inner.recall(position)

    def sync(self) -> None:
        """Force all dead letters to the disk; may run in a thread. Raises OSError."""
        self._inner.sync()

    def take(self, plugin: str) -> int:
        """Return how many dead letters of ``plugin`` came since the last call."""
        return self._counts.pop(plugin, 0)
