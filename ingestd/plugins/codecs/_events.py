"""Complete decoded events, the same for all codecs: a timestamp in UTC, a version, flat fields."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ingestd.event.chunk import Chunk
from ingestd.event.event_id import Key
from ingestd.event.fields import Event, add_tag, legal_tags
from ingestd.event.table import Table
from ingestd.event.timestamp import from_epoch, normalise

_RENAMED = {  # python-logstash: field in version 0, in version 1
    "@message": "message",
    "@source_host": "host",
    "@source_path": "path",
    "@tags": "tags",
    "@type": "type",
}
_RENAMED_EXTRAS = {"levelname": "level", "logger": "logger_name"}


class EventCollector:
    """Collects the events of a chunk one by one."""

    __slots__ = ("_events", "_keys", "_raws")

    def __init__(self) -> None:
        self._raws: list[bytes | None] = []
        self._events: list[Event] = []
        self._keys: list[Key] = []

    def add(self, raw: bytes | None, event: Event, key: Key) -> None:
        """Add an event; ``raw``: see ``Table``. Without it the event is whole, else it has its touched fields."""
        self._raws.append(raw)
        self._events.append(event)
        self._keys.append(key)

    def table(self, names: Collection[str] = ()) -> Table:
        """Return the events; ``names``: the touched fields."""
        return Table.of_records(self._raws, self._events, self._keys, names)


def receive_time(chunk: Chunk) -> str:
    """Return when a chunk was received, to the microsecond, as the timestamp of events without one."""
    return from_epoch(chunk.time_ns / 1e9)


def failed_message(chunk: Chunk, tag: str) -> Event:
    """Return the event for a message that cannot be decoded: its bytes as text, and the tag."""
    text = chunk.data.decode("utf-8", "backslashreplace")
    return complete({"message": text, "tags": [tag]}, receive_time(chunk))


def complete(event: Event, now: str) -> Event:
    """Complete a decoded event in place and return it, or its version 1 form if it is a version 0 record.

    ``@timestamp`` becomes canonical text in UTC; if missing, it is ``now``; if invalid, it is ``now`` too, its value is
    kept in ``_@timestamp`` and the event tagged ``_timestampparsefailure``, as in Logstash. ``@version`` defaults to
    ``"1"``. Invalid ``tags`` are kept in ``_tags``, and the event is tagged ``_tagsparsefailure``.
    """
    if "@fields" in event and "@message" in event:
        event = convert_version_0(event)
    tags = event.get("tags")
    if tags is not None and not legal_tags(tags):
        event["_tags"] = [tags]
        event["tags"] = ["_tagsparsefailure"]
    stamp = event.get("@timestamp")
    canonical = normalise(stamp)
    if canonical is None:
        event["@timestamp"] = now
        if stamp is not None:
            event["_@timestamp"] = stamp
            add_tag(event, "_timestampparsefailure")
    elif canonical is not stamp:
        event["@timestamp"] = canonical
    event.setdefault("@version", "1")
    return event


def convert_version_0(event: Event) -> Event:
    """Convert a version 0 record of python-logstash to version 1.

    Names follow its two formatters. Fields without a name in version 1 keep theirs, without the ``@``; ``@source``
    only repeats type, host and path and is dropped. Fields of the logging call never replace the record's timestamp.
    """
    flat: dict[str, Any] = {"@timestamp": event.get("@timestamp"), "@version": "1"}
    for old, new in _RENAMED.items():
        if old in event:
            flat[new] = event[old]
    fields = event["@fields"]
    extras = fields if type(fields) is dict else {"fields": fields}
    for name, value in extras.items():
        if name != "@timestamp" or flat["@timestamp"] is None:
            flat[_RENAMED_EXTRAS.get(name, name)] = value
    known = {"@timestamp", "@version", "@fields", "@source", *_RENAMED}
    for name, value in event.items():
        if name not in known:
            flat.setdefault(name.removeprefix("@") if name != "@metadata" else name, value)
    return flat
