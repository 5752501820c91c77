"""The filter ``de_dot``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.fields import FieldError
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check

NESTED = {"nested": True}

CASES = [
    Case("all", {}, {"a.b": 1, "c.d.e": 2, "f": 3}, {"a_b": 1, "c_d_e": 2, "f": 3}),
    Case("separator", {"separator": "--"}, {"a.b": 1}, {"a--b": 1}),
    Case("empty_separator", {"separator": ""}, {"a.b": 1}, {"ab": 1}),
    Case("nested", NESTED, {"a.b.c": 1, "a.d": 2}, {"a": {"b": {"c": 1}, "d": 2}}),
    Case("nested_into_a_hash", NESTED, {"a": {"x": 1}, "a.b": 2}, {"a": {"x": 1, "b": 2}}),
    Case("nested_needs_names", NESTED, {"..": 1, ".a.": 2, "b..c": 3}, {"..": 1, "a": 2, "b": {"c": 3}}),
    Case("separator_is_ignored", {**NESTED, "separator": "."}, {"a.b": 1}, {"a": {"b": 1}}),
    Case("null", {}, {"a.b": None}, {"a_b": None}),
    Case("not_inside", {}, {"a.b": {"c.d": 1}}, {"a_b": {"c.d": 1}}),
    Case("replaces", {}, {"a_b": 1, "a.b": 2}, {"a_b": 2}),
    Case("brackets", {}, {"a.[b": 1}, {"a_[b": 1}),
    Case("not_metadata", {"recursive": True}, {"@metadata": {"a.b": 1}}, {"@metadata": {"a.b": 1}}),
    Case("no_dots", {}, {"a": {"b": [1]}}, {"a": {"b": [1]}}),
    Case("fields", {"fields": ["a.b"]}, {"a.b": 1, "c.d": 2}, {"a_b": 1, "c.d": 2}),
    Case("field_missing", {"fields": ["a.b"]}, {"c.d": 2}, {"c.d": 2}),
    Case("field_without_dot", {"fields": ["a"]}, {"a": 2}, {"a": 2}),
    Case("subfield", {"fields": ["[a][b.c]"]}, {"a": {"b.c": 1, "d": 2}}, {"a": {"d": 2, "b_c": 1}}),
    Case("subfield_nested", {"fields": ["[a][b.c]"], **NESTED}, {"a": {"b.c": 1}}, {"a": {"b": {"c": 1}}}),
    Case("dots_at_each_level", {"fields": ["[a.b][c.d]"]}, {"a.b": {"c.d": 1}}, {"a_b": {"c_d": 1}}),
    Case("others_stay", {"fields": ["[a.b][c.d]"]}, {"a.b": {"c.d": 1, "e": 2}}, {"a.b": {"e": 2}, "a_b": {"c_d": 1}}),
    Case(
        "recursive",
        {"recursive": True},
        {"a.b": {"c.d": [{"e.f": 1}, "g.h"]}, "i": {"j": {"k.l": 2}}},
        {"a_b": {"c_d": [{"e_f": 1}, "g.h"]}, "i": {"j": {"k_l": 2}}},
    ),
    Case(
        "recursive_nested",
        {"recursive": True, **NESTED},
        {"a": {"b": {"x": 1}, "b.c": 2}, "d.e": {"f.g": 3}},
        {"a": {"b": {"x": 1, "c": 2}}, "d": {"e": {"f": {"g": 3}}}},
    ),
    Case(
        "recursive_fields",
        {"recursive": True, "fields": ["a", "b.c"]},
        {"a": {"d.e": 1}, "b.c": {"f.g": 2}, "h": {"i.j": 3}},
        {"a": {"d_e": 1}, "b_c": {"f_g": 2}, "h": {"i.j": 3}},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_de_dot(case: Case) -> None:
    check("de_dot", case)


def test_separator_without_a_dot() -> None:
    with pytest.raises(ValueError, match="separator must not contain a dot"):
        build("de_dot", separator="-.-")


@pytest.mark.parametrize("event", [{"a": 1, "a.b": 2}, {"x": {"a": "text", "a.b": 2}}, {"ta.gs": 1}])
def test_names_that_exclude_each_other(event: dict[str, Any]) -> None:
    """The pipeline tags such an event."""
    with pytest.raises(FieldError):
        build("de_dot", **({"separator": ""} if "ta.gs" in event else {"nested": True, "recursive": True}))(event)


PIPELINES = [pipeline_of(f"de_dot {{ recursive => true nested => {nested} }}") for nested in ("true", "false")]
NAMES = st.text("a.b[]", max_size=5)
DOTTED = st.recursive(st.integers(), lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=8)


@given(EVENTS, st.dictionaries(NAMES, DOTTED, max_size=4))
def test_no_event_is_lost(event: dict[str, Any], dotted: dict[str, Any]) -> None:
    for pipeline in PIPELINES:
        (got,) = survivors(pipeline, dotted | event)
        assert got["id"] == 7


@given(st.dictionaries(NAMES, DOTTED, max_size=4))
def test_no_dot_is_left(event: dict[str, Any]) -> None:
    build("de_dot", recursive=True)(event)
    assert "." not in json.dumps(event)
