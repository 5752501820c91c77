"""The codec of files in which lines of JSON and lines of text alternate, such as the output of a development server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ingestd.event.chunk import Chunk
from ingestd.event.record import Batch
from ingestd.plugins.interfaces import Codec, Decoded
from ingestd.protocols.lines import split_lines


@dataclass(frozen=True, slots=True)
class MixedCodec:
    """Decodes lines that start as JSON objects with one codec, all others with another."""

    json: Codec
    text: Codec
    delimiter: bytes = b"\n"

    def decode(self, chunk: Chunk) -> Decoded:
        """Return the records of a chunk of lines, in their order."""
        decoded = Decoded([], [], [])
        for codec, part in self._parts(chunk):
            raws, events, keys = codec.decode(part)
            decoded.raws.extend(raws)
            decoded.events.extend(events)
            decoded.keys.extend(keys)
        return decoded

    def _parts(self, chunk: Chunk) -> Iterator[tuple[Codec, Chunk]]:
        """Yield runs of lines for the same codec."""
        offset = chunk.offset
        for is_json, lines in groupby(split_lines(chunk.data), lambda line: line.lstrip()[:2] in _JSON_STARTS):
            data = b"".join(lines)
            yield self.json if is_json else self.text, chunk._replace(offset=offset, frames=0, data=data)
            offset += len(data)

    def encode(self, batch: Batch) -> bytes:
        """Return the documents, one per line."""
        return self.json.encode(batch)


_JSON_STARTS = frozenset({b'{"', b"{}", b"{ ", b"[{"})
