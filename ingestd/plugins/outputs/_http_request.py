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
        """The idempotency key: the same when the request is sent again."""
        return f"{self.ids[0]}-{len(self.ids)}"

    def halves(self) -> list[HttpRequest]:
        """Return the request as two, of the first and the other half of its events."""
        middle, count = len(self.ids) // 2, len(self.ids)
        return [self.pick(range(middle)), self.pick(range(middle, count))]

    def pick(self, positions: Sequence[int]) -> HttpRequest:
        """Return the request with some of its events."""
        documents, ids = [self.documents[at] for at in positions], [self.ids[at] for at in positions]
        return replace(self, documents=documents, ids=ids, labels=[self.labels[at] for at in positions if self.labels])
