"""``gzip_lines``: messages that are lines of text, compressed with gzip.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-gzip_lines. A message has to come as a
whole, so inputs that read a stream cannot use it; `ingestd import` reads compressed files with every codec.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import copy_key
from ingestd.event.fields import Event
from ingestd.event.table import Table
from ingestd.plugins.codecs._events import Records, complete, receive_time
from ingestd.plugins.codecs._options import charset_option, fallback_charset_option, original_option
from ingestd.plugins.codecs._text import TextDecoder
from ingestd.plugins.ecs import uses_ecs
from ingestd.plugins.registry import BuildContext, plugin

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
            data = _inflated(chunk.data)
        except (zlib.error, ValueError):
            text = chunk.data.decode("utf-8", "backslashreplace")
            event: Event = {"message": text, "tags": ["_gzipparsefailure"]}
            records.add(None, complete(event, receive_time(chunk)), chunk.offset)
            return records.table()
        for number, line in enumerate(filter(None, data.split(b"\n"))):
            key = copy_key(chunk.offset, number) if number else chunk.offset
            records.add(None, self.decoder.event(line.removesuffix(b"\r"), chunk), key)
        return records.table()

    def encode(self, batch: Batch) -> bytes:
        """Raise ValueError: as in Logstash, it only decodes."""
        raise ValueError("the codec gzip_lines cannot encode; use the option gzip of the output file")


def _inflated(data: bytes) -> bytes:
    """Return the text of gzip's members. Raises ValueError if it is too long, zlib.error if it is not gzip."""
    parts, size = list[bytes](), 0
    while data:
        inflate = zlib.decompressobj(wbits=31)
        parts.append(inflate.decompress(data, _MAX_BYTES - size))
        size += len(parts[-1])
        if size >= _MAX_BYTES or not inflate.eof:
            raise ValueError("the text is too long, or its end is missing")
        data = inflate.unused_data
    return b"".join(parts)


@plugin("codec", "gzip_lines", Options, encodes=False, messages_only=True)
def build(opts: Options, context: BuildContext) -> GzipLinesCodec:
    """Compressed lines of text, a message of any number of them."""
    return GzipLinesCodec(TextDecoder(opts.charset, opts.fallback_charset, ecs=uses_ecs(opts)))
