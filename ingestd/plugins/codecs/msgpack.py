"""``msgpack``: events in MessagePack.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-msgpack.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import part_key
from ingestd.event.fields import Event, FieldRef
from ingestd.event.sprintf import Template
from ingestd.event.table import Table
from ingestd.plugins.codecs._events import EventCollector, complete, failed_message, receive_time
from ingestd.plugins.codecs._packed import pack, plain, unpack_all
from ingestd.plugins.ecs import ecs_option
from ingestd.plugins.registry import BuildContext, ignored, option, plugin
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.message_pack import VALUES


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``msgpack``."""

    format: Template = option(Template(""), "Outputs: write this text, with `%{field}`, instead of the event.")
    target: FieldRef | None = option(None, "Field for the record; default: the record becomes the event.")
    ecs_compatibility: str = ecs_option("For compatibility with Logstash; no effect.")


@dataclass(frozen=True, slots=True)
class MsgpackCodec:
    """Decodes messages of one or more maps, and encodes events as maps."""

    opts: Options
    delimiter: None = None
    joins_streams: bool = False
    grouping: Grouping = VALUES

    def decode(self, chunk: Chunk) -> Table:
        """Return an event for each map of a message."""
        records, now = EventCollector(), receive_time(chunk)
        count = 0
        try:
            for start, value in unpack_all(chunk.data):
                records.add(None, complete(self._event(value), now), chunk.offset + start)
                count += 1
        except ValueError:
            records.add(None, failed_message(chunk, "_msgpackparsefailure"), part_key(chunk.offset, count))
        return records.table()

    def _event(self, value: object) -> Event:
        if not isinstance(value, dict):
            raise ValueError(f"expected a map, found {value!r}")
        record: Event = plain(value)
        if self.opts.target is None:
            return record
        event: Event = {}
        self.opts.target.set(event, record)
        return event

    def encode(self, batch: Batch) -> bytes:
        """Return the events one after the other."""
        if self.opts.format.text:
            return b"".join([pack(self.opts.format.render(event)) for event in batch.events()])
        return b"".join([pack({k: v for k, v in event.items() if k != "@metadata"}) for event in batch.events()])


@plugin("codec", "msgpack", Options, legacy={"charset": ignored("text in MessagePack is UTF-8")})
def build(opts: Options, context: BuildContext) -> MsgpackCodec:
    """Maps in MessagePack, one or more in a message."""
    return MsgpackCodec(opts)
