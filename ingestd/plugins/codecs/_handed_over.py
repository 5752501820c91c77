"""Events on their way from one pipeline to another: lines of an id, a NUL and a JSON object with ``@metadata``.

An event keeps its id, with a suffix for the way that it took: one that is sent to two pipelines is two events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import accumulate
from operator import add

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import Key
from ingestd.event.jsontext import dumps
from ingestd.event.table import ABSENT, Table
from ingestd.plugins.codecs._json import JsonDecoder, encode_lines

METADATA = "@metadata"
_NUL = b"\0"  # neither in an id nor in JSON


def encode_handed_over(batch: Batch, suffix: str) -> bytes:
    """Return the events of ``batch`` as lines; ``suffix``: of their ids. ``batch`` must have read ``@metadata``."""
    heads = batch.ids().fill(b"%b-" + suffix.encode() + _NUL)
    lines = map(add, heads, _with_metadata(batch.documents(), batch.column(METADATA)))
    return b"\n".join([*lines, b""])


def _with_metadata(documents: Sequence[bytes], metadata: Sequence[object]) -> Sequence[bytes]:
    if all(value is ABSENT for value in metadata):
        return documents
    return [
        text if value is ABSENT or not value else b'%b,"@metadata":%b}' % (text[:-1], dumps(value))
        for text, value in zip(documents, metadata, strict=True)
    ]


def mask_handed_over(data: bytes, mask: Callable[[bytes], bytes]) -> bytes:
    """Return lines with their objects masked, and their ids as they are."""
    parts = [line.partition(_NUL) for line in BytesIO(data)]
    return b"".join([head + nul + mask(text) for head, nul, text in parts])


class HandedOverCodec:
    """Decodes what ``encode_handed_over`` made.

    Args:
        decoder: Of the objects.
    """

    delimiter = b"\n"
    joins_streams = True

    def __init__(self, decoder: JsonDecoder) -> None:
        self._decoder = decoder

    def decode(self, chunk: Chunk) -> Table:
        """Return the events, with their ids as keys."""
        parts = [line.partition(_NUL) for line in BytesIO(chunk.data)]
        texts = [text for _, _, text in parts]
        table = self._decoder.lines(chunk._replace(data=b"".join(texts), offset=0))
        ids: dict[Key, str] = {
            at: head.decode("utf-8", "surrogatepass")
            for at, (head, _, _) in zip(accumulate(map(len, texts), initial=0), parts, strict=False)
        }
        table.keys = [ids[key] for key in table.keys]
        table.has_ids = True
        return table

    def encode(self, batch: Batch) -> bytes:
        """Return the documents, one per line."""
        return encode_lines(batch)
