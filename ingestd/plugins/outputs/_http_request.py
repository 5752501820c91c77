"""What the output ``http`` sends at a time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ingestd.plugins.outputs import _http_loki


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with n events.

    Attributes:
        url: Where it goes.
        headers: Its own headers.
        documents: What is sent of each event.
        ids: Their ids.
        frame: What is written before, between and after documents.
        labels: Of the stream of each event, for Loki; empty: it is for another server.
    """

    url: str
    headers: Mapping[str, str]
    documents: Sequence[bytes]
    ids: Sequence[str]
    frame: tuple[bytes, bytes, bytes] = (b"", b"", b"")
    labels: Sequence[bytes] = ()

    def body(self) -> bytes:
        """Return the body."""
        if self.labels:
            return _http_loki.body(zip(self.labels, self.documents, strict=True))
        start, between, end = self.frame
        return start + between.join(self.documents) + end

    @property
    def key(self) -> str:
        """What the request is known by when it is sent again."""
        return f"{self.ids[0]}-{len(self.ids)}"

    def halves(self) -> list[HttpRequest]:
        """Return the request as two, of the first and the other half of its events."""
        middle, count = len(self.ids) // 2, len(self.ids)
        return [self.pick(range(middle)), self.pick(range(middle, count))]

    def pick(self, rows: Sequence[int]) -> HttpRequest:
        """Return the request with some of its events."""
        documents, ids = [self.documents[row] for row in rows], [self.ids[row] for row in rows]
        return replace(self, documents=documents, ids=ids, labels=[self.labels[row] for row in rows if self.labels])
