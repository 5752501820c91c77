"""A record on its way from codec to output, and the document it becomes.

Only the fields of a record that the pipeline touches are decoded. ``raw`` is its JSON text as it came, ``original`` the
decoded fields before the filters, ``event`` the same fields after them. If the filters only added fields, the document
is ``raw`` with the additions inserted before its last brace; a record in which a decoded field was changed or removed
is decoded in full, patched and encoded again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ingestd.event.event_id import EventIds, Key
from ingestd.event.fields import Event
from ingestd.event.jsontext import NotJsonError, dumps, loads

Record = tuple[bytes | None, Event, Event, Key]
"""``(raw, original, event, key)``. ``raw`` is None where ``event`` is the whole record; ``original`` is then unused."""


_MISSING = object()


def documents(records: Iterable[Record], touched: Collection[str]) -> list[bytes]:
    """Return each record as one JSON object without line ends, without ``@metadata``.

    ``touched`` are the top-level fields that the pipeline may set or remove; without any, records stay as they came.
    """
    if not touched:
        return [_text(event) if raw is None else raw for raw, _, event, _ in records]
    written: list[bytes] = []
    write = written.append
    for raw, original, event, _ in records:
        if raw is None:
            write(_text(event))
            continue
        added = event.copy()
        for name, value in original.items():
            # Values are never changed in place (see ``Event``), so identity shows whether one was replaced.
            if added.pop(name, _MISSING) is not value:
                write(_text(_patched(raw, original, event)))
                break
        else:
            added.pop("@metadata", None)
            write(raw[:-1] + (b"," + dumps(added)[1:]) if added else raw)
    return written


def _text(event: Event) -> bytes:
    """Return the text of an event, in memory of its own size: orjson leaves each text a buffer of 4 KB and more."""
    return b"%b" % dumps(_visible(event))


def whole(record: Record) -> Event:
    """Return the record with all its fields, those never decoded included."""
    raw, original, event, _ = record
    return event if raw is None else _patched(raw, original, event)


def _patched(raw: bytes, original: Event, event: Event) -> Event:
    try:
        full: Event = loads(raw)
    except NotJsonError:  # a field that was not decoded before is nested too deeply
        full = original | {"message": raw.decode("utf-8", "replace"), "tags": ["_jsonparsefailure"]}
    for key in original.keys() - event.keys():
        full.pop(key, None)
    full.update(event)
    return full


def _visible(event: Event) -> Event:
    if "@metadata" in event:
        return {key: value for key, value in event.items() if key != "@metadata"}
    return event


class Batch:
    """Records of one stream that go to an output together, in order.

    Args:
        records: In order.
        stream_id: With a record's key it makes the event's id.
        touched: See ``documents``.
        received_ns: When they were received: nanoseconds since the epoch.

    Documents are made once, however many outputs ask for them.
    """

    __slots__ = ("_documents", "received_ns", "records", "stream_id", "touched")

    def __init__(self, records: list[Record], stream_id: str, touched: tuple[str, ...], received_ns: int) -> None:
        self.records, self.stream_id, self.touched, self.received_ns = records, stream_id, touched, received_ns
        self._documents: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self.records)

    def documents(self) -> list[bytes]:
        """Return n JSON objects, in order."""
        if self._documents is None:
            self._documents = documents(self.records, self.touched)
        return self._documents

    def fields(self) -> list[Event]:
        """Return n events with at least the fields that the pipeline declares to read."""
        return [record[2] for record in self.records]

    def events(self) -> list[Event]:
        """Return n events with all their fields, ``@metadata`` included."""
        return [whole(record) for record in self.records]

    def ids(self) -> EventIds:
        """Return n event ids."""
        return EventIds(self.stream_id, [record[3] for record in self.records])

    def part(self, positions: Iterable[int]) -> Batch:
        """Return a batch of some of the records, for an output that sorts them."""
        records = [self.records[position] for position in positions]
        return Batch(records, self.stream_id, self.touched, self.received_ns)
