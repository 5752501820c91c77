"""Skips events that an earlier import has put into the built-in store.

The output itself checks only the last megabytes, for what a crash may have left. A file that is imported again needs
more, and so does a file whose import was killed, if other files were imported since. Usually the positions of
``import_input`` suffice; ``ingestd.app.jobs.file_import`` uses both.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ingestd.event.batch import Batch
from ingestd.event.event_id import parse_event_id
from ingestd.event.payload import Payload
from ingestd.event.tally import Tally
from ingestd.plugins.interfaces import Output, Prepared
from ingestd.stores.base import Hit

_IMPORTED = re.compile(r"f[0-9a-f]{20}(?:\.\d+)?")

StoredIds = Mapping[str, set[str]]
"""The ids of imported events in each index."""


def stored_ids(hits: Iterable[Hit], streams: Mapping[str, int] | None = None) -> StoredIds:
    """Return the ids of imported events among ``hits``: about 100 bytes of memory each.

    ``streams``: only events of these streams, each from its offset on; None: of all.
    """
    stored: dict[str, set[str]] = defaultdict(set)
    for hit in hits:
        parts = parse_event_id(hit.id)
        if parts is None or _IMPORTED.fullmatch(parts.stream_id) is None:
            continue
        if streams is not None:
            start = streams.get(parts.stream_id)
            if start is None or parts.offset < start:
                continue
        stored[hit.index].add(hit.id)
    return dict(stored)


class SkipStored:
    """The output ``inner`` without the events in ``stored``, which count as duplicates."""

    def __init__(self, inner: Output[Payload], stored: StoredIds) -> None:
        self._inner, self._stored = inner, stored
        self.concurrency, self.batch_bytes = inner.concurrency, inner.batch_bytes

    async def open(self) -> None:
        """Open it; see ``Output``."""
        await self._inner.open()

    def prepare(self, batch: Batch) -> Prepared[tuple[Payload, int]]:
        """Return the documents that are new, and how many are not."""
        payload, size, rejected = self._inner.prepare(batch)
        rows = enumerate(zip(payload.indices, payload.ids, strict=True))
        new = [position for position, (index, event_id) in rows if event_id not in self._stored.get(index, ())]
        duplicates = len(payload) - len(new)
        return Prepared((payload.pick(new) if duplicates else payload, duplicates), size, rejected)

    async def deliver(self, payloads: Sequence[tuple[Payload, int]]) -> Sequence[Tally]:
        """Deliver what is new."""
        tallies = await self._inner.deliver([payload for payload, _ in payloads])
        assert tallies is not None  # noqa: S101 -- the output ``store`` returns them
        for tally, (_, duplicates) in zip(tallies, payloads, strict=True):
            tally.duplicates += duplicates
        return tallies

    async def close(self) -> None:
        """Close it; see ``Output``."""
        await self._inner.close()
