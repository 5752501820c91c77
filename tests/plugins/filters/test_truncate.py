"""The filter ``truncate``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config.errors import ConfigError
from ingestd.event.fields import Event
from ingestd.plugins.filters.truncate import truncated
from tests.conformance.running import run
from tests.plugins.filters.random_events import EVENTS, TEXTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, check, options_of


def case(name: str, length: int, value: Any, after: Any) -> Case:
    """Return a row of the table: ``a`` is cut, ``b`` is not among the fields."""
    settings = {"length_bytes": length, "fields": ["a"]}
    return Case(name, settings, {"a": value, "b": "stays"}, {"a": after, "b": "stays"}, value != after)


LONG = "abcdef"
NESTED = {"b": LONG, "c": {"d": LONG, "e": [LONG, 1]}, "f": "x"}
CASES = [
    case("long", 3, LONG, "abc"),
    case("short", 10, LONG, LONG),
    case("exact", 6, LONG, LONG),
    case("nothing_is_left", 0, LONG, ""),
    case("empty", 0, "", ""),
    case("negative", -1, LONG, None),
    case("between_characters", 4, "한글", "한"),
    case("exact_in_bytes", 6, "한글", "한글"),
    case("no_whole_character", 2, "한글", ""),
    case("emoji", 5, "a🙂b", "a🙂"),
    case("inside_an_emoji", 4, "a🙂b", "a"),
    case("number", 1, 12345, 12345),
    case("null", 1, None, None),
    case("boolean", 1, True, True),
    case("array", 2, [LONG, "a", 123, None], ["ab", "a", 123, None]),
    case("array_in_array", 2, [[LONG], {"b": LONG}, LONG], [[LONG], {"b": LONG}, "ab"]),
    case("short_array", 6, [LONG], [LONG]),
    case("hash", 2, NESTED, {"b": "ab", "c": {"d": "ab", "e": ["ab", 1]}, "f": "x"}),
    case("short_hash", 6, NESTED, NESTED),
    Case("missing", {"length_bytes": 1, "fields": "a"}, {"b": LONG}, {"b": LONG}, False),
    Case("several", {"length_bytes": 1, "fields": ["a", "b"]}, {"a": "12", "b": "34"}, {"a": "1", "b": "3"}),
    Case(
        "nested", {"length_bytes": 1, "fields": "[a][b]"}, {"a": {"b": "12", "c": "12"}}, {"a": {"b": "1", "c": "12"}}
    ),
    Case(
        "all",
        {"length_bytes": 2},
        {"a": LONG, "b": {"c": LONG}, "tags": ["abc"], "n": 123, "@timestamp": "2026", "@metadata": {"x": LONG}},
        {"a": "ab", "b": {"c": "ab"}, "tags": ["ab"], "n": 123, "@timestamp": "2026", "@metadata": {"x": LONG}},
    ),
    Case("all_short", {"length_bytes": 9}, {"a": LONG}, {"a": LONG}, False),
    Case(
        "timestamp", {"length_bytes": 2, "fields": "@timestamp"}, {"@timestamp": "2026"}, {"@timestamp": "2026"}, False
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_truncate(case: Case) -> None:
    check("truncate", case)


def test_length_is_required() -> None:
    with pytest.raises(ConfigError, match="needs the option 'length_bytes'"):
        options_of("truncate", {})


def test_common_options_run_for_what_was_cut() -> None:
    found = run('truncate { length_bytes => 2 fields => a add_tag => "cut" }', {"a": "123"}, {"a": "1"})
    assert found == [{"a": "12", "tags": ["cut"]}, {"a": "1"}]


@given(TEXTS, st.integers(0, 30))
def test_the_longest_start_that_fits(text: str, length: int) -> None:
    cut = truncated(text, length)
    assert text.startswith(cut)
    assert len(cut.encode()) <= length
    assert cut == text or len(text[: len(cut) + 1].encode()) > length


PIPELINE = pipeline_of('truncate { length_bytes => 3 } truncate { length_bytes => 1 fields => ["[a][b]", "message"] }')


@given(EVENTS)
def test_no_event_is_lost(event: Event) -> None:
    [found] = survivors(PIPELINE, event)
    assert found["id"] == 7
