"""Events on their way from one pipeline to another: lines of an id, ``@metadata`` and a document, with NULs between.

An event keeps its id, with a suffix for the way that it took: one that is sent to two pipelines is two events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from io import BytesIO
from itertools import accumulate
from operator import add

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.jsontext import dumps, loads
from ingestd.event.table import ABSENT, Table
from ingestd.plugins.codecs._json import JsonDecoder, encode_lines

METADATA = "@metadata"
_NUL = b"\0"  # neither in an id nor in JSON


def encode_handed_over(batch: Batch, suffix: str) -> bytes:
    """Return the events of ``batch`` as lines; ``suffix``: of their ids. ``batch`` must have read ``@metadata``."""
    heads = batch.ids().fill(b"%b-" + suffix.encode() + _NUL)
    lines = map(add, map(add, heads, _texts(batch.column(METADATA))), batch.documents())
    return b"\n".join([*lines, b""])


def _texts(values: Sequence[object]) -> Iterator[bytes]:
    """Yield the text of each ``@metadata`` and a NUL; events of one stream often have the same one."""
    last: object = ABSENT
    text = _NUL
    for value in values:
        if value is not last:
            last, text = value, _NUL if value is ABSENT or not value else dumps(value) + _NUL
        yield text


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
        parts = [line.split(_NUL, 2) for line in BytesIO(chunk.data)]
        texts = [text for _, _, text in parts]
        table = self._decoder.lines(chunk._replace(data=b"".join(texts), offset=0))
        by_key = dict(zip(accumulate(map(len, texts), initial=0), parts, strict=False))
        heads = [by_key[key] for key in table.keys]  # type: ignore[index]
        table.keys = [head.decode("utf-8", "surrogatepass") for head, _, _ in heads]
        table.has_ids = True
        if any(metadata for _, metadata, _ in heads):
            table.replace(METADATA, table.rows, [_metadata(metadata) for _, metadata, _ in heads])
        return table

    def encode(self, batch: Batch) -> bytes:
        """Return the documents, one per line."""
        return encode_lines(batch)


@lru_cache(1024)
def _metadata(text: bytes) -> object:
    """Return what ``_texts`` made a text of; events share it, as nothing changes it in place."""
    return loads(text) if text else ABSENT
