"""The time that plugins see: when the chunk in hand was received.

A chunk that is read from the journal again must become the same events as the first time, so the clock
then shows the time of its receipt.
"""

from __future__ import annotations

import time


class ReceiveClock:
    """Calling it returns seconds since the epoch: of the chunk in hand, or of now."""

    def __init__(self) -> None:
        self._set: int | None = None

    def __call__(self) -> float:
        """Return seconds since the epoch."""
        return (time.time_ns() if self._set is None else self._set) / 1e9

    def read(self) -> int:
        """Return the time of now, in nanoseconds since the epoch."""
        return time.time_ns()

    def set(self, time_ns: int) -> None:
        """Show ``time_ns`` until ``reset``."""
        self._set = time_ns

    def reset(self) -> None:
        """Show the time of now."""
        self._set = None
