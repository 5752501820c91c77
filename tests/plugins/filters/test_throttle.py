"""The filter ``throttle``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from ingestd.event.fields import Event
from ingestd.event.timestamp import from_epoch
from ingestd.plugins.filters.throttle import _Counters
from tests.conformance.running import run
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check

START = 1_763_805_600


def at(second: float, key: str = "k") -> Event:
    return {"@timestamp": from_epoch(START + second), "k": key}


CASES = [
    Case("before", {"key": "%{k}", "before_count": 9}, at(0), at(0)),
    Case("not_after", {"key": "%{k}", "after_count": 9}, at(0), at(0), False),
    Case("no_limits", {"key": "%{k}"}, at(0), at(0), False),
    Case("no_timestamp", {"key": "k", "after_count": 0}, {"a": 1}, {"a": 1}),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_throttle(case: Case) -> None:
    check("throttle", case)


SEQUENCES: list[tuple[str, dict[str, Any], list[Event], list[bool]]] = [
    ("before_and_after", {"before_count": 3, "after_count": 4}, [at(0)] * 6, [True, True, False, False, True, True]),
    ("per_key", {"after_count": 1}, [at(0, "a"), at(0, "b"), at(0, "a"), at(0, "b")], [False, False, True, True]),
    (
        "new_period",
        {"after_count": 1, "period": "10"},
        [at(0), at(9), at(10), at(19), at(20)],
        [False, True] * 2 + [False],
    ),
    ("periods_start_with_a_key", {"after_count": 1, "period": 10}, [at(5), at(14), at(15)], [False, True, False]),
    ("late_event", {"after_count": 1, "period": 10}, [at(0), at(25), at(9), at(29)], [False, False, True, True]),
    (
        "before_the_first",
        {"after_count": 1, "period": 10},
        [at(20), at(12), at(10), at(9)],
        [False, False, True, False],
    ),
    ("forgotten", {"after_count": 1, "period": 10, "max_age": 20}, [at(0), at(100), at(5)], [False, False, False]),
    ("odd_period", {"after_count": 1, "period": "x"}, [at(0), at(59), at(60)], [False, True, False]),
]


@pytest.mark.parametrize(
    ("settings", "events", "throttled"), [case[1:] for case in SEQUENCES], ids=[case[0] for case in SEQUENCES]
)
def test_sequences(settings: dict[str, Any], events: list[Event], throttled: list[bool]) -> None:
    throttle = build("throttle", key="%{k}", **settings)
    assert [throttle({**event}) for event in events] == throttled


def test_period_of_a_field_and_common_options() -> None:
    filters = (
        'throttle { key => "%{k}" after_count => 1 period => "%{p}" add_tag => "t" } if "t" in [tags] { drop { } }'
    )
    events = [{**at(second), "p": 5, "n": second} for second in (0, 4, 5, 9, 10)]
    assert [found["n"] for found in run(filters, *events)] == [0, 5, 10]


@pytest.mark.parametrize(("limit", "kept"), [(100, 100), (0, 1), (-1, 5000)])
def test_memory_is_bounded(limit: int, kept: int) -> None:
    counters = _Counters(3600, limit)
    for number in range(5000):
        assert counters.count(str(number), START, 60) == 1
    assert (len(counters._keys), counters._total) == (kept, kept)


def test_old_keys_are_forgotten() -> None:
    counters = _Counters(100, -1)
    for second in range(1000):
        counters.count(str(second), second, 1)
        counters.count("same", second, 1)
    assert len(counters._keys) == 102
    assert counters._total == 101 + 101


PIPELINE = pipeline_of('throttle { key => "%{message}" after_count => 1 period => "%{a}" max_counters => 3 }')


@given(EVENTS)
def test_no_event_is_lost(event: Event) -> None:
    assert len(survivors(PIPELINE, event, event)) == 2
