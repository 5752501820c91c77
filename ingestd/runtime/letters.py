"""Dead letters on their way to the disk, counted, so that nobody takes them for delivered."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ingestd.plugins.registry import DeadLetters


class CountedLetters:
    """Passes dead letters on to ``inner`` and counts those of each plugin."""

    def __init__(self, inner: DeadLetters) -> None:
        self._inner = inner
        self._counts: Counter[str] = Counter()

    def add(self, *, plugin: str = "", **letter: Any) -> None:
        """Keep one event; see ``DeadLetters``."""
        self._counts[plugin] += 1
        self._inner.add(plugin=plugin, **letter)

    def take(self, plugin: str) -> int:
        """Return how many letters of ``plugin`` came since the last call."""
        return self._counts.pop(plugin, 0)
