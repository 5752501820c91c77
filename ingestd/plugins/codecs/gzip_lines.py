"""``gzip_lines``: messages that are lines of text, compressed with gzip.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-gzip_lines. A message has to come as a
whole, so inputs that read a stream cannot use it; `ingestd import` reads compressed files with every codec.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import part_key
from ingestd.event.table import Table
from ingestd.plugins.codecs._events import Records, failed_message
from ingestd.plugins.codecs._options import charset_option, fallback_charset_option, original_option
from ingestd.plugins.codecs._text import TextDecoder
from ingestd.plugins.ecs import uses_ecs
from ingestd.plugins.registry import BuildContext, plugin
from ingestd.protocols.gzip_members import GzipError, inflated

_MAX_BYTES = 64 << 20
"""Of the lines of one message, so that a small message cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``gzip_lines``."""

    charset: str = charset_option()
    fallback_charset: str = fallback_charset_option()
    ecs_compatibility: str = original_option()


@dataclass(frozen=True, slots=True)
class GzipLinesCodec:
    """Decodes compressed lines; it cannot encode."""

    decoder: TextDecoder
    delimiter: None = None
    joins_streams: bool = False

    def decode(self, chunk: Chunk) -> Table:
        """Return an event for each line; a message that is not gzip gets the tag ``_gzipparsefailure``."""
        records = Records()
        try:
            data = inflated(chunk.data, _MAX_BYTES)
        except GzipError:
            records.add(None, failed_message(chunk, "_gzipparsefailure"), chunk.offset)
            return records.table()
        for number, line in enumerate(filter(None, data.split(b"\n"))):
            records.add(None, self.decoder.event(line.removesuffix(b"\r"), chunk), part_key(chunk.offset, number))
        return records.table()

    def encode(self, batch: Batch) -> bytes:
        """Raise ValueError: as in Logstash, it only decodes."""
        raise ValueError("the codec gzip_lines cannot encode; use the option gzip of the output file")


@plugin("codec", "gzip_lines", Options, encodes=False, messages_only=True)
def build(opts: Options, context: BuildContext) -> GzipLinesCodec:
    """Compressed lines of text, a message of any number of them."""
    return GzipLinesCodec(TextDecoder(opts.charset, opts.fallback_charset, ecs=uses_ecs(opts)))
