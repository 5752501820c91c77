"""When a step of the sealer that failed is tried again: it may be as costly as one that succeeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ingestd.stores.base import StoreError


@dataclass(slots=True)
class _Failure:
    error: StoreError
    delay_s: float
    due: float


class Retries:
    """The steps that failed when they were last tried, by name and index.

    Args:
        first_s: A step is tried again after this time, then after twice as long each time.
        most_s: The longest time between two tries.
        clock: Returns seconds; only differences count.
    """

    def __init__(
        self, first_s: float = 10, most_s: float = 900, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first_s, self._most_s, self._clock = first_s, most_s, clock
        self._failures: dict[tuple[str, str], _Failure] = {}

    def waiting(self, step: str, index: str) -> StoreError | None:
        """Return why a step failed, as long as it should not be tried again."""
        failure = self._failures.get((step, index))
        return failure.error if failure and self._clock() < failure.due else None

    def failed(self, step: str, index: str, error: StoreError) -> None:
        """Note that a step failed."""
        before = self._failures.get((step, index))
        delay_s = self._first_s if before is None else min(2 * before.delay_s, self._most_s)
        self._failures[step, index] = _Failure(error, delay_s, self._clock() + delay_s)

    def succeeded(self, step: str, index: str) -> None:
        """Note that there is nothing left to do for a step."""
        self._failures.pop((step, index), None)

    def errors(self, indices: Collection[str]) -> dict[str, StoreError]:
        """Return why steps failed, by index; indices that are gone are forgotten."""
        self._failures = {key: failure for key, failure in self._failures.items() if key[1] in indices}
        return {index: failure.error for (_, index), failure in self._failures.items()}
