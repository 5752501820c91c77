"""What comes out of a config, compared with what a case expects, in lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ingestd.compiler.trace import FilterEntry
from ingestd.diagnosis.trace import Result, Trace
from ingestd.diagnosis.trace_report import value_text
from ingestd.event.changes import changes, reference, same
from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT
from ingestd.jobs.cases.case import Case, ExpectedEvent


def differences(case: Case, traces: Sequence[Trace]) -> list[str]:
    """Return the differences between what came out and what ``case`` expects; empty: it passed."""
    found = [(trace, result) for trace in traces for result in trace.results]
    lines: list[str] = []
    for number, (expected, (trace, result)) in enumerate(zip(case.expected, found, strict=False), 1):
        of_event = [*_event_differences(expected, trace, result)]
        title = f"event {number}" if len(case.expected) > 1 or len(found) > 1 else "the event"
        lines += [f"{title}, expected at line {expected.span.line}:", *("  " + line for line in of_event)] * bool(
            of_event
        )
    for _, result in found[len(case.expected) :]:
        lines.append(f"one more event came out: {value_text(result.document)}")
    for expected in case.expected[len(found) :]:
        lines.append(f"no event came out for the one expected at line {expected.span.line}{_dropped(traces)}")
    return lines


def _dropped(traces: Sequence[Trace]) -> str:
    """Return which filters dropped events, as the end of a sentence."""
    entries = [entry for trace in traces for entry in trace.entries if isinstance(entry, FilterEntry) and entry.dropped]
    places = dict.fromkeys(f"{entry.step.plugin_id} ({_place(entry)})" for entry in entries)
    return f"; dropped by {', '.join(places)}" if places else ""


def _event_differences(expected: ExpectedEvent, trace: Trace, result: Result) -> Iterator[str]:
    document = result.document
    for field, wanted in expected.fields.items():
        for name, value, actual in _lacking(wanted, _get(document, field), FieldRef(field).path):
            yield _difference(name, value, actual, trace, result)
    for field in expected.absent:
        if (actual := _get(document, field)) is not ABSENT:
            yield _difference(field, ABSENT, actual, trace, result)
    if expected.document is not None:
        for change in changes(expected.document, document):
            yield _difference(change.field, change.before, change.after, trace, result)
    yield from _destination_differences(expected, result)


def _lacking(wanted: Any, actual: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any, Any]]:
    """Yield field, wanted and actual value of what ``actual`` lacks; it may have more fields."""
    if type(wanted) is dict and type(actual) is dict:
        for name, value in wanted.items():
            yield from _lacking(value, actual.get(name, ABSENT), (*path, name))
    elif not same(wanted, actual):
        yield reference(path), wanted, actual


def _get(document: dict[str, Any], field: str) -> Any:
    ref = FieldRef(field)
    return ref.get(document) if ref.exists(document) else ABSENT


def _difference(field: str, wanted: Any, actual: Any, trace: Trace, result: Result) -> str:
    want = "no such field" if wanted is ABSENT else value_text(wanted)
    got = "it is missing" if actual is ABSENT else f"it is {value_text(actual)}"
    return f"{field}: expected {want}, but {got}{_last_change(field, trace, result.row)}"


def _last_change(field: str, trace: Trace, row: int) -> str:
    """Return which filter changed a field last, else which one failed, as the end of a sentence."""
    path = FieldRef(field).path
    for entry in _of_filters(trace, row):
        for change in entry.changes:
            changed = FieldRef(change.field).path
            if changed[: len(path)] == path[: len(changed)]:
                return f", since {entry.step.plugin_id} ({_place(entry)})"
    failed = next((entry for entry in _of_filters(trace, row) if entry.error), None)
    return f"; {failed.step.plugin_id} ({_place(failed)}) failed: {failed.error}" if failed else ""


def _of_filters(trace: Trace, row: int) -> Iterator[FilterEntry]:
    """Yield what the filters did to an event, the last first."""
    return (entry for entry in reversed(trace.entries) if isinstance(entry, FilterEntry) and entry.row == row)


def _place(entry: FilterEntry) -> str:
    return f"{entry.step.span.file}:{entry.step.span.line}"


def _destination_differences(expected: ExpectedEvent, result: Result) -> Iterator[str]:
    outputs = [destination.step.plugin_id for destination in result.destinations]
    if expected.outputs is not None and sorted(expected.outputs) != sorted(outputs):
        yield f"outputs: expected {_list(expected.outputs)}, but it goes to {_list(outputs)}"
    for name, wanted, attribute in (("index", expected.index, "index"), ("id", expected.document_id, "document_id")):
        if wanted is None:
            continue
        found = [text for destination in result.destinations if (text := getattr(destination, attribute))]
        if not found or any(text != wanted for text in found):
            yield f"{name}: expected {wanted}, but it is {_list(found)}"
    if expected.index is not None or expected.outputs is not None:
        for destination in result.destinations:
            if destination.rejected:
                yield f"{destination.step.plugin_id} refuses it: {destination.rejected}"


def _list(texts: Sequence[str]) -> str:
    return ", ".join(texts) or "none"
