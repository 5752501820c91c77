"""Several filters and outputs in a row, events that vanish and events that multiply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.running import FRAME, build, encode, lines, run, shorn

A, B = {"n": 1, "type": "a"}, {"n": 2, "type": "b"}
CASES: list[tuple[str, str, list[dict[str, Any]], list[dict[str, Any]]]] = [  # id, filters, events, documents
    ("no_filters", "", [A, B], [A, B]),
    ("drop_all", "drop { }", [A, B], []),
    ("drop_some", "if [n] == 1 { drop { } }", [A, B], [B]),
    ("drop_in_else", "if [n] == 1 { } else { drop { } }", [A, B], [A]),
    (
        "nothing_after_a_drop",
        'if [n] == 1 { drop { } mutate { add_tag => "x" } } mutate { add_tag => "y" }',
        [A, B],
        [B | {"tags": ["y"]}],
    ),
    ("sequence", 'mutate { add_field => { "a" => "1" } } mutate { rename => { "a" => "b" } }', [A], [A | {"b": "1"}]),
    (
        "field_away_and_back",
        'mutate { rename => { "n" => "m" } } mutate { add_field => { "x" => "1" } }mutate { rename => { "m" => "n" } }',
        [A],
        [A | {"x": "1"}],
    ),
    ("clone", 'clone { clones => ["copy"] }', [A], [A, A | {"type": "copy"}]),
    (
        "clones_pass_what_follows",
        'clone { clones => ["x", "y"] } mutate { add_field => { "t" => "%{type}" } }',
        [A],
        [A | {"t": "a"}, A | {"type": "x", "t": "x"}, A | {"type": "y", "t": "y"}],
    ),
    (
        "clone_in_a_branch",
        'if [type] == "a" { clone { clones => ["copy"] } }'
        'if [type] == "a" { mutate { add_field => { "c" => "1" } } } else { mutate { add_field => { "c" => "2" } } }',
        [A],
        [A | {"c": "1"}, A | {"type": "copy", "c": "2"}],
    ),
    (
        "clone_of_some",
        'if [type] == "a" { clone { clones => ["copy"] } } mutate { add_tag => "end" }',
        [A, B],
        [A | {"tags": ["end"]}, A | {"type": "copy", "tags": ["end"]}, B | {"tags": ["end"]}],
    ),
    (
        "drop_the_original",
        'clone { clones => ["copy"] } if [type] == "a" { drop { } }',
        [A, B],
        [A | {"type": "copy"}, B, B | {"type": "copy"}],
    ),
    (
        "clones_of_clones",
        'clone { clones => ["x"] } clone { clones => ["y"] }',
        [A],
        [A, A | {"type": "y"}, A | {"type": "x"}, A | {"type": "y"}],
    ),
    (
        "clone_is_deep",
        'mutate { add_field => { "[h][x]" => "1" } } clone { clones => ["copy"] }'
        'if [type] == "copy" { mutate { replace => { "[h][x]" => "2" } } }',
        [A],
        [A | {"h": {"x": "1"}}, A | {"type": "copy", "h": {"x": "2"}}],
    ),
    (
        "common_options_of_clone_are_for_the_clones",
        'clone { clones => ["copy"] add_tag => "cloned" }',
        [A],
        [A, A | {"type": "copy", "tags": ["cloned"]}],
    ),
    (
        "metadata_is_not_in_the_document",
        'mutate { add_field => { "[@metadata][x]" => "%{type}" } }if [@metadata][x] == "a" { mutate { add_tag => m } }',
        [A, B],
        [A | {"tags": ["m"]}, B],
    ),
    ("metadata_of_the_record", "if [@metadata][x] { } else { drop { } }", [A | {"@metadata": {"x": 1}}, B], [A]),
    (
        "the_event_goes_on_after_a_failure",
        'mutate { convert => { "n" => "integer" } } mutate { add_tag => "next" }',
        [{"n": "1e999999"}],
        [{"n": "1e999999", "tags": ["_mutate_error", "next"]}],
    ),
]


@pytest.mark.parametrize(
    ("filters", "events", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_filters(filters: str, events: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert run(filters, *events) == expected


def routed(outputs: str, *events: dict[str, Any], filters: str = "") -> list[tuple[list[str], list[Any]]]:
    """Return for each route the ids of its outputs and the numbers ``n`` of its documents."""
    config = "input { stdin { codec => json_lines } } filter { %s } output { %s }" % (filters, outputs)  # noqa: UP031
    pipeline = build(config)
    batches = encode(pipeline, lines(*events))
    return [
        ([built.step.plugin_id for built in route], [json.loads(document)["n"] for document in batch.documents()])
        for route, batch in zip(pipeline.routes, batches, strict=True)
    ]


ROUTES: list[tuple[str, str, list[tuple[list[str], list[Any]]]]] = [  # id, outputs, for each route ids and documents
    ("one", "stdout { id => x }", [(["x"], [1, 2])]),
    ("two", "stdout { id => x } stdout { id => y }", [(["x", "y"], [1, 2])]),
    ("if", "if [n] == 1 { stdout { id => x } }", [(["x"], [1])]),
    ("if_else", "if [n] == 1 { stdout { id => x } } else { stdout { id => y } }", [(["x"], [1]), (["y"], [2])]),
    (
        "else_if",
        "if [n] == 1 { stdout { id => x } } else if [type] { stdout { id => y } } else { stdout { id => z } }",
        [(["x"], [1]), (["y"], [2]), (["z"], [])],
    ),
    (
        "nested",
        "if [type] { if [n] == 2 { stdout { id => x } } stdout { id => y } }",
        [(["x"], [2]), (["y"], [1, 2])],
    ),
    ("some_and_all", "if [n] == 1 { stdout { id => x } } stdout { id => y }", [(["x"], [1]), (["y"], [1, 2])]),
    ("two_ifs", "if [n] < 2 { stdout { id => x } } if [n] { stdout { id => y } }", [(["x"], [1]), (["y"], [1, 2])]),
]


@pytest.mark.parametrize(("outputs", "expected"), [case[1:] for case in ROUTES], ids=[case[0] for case in ROUTES])
def test_outputs(outputs: str, expected: list[tuple[list[str], list[Any]]]) -> None:
    assert routed(outputs, A, B) == expected


def test_an_output_sees_metadata_and_what_filters_did() -> None:
    filters = 'mutate { add_field => { "[@metadata][to]" => "%{type}" } }'
    outputs = 'if [@metadata][to] == "a" { stdout { id => x } } else { stdout { id => y } }'
    assert routed(outputs, A, B, filters=filters) == [(["x"], [1]), (["y"], [2])]


INPUTS = [  # id, options of the input, event before, after
    ("type", "type => web", {}, {"type": "web"}),
    ("type_given", "type => web", {"type": "x"}, {"type": "x"}),
    ("tags", 'tags => ["a", "b"]', {"tags": ["c"]}, {"tags": ["c", "a", "b"]}),
    ("add_field", 'add_field => { "x" => "1" }', {}, {"x": "1"}),
    ("all", 'type => t tags => g add_field => { "x" => "1" }', {}, {"type": "t", "tags": ["g"], "x": "1"}),
]


@pytest.mark.parametrize(
    ("options", "before", "after"), [case[1:] for case in INPUTS], ids=[case[0] for case in INPUTS]
)
def test_common_options_of_inputs(options: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    config = f"input {{ stdin {{ codec => json_lines {options} }} }} output {{ stdout {{ codec => json_lines }} }}"
    [batch] = encode(build(config), lines(before))
    assert [shorn(json.loads(document)) for document in batch.documents()] == [after]


def test_sections_of_one_kind_are_joined() -> None:
    config = FRAME % 'mutate { add_tag => "a" }' + 'filter { mutate { add_tag => "b" } }'
    [batch] = encode(build(config), lines({}))
    assert json.loads(batch.documents()[0])["tags"] == ["a", "b"]
