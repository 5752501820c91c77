"""What the output ``http`` sends at a time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with n events.

    Attributes:
        url: Where it goes.
        headers: Its own headers.
        documents: What is sent of each event.
        ids: Their ids.
        frame: What is written before, between and after documents.
    """

    url: str
    headers: Mapping[str, str]
    documents: Sequence[bytes]
    ids: Sequence[str]
    frame: tuple[bytes, bytes, bytes] = (b"", b"", b"")

    def body(self) -> bytes:
        """Return the body."""
        start, between, end = self.frame
        return start + between.join(self.documents) + end

    @property
    def key(self) -> str:
        """What the request is known by when it is sent again."""
        return f"{self.ids[0]}-{len(self.ids)}"

    def halves(self) -> list[HttpRequest]:
        """Return the request as two, of the first and the other half of its events."""
        middle = len(self.ids) // 2
        parts = (slice(None, middle), slice(middle, None))
        return [HttpRequest(self.url, self.headers, self.documents[part], self.ids[part], self.frame) for part in parts]
