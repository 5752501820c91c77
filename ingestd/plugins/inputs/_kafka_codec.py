"""Decodes records of Kafka, many in one chunk.

In the chunk they are lines, ``ingestd.protocols.framing.datagrams``, with the id of each event and where it was in
Kafka in front: ``b_9f86d081884c7d659a2f-0000000004d2,logs,0,1234,1796000000000,order-17``. Topics have no commas; the
key, last, is percent-encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import own_id, part_key
from ingestd.event.fields import Event
from ingestd.event.table import Table
from ingestd.plugins.interfaces import Codec, DecodesLines
from ingestd.protocols.framing.datagrams import datagram_of, line_of


class RecordPosition(NamedTuple):
    """Where a record is in Kafka; ``timestamp_ms``: since the epoch, -1: none; ``key``: None: none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int = -1
    key: bytes | None = None


def line_of_record(value: bytes, place: RecordPosition, event_id: bytes | None) -> bytes:
    """Return a record as a line; ``event_id``: of the event at its sender, if that is known."""
    topic, partition, offset, timestamp_ms, key = place
    if event_id is None:
        own = own_id(f"kafka/{topic}/{partition}".encode(), offset)
    else:
        own = own_id(b"kafka-id/" + event_id, 0)
    encoded_key = "" if key is None else "=" + quote_from_bytes(key)
    return line_of(value, f"{own},{topic},{partition},{offset},{timestamp_ms},{encoded_key}".encode())


class KafkaCodec:
    """Decodes chunks of records with the codec of the config; ``decorates``: whether events get their place."""

    delimiter = b"\n"
    joins_streams = False

    def __init__(self, codec: Codec, *, decorates: bool) -> None:
        self._codec, self._decorates = codec, decorates

    def encode(self, batch: Batch) -> bytes:
        """Return what the codec of the config does."""
        return self._codec.encode(batch)

    def decode(self, chunk: Chunk) -> Table:
        """Return the events of all records."""
        pairs = [datagram_of(line) for line in chunk.data.removesuffix(b"\n").split(b"\n")]
        places = [head.decode().split(",") for head, _ in pairs]
        table = self._together([value for _, value in pairs], chunk)
        if table is None:
            tables = [self._alone(value, place[0], chunk) for (_, value), place in zip(pairs, places, strict=True)]
            places = [place for place, part in zip(places, tables, strict=True) for _ in part.rows]
            table = tables[0] if len(tables) == 1 else Table.joined(tables)
        else:
            table.keys = [place[0] for place in places]
        if self._decorates:
            self._decorate(table, places)
        return table

    def _together(self, values: Sequence[bytes], chunk: Chunk) -> Table | None:
        """Return an event of each record; None: that cannot be said of all of them at once."""
        data = b"\n".join([*values, b""])
        if not isinstance(self._codec, DecodesLines) or data.count(b"\n") != len(values):
            return None
        table = self._codec.decode_lines(chunk._replace(data=data))
        return table if len(table) == len(values) else None

    def _alone(self, value: bytes, event_id: str, chunk: Chunk) -> Table:
        """Return the events of one record: an array of JSON and lines of text may be several."""
        table = self._codec.decode(chunk._replace(data=value, frames=1))
        table.keys = [part_key(event_id, number) for number in range(len(table))]
        return table

    def _decorate(self, table: Table, places: Sequence[Sequence[str]]) -> None:
        column = table.column("@metadata")
        known = [value if type(value) is dict else {} for value in column]
        new = [{**old, "kafka": _metadata(place)} for old, place in zip(known, places, strict=True)]
        table.replace("@metadata", table.rows, new)


def _metadata(place: Sequence[str]) -> Event:
    _, topic, partition, offset, timestamp_ms, key = place
    found: dict[str, Any] = {"topic": topic, "partition": int(partition), "offset": int(offset)}
    if timestamp_ms != "-1":
        found["timestamp"] = int(timestamp_ms)
    if key:
        found["key"] = unquote_to_bytes(key[1:]).decode("utf-8", "replace")
    return found
