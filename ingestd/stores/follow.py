"""Following a log: a store is asked again and again for the last minutes, and what was seen already is left out.

So an event that arrives late, behind younger ones, is seen as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TypeVar

OVERLAP_SECONDS = 300.0
"""How late an event may arrive and still be seen."""

REMEMBERED = 50_000

T = TypeVar("T")


class UnseenEvents:
    """Tells what is new among events that are seen again and again; the last ``remembered`` are known again."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._seen: dict[str, None] = {}

    def pick(self, found: Iterable[T], key: Callable[[T], str]) -> list[T]:
        """Return what is new among ``found``, which is sorted from new to old; from old to new.

        ``key`` returns what tells one from the others, see `event_key`.
        """
        fresh = []
        for one in reversed(list(found)):
            name = key(one)
            if name not in self._seen:
                self._seen[name] = None
                fresh.append(one)
        while len(self._seen) > self._remembered:
            del self._seen[next(iter(self._seen))]
        return fresh


def event_key(index: str, name: str, content: Callable[[], bytes]) -> str:
    """Return what tells an event from others: its id, or where it has none, what it holds."""
    return f"{index}/{name or hashlib.blake2b(content(), digest_size=12).hexdigest()}"
