"""A traced pipeline: it gives the same events as any other, and says what each step did."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from ingestd.compiler.pipeline import Pipeline, compile_pipeline
from ingestd.compiler.trace import ConditionEntry, FilterEntry, Tracer
from ingestd.config.parser import parse
from ingestd.event.changes import Change
from ingestd.event.chunk import Chunk
from ingestd.event.fields import Event, FieldRef
from ingestd.event.table import ABSENT
from ingestd.event.tally import Tally
from ingestd.plugins.registry import BuildContext
from tests.compiler.test_equivalence import outcome, programs, streams
from tests.conformance.running import FRAME, RECEIVED_NS, build, encode, lines
from tests.random_cases import random_cases

WHOLE = " urldecode { all_fields => true }"
"""Events are decoded in full with this filter."""


def traced(config: str) -> tuple[Pipeline, Tracer]:
    tracer = Tracer()
    pipeline = compile_pipeline(parse(config, "test.conf", {}), BuildContext(), tracer.failed, tracer=tracer)
    return pipeline, tracer


def entries(filters: str, *events: dict[str, Any]) -> list[ConditionEntry | FilterEntry]:
    pipeline, tracer = traced(FRAME % filters)
    encode(pipeline, lines(*events))
    return tracer.entries


def steps(filters: str, *events: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return row and value of each condition; row, name, changes of each filter."""
    found: list[tuple[Any, ...]] = []
    for entry in entries(filters, *events):
        if isinstance(entry, ConditionEntry):
            found.append((entry.row, entry.condition, entry.value))
        else:
            found.append((entry.row, entry.step.name, *[change.document() for change in entry.changes]))
    return found


@random_cases(40)
@given(programs, streams)
def test_a_trace_changes_no_event(program: str, stream: list[bytes]) -> None:
    config = FRAME % program
    chunk = [(0, b"".join(line + b"\n" for line in stream))]
    assert outcome(traced(config)[0], chunk) == outcome(build(config), chunk)


def applied(event: Event, changes: list[Change]) -> Event:
    for change in changes:
        if change.after is ABSENT:
            FieldRef(change.field).remove(event)
        else:
            FieldRef(change.field).set(event, change.after)
    return event


@random_cases(40)
@given(programs, streams)
def test_the_changes_lead_from_the_event_to_the_document(program: str, stream: list[bytes]) -> None:
    """The changes of all steps in turn make of each event what comes out: none is missing, and none invented."""
    pipeline, tracer = traced(FRAME % program)
    data = b"".join(line + b"\n" for line in stream)
    table = pipeline.inputs[0].codec.decode(Chunk("stdin_0", "o", {}, 0, RECEIVED_NS, 0, data))
    [rows] = pipeline.process(table, None, RECEIVED_NS, Tally())
    events = tracer.received
    for entry in tracer.entries:
        if isinstance(entry, FilterEntry) and entry.row in events:  # not a copy
            applied(events[entry.row], entry.changes)
            if entry.dropped:
                del events[entry.row]
    assert events == {row: table.whole(row) for row in rows if table.parent(row) is None}


def test_projected_and_whole() -> None:
    """The changes are the same however much of a record is decoded, and whether filters share a loop."""
    filters = """
      if [level] == "INFO" { mutate { rename => { "n" => "[m][n]" } } mutate { uppercase => "word" } }
      else { mutate { remove_field => "level" } }
      grok { match => { "message" => "%{WORD:w}" } add_tag => "t" }
    """
    events = {"level": "INFO", "n": 5, "word": "x", "message": "hello"}, {"level": "DEBUG", "other": 1, "message": "-"}
    expected = [
        (0, '[level] == "INFO"', True),
        (1, '[level] == "INFO"', False),
        (0, "mutate_0", {"field": "m", "after": {"n": 5}}, {"field": "n", "before": 5}),
        (0, "mutate_1", {"field": "word", "before": "x", "after": "X"}),
        (1, "mutate_2", {"field": "level", "before": "DEBUG"}),
        (0, "grok_0", {"field": "tags", "after": ["t"]}, {"field": "w", "after": "hello"}),
        (1, "grok_0", {"field": "tags", "after": ["_grokparsefailure"]}),
    ]
    assert steps(filters, *events) == expected
    assert steps(filters + WHOLE, *events) == [*expected, (0, "urldecode_0"), (1, "urldecode_0")]


def test_dropped_and_copied() -> None:
    found = entries('if [a] { drop { } } clone { clones => ["c"] } mutate { add_tag => "t" }', {"a": 1}, {"b": 1})
    filtered = [entry for entry in found if isinstance(entry, FilterEntry)]
    shown = [(entry.row, entry.step.name, entry.dropped, entry.copies) for entry in filtered]
    assert shown == [
        (0, "drop_0", True, []),
        (1, "clone_0", False, [2]),
        (1, "mutate_0", False, []),
        (2, "mutate_0", False, []),
    ]


def test_the_error_of_a_filter() -> None:
    filters = 'mutate { convert => { "a" => "integer" } } mutate { rename => { "b" => "[c][d]" } }'
    found = entries(filters, {"c": "text", "b": 1}, {"b": 1})
    errors = [entry.error for entry in found if isinstance(entry, FilterEntry)]
    assert errors == ["", "", "FieldError: cannot set [c][d]: 'd' would be inside a value that has no fields", ""]


def test_conditions_of_outputs() -> None:
    config = """
      input { stdin { codec => json_lines } }
      output { if [a] == 1 { stdout { } } else if [b] or [c][d] > 2 { stdout { } } else { stdout { } } }
    """
    pipeline, tracer = traced(config)
    encode(pipeline, lines({"a": 1}, {"c": {"d": 3}}, {}))
    tests = [entry for entry in tracer.entries if isinstance(entry, ConditionEntry)]
    assert all(entry.in_outputs for entry in tests)
    second = "[b] or [c][d] > 2"
    assert [(entry.row, entry.condition, entry.value, entry.fields, entry.missing) for entry in tests] == [
        (0, "[a] == 1", True, {"[a]": 1}, []),
        (1, "[a] == 1", False, {}, ["[a]"]),
        (2, "[a] == 1", False, {}, ["[a]"]),
        (1, second, True, {"[c][d]": 3}, ["[b]"]),
        (2, second, False, {}, ["[b]", "[c][d]"]),
    ]


def test_code_that_is_not_traced_does_not_change() -> None:
    assert "trace" not in build(FRAME % "mutate { add_tag => t }").code.text


DETAILS = [  # filter, event, what it says
    ('date { match => ["t", "ISO8601", "UNIX"] }', {"t": "5"}, ["t has the format UNIX"]),
    ('date { match => ["t", "ISO8601"] }', {"t": "x"}, ["t has none of the formats: ISO8601"]),
    ('date { match => ["t", "ISO8601"] }', {}, ["t is missing"]),
    ('json { source => "j" }', {"j": "{x"}, ["j is not JSON: Expecting property name enclosed in double quotes"]),
    ('json { source => "j" }', {"j": "{}"}, []),
    ('dissect { mapping => { "m" => "%{a} - %{b}" } }', {"m": "x - y"}, []),
    (
        'dissect { mapping => { "m" => "%{a}: %{b}" } }',
        {"m": "x - y"},
        ["m does not match %{a}: %{b}: ': ' after %{a}"],
    ),
    ('dissect { mapping => { "m" => "<%{a}>" } }', {"m": "x"}, ["m does not match <%{a}>: it does not start with '<'"]),
    (
        'grok { match => { "m" => ["%{IP:a}", "%{INT:b}"] } }',
        {"m": "5"},
        ["m: pattern 1", "", "m: pattern 2 of 2 matches"],
    ),
    ('grok { match => { "m" => "(a*)*b(?=c)" } }', {"m": "a" * 40}, ["m: the pattern does not match", ""]),
    ("mutate { add_tag => t }", {}, []),
]


@pytest.mark.parametrize(("filters", "event", "expected"), DETAILS)
def test_what_filters_say(filters: str, event: dict[str, Any], expected: list[str]) -> None:
    entry = entries(filters, event)[-1]
    assert isinstance(entry, FilterEntry)
    assert len(entry.details) == len(expected)
    assert all(text.startswith(start) for text, start in zip(entry.details, expected, strict=True)), entry.details


CONDITIONS = {  # as it is shown, if that is not as it is written
    '[a] == "x" and ([b] or [c] > 5)': "",
    "[a] and [b] and [c]": "",
    '!([a] in ["x", 5]) or "y" not in [b]': "",
    "[a] =~ /x\\/y/ nand [b] != 'say \"x\"'": "",
    "[a] == '${SECRET}'": "",
    '[a] == "${SECRET}" or [a] =~ "^x"': '[a] == "${SECRET}" or [a] =~ /^x/',
}


@pytest.mark.parametrize("written", CONDITIONS)
def test_the_text_of_a_condition(written: str) -> None:
    config = parse(FRAME % f"if {written} {{ mutate {{ add_tag => t }} }}", "test.conf", {"SECRET": "hidden"})
    tracer = Tracer()
    encode(compile_pipeline(config, BuildContext(), tracer=tracer), lines({"a": "hidden"}))
    entry = tracer.entries[0]
    assert isinstance(entry, ConditionEntry)
    assert entry.condition == (CONDITIONS[written] or written)
