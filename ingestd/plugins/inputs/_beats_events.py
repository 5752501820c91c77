"""Decodes what Beats send: an object in JSON for each event, with ``@metadata``, and text in ``message`` for the codec.

As Logstash does, the codec of the input is applied to ``message`` alone, and the fields of the event take precedence
over those that it finds. Usually that is the codec ``plain``, which changes nothing. Then a record stays text, as with
the codec ``json_lines``: only ``@metadata`` is taken out, which Beats write in second place, and ``@version`` is put
there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from typing import Any

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.event_id import Key, part_key
from ingestd.event.fields import Event, FieldError, FieldRef, add_tag
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.table import ABSENT, Table
from ingestd.plugins.codecs._json import JsonDecoder
from ingestd.plugins.codecs.plain import PlainCodec
from ingestd.plugins.inputs._beats_ids import BeatsIds
from ingestd.plugins.interfaces import Codec

_MAX_METADATA = 1000
"""Most different ``@metadata`` that are remembered: those of a Beat are all the same, but for ids."""

_RAW_TAG = "beats_input_raw_event"
_ALONE: dict[str, list[str]] = {}
"""Tags of events that have no others: lists in events are never changed in place."""

_start = re.compile(rb'(\{"@timestamp":"[^"\\]*+"),"@metadata":(\{[^{}]*+\})(?=[,}])').match
_version = b',"@version":"1"'

_ADDRESS, _ADDRESS_ECS = FieldRef("[@metadata][ip_address]"), FieldRef("[@metadata][input][beats][host][ip]")
_HOST_NAME, _HOST_NAME_ECS = FieldRef("host"), FieldRef("[@metadata][input][beats][host][name]")
_BEAT_HOST = FieldRef("[beat][hostname]")


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What is added to events.

    Attributes:
        codec_tag: A tag with the name of the codec, or one that says that there was no text.
        address: The address of the client, in ``@metadata``.
        host_name: ``[beat][hostname]`` as the host.
        ecs: By ECS names.
    """

    codec_tag: bool = True
    address: bool = True
    host_name: bool = False
    ecs: bool = False


class BeatsDecoder:
    """Decodes chunks of events, one a line; a ``Codec`` for the input.

    Args:
        codec: For the text of events.
        fields: The top-level names to decode, None for all.
        whole: A record with one of these top-level fields is decoded in full.
        enrichment: What is added to events.
    """

    delimiter = b"\n"
    joins_streams = False

    def __init__(
        self, codec: Codec, fields: frozenset[str] | None, whole: frozenset[str], enrichment: Enrichment
    ) -> None:
        self._codec, self._enrichment = codec, enrichment
        self._tag = (
            f"beats_input_codec_{type(codec).__module__.rpartition('.')[2]}_applied"  # after its name in configs
        )
        self._keeps_text = isinstance(codec, PlainCodec) and codec.keeps_text
        self._reads_metadata = fields is None or "@metadata" in fields
        touched = {"message", "line", "tags", *(("beat", "host") if enrichment.host_name else ())}
        own = fields | touched if fields is not None and self._keeps_text else None
        self._json = JsonDecoder(own, "UTF-8", whole=whole)
        self._ids = BeatsIds()
        self._metadata: dict[bytes, Event | None] = {}

    def encode(self, batch: Batch) -> bytes:
        """Return what the codec makes of events."""
        return self._codec.encode(batch)

    def decode(self, chunk: Chunk) -> Table:
        """Return the events of a chunk."""
        lines = BytesIO(chunk.data).readlines()
        table = self._records(chunk, lines)
        keys = self._keys(lines, table.keys, chunk.offset)
        if self._keeps_text:
            table.keys = keys
            self._take_line(table)
            if self._enrichment.codec_tag:
                self._add_tags(table)
        else:
            table = self._decoded(table, keys, chunk)
        self._enrich(table, str(chunk.fields.get("host", "")))
        return table

    def own_ids(self, chunk: Chunk) -> dict[str, int]:
        """Return the own ids of the events in a chunk, and the offsets of their lines."""
        lines = BytesIO(chunk.data).readlines()
        places = accumulate(map(len, lines[:-1]), initial=chunk.offset)
        return {own: place for own, place in zip(self._ids.of_lines(lines), places, strict=False) if own is not None}

    def _records(self, chunk: Chunk, lines: list[bytes]) -> Table:
        table = self._usual_records(chunk, lines) if lines and _start(lines[0]) else None
        return self._json.lines(chunk) if table is None else table

    def _usual_records(self, chunk: Chunk, lines: list[bytes]) -> Table | None:
        """Return the records of a chunk in which every line starts as Beats write it; None: it is not such a chunk."""
        starts = [*filter(None, map(_start, lines))]
        metadata = [self._parsed(start[2]) for start in starts]
        if len(starts) < len(lines) or None in metadata or b'"@version"' in chunk.data:
            return None
        texts = [start[1] + _version + line[start.end() :] for start, line in zip(starts, lines, strict=True)]
        table = self._json.lines(chunk._replace(data=b"".join(texts)))
        if len(table) != len(lines) or _any_failed(table):  # not objects, though they start like some
            return None
        table.keys = [*accumulate(map(len, lines[:-1]), initial=chunk.offset)]
        if self._reads_metadata:
            table.fill("@metadata", table.rows, metadata)
        return table

    def _parsed(self, text: bytes) -> Event | None:
        """Return a ``@metadata``, None if it is not valid; the same object for the same text."""
        if text not in self._metadata:
            if len(self._metadata) >= _MAX_METADATA:
                self._metadata.clear()
            try:
                self._metadata[text] = loads(text)
            except NotJsonError:
                self._metadata[text] = None
        return self._metadata[text]

    def _keys(self, lines: list[bytes], keys: Sequence[Key], offset: int) -> list[Key]:
        """Return the ids of events that name themselves, and the places of others."""
        ids = self._ids.of_lines(lines)
        if len(keys) == len(lines):
            return [key if own is None else own for key, own in zip(keys, ids, strict=True)]
        places = accumulate(map(len, lines[:-1]), initial=offset)
        owns: dict[Key, str | None] = dict(zip(places, ids, strict=True)) if lines else {}
        return [owns.get(key) or key for key in keys]

    def _take_line(self, table: Table) -> None:
        """Rename ``line``, where logstash-forwarder has its text, to ``message``."""
        lines, messages = table.column("line"), table.column("message")
        rows = [
            row
            for row, (line, message) in enumerate(zip(lines, messages, strict=True))
            if type(line) is str and (message is ABSENT or message is None)
        ]
        if rows:
            table.replace("message", rows, [lines[row] for row in rows])
            table.replace("line", rows, [ABSENT] * len(rows))

    def _decoded(self, table: Table, keys: list[Key], chunk: Chunk) -> Table:
        """Return the events with what the codec makes of their text."""
        self._take_line(table)
        events, new_keys = list[Event](), list[Key]()
        for event, key in zip(table.wholes(table.rows), keys, strict=True):
            for number, new in enumerate(self._with_text(event, chunk)):
                events.append(new)
                new_keys.append(part_key(key, number))
        return Table.of_events(events, new_keys)

    def _with_text(self, event: Event, chunk: Chunk) -> list[Event]:
        message = event.get("message")
        if type(message) is not str:
            events, tag = [event], _RAW_TAG
        else:
            data = message.encode("utf-8", "surrogatepass")
            decoded = self._codec.decode(chunk._replace(fields={}, offset=0, frames=1, data=data))
            rest = {name: value for name, value in event.items() if name != "message"}
            events, tag = [_merged(decoded.whole(row), rest) for row in decoded.rows] or [event], self._tag
        for new in events if self._enrichment.codec_tag else ():
            add_tag(new, tag)
        return events

    def _enrich(self, table: Table, address: str) -> None:
        extra, rows = self._enrichment, table.rows
        if extra.host_name:
            self._add_host(table)
        if extra.address and address and self._reads_metadata:
            ref = _ADDRESS_ECS if extra.ecs else _ADDRESS
            known: dict[int, Any] = {}  # the events of a Beat share theirs
            table.replace(
                "@metadata", rows, [_with_address(value, ref, address, known) for value in table.column("@metadata")]
            )

    def _add_tags(self, table: Table) -> None:
        """Add the tag of the codec, or that of events without text."""
        columns = zip(table.column("tags"), table.column("message"), strict=True)
        new = [_with_tag(tags, self._tag if type(message) is str else _RAW_TAG) for tags, message in columns]
        table.replace("tags", table.rows, new)

    def _add_host(self, table: Table) -> None:
        """Set the host to what old Beats call their host, where it is missing."""
        ref = _HOST_NAME_ECS if self._enrichment.ecs else _HOST_NAME
        hosts, put = table.values(ref), table.setter(ref)
        for row, name in enumerate(table.values(_BEAT_HOST)):
            if type(name) is str and (hosts[row] is ABSENT or hosts[row] is None):
                put(row, name)


def _any_failed(table: Table) -> bool:
    """Return whether there may be an event of a line that is not JSON."""
    return any(type(tags) is list and "_jsonparsefailure" in tags for tags in table.column("tags"))


def _with_tag(tags: Any, tag: str) -> list[str]:
    if tags is ABSENT or tags is None:
        return _ALONE[tag] if tag in _ALONE else _ALONE.setdefault(tag, [tag])
    tags = tags if type(tags) is list else [tags]
    return tags if tag in tags else [*tags, tag]


def _with_address(metadata: Any, ref: FieldRef, address: str, known: dict[int, Any]) -> Any:
    """Return a ``@metadata`` with an address; what is not an object stays as it is."""
    if id(metadata) not in known:
        event: Event = {} if metadata is ABSENT else {"@metadata": metadata}
        with suppress(FieldError):
            ref.set(event, address)
        known[id(metadata)] = event.get("@metadata", ABSENT)
    return known[id(metadata)]


def _merged(decoded: Event, fields: Event) -> Event:
    """Return the fields of an event and what a codec found in its text: objects of both, all tags."""
    event = decoded | fields
    for name, value in fields.items():
        found = decoded.get(name)
        if type(found) is dict and type(value) is dict:
            event[name] = found | value
    if "tags" in fields:
        event["tags"] = fields["tags"]
        for tag in decoded.get("tags", ()):
            add_tag(event, tag)
    return event
