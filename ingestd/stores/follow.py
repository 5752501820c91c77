"""Following a log: a store is polled for the last minutes, and events that were already seen are left out.

So an event that arrives late, after newer ones, is shown as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TypeVar

OVERLAP_SECONDS = 300.0
"""How late an event may arrive and still be shown."""

REMEMBERED = 50_000

T = TypeVar("T")


class UnseenEvents:
    """Filters out events that were seen before; remembers the last ``remembered``."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._seen: dict[str, None] = {}

    def pick(self, events: Iterable[T], key: Callable[[T], str]) -> list[T]:
        """Return the unseen ones of ``events``, which are sorted newest first; the result is sorted oldest first.

        ``key`` returns what identifies an event, see `event_key`.
        """
        unseen = []
        for event in reversed(list(events)):
            event_id = key(event)
            if event_id not in self._seen:
                self._seen[event_id] = None
                unseen.append(event)
        while len(self._seen) > self._remembered:
            del self._seen[next(iter(self._seen))]
        return unseen


def event_key(index: str, document_id: str, content: Callable[[], bytes]) -> str:
    """Return what identifies an event: its index and id or, if it has no id, a hash of its content."""
    return f"{index}/{document_id or hashlib.blake2b(content(), digest_size=12).hexdigest()}"
