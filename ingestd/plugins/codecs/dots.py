"""``dots``: a dot for each event, to see whether and how fast they flow.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-dots.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.table import Table
from ingestd.plugins.registry import BuildContext, plugin


@dataclass(frozen=True, slots=True)
class Options:
    """The codec ``dots`` has no options."""


@dataclass(frozen=True, slots=True)
class DotsCodec:
    """Encodes events as dots; it cannot decode."""

    delimiter: None = None
    joins_streams: bool = False

    def decode(self, chunk: Chunk) -> Table:
        """Raise ValueError: a dot has nothing of its event."""
        raise ValueError("the codec dots cannot decode; use json_lines or line for an input")

    def encode(self, batch: Batch) -> bytes:
        """Return a dot for each event."""
        return b"." * len(batch)


@plugin("codec", "dots", Options, decodes=False)
def build(opts: Options, context: BuildContext) -> DotsCodec:
    """A dot for each event; for outputs only."""
    return DotsCodec()
