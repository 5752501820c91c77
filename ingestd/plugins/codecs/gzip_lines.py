"""``gzip_lines``: messages that are lines of text, compressed with gzip.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-gzip_lines. Inputs that read a stream take
it as members of gzip, one after the other; the input `file` and `ingestd import` decompress files whatever the codec.
Anything damaged, cut off or too long becomes a dead letter with its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import part_key
from ingestd.event.table import Table
from ingestd.plugins.codecs._options import charset_option, fallback_charset_option, original_option
from ingestd.plugins.codecs._text import TextDecoder
from ingestd.plugins.ecs import uses_ecs
from ingestd.plugins.interfaces import UndecodableError
from ingestd.plugins.registry import BuildContext, plugin
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.gzip_members import GzipError, MemberGrouping, member_texts
from ingestd.protocols.framing.lines import count_line_ends

_MAX_BYTES, _MAX_LINES = 64 << 20, 250_000
"""Of one message: a small one cannot fill the memory."""


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
    grouping: Grouping
    delimiter: None = None
    joins_streams: bool = False

    def decode(self, chunk: Chunk) -> Table:
        """Return an event for each line. Raises UndecodableError."""
        try:
            data = b"\n".join(member_texts(chunk.data, _MAX_BYTES))  # the end of a member ends its last line
        except GzipError as error:
            raise UndecodableError(str(error)) from None
        if (count := count_line_ends(data)) > _MAX_LINES:
            raise UndecodableError(f"the message has {count} lines, {_MAX_LINES} are allowed: send smaller ones")
        lines = [line for line in data.replace(b"\r\n", b"\n").removesuffix(b"\r").split(b"\n") if line]
        keys = [part_key(chunk.offset, number) for number in range(len(lines))]
        return self.decoder.table(lines, keys, chunk)

    def encode(self, batch: Batch) -> bytes:
        """Raise ValueError: as in Logstash, it only decodes."""
        raise ValueError("the codec gzip_lines cannot encode; use the option gzip of the output file")


@plugin("codec", "gzip_lines", Options, encodes=False)
def build(opts: Options, context: BuildContext) -> GzipLinesCodec:
    """Compressed lines of text, a message of any number of them."""
    decoder = TextDecoder(
        opts.charset, opts.fallback_charset, ecs=uses_ecs(opts), in_columns=context.fields is not None
    )
    return GzipLinesCodec(decoder, MemberGrouping(context.settings.max_line_bytes, _MAX_BYTES))
