"""Dead letters of tests, in memory."""

from __future__ import annotations

from typing import Any

from ingestd.journal.base import Position


class MemoryDeadLetters:
    """Keeps dead letters, unless it ``refuses``, as a full disk does."""

    def __init__(self) -> None:
        self.letters: list[dict[str, Any]] = []
        self.refuses = False
        self._synced = 0

    def add(self, **letter: Any) -> None:
        self.letters.append(letter)

    def try_add(self, **letter: Any) -> bool:
        if not self.refuses:
            self.add(**letter)
        return not self.refuses

    @property
    def unsynced(self) -> bool:
        return self._synced < len(self.letters)

    def recall(self, position: Position) -> None:
        pass

    def sync(self) -> None:
        if self.refuses:
            raise OSError("no space")
        self._synced = len(self.letters)
