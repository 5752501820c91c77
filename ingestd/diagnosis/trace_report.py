"""A trace as JSON, and as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from ingestd.compiler.trace import ConditionEntry, FilterEntry
from ingestd.diagnosis.trace import Destination, Trace, step_document
from ingestd.event.changes import Change
from ingestd.event.jsontext import dumps
from ingestd.event.table import ABSENT

_MAX_VALUE = 300
"""Characters of a value in a line of text."""


def trace_document(trace: Trace) -> dict[str, Any]:
    """Return a trace as JSON: the event, its steps in order, the events that came out.

    Events are numbered from 1; more than one there are only if a filter made copies.
    """
    numbers = _numbers(trace)
    return {
        "event": trace.received,
        "steps": [_entry_document(entry, numbers) for entry in trace.entries],
        "results": [
            {
                "number": numbers[result.row],
                "document": result.document,
                "outputs": [destination.document() for destination in result.destinations],
            }
            for result in trace.results
        ],
    }


def _numbers(trace: Trace) -> dict[int, int]:
    """Return the number of each event of a trace by its row."""
    rows = {entry.row for entry in trace.entries} | {result.row for result in trace.results}
    copies = {row for entry in trace.entries if isinstance(entry, FilterEntry) for row in entry.copies}
    return {row: number for number, row in enumerate(sorted(rows | copies), 1)}


def _entry_document(entry: ConditionEntry | FilterEntry, numbers: dict[int, int]) -> dict[str, Any]:
    if isinstance(entry, ConditionEntry):
        place = {"file": entry.span.file, "line": entry.span.line, "column": entry.span.column}
        section = "output" if entry.in_outputs else "filter"
        return {
            "type": "condition",
            "section": section,
            "number": numbers[entry.row],
            **place,
            "condition": entry.condition,
            "value": entry.value,
            "fields": entry.fields,
            "missing": entry.missing,
        }
    document = {"type": "filter", "number": numbers[entry.row], **step_document(entry.step)}
    document |= {"microseconds": round(entry.seconds * 1e6, 1), "details": entry.details}
    document |= {"changes": [change.document() for change in entry.changes], "dropped": entry.dropped}
    if entry.copies:
        document["copies"] = [numbers[row] for row in entry.copies]
    return document | ({"error": entry.error} if entry.error else {})


def trace_lines(trace: Trace) -> Iterator[str]:
    """Yield a trace as lines of text."""
    numbers = _numbers(trace)
    several = len(numbers) > 1
    for in_outputs, title in ((False, "filter"), (True, "output")):
        entries = [entry for entry in trace.entries if _in_outputs(entry) == in_outputs]
        if entries:
            yield title
        for entry in entries:
            pad = "  " * (entry.depth + 1)
            event = f"event {numbers[entry.row]}: " if several else ""
            yield from (pad + line for line in _entry_lines(entry, event, numbers))
    if not trace.results:
        yield "result: no event"
    for result in trace.results:
        yield f"result: event {numbers[result.row]}" if several else "result"
        yield from _indented(orjson.dumps(result.document, option=orjson.OPT_INDENT_2).decode())
        yield "  goes to" if result.destinations else "  goes to no output"
        yield from ("    " + _destination_line(destination) for destination in result.destinations)


def _in_outputs(entry: ConditionEntry | FilterEntry) -> bool:
    return isinstance(entry, ConditionEntry) and entry.in_outputs


def _entry_lines(entry: ConditionEntry | FilterEntry, event: str, numbers: dict[int, int]) -> Iterator[str]:
    if isinstance(entry, ConditionEntry):
        place = f"{entry.span.file}:{entry.span.line}"
        yield f"{place}  {event}if {entry.condition}: {str(entry.value).lower()}"
        for name, value in entry.fields.items():
            yield f"    {name} is {value_text(value)}"
        yield from (f"    {name} is missing" for name in entry.missing)
        return
    step = entry.step
    yield f"{step.span.file}:{step.span.line}  {event}{step.spec.name} ({step.plugin_id}), {_time(entry.seconds)}"
    yield from ("    " + line for line in entry.details)
    if entry.error:
        yield f"    failed: {entry.error}"
    yield from ("    " + change_text(change) for change in entry.changes)
    if entry.copies:
        yield f"    made event {', '.join(str(numbers[row]) for row in entry.copies)}"
    if entry.dropped:
        yield "    replaced by what it made" if entry.copies else "    dropped"
    elif not entry.changes and not entry.copies:
        yield "    no change"


def change_text(change: Change) -> str:
    """Return a change as a line: ``+`` for a new field, ``-`` for a removed one, ``~`` for a changed one."""
    if change.before is ABSENT:
        return f"+ {change.field} = {value_text(change.after)}"
    if change.after is ABSENT:
        return f"- {change.field}, was {value_text(change.before)}"
    return f"~ {change.field} = {value_text(change.after)}, was {value_text(change.before)}"


def value_text(value: Any) -> str:
    """Return a value as JSON on one line, cut if it is long."""
    text = dumps(value).decode()
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}... ({len(text):,} characters)"


def _destination_line(destination: Destination) -> str:
    step = destination.step
    parts = [f"{step.plugin_id}  {step.span.file}:{step.span.line}"]
    parts += [f"index {destination.index}"] if destination.index else []
    parts += [f"id {destination.document_id}"] if destination.document_id else []
    parts += [f"address {destination.addresses}"] if destination.addresses else []
    parts += [f"file {destination.path}"] if destination.path else []
    parts += [f"refused: {destination.rejected}"] if destination.rejected else []
    return ", ".join(parts)


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} us" if seconds < 0.1 else f"{seconds:,.2f} s"


def _indented(text: str) -> Iterator[str]:
    return ("  " + line for line in text.split("\n"))
