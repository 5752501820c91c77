"""``fluent``: the messages of Fluentd's and Fluent Bit's output ``forward``.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-fluent and
https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1: a message has a tag with one record, several,
or several that are packed, and compressed, once more. Nothing is acknowledged: leave `require_ack_response` off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import part_key
from ingestd.event.fields import Event, FieldRef
from ingestd.event.table import Table
from ingestd.event.timestamp import epoch_seconds, from_epoch
from ingestd.plugins.codecs._events import EventCollector, complete, failed_message, receive_time
from ingestd.plugins.codecs._packed import pack, plain, unpack_all
from ingestd.plugins.ecs import ecs_option
from ingestd.plugins.registry import BuildContext, ignored, option, plugin
from ingestd.protocols.framing.grouping import Grouping
from ingestd.protocols.framing.gzip_members import inflated
from ingestd.protocols.framing.message_pack import VALUES

_MAX_UNPACKED_BYTES = 64 << 20
"""Of the records of one message, so that a small message cannot fill the memory."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``fluent``."""

    target: FieldRef | None = option(None, "Field for the record; default: the record becomes the event.")
    ecs_compatibility: str = ecs_option("For compatibility with Logstash; no effect.")


@dataclass(frozen=True, slots=True)
class FluentCodec:
    """Decodes messages with one or more records, and encodes each event as a message."""

    target: FieldRef | None
    delimiter: None = None
    joins_streams: bool = False
    grouping: Grouping = VALUES

    def decode(self, chunk: Chunk) -> Table:
        """Return the events of a message, each with the tag of Fluentd in ``tags``."""
        records, now = EventCollector(), receive_time(chunk)
        number = 0
        try:
            for _, message in unpack_all(chunk.data):
                for event in self._events(message):
                    records.add(None, complete(event, now), part_key(chunk.offset, number))
                    number += 1
        except (ValueError, OverflowError):
            records.add(None, failed_message(chunk, "_fluentparsefailure"), part_key(chunk.offset, number))
        return records.table()

    def _events(self, message: Any) -> Iterator[Event]:
        if not isinstance(message, list) or len(message) < 2:
            raise ValueError("not a message of the forward protocol")
        tag, entries, *rest = message
        options = rest[-1] if rest and isinstance(rest[-1], dict) else {}
        if isinstance(entries, list):
            rows = entries
        elif isinstance(entries, bytes):
            rows = _unpacked(entries, compressed=options.get("compressed") == "gzip")
        elif isinstance(entries, int | float) and rest:
            rows = [[entries, rest[0]]]
        else:
            raise ValueError("neither a time nor records")
        for row in rows:
            if not isinstance(row, list) or len(row) != 2:
                raise ValueError("a record has a time and fields")
            yield self._event(plain(tag), *row)

    def _event(self, tag: Any, time: Any, record: Any) -> Event:
        if not isinstance(record, dict) or not isinstance(time, int | float):
            raise ValueError("a record is not a map")
        fields: Event = plain(record)
        stamp = from_epoch(float(time))
        if self.target is None:
            return fields | {"@timestamp": stamp, "tags": [str(tag)]}
        event: Event = {"@timestamp": stamp, "tags": [str(tag)]}
        self.target.set(event, fields)
        return event

    def encode(self, batch: Batch) -> bytes:
        """Return a message for each event: its tags, its time in seconds, and its fields."""
        return b"".join([self._message(event) for event in batch.events()])

    def _message(self, event: Event) -> bytes:
        tags = event.get("tags") or "log"
        tag = ".".join(map(str, tags)) if isinstance(tags, list) else str(tags)
        stamp = event.get("@timestamp")
        seconds = int(epoch_seconds(stamp)) if isinstance(stamp, str) else 0
        return pack([tag, seconds, {key: value for key, value in event.items() if key != "@metadata"}])


def _unpacked(data: bytes, *, compressed: bool) -> list[Any]:
    """Return the rows of records that are packed as one value.

    Raises:
        ValueError: They are not, or too large, or not compressed.
    """
    unpacked = inflated(data, _MAX_UNPACKED_BYTES) if compressed else data
    return [row for _, row in unpack_all(unpacked)]


@plugin(
    "codec",
    "fluent",
    Options,
    legacy={"nanosecond_precision": ignored("times of both kinds are read; seconds are written")},
)
def build(opts: Options, context: BuildContext) -> FluentCodec:
    """Messages of Fluentd's forward protocol."""
    return FluentCodec(opts.target)
