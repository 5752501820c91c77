"""What an earlier import has put into the built-in store is not put there again.

The output looks only for what a crash may have left: the last megabytes. A file that is imported again needs more,
and so does one whose import was killed, if other files were imported since.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ingestd.event.event_id import parse_event_id
from ingestd.event.record import Batch
from ingestd.plugins.interfaces import Outcome
from ingestd.plugins.outputs.store import Rows, StoreOutput
from ingestd.stores.base import Hit

_IMPORTED = re.compile(r"f[0-9a-f]{20}(?:\.\d+)?")

Known = Mapping[str, set[str]]
"""The ids that each index has."""


def known_ids(hits: Iterable[Hit], streams: Mapping[str, int] | None = None) -> Known:
    """Return the ids of imported events among ``hits``: about 100 bytes of memory each.

    ``streams``: only of these, and behind these offsets.
    """
    known: dict[str, set[str]] = defaultdict(set)
    for hit in hits:
        parts = parse_event_id(hit.id)
        if parts is None or _IMPORTED.fullmatch(parts.stream_id) is None:
            continue
        if streams is not None:
            begin = streams.get(parts.stream_id)
            if begin is None or parts.offset < begin:
                continue
        known[hit.index].add(hit.id)
    return dict(known)


class NewOnly:
    """The output ``inner`` without the events that are in ``known``: those count as duplicates."""

    def __init__(self, inner: StoreOutput, known: Known) -> None:
        self._inner, self._known = inner, known
        self.concurrency, self.batch_bytes = inner.concurrency, inner.batch_bytes

    async def open(self) -> None:
        """Open it; see ``Output``."""
        await self._inner.open()

    def prepare(self, batch: Batch) -> tuple[Rows, int]:
        """Return the rows that are new, and how many are not."""
        rows: Rows = {}
        duplicates = 0
        for index, (documents, ids) in self._inner.prepare(batch).items():
            there = self._known.get(index, set())
            new = [(document, one) for document, one in zip(documents, ids, strict=True) if one not in there]
            duplicates += len(ids) - len(new)
            if new:
                rows[index] = [document for document, _ in new], [one for _, one in new]
        return rows, duplicates

    async def deliver(self, loads: Sequence[tuple[Rows, int]]) -> list[Outcome]:
        """Deliver what is new."""
        outcomes = await self._inner.deliver([rows for rows, _ in loads])
        return [
            one._replace(duplicates=one.duplicates + duplicates)
            for one, (_, duplicates) in zip(outcomes, loads, strict=True)
        ]

    async def close(self) -> None:
        """Close it; see ``Output``."""
        await self._inner.close()
