"""Documents on their way to an output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Payload:
    """n documents for an output, in columns that are joined only when a request is sent.

    Columns may be shared with other payloads: a changed document needs a new list.
    """

    documents: list[bytes]
    """n JSON objects without line ends."""
    ids: Sequence[str]
    """The n event ids."""
    indices: Sequence[str]
    """The index of each document."""
    actions: list[bytes] = field(default_factory=list)
    """The action line of each document in a bulk request, without line ends; empty: the output needs none."""
    document_ids: Sequence[str] = ()
    """The id of each document; empty: those of the events."""

    def __len__(self) -> int:
        """Return how many documents it has."""
        return len(self.documents)

    @property
    def size(self) -> int:
        """Bytes of all documents and action lines."""
        return sum(map(len, self.documents)) + sum(map(len, self.actions))

    def pick(self, positions: Sequence[int]) -> Payload:
        """Return some of the documents, in lists of their own."""
        return Payload(
            [self.documents[n] for n in positions],
            [self.ids[n] for n in positions],
            [self.indices[n] for n in positions],
            [self.actions[n] for n in positions] if self.actions else [],
            [self.document_ids[n] for n in positions] if self.document_ids else (),
        )

    def index_counts(self) -> Counter[str]:
        """Return how many documents go to each index."""
        indices = self.indices
        if indices and indices.count(indices[0]) == len(indices):  # usually, and much quicker
            return Counter({indices[0]: len(indices)})
        return Counter(indices)
