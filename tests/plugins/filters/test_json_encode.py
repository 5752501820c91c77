"""The filter ``json_encode``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from ingestd.event.fields import Event
from tests.conformance.running import run
from tests.plugins.filters.random_events import EVENTS, VALUES, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check

CASES = [
    Case("hash", {"source": "a"}, {"a": {"b": [1, "한", None]}}, {"a": '{"b":[1,"한",null]}'}),
    Case("target", {"source": "a", "target": "t"}, {"a": [1.5, True]}, {"a": [1.5, True], "t": "[1.5,true]"}),
    Case("nested", {"source": "[a][b]", "target": "[a][c]"}, {"a": {"b": [1]}}, {"a": {"b": [1], "c": "[1]"}}),
    Case("text", {"source": "a"}, {"a": 'x"y'}, {"a": '"x\\"y"'}),
    Case("null", {"source": "a"}, {"a": None}, {"a": "null"}),
    Case("missing", {"source": "a"}, {"b": 1}, {"b": 1}, False),
    Case("missing_nested", {"source": "[a][b]"}, {"a": {}}, {"a": {}}, False),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_json_encode(case: Case) -> None:
    check("json_encode", case)


def test_target_that_does_not_accept_text() -> None:
    found = run('json_encode { source => "a" target => "@timestamp" }', {"a": 1}, {"b": 1})
    assert [event.get("tags") for event in found] == [["_jsongeneratefailure"], None]


@given(VALUES)
def test_what_is_written_is_read_again(value: Any) -> None:
    event = {"a": value}
    build("json_encode", source="a", target="t")(event)
    assert json.loads(event["t"]) == value


PIPELINE = pipeline_of('json_encode { source => "message" } json_encode { source => "a" target => "[b][c]" }')


@given(EVENTS)
def test_no_event_is_lost(event: Event) -> None:
    [found] = survivors(PIPELINE, event)
    assert found["id"] == 7
