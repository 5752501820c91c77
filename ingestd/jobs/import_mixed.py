"""The codec of files in which lines of JSON and lines of text alternate, such as the output of a development server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.table import Table
from ingestd.plugins.interfaces import Codec
from ingestd.protocols.framing.lines import LINE_FEED, split_lines


@dataclass(frozen=True, slots=True)
class MixedCodec:
    """Decodes lines that start as JSON objects with one codec, all others with another."""

    json: Codec
    text: Codec
    delimiter: bytes = LINE_FEED
    joins_streams: bool = False

    def decode(self, chunk: Chunk) -> Table:
        """Return the records of a chunk of lines, in their order."""
        return Table.joined([codec.decode(part) for codec, part in self._parts(chunk)])

    def _parts(self, chunk: Chunk) -> Iterator[tuple[Codec, Chunk]]:
        """Yield runs of lines for the same codec."""
        offset = chunk.offset
        for is_json, lines in groupby(
            split_lines(chunk.data, self.delimiter), lambda line: line.lstrip()[:2] in _JSON_STARTS
        ):
            data = b"".join(lines)
            yield self.json if is_json else self.text, chunk._replace(offset=offset, frames=0, data=data)
            offset += len(data)

    def encode(self, batch: Batch) -> bytes:
        """Return the documents, one per line."""
        return self.json.encode(batch)


_JSON_STARTS = frozenset({b'{"', b"{}", b"{ ", b"[{"})
