"""Events as messages, for outputs that send each alone."""

from __future__ import annotations

from ingestd.event.batch import Batch
from ingestd.plugins.codecs.json import JsonCodec
from ingestd.plugins.interfaces import Codec


def messages(codec: Codec, batch: Batch) -> list[bytes]:
    """Return the text of each event."""
    if isinstance(codec, JsonCodec):
        return batch.documents()
    return [codec.encode(batch.part([row])) for row in range(len(batch))]
