"""The filter ``prune``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from ingestd.event.fields import Event
from tests.conformance.running import run
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check

EVENT = {
    "firstname": "Borat",
    "lastname": "Sagdiyev",
    "fullname": "Borat Sagdiyev",
    "status": 200,
    "%{hmm}": "x",
    "@metadata": {"a": 1},
}
STAMPED = {"@timestamp": "2026-11-22T10:00:00.000Z", "@version": "1", "a": 1}
TAGS = {"tags": ["200", "OK", "4044"]}


def case(name: str, settings: dict[str, Any], *left: str) -> Case:
    """Return a row of the table: which fields of ``EVENT`` are left."""
    return Case(name, settings, EVENT, {key: EVENT[key] for key in (*left, "@metadata")})


CASES = [
    case("unresolved_names", {}, "firstname", "lastname", "fullname", "status"),
    case("whitelist", {"whitelist_names": ["firstname", "(hmm|lastname)"]}, "firstname", "lastname"),
    case("whitelist_matches_anywhere", {"whitelist_names": "name"}, "firstname", "lastname", "fullname"),
    case("whitelist_anchored", {"whitelist_names": "^name$"}),
    case("blacklist", {"blacklist_names": ["firstname", "^last"]}, "fullname", "status", "%{hmm}"),
    case("both", {"whitelist_names": "name", "blacklist_names": ["^full"]}, "firstname", "lastname"),
    case(
        "whitelist_values",
        {"whitelist_values": {"firstname": "^Borat$", "fullname": "^Borat$", "missing": "x"}, "blacklist_names": []},
        "firstname",
        "lastname",
        "status",
        "%{hmm}",
    ),
    case(
        "blacklist_values",
        {"blacklist_values": {"firstname": "^Borat$", "fullname": "^Borat$"}},
        "lastname",
        "fullname",
        "status",
    ),
    case("number_is_text", {"blacklist_values": {"status": "^2"}}, "firstname", "lastname", "fullname"),
    case(
        "not_interpolated",
        {"whitelist_names": ["%{firstname}", "status"], "blacklist_names": []},
        "status",
    ),
    Case("timestamp", {"whitelist_names": "^a$"}, STAMPED, {"a": 1}),
    Case("items_kept", {"whitelist_values": {"tags": "^2"}}, TAGS, {"tags": ["200"]}),
    Case("items_removed", {"blacklist_values": {"tags": "^[0-9]+$"}}, TAGS, {"tags": ["OK"]}),
    Case("no_item_kept", {"whitelist_values": {"tags": "x"}}, TAGS, {}),
    Case("all_items_removed", {"blacklist_values": {"tags": "."}}, TAGS, {}),
    Case("all_items_kept", {"whitelist_values": {"tags": "."}}, TAGS, TAGS),
    Case(
        "items_of_both", {"whitelist_values": {"tags": "0"}, "blacklist_values": {"tags": "4"}}, TAGS, {"tags": ["200"]}
    ),
    Case(
        "items_that_are_no_text", {"blacklist_values": {"a": "1"}}, {"a": [1, None, {"b": 1}, "x"]}, {"a": [None, "x"]}
    ),
    Case("empty_array", {"whitelist_values": {"a": "1"}}, {"a": []}, {"a": []}),
    Case(
        "null_and_false", {"whitelist_values": {"a": "1", "b": "1"}}, {"a": None, "b": False}, {"a": None, "b": False}
    ),
    Case("nested_is_not_looked_at", {"blacklist_values": {"[a][b]": "1"}}, {"a": {"b": "1"}}, {"a": {"b": "1"}}),
    Case(
        "interpolated_names",
        {"whitelist_names": ["%{who}name"], "blacklist_names": ["%{not}"], "interpolate": True},
        {"who": "first", "not": "x", "firstname": 1, "lastname": 2, "firstname_x": 3},
        {"firstname": 1},
    ),
    Case(
        "interpolated_values",
        {"blacklist_values": {"%{what}": "^%{who}$"}, "interpolate": True},
        {"what": "name", "who": "a", "name": ["a", "b"]},
        {"what": "name", "who": "a", "name": ["b"]},
    ),
    Case(
        "interpolated_before_anything_is_removed",
        {"blacklist_values": {"a": "1", "b": "^%{a}$"}, "interpolate": True},
        {"a": "1", "b": "1"},
        {},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_prune(case: Case) -> None:
    check("prune", case)


def test_wrong_pattern() -> None:
    with pytest.raises(ValueError, match="'a\\(': "):
        build("prune", whitelist_names=["a("])


def test_wrong_pattern_from_a_field() -> None:
    event = {"a": "(", "b": "1"}
    found = run('prune { interpolate => true blacklist_values => { b => "%{a}" } add_tag => "done" }', event)
    assert found == [{**event, "tags": ["_prune_error"]}]


def test_documents_without_a_timestamp() -> None:
    assert run('prune { whitelist_names => "^a$" }', {"a": 1, "b": 2}) == [{"a": 1}]


PIPELINE = pipeline_of(
    'prune { whitelist_names => "[a-z]" blacklist_values => { message => "^a" a => "%{b}" } interpolate => true }'
)


@given(EVENTS)
def test_no_event_is_lost(event: Event) -> None:
    [found] = survivors(PIPELINE, event)
    assert found["id"] == 7
