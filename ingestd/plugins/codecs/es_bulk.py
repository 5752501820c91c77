"""``es_bulk``: what clients send to ``_bulk`` of Elasticsearch: an action on a line, its document on the next one.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-codecs-es_bulk. `[@metadata]` of an event has the
action and the rest of its line: `[@metadata][action]`, `[@metadata][_id]`, `[@metadata][_index]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingestd.event.batch import Batch
from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event, FieldRef
from ingestd.event.jsontext import NotJsonError, loads
from ingestd.event.table import Table
from ingestd.plugins.charsets import text_decoder
from ingestd.plugins.codecs._events import EventCollector, complete, receive_time
from ingestd.plugins.codecs._options import charset_option, fallback_charset_option
from ingestd.plugins.ecs import ecs_option, uses_ecs
from ingestd.plugins.registry import BuildContext, option, plugin
from ingestd.protocols.framing.grouping import Grouping, LineGrouping

_WITH_DOCUMENT = ("index", "create", "update")
_ACTIONS = (*_WITH_DOCUMENT, "delete")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the codec ``es_bulk``."""

    charset: str = charset_option()
    fallback_charset: str = fallback_charset_option()
    target: FieldRef | None = option(None, "Field for the document; default: the document becomes the event.")
    ecs_compatibility: str = ecs_option("With `v1` or `v8`, action and metadata are in `[@metadata][codec][es_bulk]`.")


class EsBulkCodec:
    """Decodes actions with their documents; it cannot encode."""

    delimiter = None
    joins_streams = False

    def __init__(self, opts: Options, longest: int) -> None:
        self._opts = opts
        self._text = text_decoder(opts.charset, opts.fallback_charset)
        self.grouping: Grouping = LineGrouping(
            _has_document, following=True, max_lines=1, max_bytes=2 * longest, longest=longest
        )

    def decode(self, chunk: Chunk) -> Table:
        """Return the events of a message; what is not an action becomes an event with ``_jsonparsefailure``."""
        records, now = EventCollector(), receive_time(chunk)
        for offset, event in self._events(chunk.data):
            records.add(None, complete(event, now), chunk.offset + offset)
        return records.table()

    def _events(self, data: bytes) -> Iterator[tuple[int, Event]]:
        metadata: dict[str, Any] | None = None
        start = offset = 0
        for line in data.split(b"\n"):
            here, offset = offset, offset + len(line) + 1
            if not line.strip():
                continue
            value = _object(self._text(line).encode())
            if metadata is not None:
                yield start, self._failure(line) if value is None else self._event(metadata, value)
                metadata = None
            elif (action := _action(value)) is None:
                yield here, self._failure(line)
            elif action["action"] == "delete":
                yield here, self._event(action, {})
            else:
                metadata, start = action, here
        if metadata is not None:
            yield start, self._event(metadata, {})

    def _event(self, metadata: dict[str, Any], document: Event) -> Event:
        event = document
        if self._opts.target is not None:
            event = {}
            self._opts.target.set(event, document)
        held = {"codec": {"es_bulk": metadata}} if uses_ecs(self._opts) else metadata
        return event | {"@metadata": held}

    def _failure(self, line: bytes) -> Event:
        return {"message": self._text(line.removesuffix(b"\r")), "tags": ["_jsonparsefailure"]}

    def encode(self, batch: Batch) -> bytes:
        """Raise ValueError: as in Logstash, it only decodes."""
        raise ValueError("the codec es_bulk cannot encode; use the output elasticsearch")


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = loads(line)
    except NotJsonError:
        return None
    return value if isinstance(value, dict) else None


def _action(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the metadata of an action, with its name; None: it is none."""
    if value is None or len(value) != 1:
        return None
    [(name, metadata)] = value.items()
    return {"action": name, **metadata} if name in _ACTIONS and isinstance(metadata, dict) else None


def _has_document(line: bytes) -> bool:
    action = _action(_object(line))
    return action is not None and action["action"] in _WITH_DOCUMENT


@plugin("codec", "es_bulk", Options, encodes=False)
def build(opts: Options, context: BuildContext) -> EsBulkCodec:
    """Lines for Elasticsearch's `_bulk`: an event for each action."""
    return EsBulkCodec(opts, context.settings.max_line_bytes)
