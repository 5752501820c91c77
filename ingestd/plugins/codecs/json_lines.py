r"""``json_lines``: one JSON object per line.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-json_lines.
Unlike there, an output escapes a `delimiter` in the texts of an event, as `\u007c` for `|`: it ends records only.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.fields import FieldRef
from ingestd.event.table import Table
from ingestd.plugins.codecs._json import JsonDecoder, encode_lines
from ingestd.plugins.codecs._options import (
    charset_option,
    delimiter_option,
    fallback_charset_option,
    line_delimiter,
)
from ingestd.plugins.ecs import ecs_option
from ingestd.plugins.registry import BuildContext, ignored, option, plugin
from ingestd.protocols.framing.lines import LINE_FEED


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``json_lines``."""

    charset: str = charset_option()
    fallback_charset: str = fallback_charset_option()
    target: FieldRef | None = option(None, "Field for the record; default: the record becomes the event.")
    ecs_compatibility: str = ecs_option("For compatibility with Logstash; no effect.")
    delimiter: str = delimiter_option("a record")


@dataclass(frozen=True, slots=True)
class JsonLinesCodec:
    """Decodes and encodes lines of JSON."""

    decoder: JsonDecoder
    delimiter: bytes = LINE_FEED

    @property
    def joins_streams(self) -> bool:
        """Whether no record gets a field of its stream, and joined lines can be split again."""
        return not self.decoder.stream_fields and self.delimiter == LINE_FEED

    def decode(self, chunk: Chunk) -> Table:
        """Return the records of a chunk of lines."""
        return self.decoder.lines(chunk) if self.delimiter == LINE_FEED else self.decoder.parts(chunk, self.delimiter)

    def encode(self, batch: Batch) -> bytes:
        """Return the documents, the delimiter after each."""
        return encode_lines(batch, self.delimiter)


_LEGACY = {"decode_size_limit_bytes": ignored("the setting max_line_bytes bounds a line")}


@plugin("codec", "json_lines", Options, legacy=_LEGACY)
def build(opts: Options, context: BuildContext) -> JsonLinesCodec:
    """One JSON object per line; other text becomes an event with the tag ``_jsonparsefailure``."""
    return JsonLinesCodec(
        JsonDecoder(
            context.fields,
            opts.charset,
            opts.fallback_charset,
            whole=context.whole,
            target=opts.target,
            reads=context.reads,
        ),
        line_delimiter(opts.delimiter, context),
    )
