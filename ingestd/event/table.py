"""The events of a chunk as columns: what codecs make, filters change and outputs write.

Of a record that came as JSON only the fields that the pipeline touches are decoded, into one column for each field; the
rest stays text: ``raws`` has the record without its last brace. Its document is that text with the fields appended that
filters added or changed, and those cut out that they changed or removed; where that is not possible, the record is
decoded in full, patched and encoded again. An event that is not such a record is a dict in ``events``, with all its
fields.

Columns are read and written by name, and one is read from the dicts when it is first asked for. ``ABSENT`` stands where
an event lacks the field. Lists and dicts inside of events are never changed in place, but replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import is_
from typing import Any, Final, Literal, TypeVar

import msgspec

from ingestd.event.documents import cut_member, document, encode_additions, patched, set_all
from ingestd.event.event_id import Key, copy_key
from ingestd.event.fields import Event, FieldRef, add_tag

ABSENT: Final[Literal[msgspec.UnsetType.UNSET]] = msgspec.UNSET
"""In a column: the event does not have the field. (A field may be null, which is ``None``.)"""

T = TypeVar("T")
Column = Sequence[Any]
Rows = Sequence[int]
Pieces = tuple[list[bytes], list[bytes], list[bytes]]
"""n documents, each in three pieces: an output joins them all at once, together with what goes between documents."""


class Table:
    """n events.

    Args:
        raws: For each event the JSON text as it came, without its last brace; None where ``events`` has the event.
        events: All fields of each event that is not text.
        keys: Their places in the stream; with the id of the stream they make the ids of the events.
        columns: n values of each decoded field, if there is text.

    Attributes:
        has_ids: Whether the keys are the ids.
    """

    __slots__ = (
        "_any_text",
        "_any_whole",
        "_columns",
        "_decoded",
        "_failed",
        "_names_in_wholes",
        "_nested",
        "_numbers",
        "_owned",
        "_parents",
        "events",
        "has_ids",
        "keys",
        "raws",
    )

    def __init__(
        self,
        raws: list[bytes | None],
        events: list[Event | None],
        keys: list[Key],
        columns: Mapping[str, tuple[Any, ...]] | None = None,
    ) -> None:
        self.raws, self.events, self.keys = raws, events, keys
        self.has_ids = False
        self._columns: dict[str, Column] = {} if columns is None else {**columns}
        self._decoded: dict[str, Column] = self._columns.copy()
        self._owned: set[str] = set()
        self._parents: dict[int, int] = {}
        self._numbers: dict[int, int] = {}  # of the last copy of an event
        self._nested: dict[FieldRef, tuple[Column, Column]] = {}
        self._names_in_wholes: frozenset[str] | None = None
        """Fields of whole events, if they are known."""
        self._failed = False
        self._any_text, self._any_whole = any(raws), columns is None or not all(raws)

    @classmethod
    def of_events(cls, events: Sequence[Event], keys: Sequence[Key]) -> Table:
        """Return a table of whole events."""
        return cls([None] * len(events), [*events], [*keys])

    @classmethod
    def of_records(
        cls, raws: list[bytes | None], events: Sequence[Event], keys: list[Key], names: Collection[str]
    ) -> Table:
        """Return a table of events that are whole where ``raws`` is None; of all others they have only ``names``."""
        wholes = [event if raw is None else None for raw, event in zip(raws, events, strict=True)]
        if None not in wholes:
            return cls(raws, wholes, keys)
        columns = {name: tuple([event.get(name, ABSENT) for event in events]) for name in names}
        return cls(raws, wholes, keys, columns)

    @classmethod
    def of_columns(cls, columns: Mapping[str, Column], keys: Sequence[Key]) -> Table:
        """Return a table of events that have these fields, and ``@version``: as if a filter had added them."""
        count = len(keys)
        decoded = dict.fromkeys(columns, (ABSENT,) * count) | {"@version": ("1",) * count}
        table = cls([b'{"@version":"1"'] * count, [None] * count, [*keys], decoded)
        table._columns |= columns
        return table

    @classmethod
    def joined(cls, tables: Sequence[Table], *, by_key: bool = False) -> Table:
        """Return the events of several tables, in their order or in that of their keys; not after any filter."""
        keys = [key for table in tables for key in table.keys]
        order = sorted(range(len(keys)), key=keys.__getitem__) if by_key else range(len(keys))

        def join(columns: Iterable[Sequence[T]]) -> list[T]:
            items = [*chain.from_iterable(columns)]
            return [items[place] for place in order] if by_key else items

        raws = join(table.raws for table in tables)
        names = sorted({name for table in tables for name in table._columns}) if any(raws) else ()
        current = {name: join([table.column(name) for table in tables]) for name in names}
        decoded = {name: tuple(join([table._decoded[name] for table in tables])) for name in names}
        joined = cls(raws, join(table.events for table in tables), join(table.keys for table in tables), decoded)
        for name in names:
            if any(table._columns[name] is not table._decoded[name] for table in tables):
                joined._columns[name] = current[name]
        return joined

    def __len__(self) -> int:
        """Return how many events it has."""
        return len(self.keys)

    @property
    def rows(self) -> Rows:
        """All rows."""
        return range(len(self.keys))

    @property
    def decoded_names(self) -> tuple[str, ...]:
        """The fields of which there are columns."""
        return tuple(self._columns)

    def column(self, name: str) -> Column:
        """Return the values of a field, to read."""
        column = self._columns.get(name)
        if column is None:
            if self._names_in_wholes is None:
                self._names_in_wholes = frozenset().union(*filter(None, self.events))
            if name in self._names_in_wholes:
                column = [ABSENT if event is None else event.get(name, ABSENT) for event in self.events]
            else:
                column = [ABSENT] * len(self.events)
            self._decoded[name] = self._columns[name] = column
        return column

    def writable(self, name: str) -> list[Any]:
        """Return the values of a field, to change: a value is replaced by another, or by ``ABSENT``."""
        if name not in self._owned:
            self._columns[name] = [*self.column(name)]
            self._owned.add(name)
        return self._columns[name]  # type: ignore[return-value]

    def values(self, ref: FieldRef) -> Column:
        """Return the values of a field that may be nested; then it is None where it is missing."""
        column = self.column(ref.top)
        if len(ref.path) == 1:
            return column
        known = self._nested.get(ref)
        if known is not None and known[0] is column:
            return known[1]
        values = [None if top is ABSENT else ref.inside(top) for top in column]
        if ref.top not in self._owned:  # else the column is changed in place
            self._nested[ref] = (column, values)
        return values

    def setter(self, ref: FieldRef) -> Callable[[int, Any], None]:
        """Return a function that sets a field, which may be nested, in a row. It raises what ``ref.set`` raises."""
        if type(ref) is FieldRef and len(ref.path) == 1:
            return self.writable(ref.top).__setitem__
        return partial(self._change, ref.top, ref.set)

    def remove(self, ref: FieldRef, row: int) -> None:
        """Remove a field, which may be nested."""
        self._change(ref.top, lambda event, _: ref.remove(event), row, None)

    def add_tag(self, row: int, tag: str) -> None:
        """Add a tag to an event, see ``fields.add_tag``."""
        self._change("tags", add_tag, row, tag)

    def _change(self, name: str, change: Callable[[Event, Any], Any], row: int, value: Any) -> None:
        column = self.writable(name)
        holder: Event = {} if column[row] is ABSENT else {name: column[row]}
        change(holder, value)
        column[row] = holder.get(name, ABSENT)

    def attempts(self, rows: Rows) -> Iterator[Rows]:
        """Yield ``rows``; if ``fail`` is called then, undo what was written since, and yield each row alone."""
        if not rows:
            return
        columns, decoded, events = self._columns.copy(), self._decoded, self.events.copy()
        self._owned.clear()
        yield rows
        if self._failed:
            self._failed = False
            self._columns, self._decoded, self.events = columns, decoded, events
            self._names_in_wholes = None
            for row in rows:
                self._owned.clear()
                yield (row,)

    def fail(self) -> None:
        """Let ``attempts`` try each row alone."""
        self._failed = True

    def take(self, rows: Rows, names: Sequence[str]) -> list[Event]:
        """Return events to change and to give back with ``put_back``: copies of whole ones, others with ``names``."""
        events = self.fields(rows, names) if self._any_text else self._copies(rows)
        if self._any_text and self._any_whole:
            wholes = [position for position, row in enumerate(rows) if self.events[row] is not None]
            for position, event in zip(wholes, self._copies([rows[position] for position in wholes]), strict=True):
                events[position] = event
        return events

    def fields(self, rows: Rows, names: Sequence[str]) -> list[Event]:
        """Return events with ``names``, to read."""
        columns = [self.pick(self.column(name), rows) for name in names]
        return [
            {name: value for name, value in zip(names, values, strict=True) if value is not ABSENT}
            for values in (zip(*columns, strict=True) if columns else [()] * len(rows))
        ]

    def _copies(self, rows: Rows) -> list[Event]:
        """Return copies of whole events."""
        events: list[Event] = [self.events[row].copy() for row in rows]  # type: ignore[union-attr]
        for name, column in self._columns.items():
            if column is not self._decoded[name]:
                set_all(events, name, self.pick(column, rows))
        return events

    def put_back(self, rows: Rows, events: Sequence[Event], names: Collection[str]) -> None:
        """Take over the fields ``names`` of events that ``take`` returned, and all fields of whole ones."""
        if self._is_all(rows) and not self._any_text:
            self.events = [*events]
            self._columns, self._decoded, self._names_in_wholes = {}, {}, None
            self._owned.clear()
            return
        for name in names:
            self.replace(name, rows, [event.get(name, ABSENT) for event in events])
        if self._any_whole:
            wholes = {row: event for row, event in zip(rows, events, strict=True) if self.events[row] is not None}
            for row, event in wholes.items():
                self.events[row] = event
            for name in self._columns.keys() - names if wholes else ():
                self.replace(name, [*wholes], [event.get(name, ABSENT) for event in wholes.values()])
            self._names_in_wholes = None  # ``replace`` may have collected those of the events before

    def lacks(self, name: str, rows: Rows) -> bool:
        """Return whether one of ``rows`` lacks a field."""
        return msgspec.UnsetType in {*map(type, self.pick(self.column(name), rows))}

    def fill(self, name: str, rows: Rows, values: Sequence[Any]) -> None:
        """Set a field in those of ``rows`` that lack it; ``ABSENT`` among ``values`` sets nothing."""
        held = self.pick(self.column(name), rows)
        if is_absent(held):
            self.replace(name, rows, [*values])
        else:
            self.replace(name, rows, [new if old is ABSENT else old for old, new in zip(held, values, strict=True)])

    def replace(self, name: str, rows: Rows, values: Column) -> None:
        """Set a field in ``rows``, but leave its column as it was decoded if nothing changes; takes ``values`` over."""
        if all(map(is_, map(self.column(name).__getitem__, rows), values)):
            return
        if self._is_all(rows):
            self._columns[name] = values
            self._owned.discard(name)
            return
        column = self.writable(name)
        for row, value in zip(rows, values, strict=True):
            column[row] = value

    def _is_all(self, rows: Rows) -> bool:
        return type(rows) is range and len(rows) == len(self.keys)

    def pick(self, column: Column, rows: Rows) -> Column:
        """Return the values of ``column`` in some rows."""
        return column if self._is_all(rows) else [column[row] for row in rows]

    def event(self, row: int) -> Event:
        """Return a copy of an event: with all its fields if it is whole, else with those that were decoded."""
        columns = self._columns.items()
        if self.events[row] is None:
            return {name: column[row] for name, column in columns if column[row] is not ABSENT}
        return self._copies((row,))[0]

    def wholes(self, rows: Rows) -> list[Event]:
        """Return events as dicts, to change in place; only if there is no text."""
        self._names_in_wholes = None
        for name, column in self._columns.items():
            if column is not self._decoded[name]:
                set_all(self.events, name, column)  # type: ignore[arg-type]
        self._columns.clear()
        self._decoded.clear()
        self._owned.clear()
        return self.events if self._is_all(rows) else [self.events[row] for row in rows]  # type: ignore[misc, return-value]

    def add_copy(self, row: int, number: int, event: Event) -> int:
        """Add an event that a filter made of another, and return its row; only if there is no text.

        ``number`` is part of its id; if a filter before has made a copy with that number, it is a higher one.
        """
        number = self._numbers[row] = max(number, self._numbers.get(row, -1) + 1)
        self.raws.append(None)
        self.events.append(event)
        self._names_in_wholes = None
        self.keys.append(copy_key(self.keys[row], number))
        self._parents[len(self.keys) - 1] = row
        return len(self.keys) - 1

    def parent(self, row: int) -> int | None:
        """Return the row of the event that an event is a copy of, None if it is none."""
        return self._parents.get(row)

    def merge(self, rows: Rows, *parts: Rows) -> Rows:
        """Return the rows of ``parts``, which are ``rows`` or copies of them, in the order of ``rows``."""
        position = {row: number for number, row in enumerate(rows)}

        def origin(row: int) -> int:
            while row not in position:
                row = self._parents[row]
            return position[row]

        return sorted([row for part in parts for row in part], key=origin)

    def whole(self, row: int) -> Event:
        """Return an event with all its fields, those never decoded included."""
        raw = self.raws[row]
        if raw is None:
            return self.event(row)
        decoded = {name: column[row] for name, column in self._decoded.items() if column[row] is not ABSENT}
        return patched(raw, self.event(row), decoded)

    def documents(self, rows: Rows) -> list[bytes]:
        """Return events as JSON objects without line ends, without ``@metadata``."""
        return [*map(b"".join, zip(*self.pieces(rows), strict=True))]

    def pieces(self, rows: Rows) -> Pieces:
        """Return the documents of ``rows``, each in three pieces."""
        every, count = self._is_all(rows), len(rows)
        raws = self.raws if every else [self.raws[row] for row in rows]
        if not self._any_text:
            return [*map(document, self._copies(rows))], [b""] * count, [b""] * count
        heads, commas, tails = [raw or b"" for raw in raws], [b""] * count, [b"}"] * count
        names, columns, changed = self._additions(rows, every=every)
        rewritten = {position for name in changed for position in cut_member(heads, changed[name], name)}
        if names:
            tails = encode_additions(names, columns)
            commas = [b","] * count if b"}" not in tails else [b"" if tail == b"}" else b"," for tail in tails]
        wholes = [position for position, raw in enumerate(raws) if raw is None] if self._any_whole else ()
        for position in rewritten.union(wholes):
            heads[position] = document(self.whole(rows[position]))
            commas[position] = tails[position] = b""
        return heads, commas, tails

    def _additions(self, rows: Rows, *, every: bool) -> tuple[tuple[str, ...], list[Column], dict[str, list[int]]]:
        """Return the fields that filters added or changed, their values, and the positions of records that had them."""
        added: dict[str, Column] = {}
        changed: dict[str, list[int]] = {}
        for name, column in self._columns.items():
            decoded = self._decoded[name]
            if column is decoded or name == "@metadata":
                continue
            new, old = (column, decoded) if every else ([column[row] for row in rows], [decoded[row] for row in rows])
            if not is_absent(old):
                # Values are never changed in place (see ``Event``), so identity shows whether one was replaced.
                same = [*map(is_, new, old)]
                changed[name] = [n for n, kept in enumerate(same) if not kept and old[n] is not ABSENT]
                new = [ABSENT if kept else value for kept, value in zip(same, new, strict=True)]
            if not is_absent(new):
                added[name] = new
        return tuple(added), [*added.values()], changed


def is_absent(column: Column) -> bool:
    """Return whether no event has the field of ``column``."""
    # Counting what is identical is fast, comparing other values is not.
    return not column or (column[0] is ABSENT and column[-1] is ABSENT and column.count(ABSENT) == len(column))
