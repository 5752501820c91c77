"""Records of GELF, with the fields that Logstash's input ``gelf`` makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.table import Table
from ingestd.event.timestamp import from_epoch
from ingestd.plugins.charsets import text_decoder
from ingestd.plugins.codecs._events import complete, receive_time
from ingestd.plugins.codecs._json import encode_lines

_TEXT = text_decoder("UTF-8", "")
_AROUND = b"\0 \t\r\n"


@dataclass(frozen=True, slots=True)
class GelfCodec:
    """Decodes one record in each message.

    Attributes:
        remap: `message` is the full message, else the short one.
        strip_leading_underscore: Fields that the sender has added lose their underscore.
    """

    remap: bool
    strip_leading_underscore: bool
    delimiter: None = None
    joins_streams: bool = False

    def decode(self, chunk: Chunk) -> Table:
        """Return the event of a message, none if it is empty."""
        if not chunk.data.strip(_AROUND):
            return Table.of_events([], [])
        return Table.of_events([self._event(chunk.data, chunk, receive_time(chunk))], [chunk.offset])

    def decode_lines(self, chunk: Chunk) -> Table:
        """Return the event of each line that is not empty."""
        lines, now = chunk.data.removesuffix(b"\n").split(b"\n"), receive_time(chunk)
        keys = accumulate([len(line) + 1 for line in lines[:-1]], initial=chunk.offset)
        found = [(line, key) for line, key in zip(lines, keys, strict=True) if line.strip(_AROUND)]
        return Table.of_events([self._event(line, chunk, now) for line, _ in found], [key for _, key in found])

    def _event(self, message: bytes, chunk: Chunk, now: str) -> Event:
        try:
            record = loads(message.strip(_AROUND))
        except NotJsonError:
            record = None
        if type(record) is not dict:
            event: Event = {"message": _TEXT(message), "tags": ["_jsonparsefailure"]}
        else:
            event = self._fields(record)
        return complete(event | chunk.fields, now)

    def _fields(self, record: Event) -> Event:
        event = {self._name(name): value for name, value in record.items()}
        stamp = _timestamp(record.get("timestamp"))
        if stamp:
            event["@timestamp"] = stamp
            event.pop("timestamp", None)
        if self.remap:
            _remap(event)
        return event

    def _name(self, name: str) -> str:
        added = self.strip_leading_underscore and name[:1] == "_" and name[1:2] not in ("", "@")
        return name[1:] if added else name

    def encode(self, batch: Batch) -> bytes:
        """Return the documents, one per line."""
        return encode_lines(batch)


def _timestamp(value: Any) -> str:
    """Return a time in seconds since the epoch as a timestamp, empty if it is none."""
    if type(value) not in (int, float):
        return ""
    try:
        return from_epoch(value)
    except (ValueError, OverflowError):
        return ""


def _remap(event: Event) -> None:
    if event.get("full_message"):
        event["message"] = event.pop("full_message")
        if event.get("short_message") == event["message"]:
            del event["short_message"]
    elif event.get("short_message"):
        event["message"] = event.pop("short_message")
