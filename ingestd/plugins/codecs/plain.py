"""``plain``: every message is an event, with any text.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-plain. Inputs that read a
stream (tcp, stdin) use ``line`` instead, as in Logstash.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.table import Table
from ingestd.plugins.codecs._options import charset_option, fallback_charset_option, original_option
from ingestd.plugins.codecs._text import TextDecoder, TextEncoder, format_reads
from ingestd.plugins.ecs import uses_ecs
from ingestd.plugins.registry import BuildContext, option, plugin


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``plain``."""

    charset: str = charset_option()
    fallback_charset: str = fallback_charset_option()
    format: str = option("", "How an output writes an event, with `%{field}`; default: time, host and message.")
    ecs_compatibility: str = original_option()


@dataclass(frozen=True, slots=True)
class PlainCodec:
    """Decodes and encodes text messages."""

    decoder: TextDecoder
    encoder: TextEncoder
    format: str = ""
    """How an output writes an event; empty: in Logstash's way."""
    delimiter: None = None
    joins_streams: bool = False

    @property
    def keeps_text(self) -> bool:
        """Whether text in UTF-8 becomes ``message`` as it is, and nothing else."""
        return self.decoder.keeps_text

    def decode(self, chunk: Chunk) -> Table:
        """Return one event with the whole message."""
        return Table.of_events([self.decoder.event(chunk.data, chunk)], [chunk.offset])

    def decode_lines(self, chunk: Chunk) -> Table:
        """Return an event for each line, empty ones too."""
        lines = chunk.data.removesuffix(b"\n").split(b"\n")
        keys = accumulate([len(line) + 1 for line in lines[:-1]], initial=chunk.offset)
        return self.decoder.table(lines, [*keys], chunk)

    def encode(self, batch: Batch) -> bytes:
        """Return the events in the format, without separators."""
        return self.encoder.encode(batch, b"")


@plugin("codec", "plain", Options, touches=format_reads)
def build(opts: Options, context: BuildContext) -> PlainCodec:
    """Plain text: ``message`` is the whole message."""
    decoder = TextDecoder(
        opts.charset,
        opts.fallback_charset,
        ecs=uses_ecs(opts),
        in_columns=context.fields is not None,
    )
    return PlainCodec(decoder, TextEncoder(opts.format), opts.format)
