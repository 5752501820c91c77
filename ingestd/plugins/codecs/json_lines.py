"""``json_lines``: one JSON object a line.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-json_lines.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.record import Batch
from ingestd.plugins.codecs._json import JsonDecoder, encode_lines
from ingestd.plugins.codecs._options import check_charset
from ingestd.plugins.interfaces import Chunk, Decoded
from ingestd.plugins.registry import BuildContext, option, plugin


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``json_lines``."""

    charset: str = option("UTF-8", "Encoding of the text that comes in.")
    delimiter: str = option("\n", "What ends a record; only the line feed is possible.", choices=("\n", "\\n"))


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Decodes and encodes lines of JSON."""

    decoder: JsonDecoder
    delimiter: bytes = b"\n"

    def decode(self, chunk: Chunk) -> Decoded:
        """Return the records of a chunk of lines."""
        return self.decoder.lines(chunk)

    def encode(self, batch: Batch) -> bytes:
        """Return the documents, one a line."""
        return encode_lines(batch)


@plugin("codec", "json_lines", Options)
def build(opts: Options, context: BuildContext) -> JsonLines:
    """One JSON object a line; what is no JSON becomes an event with the tag ``_jsonparsefailure``."""
    return JsonLines(JsonDecoder(context.fields, context.clock, check_charset(opts.charset)))
