"""What every decoded event gets, whatever its codec: a timestamp in UTC, a version, the flat shape."""

from __future__ import annotations

from typing import Any

from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event, add_tag, legal_tags
from ingestd.event.timestamp import from_epoch, normalise

_SHAPES = {  # of python-logstash's version 0: its name, the name in version 1
    "@message": "message",
    "@source_host": "host",
    "@source_path": "path",
    "@tags": "tags",
    "@type": "type",
}
_FIELDS = {"levelname": "level", "logger": "logger_name"}


def receive_time(chunk: Chunk) -> str:
    """Return when a chunk was received, to the microsecond, as the timestamp of events that have none."""
    return from_epoch(chunk.time_ns / 1e9)


def complete(event: Event, now: str) -> Event:
    """Complete a decoded event in place of the codec; returns it, or its flat form if it was a version 0 record.

    ``@timestamp`` becomes canonical text in UTC; if it is missing it is ``now``, if it is no time it is
    ``now`` as well, the value is kept in ``_@timestamp`` and the event tagged ``_timestampparsefailure``, as
    in Logstash. ``@version`` is ``"1"`` unless given. What cannot be ``tags`` is kept in ``_tags``, and the event
    tagged ``_tagsparsefailure``.
    """
    if "@fields" in event and "@message" in event:
        event = lift(event)
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


def lift(event: Event) -> Event:
    """Return a version 0 record of python-logstash in the shape of version 1.

    Names follow its two formatters. What has no name in version 1 is kept under its own, without the ``@``;
    ``@source`` only says type, host and path once more and goes.
    """
    flat: dict[str, Any] = {"@timestamp": event.get("@timestamp"), "@version": "1"}
    for old, new in _SHAPES.items():
        if old in event:
            flat[new] = event[old]
    fields = event["@fields"]
    extras = fields if type(fields) is dict else {"fields": fields}
    for name, value in extras.items():
        flat[_FIELDS.get(name, name)] = value
    known = {"@timestamp", "@version", "@fields", "@source", *_SHAPES}
    for name, value in event.items():
        if name not in known:
            flat.setdefault(name.removeprefix("@") if name != "@metadata" else name, value)
    return flat
