"""add_field, remove_field, add_tag, remove_tag: as in Logstash's filters/base_spec."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.running import run_one

CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [  # id, options of a mutate, before, after
    ("add_field", 'add_field => { "a" => "1" }', {}, {"a": "1"}),
    ("add_field_number", 'add_field => { "a" => 5 }', {}, {"a": "5"}),
    ("add_field_two", 'add_field => { "a" => "1" "b" => "%{a}2" }', {}, {"a": "1", "b": "12"}),
    ("add_field_as_array", 'add_field => ["a", "1"]', {}, {"a": "1"}),
    ("add_field_of_array", 'add_field => { "a" => ["1", "2"] }', {}, {"a": ["1", "2"]}),
    ("add_field_given_twice", 'add_field => ["a", "1"] add_field => ["a", "2"]', {}, {"a": ["1", "2"]}),
    ("add_field_twice_in_one", 'add_field => ["a", "1", "a", "2"]', {}, {"a": ["1", "2"]}),
    ("add_field_hashes", 'add_field => { "a" => "1" } add_field => { "b" => "2" }', {}, {"a": "1", "b": "2"}),
    ("add_field_onto_text", 'add_field => { "a" => "2" }', {"a": "1"}, {"a": ["1", "2"]}),
    ("add_field_onto_same", 'add_field => { "a" => "1" }', {"a": "1"}, {"a": ["1", "1"]}),
    ("add_field_onto_number", 'add_field => { "a" => "2" }', {"a": 1}, {"a": [1, "2"]}),
    ("add_field_onto_array", 'add_field => { "a" => "2" }', {"a": ["1"]}, {"a": ["1", "2"]}),
    ("add_field_onto_null", 'add_field => { "a" => "2" }', {"a": None}, {"a": ["2"]}),
    ("add_field_onto_hash", 'add_field => { "a" => "2" }', {"a": {"b": 1}}, {"a": [["b", 1], "2"]}),
    ("add_field_nested", 'add_field => { "[a][b]" => "2" }', {"a": {"b": "1"}}, {"a": {"b": ["1", "2"]}}),
    (
        "add_field_timestamp",
        'add_field => { "a" => "1" "@timestamp" => "2020-01-01T00:00:00Z" "b" => "2" } add_tag => "x"',
        {},
        {"a": "1", "tags": ["_mutate_error"]},
    ),
    ("add_field_tags", 'add_field => { "tags" => "x" }', {}, {"tags": "x"}),
    ("add_field_onto_tags", 'add_field => { "tags" => "x" }', {"tags": ["x"]}, {"tags": ["x", "x"]}),
    ("add_field_copies_text", 'add_field => { "a" => "%{list}" }', {"list": [1, 2]}, {"list": [1, 2], "a": "1,2"}),
    ("add_tag", 'add_tag => ["test"]', {}, {"tags": ["test"]}),
    ("add_tag_bare", "add_tag => test", {}, {"tags": ["test"]}),
    ("add_tag_to_one", 'add_tag => ["test"]', {"tags": ["t1"]}, {"tags": ["t1", "test"]}),
    ("add_tag_to_two", 'add_tag => ["test"]', {"tags": ["t1", "t2"]}, {"tags": ["t1", "t2", "test"]}),
    ("add_tag_to_text", 'add_tag => ["bar"]', {"tags": "foo"}, {"tags": ["foo", "bar"]}),
    ("add_tag_again", 'add_tag => ["foo"]', {"tags": "foo"}, {"tags": ["foo", "foo"]}),
    ("add_tag_again_to_array", 'add_tag => ["foo"]', {"tags": ["foo"]}, {"tags": ["foo", "foo"]}),
    ("add_tag_dynamic", 'add_tag => ["a_%{x}", "b"]', {"x": 1}, {"x": 1, "tags": ["a_1", "b"]}),
    ("add_tag_missing", 'add_tag => ["a_%{x}"]', {}, {"tags": ["a_%{x}"]}),
    ("add_tag_given_twice", 'add_tag => "a" add_tag => "b"', {}, {"tags": ["a", "b"]}),
    ("remove_tag_text_other", 'remove_tag => ["t2", "t3"]', {"tags": "foo"}, {"tags": ["foo"]}),
    ("remove_tag_text", 'remove_tag => ["t2", "t3"]', {"tags": "t2"}, {"tags": []}),
    ("remove_tag_last", 'remove_tag => ["t2", "t3"]', {"tags": ["t2"]}, {"tags": []}),
    ("remove_tag_other", 'remove_tag => ["t2", "t3"]', {"tags": ["t4"]}, {"tags": ["t4"]}),
    ("remove_tag_several", 'remove_tag => ["t2", "t3"]', {"tags": ["t1", "t2", "t3"]}, {"tags": ["t1"]}),
    ("remove_tag_all_of_it", 'remove_tag => "t"', {"tags": ["t", "u", "t"]}, {"tags": ["u"]}),
    ("remove_tag_no_tags", 'remove_tag => "t"', {}, {}),
    (
        "remove_tag_dynamic",
        'remove_tag => ["%{blackhole}"]',
        {"tags": ["t1", "goaway", "t3"], "blackhole": "goaway"},
        {"tags": ["t1", "t3"], "blackhole": "goaway"},
    ),
    ("remove_field_missing", 'remove_field => ["t2", "t3"]', {"t4": "four"}, {"t4": "four"}),
    ("remove_field", 'remove_field => ["t2", "t3"]', {"t1": 1, "t2": 2, "t3": 3}, {"t1": 1}),
    ("remove_field_bare", "remove_field => t2", {"t1": 1, "t2": 2}, {"t1": 1}),
    ("remove_field_tags", 'remove_field => ["tags"]', {"tags": "foo"}, {}),
    ("remove_field_null", 'remove_field => "a"', {"a": None}, {}),
    ("remove_field_deep", 'remove_field => ["[a][b]"]', {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
    ("remove_field_deep_last", 'remove_field => ["[a][b]"]', {"a": {"b": 1}}, {"a": {}}),
    ("remove_field_array", 'remove_field => ["[a][0]"]', {"a": ["t2", "t3"]}, {"a": ["t3"]}),
    ("remove_field_array_end", 'remove_field => ["[a][-1]"]', {"a": ["t2", "t3"]}, {"a": ["t2"]}),
    ("remove_field_array_beyond", 'remove_field => ["[a][2]"]', {"a": ["t2"]}, {"a": ["t2"]}),
    ("remove_field_array_name", 'remove_field => ["[a][x]"]', {"a": ["t2"]}, {"a": ["t2"]}),
    ("remove_field_in_text", 'remove_field => ["[a][b]"]', {"a": "text"}, {"a": "text"}),
    ("remove_field_dynamic", 'remove_field => ["%{b}"]', {"b": "go", "go": "away"}, {"b": "go"}),
    ("remove_field_dynamic_part", 'remove_field => ["x_%{b}"]', {"b": "1", "x_1": 1}, {"b": "1"}),
    ("remove_field_dynamic_deep", 'remove_field => ["[a][%{b}]"]', {"b": "c", "a": {"c": 1}}, {"b": "c", "a": {}}),
    ("nothing", "", {"tags": "blackhole", "go": "away"}, {"tags": "blackhole", "go": "away"}),
    ("no_metrics", "enable_metric => false", {"tags": "blackhole"}, {"tags": "blackhole"}),
    ("id", 'id => "my filter"', {"a": 1}, {"a": 1}),
    # in this order: add_field, remove_field, add_tag, remove_tag
    ("added_is_removed", 'add_field => { "a" => "1" } remove_field => "a"', {}, {}),
    ("added_from_removed", 'remove_field => "a" add_field => { "b" => "%{a}" }', {"a": "1"}, {"b": "1"}),
    ("tag_from_removed", 'add_tag => "%{a}" remove_field => "a"', {"a": "1"}, {"tags": ["%{a}"]}),
    ("tag_from_added", 'add_tag => "%{a}" add_field => { "a" => "1" }', {}, {"a": "1", "tags": ["1"]}),
    ("tag_added_and_removed", 'remove_tag => "t" add_tag => ["t", "u"]', {}, {"tags": ["u"]}),
    ("tags_removed_then_added", 'remove_field => "tags" add_tag => "t"', {"tags": ["a"]}, {"tags": ["t"]}),
]


@pytest.mark.parametrize(("options", "before", "after"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_common_options(options: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    assert run_one(f"mutate {{ {options} }}", before) == after


def test_metadata_can_be_removed_in_part() -> None:
    metadata = {"f1": "one", "f2": {"f3": "three"}, "f4": {"f5": "five", "f6": "six"}, "f7": "seven"}
    filters = """
      mutate { remove_field => ["[@metadata][f1]", "[@metadata][f2]", "[@metadata][f4][f5]"] }
      mutate { add_field => { "left" => "%{[@metadata]}" } }
    """
    assert run_one(filters, {"@metadata": metadata}) == {"left": '{"f4":{"f6":"six"},"f7":"seven"}'}


def test_metadata_can_be_removed() -> None:
    filters = 'mutate { remove_field => "[@metadata]" } mutate { add_field => { "left" => "%{[@metadata][a]}" } }'
    assert run_one(filters, {"@metadata": {"a": 1}}) == {"left": "%{[@metadata][a]}"}


ON_SUCCESS = [  # id, name of the filter, its options, event, whether the common options run
    ("grok_match", "grok", 'match => { "message" => "%{INT:n}" }', {"message": "a 5"}, True),
    ("grok_no_match", "grok", 'match => { "message" => "%{INT:n}" }', {"message": "a"}, False),
    ("date_match", "date", 'match => ["message", "ISO8601"]', {"message": "2026-01-01T00:00:00Z"}, True),
    ("date_no_match", "date", 'match => ["message", "ISO8601"]', {"message": "yesterday"}, False),
    ("json_match", "json", "source => message", {"message": '{"a": 1}'}, True),
    ("json_no_match", "json", "source => message", {"message": "{"}, False),
    ("urldecode", "urldecode", "", {"message": "%41"}, True),
    ("mutate", "mutate", "", {"message": "a"}, True),
    ("mutate_fails", "mutate", 'convert => { "message" => "integer" }', {"message": "1e999999"}, False),
]


@pytest.mark.parametrize(
    ("name", "options", "event", "success"), [case[1:] for case in ON_SUCCESS], ids=[case[0] for case in ON_SUCCESS]
)
def test_they_run_on_success_only(name: str, options: str, event: dict[str, Any], success: bool) -> None:
    document = run_one(f'{name} {{ {options} add_field => {{ "added" => "yes" }} add_tag => "done" }}', event)
    assert (document.get("added") == "yes") is success
    assert ("done" in document.get("tags", [])) is success
