"""Flow control: how much has been taken in and not yet been delivered."""

from __future__ import annotations

import asyncio


class Flow:
    """Counts bytes and events under way; full at ``max_bytes``, open again at three quarters of it.

    One chunk may overshoot the limit: it has been read and must not be lost.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.bytes = 0
        self.events = 0

    @property
    def full(self) -> bool:
        """Whether inputs must stop reading."""
        return not self._open.is_set()

    def add(self, size: int, events: int) -> None:
        """Count what was taken in."""
        self.bytes += size
        self.events += events
        self._empty.clear()
        if self.bytes >= self._max_bytes:
            self._open.clear()

    def remove(self, size: int, events: int) -> None:
        """Count what was delivered."""
        self.bytes -= size
        self.events -= events
        if self.bytes <= self._max_bytes * 3 // 4:
            self._open.set()
        if self.bytes <= 0 and self.events <= 0:
            self._empty.set()

    async def room(self) -> None:
        """Return as soon as there is room."""
        await self._open.wait()

    async def empty(self) -> None:
        """Return as soon as everything is delivered."""
        await self._empty.wait()
