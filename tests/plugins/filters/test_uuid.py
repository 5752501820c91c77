"""The filter ``uuid``."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given

from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check

CASES = [
    Case("exists", {"target": "a"}, {"a": 1}, {"a": 1}),
    Case("false_exists", {"target": "a"}, {"a": False}, {"a": False}),
    Case("nested_exists", {"target": "[a][b]"}, {"a": {"b": ""}}, {"a": {"b": ""}}),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_field_that_exists(case: Case) -> None:
    check("uuid", case)


@pytest.mark.parametrize(
    ("settings", "event"),
    [
        ({"target": "a"}, {}),
        ({"target": "a"}, {"a": None}),
        ({"target": "a", "overwrite": True}, {"a": "old"}),
    ],
)
def test_new_uuid(settings: dict[str, Any], event: dict[str, Any]) -> None:
    function, other = build("uuid", **settings), event.copy()
    assert function(event) is True
    assert function(other) is True
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", event["a"])
    assert event["a"] != other["a"]


PIPELINE = pipeline_of('uuid { target => "[a][b]" } uuid { target => "b" overwrite => true }')


@given(EVENTS)
def test_no_event_is_lost(event: dict[str, Any]) -> None:
    (got,) = survivors(PIPELINE, event)
    assert got["message"] == event["message"]
    assert len(got["b"]) == 36
