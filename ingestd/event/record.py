"""A record on its way from codec to output, and the document it becomes.

A record is decoded only as far as the pipeline touches it. ``raw`` is its JSON text as it came, ``head``
the decoded fields as they were before the filters, ``event`` the same fields after them. If the filters
only added fields, the document is ``raw`` with the additions spliced in before its last brace; only a
record in which a decoded field was changed or removed is decoded in full, patched and written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from operator import is_

from ingestd.event.fields import Event
from ingestd.event.jsontext import dumps, loads

Key = int | str
"""Place of a record in its stream: the byte offset of its first byte. Copies made by a filter have a text."""

Record = tuple[bytes | None, Event, Event, Key]
"""``(raw, head, event, key)``. ``raw`` is None where ``event`` is the whole record; ``head`` is then unused."""


def document(record: Record) -> bytes:
    """Return the record as one JSON object without line ends, without ``@metadata``."""
    raw, head, event, _ = record
    if raw is None:
        return dumps(_visible(event))
    size = len(head)
    # Values are never changed in place (see ``Event``), so identity tells; keys first: a filter may remove.
    if len(event) >= size and all(map(is_, head, event)) and all(map(is_, head.values(), event.values())):
        if len(event) == size:
            return raw
        added = dict(islice(event.items(), size, None))
        added.pop("@metadata", None)
        return b"%b,%b" % (raw[:-1], dumps(added)[1:]) if added else raw
    return dumps(_visible(_patched(raw, head, event)))


def whole(record: Record) -> Event:
    """Return the record with all its fields, those never decoded included."""
    raw, head, event, _ = record
    return event if raw is None else _patched(raw, head, event)


def _patched(raw: bytes, head: Event, event: Event) -> Event:
    full: Event = loads(raw)
    for key in head.keys() - event.keys():
        del full[key]
    full.update(event)
    return full


def _visible(event: Event) -> Event:
    if "@metadata" in event:
        return {key: value for key, value in event.items() if key != "@metadata"}
    return event


class Batch:
    """Records of one stream that go to an output together, in order.

    ``origin`` names the stream; with a record's key it makes the document id. ``size`` is the bytes
    of the frames they came from, the measure of flow control. Documents are made once, however many
    outputs ask for them.
    """

    __slots__ = ("_documents", "done", "origin", "records", "size")

    def __init__(self, records: list[Record], origin: str, size: int, done: Callable[[], None] | None = None) -> None:
        self.records, self.origin, self.size, self.done = records, origin, size, done
        self._documents: list[bytes] | None = None

    def __len__(self) -> int:
        return len(self.records)

    def documents(self) -> list[bytes]:
        """Return n JSON objects, in order."""
        if self._documents is None:
            self._documents = [document(record) for record in self.records]
        return self._documents

    def fields(self) -> list[Event]:
        """Return n events with at least the fields that the pipeline declares to read."""
        return [record[2] for record in self.records]

    def events(self) -> list[Event]:
        """Return n events with all their fields, ``@metadata`` included."""
        return [whole(record) for record in self.records]

    def ids(self) -> list[str]:
        """Return n document ids: the same for the same bytes of the same stream, rising within it."""
        origin = self.origin
        return [f"{origin}-{key:012x}" if type(key) is int else f"{origin}-{key}" for _, _, _, key in self.records]


def total_size(batches: Iterable[Batch]) -> int:
    """Return the bytes of all ``batches`` together."""
    return sum(batch.size for batch in batches)
