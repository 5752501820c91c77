"""``json``: every message is one JSON object, or an array of them.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-json. Inputs that read a
stream (tcp, stdin) use ``json_lines`` instead, as in Logstash.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.fields import FieldRef
from ingestd.event.table import Table
from ingestd.plugins.codecs._json import JsonDecoder
from ingestd.plugins.codecs._options import charset_option, fallback_charset_option, original_option
from ingestd.plugins.ecs import uses_ecs
from ingestd.plugins.registry import BuildContext, option, plugin


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``json``."""

    charset: str = charset_option()
    fallback_charset: str = fallback_charset_option()
    target: FieldRef | None = option(None, "Field for the record; default: the record becomes the event.")
    ecs_compatibility: str = original_option()


@dataclass(frozen=True, slots=True)
class JsonCodec:
    """Decodes JSON messages, and encodes documents without line ends."""

    decoder: JsonDecoder
    delimiter: None = None
    joins_streams: bool = False

    def decode(self, chunk: Chunk) -> Table:
        """Return the records of one message."""
        return self.decoder.message(chunk)

    def decode_lines(self, chunk: Chunk) -> Table:
        """Return the records of messages that are lines."""
        return self.decoder.lines(chunk)

    def encode(self, batch: Batch) -> bytes:
        """Return the documents concatenated, without separators, as Logstash does."""
        return b"".join(batch.documents())


@plugin("codec", "json", Options)
def build(opts: Options, context: BuildContext) -> JsonCodec:
    """A JSON object, or an array of objects, in each message."""
    ecs = uses_ecs(opts)
    return JsonCodec(
        JsonDecoder(
            context.fields,
            opts.charset,
            opts.fallback_charset,
            whole=context.whole,
            target=opts.target,
            ecs=ecs,
            reads=context.reads,
        )
    )
