"""Documents on their way to ``_bulk``, as the part of a request's body that they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ingestd.protocols.http.bulk import bulk_body


@dataclass(slots=True)
class BulkPayload:
    """n documents with their action lines, joined once; they are taken apart only if some of them are sent again."""

    body: bytes
    """n action lines, each followed by its document, a JSON object, or by an empty line; all with a line end."""
    ids: Sequence[str]
    """The n event ids."""
    indices: Sequence[str]
    """The index of each document."""
    document_ids: Sequence[str] = ()
    """The id of each document; empty: those of the events."""
    events: Sequence[bytes] = ()
    """The events as JSON objects where the documents are something else: updates, scripts; empty: the documents."""
    _lines: list[bytes] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        """Return how many documents it has."""
        return len(self.ids)

    @property
    def actions(self) -> list[bytes]:
        """The action lines without line ends."""
        return self._split()[:-1:2]

    @property
    def documents(self) -> list[bytes]:
        """The documents without line ends."""
        return self._split()[1::2]

    def _split(self) -> list[bytes]:
        if not self._lines:
            self._lines = self.body.split(b"\n")
        return self._lines

    def pick(self, positions: Sequence[int]) -> BulkPayload:
        """Return some of the documents."""
        actions, documents = self.actions, self.documents
        return BulkPayload(
            bulk_body([([actions[n] for n in positions], [documents[n] for n in positions])]),
            [self.ids[n] for n in positions],
            [self.indices[n] for n in positions],
            [self.document_ids[n] for n in positions] if self.document_ids else (),
            [self.events[n] for n in positions] if self.events else (),
        )

    def with_documents(self, documents: Sequence[bytes]) -> BulkPayload:
        """Return other documents under the same ids."""
        body = bulk_body([(self.actions, documents)])
        return BulkPayload(body, self.ids, self.indices, self.document_ids, self.events)
