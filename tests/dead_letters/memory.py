"""Dead letters of tests, in memory."""

from __future__ import annotations

from collections.abc import Iterable
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

    def recall(self, position: Position) -> float:
        return 0

    def given_up(self, plugin: str, event_ids: Iterable[str]) -> set[str]:
        known = {letter["event_id"] for letter in self.letters if letter["plugin"] == plugin}
        return known.intersection(event_ids)

    def frame_given_up(self, stream_id: str, offset: int) -> bool:
        return False

    def sync(self) -> None:
        if self.refuses:
            raise OSError("no space")
        self._synced = len(self.letters)
