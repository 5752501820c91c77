"""A sink for inputs of which a test expects little: what is not overridden must not be called."""

from __future__ import annotations

from collections.abc import Sequence

from ingestd.event.chunk import Stream
from ingestd.plugins.interfaces import Piece


class UnusedSink:
    """Has room and takes nothing; see ``Sink``."""

    paused = False
    joins_streams = False

    def put(self, data: bytes, stream: Stream, offset: int) -> bool:
        raise AssertionError("no frames are stored here")

    def put_all(self, pieces: Sequence[Piece]) -> bool:
        raise AssertionError("no pieces of several streams are stored here")

    def goes_on(self, seconds: float) -> None:
        """Nothing waits for more."""

    def reject(
        self, raw: bytes, reason: str, stream: Stream, offset: int, end: int, *, size: int | None = None
    ) -> bool:
        raise AssertionError("nothing is rejected here")

    def note_loss(self) -> None:
        raise AssertionError("nothing is lost here")

    async def wait_until_resumed(self) -> None:
        """There is room."""

    async def synced(self) -> None:
        raise AssertionError("nobody waits for an acknowledgement here")
