"""The filter ``elapsed``."""

from __future__ import annotations

from socket import gethostname
from typing import Any

import pytest
from hypothesis import given

from ingestd.event.fields import Event, add_tag
from ingestd.event.timestamp import from_epoch
from ingestd.plugins.filters import elapsed as module
from ingestd.plugins.registry import BuildContext
from tests.conformance.running import run
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import build, build_in

SETTINGS = {"start_tag": "start", "end_tag": "end", "unique_id_field": "id"}
START = 1_763_805_600


def at(second: float, tag: str = "", identity: Any = 1) -> Event:
    return {"@timestamp": from_epoch(START + second), "id": identity, **({"tags": [tag]} if tag else {})}


def made(event: Event, seconds: float, start: float, tag: str, identity: Any = 1) -> Event:
    """Return an event that the filter makes at the time of another."""
    return {
        "@timestamp": event["@timestamp"],
        "@version": "1",
        "host": gethostname(),
        "tags": ["elapsed", tag],
        "elapsed_time": seconds,
        "id": identity,
        "elapsed_timestamp_start": from_epoch(START + start),
    }


def measured(event: Event, seconds: float, start: float) -> Event:
    """Return an end event with its time."""
    tags = [*event["tags"], "elapsed", "elapsed_match"]
    return {**event, "tags": tags, "elapsed_time": seconds, "elapsed_timestamp_start": from_epoch(START + start)}


LONE_END = {**at(1, "end"), "tags": ["end", "elapsed_end_without_start"]}
EXPIRED = "elapsed_expired_error"
CASES: list[tuple[str, dict[str, Any], list[Event], list[Event]]] = [
    ("match", {}, [at(0, "start"), at(2.5, "end")], [measured(at(2.5, "end"), 2.5, 0)]),
    ("end_first", {}, [at(1, "end")], [LONE_END]),
    ("end_twice", {}, [at(0, "start"), at(1, "end"), at(1, "end")], [LONE_END]),
    ("other_id", {}, [at(0, "start", "x"), at(1, "end")], [LONE_END]),
    ("ids_are_kept", {}, [at(0, "start", [1]), at(1, "end", [1])], [measured(at(1, "end", [1]), 1.0, 0)]),
    ("first_start", {}, [at(0, "start"), at(1, "start"), at(3, "end")], [measured(at(3, "end"), 3.0, 0)]),
    (
        "last_start",
        {"keep_start_event": "last"},
        [at(0, "start"), at(1, "start"), at(3, "end")],
        [measured(at(3, "end"), 2.0, 1)],
    ),
    ("no_tag", {}, [at(0, "start"), at(1)], [at(1)]),
    ("no_id", {}, [{"tags": ["start"]}], [{"tags": ["start"]}]),
    ("tag_is_text", {}, [at(0, "start"), {**at(1), "tags": "end"}], [{**measured(at(1, "end"), 1.0, 0)}]),
    (
        "new_event",
        {"new_event_on_match": True},
        [at(0, "start"), at(3, "end")],
        [at(3, "end"), made(at(3), 3.0, 0, "elapsed_match")],
    ),
    ("not_expired", {"timeout": 10}, [at(0, "start"), at(9, identity=2)], [at(9, identity=2)]),
    (
        "expired",
        {"timeout": 10},
        [at(0, "start"), at(12, identity=2)],
        [at(12, identity=2), made(at(12), 12.0, 0, EXPIRED)],
    ),
    ("expired_once", {"timeout": 10}, [at(0, "start"), at(12, identity=2), at(13)], [at(13)]),
]


@pytest.mark.parametrize(("settings", "events", "last"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_elapsed(settings: dict[str, Any], events: list[Event], last: list[Event]) -> None:
    """What the last event becomes."""
    elapsed = build("elapsed", **SETTINGS, **settings)
    results = [elapsed({**event}) for event in events]
    assert results[-1] == last


def test_common_options() -> None:
    context = BuildContext(common_options=lambda event: add_tag(event, "seen"))
    elapsed = build_in(context, "elapsed", {**SETTINGS, "new_event_on_match": True})
    events = [event for given in (at(0, "start"), at(1), at(2, "end")) for event in elapsed(given)]
    assert [event.get("tags", []).count("seen") for event in events] == [1, 0, 1, 1]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_TASKS", 10)
    elapsed = build("elapsed", **SETTINGS)
    results = [elapsed(at(0, "start", number)) for number in range(30)]
    assert [len(events) for events in results] == [1] * 10 + [2] * 20


def test_in_a_pipeline() -> None:
    found = run(
        'elapsed { start_tag => "start" end_tag => "end" unique_id_field => "[task][id]" new_event_on_match => true }',
        {**at(0, "start"), "task": {"id": "a"}},
        {**at(4, "end"), "task": {"id": "a"}},
    )
    assert [event.get("elapsed_time") for event in found] == [None, None, 4.0]
    assert found[2]["task"] == {"id": "a"}


def test_the_id_is_inside_of_host() -> None:
    elapsed = build("elapsed", **{**SETTINGS, "unique_id_field": "[host][id]"}, timeout=1)
    elapsed({**at(0, "start"), "host": {"id": "a"}})
    [_, expired] = elapsed({**at(5), "host": {"id": "b"}})
    assert (expired["host"], expired["tags"]) == ({"id": "a"}, ["elapsed", EXPIRED])


PIPELINE = pipeline_of('elapsed { start_tag => "a" end_tag => "b" unique_id_field => "message" timeout => 1 }')


@given(EVENTS)
def test_no_event_is_lost(event: Event) -> None:
    found = survivors(PIPELINE, {**event, "tags": ["a"]}, {**event, "tags": ["b"]})
    assert [survivor["id"] for survivor in found if "id" in survivor] == [7, 7]
