"""Dead letters on their way to the disk, counted, so that nobody takes them for handed over."""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol

from ingestd.journal.base import Position
from ingestd.plugins.registry import DeadLetters


class KeptLetters(DeadLetters, Protocol):
    """Dead letters that are on the disk after ``sync``."""

    @property
    def stuck(self) -> bool:
        """Whether letters wait for the disk: then no more should be made."""

    @property
    def unsynced(self) -> bool:
        """Whether ``sync`` has something to do."""

    def recall(self, position: Position) -> None:
        """Learn which letters there are of what lies behind ``position`` in the journal, or in no journal yet.

        None of them is added twice.

        To be called before anything is delivered: what a crash kept from being committed comes again.
        """

    def sync(self) -> None:
        """Return when all letters so far are on the disk; raises OSError where it refuses, and loses none."""


class CountedLetters:
    """Passes dead letters on to ``inner`` and counts those of each plugin."""

    def __init__(self, inner: KeptLetters) -> None:
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
        """Learn which letters there are; see ``KeptLetters``."""
        self._inner.recall(position)

    def sync(self) -> None:
        """Return when all letters are on the disk; may run in a thread. Raises OSError."""
        self._inner.sync()

    def take(self, plugin: str) -> int:
        """Return how many letters of ``plugin`` came since the last call."""
        return self._counts.pop(plugin, 0)
