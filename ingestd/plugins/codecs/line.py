"""``line``: every line of text is an event.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-line.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, compress

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.table import Table
from ingestd.plugins.codecs._options import (
    charset_option,
    delimiter_option,
    fallback_charset_option,
    line_delimiter,
    original_option,
)
from ingestd.plugins.codecs._text import TextDecoder, TextEncoder, format_reads
from ingestd.plugins.ecs import uses_ecs
from ingestd.plugins.registry import BuildContext, option, plugin
from ingestd.protocols.framing.lines import LINE_FEED, split_texts


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``line``."""

    charset: str = charset_option()
    fallback_charset: str = fallback_charset_option()
    format: str = option("", "How an output writes an event, with `%{field}`; default: time, host and message.")
    delimiter: str = delimiter_option("a line")
    ecs_compatibility: str = original_option()


@dataclass(frozen=True, slots=True)
class LineCodec:
    """Decodes and encodes lines of text."""

    decoder: TextDecoder
    encoder: TextEncoder
    delimiter: bytes = LINE_FEED
    joins_streams: bool = False

    def decode(self, chunk: Chunk) -> Table:
        """Return an event for each line that is not empty."""
        delimiter, end_bytes = self.delimiter, len(self.delimiter)
        lines = split_texts(chunk.data, delimiter)
        starts = accumulate([len(line) + end_bytes for line in lines], initial=chunk.offset)
        if delimiter == LINE_FEED and b"\r" in chunk.data:
            lines = [line.removesuffix(b"\r") for line in lines]
        keys = [*compress(starts, lines)]
        return self.decoder.table([*filter(None, lines)], keys, chunk, delimiter)

    def encode(self, batch: Batch) -> bytes:
        """Return the events in the format, the delimiter after each."""
        return self.encoder.encode(batch, self.delimiter)


@plugin("codec", "line", Options, touches=format_reads)
def build(opts: Options, context: BuildContext) -> LineCodec:
    """Text lines: ``message`` is the line; inputs add the fields of the sender."""
    decoder = TextDecoder(
        opts.charset,
        opts.fallback_charset,
        ecs=uses_ecs(opts),
        in_columns=context.fields is not None,
    )
    return LineCodec(decoder, TextEncoder(opts.format), line_delimiter(opts.delimiter, context))
