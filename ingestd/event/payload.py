"""Documents on their way to an output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Payload:
    """n documents for an output, in columns."""

    documents: list[bytes]
    """n JSON objects without line ends."""
    ids: Sequence[str]
    """The n event ids."""
    indices: Sequence[str]
    """The index of each document."""

    def __len__(self) -> int:
        """Return how many documents it has."""
        return len(self.documents)

    @property
    def size(self) -> int:
        """Bytes of all documents."""
        return sum(map(len, self.documents))

    def pick(self, positions: Sequence[int]) -> Payload:
        """Return some of the documents, in lists of their own."""
        documents, ids, indices = self.documents, self.ids, self.indices
        return Payload([documents[n] for n in positions], [ids[n] for n in positions], [indices[n] for n in positions])


def index_counts(indices: Sequence[str]) -> Counter[str]:
    """Return how many documents go to each index, given the index of each."""
    if indices and indices.count(indices[0]) == len(indices):  # usually, and much quicker
        return Counter({indices[0]: len(indices)})
    return Counter(indices)
