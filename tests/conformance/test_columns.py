"""What filters on columns must do as filters on events do: failures, fields that come up on the way, odd names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.running import FRAME, build, documents, lines, run, shorn

JSON_IN_A_BRANCH = """
  mutate { replace => { "[a][x]" => "1" } }
  if [a][b] == "x" { json { source => "j" target => "[a][b]" } }
  date { match => ["[a][b]", "ISO8601"] target => "t" }
"""
KEPT = "mutate { rename => { old => new } convert => { n => integer } %s }"
EMPTY = '{ match => { message => "(?<x>a)?b" } keep_empty_captures => true target => "g" }'
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [  # id, filters, event before, some of its fields after
    (
        "nested_field_is_read_again",
        JSON_IN_A_BRANCH,
        {"a": {"b": "x"}, "j": '"2020-01-01T00:00:00Z"'},
        {"t": "2020-01-01T00:00:00.000Z"},
    ),
    ("condition_on_a_name_with_a_digit", 'if [5xx] { mutate { add_tag => "t" } }', {"5xx": 1}, {"tags": ["t"]}),
    ("name_with_a_backslash", r"""mutate { add_field => { 'a\b' => "v" } }""", {}, {r"a\b": "v"}),
    ("name_with_a_quote", """mutate { add_field => { 'a"b' => "v" } }""", {}, {'a"b': "v"}),
    ("earlier_steps_stay", KEPT % "", {"old": 1, "n": "1e"}, {"new": 1, "n": "1e", "tags": ["_mutate_error"]}),
    (
        "earlier_steps_stay_of_events",
        KEPT % 'update => { u => "1" }',
        {"old": 1, "n": "1e", "u": "0"},
        {"new": 1, "n": "1e", "u": "1", "tags": ["_mutate_error"]},
    ),
    ("empty_capture", f"grok {EMPTY}", {"message": "b"}, {"g": {"x": None}}),
    (
        "drop_that_fails",
        'drop { percentage => 0 add_field => { "[a][b]" => "x" } }',
        {"a": "text"},
        {"tags": ["_drop_error"]},
    ),
    (
        "fields_that_only_the_filter_knows",
        'if [msg] =~ /health/ { drop { } } log_fields { timezone => "UTC" }',
        {"msg": "order failed", "level": "error"},
        {"message": "order failed", "msg": None},
    ),
]


@pytest.mark.parametrize(("filters", "before", "after"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("neighbours", [0, 2])
def test_one_event(filters: str, before: dict[str, Any], after: dict[str, Any], neighbours: int) -> None:
    found = run(filters, *[{"other": 1}] * neighbours, before)[-1]
    assert {name: found.get(name) for name in after} == after


def test_options_of_an_input_that_fail() -> None:
    text = (FRAME % "").replace("codec => json_lines }", 'codec => json_lines add_field => { "[a][b]" => "x" } }', 1)
    [found] = map(shorn, documents(build(text), lines({"a": "text"})))
    assert found == {"a": "text", "tags": ["_stdin_error"]}
