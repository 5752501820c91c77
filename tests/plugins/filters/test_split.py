"""The filter ``split``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from ingestd.event.fields import Event, FieldError, add_tag
from ingestd.plugins.registry import BuildContext
from tests.conformance.running import FRAME, encode, run
from tests.conformance.running import build as build_pipeline
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import build, build_in

LINES = {"message": "big\nbird\nsesame street", "n": 1}
FAILED = {"tags": ["_split_type_failure"]}
CASES: list[tuple[str, dict[str, Any], Event, list[Event]]] = [
    ("lines", {}, LINES, [{"message": text, "n": 1} for text in ("big", "bird", "sesame street")]),
    ("terminator", {"terminator": "::"}, {"message": "a::b:c"}, [{"message": "a"}, {"message": "b:c"}]),
    ("field", {"field": "a", "terminator": ","}, {"a": "1,2"}, [{"a": "1"}, {"a": "2"}]),
    ("nested", {"field": "[a][b]"}, {"a": {"b": [1, 2], "c": 3}}, [{"a": {"b": 1, "c": 3}}, {"a": {"b": 2, "c": 3}}]),
    (
        "target",
        {"target": "part", "terminator": ","},
        {"message": "a,b"},
        [{"message": "a,b", "part": "a"}, {"message": "a,b", "part": "b"}],
    ),
    ("array", {"field": "a"}, {"a": ["x", 5, {"y": 1}, [1]]}, [{"a": "x"}, {"a": 5}, {"a": {"y": 1}}, {"a": [1]}]),
    ("array_with_target", {"field": "a", "target": "b"}, {"a": [1, 2]}, [{"a": [1, 2], "b": 1}, {"a": [1, 2], "b": 2}]),
    ("array_of_one", {"field": "a"}, {"a": ["x"]}, [{"a": "x"}]),
    (
        "array_with_nulls",
        {"field": "a"},
        {"a": [None, "", {}, [], "x", 0, False]},
        [{"a": "x"}, {"a": 0}, {"a": False}],
    ),
    ("empty_parts", {}, {"message": "\na\n\nb\n"}, [{"message": "a"}, {"message": "b"}]),
    ("one_part_and_a_terminator", {}, {"message": "a\n"}, [{"message": "a"}]),
    ("blank", {"terminator": " "}, {"message": " a \t b "}, [{"message": "a"}, {"message": "b"}]),
    ("characters", {"terminator": ""}, {"message": "a한"}, [{"message": "a"}, {"message": "한"}]),
    ("empty_array", {"field": "a"}, {"a": []}, []),
    ("empty_text", {}, {"message": ""}, []),
    ("one_part", {}, {"message": "a b"}, [{"message": "a b"}]),
    ("hash", {"field": "a"}, {"a": {"b": 1}}, [{"a": {"b": 1}, **FAILED}]),
    ("number", {}, {"message": 5}, [{"message": 5, **FAILED}]),
    ("null", {}, {"message": None}, [{"message": None, **FAILED}]),
    ("missing", {}, {"a": 1}, [{"a": 1, **FAILED}]),
]
ITEMS = ["x" * 1000] * 1000


@pytest.mark.parametrize(("settings", "event", "events"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_split(settings: dict[str, Any], event: Event, events: list[Event]) -> None:
    assert build("split", **settings)(event) == events


def test_common_options_run_for_new_events_alone() -> None:
    context = BuildContext(common_options=lambda event: add_tag(event, "new"))
    split = build_in(context, "split", {})
    assert split({"message": "a\nb"}) == [{"message": "a", "tags": ["new"]}, {"message": "b", "tags": ["new"]}]
    assert split({"message": "a"}) == [{"message": "a"}]


def test_target_inside_text_keeps_the_event() -> None:
    with pytest.raises(FieldError):
        build("split", target="[a][b]")({"message": "1\n2", "a": "x"})
    [found] = run('split { target => "[a][b]" }', {"message": "1\n2", "a": "x"})
    assert found == {"message": "1\n2", "a": "x", "tags": ["_split_error"]}


def test_ids_differ_also_after_two_filters() -> None:
    filters = 'split { field => "a" } clone { clones => ["x"] } split { field => "b" }'
    [batch] = encode(build_pipeline(FRAME % filters), b'{"a":[1,2],"b":[1,2]}\n{"a":[3],"b":[3]}\n')
    documents = [*batch.documents()]
    assert len(documents) == len({*batch.ids()}) == 10


PIPELINE = pipeline_of('split { target => "[a][x]" } mutate { add_field => { "[@metadata][y]" => "z" } }')


@given(EVENTS)
def test_no_event_is_lost(event: Event) -> None:
    """But for empty texts and arrays, and those of empty texts, which have no parts."""
    value = event["message"]
    empty = value == "" or (type(value) is str and not value.strip("\n"))
    empty |= type(value) is list and all(item in (None, "", {}, []) for item in value)
    assert bool(survivors(PIPELINE, event)) is not empty


LARGE: list[tuple[str, dict[str, Any], Event]] = [
    ("array_that_stays", {"field": "a", "target": "b"}, {"a": ITEMS}),
    ("other_field", {"field": "a"}, {"a": ITEMS, "text": "x" * 1_000_000}),
    ("beside_it", {"field": "[a][b]"}, {"a": {"b": ITEMS, "c": "x" * 1_000_000}}),
    ("text_that_stays", {"target": "b"}, {"message": "x\n" * 12_000}),
]


@pytest.mark.parametrize(("settings", "event"), [case[1:] for case in LARGE], ids=[case[0] for case in LARGE])
def test_copies_that_would_fill_the_memory_are_not_made(settings: dict[str, Any], event: Event) -> None:
    before = {**event}
    with pytest.raises(FieldError, match="copies of the fields beside"):
        build("split", **settings)(event)
    assert event == before


def test_parts_may_be_large() -> None:
    assert len(build("split", field="a")({"a": ITEMS, "text": "x" * 1000})) == len(ITEMS)
