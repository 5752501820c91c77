"""``line``: every line of text is an event.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-line.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, compress

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.table import Table
from ingestd.plugins.codecs._options import charset_option, fallback_charset_option, original_option
from ingestd.plugins.codecs._text import TextDecoder, TextEncoder, format_reads
from ingestd.plugins.ecs import uses_ecs
from ingestd.plugins.registry import BuildContext, option, plugin


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``line``."""

    charset: str = charset_option()
    fallback_charset: str = fallback_charset_option()
    format: str = option("", "How an output writes an event, with `%{field}`; default: time, host and message.")
    delimiter: str = option("\n", "Line separator; only the line feed is supported.", choices=("\n", "\\n"))
    ecs_compatibility: str = original_option()


@dataclass(frozen=True, slots=True)
class LineCodec:
    """Decodes and encodes lines of text."""

    decoder: TextDecoder
    encoder: TextEncoder
    delimiter: bytes = b"\n"
    joins_streams: bool = False

    def decode(self, chunk: Chunk) -> Table:
        """Return an event for each line that is not empty."""
        lines = chunk.data.split(b"\n")
        starts = accumulate([len(line) + 1 for line in lines], initial=chunk.offset)
        if b"\r" in chunk.data:
            lines = [line.removesuffix(b"\r") for line in lines]
        keys = [*compress(starts, lines)]
        return self.decoder.table([*filter(None, lines)], keys, chunk)

    def encode(self, batch: Batch) -> bytes:
        """Return the events in the format, one per line."""
        return self.encoder.encode(batch, b"\n")


@plugin("codec", "line", Options, touches=format_reads)
def build(opts: Options, context: BuildContext) -> LineCodec:
    """Text lines: ``message`` is the line; inputs add the fields of the sender."""
    decoder = TextDecoder(
        opts.charset,
        opts.fallback_charset,
        ecs=uses_ecs(opts),
        in_columns=context.fields is not None,
    )
    return LineCodec(decoder, TextEncoder(opts.format))
