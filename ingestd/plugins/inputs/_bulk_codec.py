"""Decodes the documents of ``elasticsearch_bulk``: lines with metadata before each document."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from itertools import accumulate

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import Key, own_id
from ingestd.event.fields import Event
from ingestd.event.table import Table
from ingestd.plugins.codecs._json import JsonDecoder, encode_lines
from ingestd.plugins.registry import BuildContext
from ingestd.protocols.http.bulk_requests import MetadataReader


class BulkCodec:
    """Makes an event of each document; ``[@metadata]`` has what its action says.

    A document with an id of its own gets the same id for its event each time that it comes.
    """

    delimiter = b"\n"
    joins_streams = False

    def __init__(self, context: BuildContext) -> None:
        self._decoder = JsonDecoder(context.fields, "utf-8", whole=context.whole, reads=context.reads)

    def decode(self, chunk: Chunk) -> Table:
        """Return the events of a chunk of lines, one each."""
        lines = BytesIO(chunk.data).readlines()
        split = MetadataReader().split
        found = [split(line) for line in lines]
        table = self._decoder.lines(chunk._replace(data=b"".join([document for _, document in found])))
        if len(table) != len(found):  # lines that no request brought: blank ones, arrays
            return table
        offsets = accumulate([len(line) for line in lines[:-1]], initial=chunk.offset)
        table.keys = [_key(metadata, offset) for (metadata, _), offset in zip(found, offsets, strict=True)]
        if any(metadata for metadata, _ in found):
            table.replace("@metadata", table.rows, [metadata for metadata, _ in found])
        return table

    def own_ids(self, chunk: Chunk) -> Mapping[str, int]:
        """Return the ids of documents that have their own, and the offsets of their lines; see ``NamesEvents``."""
        lines = BytesIO(chunk.data).readlines()
        split = MetadataReader().split
        keys = [_key(split(line)[0], -1) for line in lines]
        offsets = accumulate([len(line) for line in lines[:-1]], initial=chunk.offset)
        return {key: offset for key, offset in zip(keys, offsets, strict=False) if isinstance(key, str)}

    def encode(self, batch: Batch) -> bytes:
        """Return documents, one per line."""
        return encode_lines(batch)


def _key(metadata: Event, offset: int) -> Key:
    """Return the key of an event: by the index and the id of its document, if that has one."""
    if not (document_id := metadata.get("_id")):
        return offset
    return own_id(f"_bulk\0{metadata.get('_index', '')}\0{document_id}".encode("utf-8", "surrogatepass"), 0)
