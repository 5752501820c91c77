"""Events that go to an output together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingestd.event.event_id import EventIds, Key
from ingestd.event.fields import Event
from ingestd.event.table import Column, Pieces, Rows, Table


class Batch:
    """Events of a chunk, or of chunks that were joined, in order.

    Args:
        table: The events.
        rows: Which of them, in order.
        stream_id: With an event's key it makes the event's id; empty, or if the table has ids: the keys are the ids.
        received_ns: When they were received: nanoseconds since the epoch.

    Documents are made once, however many outputs ask for them.
    """

    __slots__ = ("_documents", "_pieces", "_rows", "_table", "received_ns", "stream_id")

    def __init__(self, table: Table, rows: Rows, stream_id: str, received_ns: int) -> None:
        self._table, self._rows = table, rows
        self.stream_id, self.received_ns = "" if table.has_ids else stream_id, received_ns
        self._documents: list[bytes] | None = None
        self._pieces: Pieces | None = None

    @classmethod
    def of_events(cls, events: Sequence[Event], keys: Sequence[Key], stream_id: str, received_ns: int) -> Batch:
        """Return a batch of whole events."""
        table = Table.of_events(events, keys)
        return cls(table, table.rows, stream_id, received_ns)

    def __len__(self) -> int:
        return len(self._rows)

    def documents(self) -> list[bytes]:
        """Return n JSON objects, in order."""
        if self._documents is None:
            self._documents = [*map(b"".join, zip(*self.pieces(), strict=True))]
        return self._documents

    def pieces(self) -> Pieces:
        """Return the documents in pieces, for an output that joins them into one text."""
        if self._pieces is None:
            self._pieces = self._table.pieces(self._rows)
        return self._pieces

    def column(self, name: str) -> Column:
        """Return n values of a field that the pipeline declares to read."""
        return self._table.pick(self._table.column(name), self._rows)

    def fields(self, names: Sequence[str]) -> list[Event]:
        """Return n events with at least the top-level fields ``names``, which the pipeline declares to read."""
        return self._table.fields(self._rows, names)

    def events(self) -> list[Event]:
        """Return n events with all their fields, ``@metadata`` included."""
        return [self._table.whole(row) for row in self._rows]

    def ids(self) -> EventIds:
        """Return n event ids."""
        return EventIds(self.stream_id, self._table.pick(self._table.keys, self._rows))

    def part(self, positions: Iterable[int]) -> Batch:
        """Return a batch of some of the events, for an output that sorts them."""
        return Batch(self._table, [self._rows[position] for position in positions], self.stream_id, self.received_ns)
