"""Records what each step of a pipeline does to each event.

A traced pipeline is the generated code of any other, which also calls the methods of a ``Tracer`` before and after each
filter and for each condition; filters and events are the same.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingestd.compiler.bound import Step
from ingestd.config.condition_text import condition_text, selectors
from ingestd.config.errors import Span
from ingestd.config.nodes import Condition
from ingestd.event.changes import Change, changes
from ingestd.event.fields import Event, FieldError, FieldRef
from ingestd.event.table import ABSENT, Rows, Table


@dataclass(frozen=True, slots=True)
class ConditionEntry:
    """The value of a condition for one event. ``fields``: those that it reads, by name; ``missing``: those it lacks."""

    row: int
    span: Span
    depth: int
    condition: str
    value: bool
    fields: dict[str, Any]
    missing: list[str]
    in_outputs: bool


@dataclass(slots=True)
class FilterEntry:
    """What a filter did to one event.

    ``copies`` are the rows of the events that it made of it; ``details`` what it says of itself; ``error`` is the
    exception that it raised; ``seconds`` its time, which is an equal share if it got several events at once.
    """

    row: int
    step: Step
    depth: int
    seconds: float
    changes: list[Change]
    details: list[str]
    error: str = ""
    dropped: bool = False
    copies: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Running:
    """A filter that runs: the events that it got, and what happened to them until now."""

    depth: int
    rows: list[int]
    details: dict[int, list[str]]
    started: float = 0.0
    errors: dict[int, str] = field(default_factory=dict)


class Tracer:
    """The entries of all events of a table, in the order in which they happened.

    ``received`` are the events as the filters got them, ``steps`` the filters by their names in the generated code,
    ``sources`` the texts of the config.
    """

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.sources: Mapping[str, str] = {}
        self.received: dict[int, Event] = {}
        self.entries: list[ConditionEntry | FilterEntry] = []
        self._states: dict[int, Event] = {}
        self._describe: dict[str, Callable[[Event], Iterable[str]]] = {}
        self._running = _Running(0, [], {})
        self._failures: list[tuple[str, Event]] = []
        self._in_outputs = False

    def start(self, table: Table, rows: Rows) -> None:
        """Note the events of a table, and forget those before."""
        self.entries, self._in_outputs = [], False
        self._states = {row: _snapshot(table, row) for row in rows}
        self.received = copy.deepcopy(self._states)

    def outputs(self) -> None:
        """Note that the filters are done."""
        self._in_outputs = True

    def test(self, condition: Condition, depth: int, table: Table, rows: Rows, chosen: Rows) -> None:
        """Note that a condition was asked for ``rows`` and is true for ``chosen``."""
        text, names, true = condition_text(condition, self.sources), selectors(condition), {*chosen}
        for row in rows:
            event = _snapshot(table, row)
            fields = {name: value for name in names if (value := _value(event, name)) is not ABSENT}
            missing = [name for name in names if name not in fields]
            entry = ConditionEntry(row, condition.span, depth, text, row in true, fields, missing, self._in_outputs)
            self.entries.append(entry)

    def enter(self, name: str, depth: int, table: Table, rows: Rows) -> None:
        """Note that a filter gets ``rows``."""
        step = self.steps[name]
        self._failures.clear()
        self._running = _Running(depth, [*rows], {row: self._details(step, row) for row in rows})
        self._running.started = time.perf_counter()

    def failed(self, step: Step, event: Event, error: Exception) -> None:
        """Note that a filter raised; called by the pipeline after the event got its tag."""
        self._failures.append((f"{type(error).__name__}: {error}", event))

    def leave(
        self, name: str, table: Table, rows: Rows, events: Sequence[Event] = (), fields: Sequence[str] = ()
    ) -> None:
        """Note what a filter left: ``rows``, of which ``events`` with ``fields`` are not in the table yet."""
        running = self._running
        seconds = (time.perf_counter() - running.started) / max(len(running.rows), 1)
        after = {row: _snapshot(table, row) for row in rows}
        for row, event in zip(rows, events, strict=bool(events)):
            after[row] = _with(after[row], event, fields, whole=table.events[row] is not None)
        made = _copies(table, running.rows, rows)
        for row in running.rows:
            before = self._states.get(row, {})
            entry = FilterEntry(row, self.steps[name], running.depth, seconds, [], running.details[row])
            entry.copies, entry.dropped = made.get(row, []), row not in after
            entry.changes = [] if entry.dropped else changes(before, after[row])
            entry.error = self._error(after.get(row, before))
            self.entries.append(entry)
        self._states |= after

    def _error(self, event: Event) -> str:
        """Return the error of the filter for an event, the next in the order of the rows with the same fields."""
        for number, (text, failed) in enumerate(self._failures):
            if all(event.get(name) == value for name, value in failed.items()):
                del self._failures[number]
                return text
        return ""

    def _details(self, step: Step, row: int) -> list[str]:
        """Return what a filter says of an event that it is about to get."""
        if step.spec.trace_details is None:
            return []
        try:
            if step.name not in self._describe:
                self._describe[step.name] = step.spec.trace_details(step.options)
            return [*self._describe[step.name](copy.deepcopy(self._states[row]))]
        except Exception as error:  # noqa: BLE001 -- it must not end the trace
            return [f"no details: {type(error).__name__}: {error}"]


def _snapshot(table: Table, row: int) -> Event:
    return copy.deepcopy(table.whole(row))


def _with(event: Event, changed: Event, fields: Iterable[str], *, whole: bool) -> Event:
    """Return an event as a filter left it, which got ``fields`` of it or, if it is whole, all fields."""
    kept = {} if whole else {name: value for name, value in event.items() if name not in fields}
    return copy.deepcopy(kept | changed)


def _copies(table: Table, entered: Rows, left: Rows) -> dict[int, list[int]]:
    """Return the rows that were added, by the row that they are copies of."""
    made: dict[int, list[int]] = {}
    for row in {*left} - {*entered}:
        origin: int | None = row
        while origin is not None and origin not in entered:
            origin = table.parent(origin)
        if origin is not None:
            made.setdefault(origin, []).append(row)
    return {row: sorted(rows) for row, rows in made.items()}


def _value(event: Event, name: str) -> Any:
    """Return the value of a field, ABSENT if it is missing."""
    try:
        ref = FieldRef(name)
    except FieldError:
        return ABSENT
    return ref.get(event) if ref.exists(event) else ABSENT
