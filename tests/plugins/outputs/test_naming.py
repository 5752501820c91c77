"""The index of each event: time zones, missing fields, events older than retention keeps."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ingestd.event.batch import Batch
from ingestd.event.sprintf import Template
from ingestd.plugins.interfaces import Rejection
from ingestd.plugins.outputs._index_limits import NewIndexLimit
from ingestd.plugins.outputs._naming import Naming
from ingestd.plugins.registry import BuildContext
from ingestd.settings import RetentionSettings, Settings
from ingestd.stores.index_names import check_index, check_target

NOW = datetime.datetime(2026, 11, 22, 10, tzinfo=datetime.UTC).timestamp()
DAILY = "logstash-%{+YYYY.MM.dd}"


def named(
    events: list[dict[str, Any]],
    template: str = DAILY,
    timezone: str = "",
    check: Callable[[str], None] = check_index,
    **settings: Any,
) -> tuple[list[str], list[Rejection]]:
    known = replace(Settings(), **settings)
    context = BuildContext(settings=known, plugin_id="out")
    batch = Batch.of_events(events, range(len(events)), "o", int(NOW * 1e9))
    kept, names, rejected = Naming(Template(template), timezone, context, check)(batch)
    assert len(kept) == len(names)
    return names, rejected


def at(*times: str) -> list[dict[str, Any]]:
    return [{"@timestamp": time} for time in times]


ZONES = [  # id, template, zone, time, index
    ("utc", DAILY, "", "2026-11-21T23:59:59.999Z", "logstash-2026.11.21"),
    ("seoul_is_ahead", DAILY, "Asia/Seoul", "2026-11-21T15:00:00.000Z", "logstash-2026.11.22"),
    ("seoul_just_before", DAILY, "Asia/Seoul", "2026-11-21T14:59:59.999Z", "logstash-2026.11.21"),
    ("half_an_hour", DAILY, "Asia/Kolkata", "2026-11-21T18:30:00.000Z", "logstash-2026.11.22"),
    ("behind", DAILY, "America/New_York", "2026-11-22T04:59:00.000Z", "logstash-2026.11.21"),
    ("summer_time", DAILY, "America/New_York", "2026-07-22T04:00:00.000Z", "logstash-2026.07.22"),
    ("other_fields", "%{x}-%{+YYYY.MM.dd}", "Asia/Seoul", "2026-11-21T15:00:00.000Z", "a-2026.11.22"),
    ("hours", "h-%{+YYYY.MM.dd.HH}", "Asia/Seoul", "2026-11-21T15:10:00.000Z", "h-2026.11.22.00"),
]


@pytest.mark.parametrize(
    ("template", "zone", "time", "index"), [case[1:] for case in ZONES], ids=[case[0] for case in ZONES]
)
def test_time_zones(template: str, zone: str, time: str, index: str) -> None:
    event = {"@timestamp": time, "x": "a"}
    assert named([event, event], template, zone)[0] == [index, index]
    assert named([event], template, index_timezone=zone or "UTC")[0] == [index]
    assert event["@timestamp"] == time


def test_a_zone_that_is_none() -> None:
    with pytest.raises(ValueError, match="no time zone 'Asia/Soul'"):
        named([], timezone="Asia/Soul")


def test_an_event_without_the_field_is_rejected() -> None:
    names, rejected = named([{"x": "a"}, {}, {"x": "b"}], "i-%{x}")
    assert names == ["i-a", "i-b"]
    assert [(letter.raw, letter.event_id) for letter in rejected] == [(b"{}", "o-000000000001")]
    assert "lacks a field" in rejected[0].reason


HOSTILE = [  # id, name, whether the built-in store has such an index, whether a server may
    ("nul", "app-\0", False, False),
    ("absolute", "/etc/passwd", False, False),
    ("parent", "../fifo", False, False),
    ("dots", "..", False, False),
    ("empty", "", False, False),
    ("too_long", "x" * 300, False, False),
    ("too_long_in_bytes", "\u00e9" * 128, False, False),
    ("control", "a\x1bb", False, False),
    ("line_end", "a\n", False, False),
    ("blank", "a b", False, False),
    ("surrogate", "a\ud800", False, False),
    ("comma", "a,b", False, False),
    ("pattern", "logs-*", False, False),
    ("capitals", "App", False, True),
    ("system", ".kibana", False, True),
    ("date_math", "<logs-{now/d}>", False, True),
    ("longest", "x" * 255, True, True),
    ("korean", "\ud55c\uae00", True, True),
]


@pytest.mark.parametrize(("name", "builtin", "server"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_names_of_events(name: str, builtin: bool, server: bool) -> None:
    for check, good in ((check_index, builtin), (check_target, server)):
        names, rejected = named([{"x": name}, {"x": "good"}], "%{x}", check=check)
        assert names == [name] * good + ["good"]
        assert [(letter.event_id, letter.index_name) for letter in rejected] == [("o-000000000000", name)] * (not good)


OLD = at("2026-10-22T10:00:00.000Z", "2026-10-23T00:00:00.000Z", "2026-11-22T00:00:00.000Z", "2018-01-01T00:00:00.000Z")


def test_events_older_than_retention_are_taken() -> None:
    assert named(OLD)[0] == ["logstash-2026.10.22", "logstash-2026.10.23", "logstash-2026.11.22"]
    assert len(named(OLD, late="accept")[0]) == 4


WINDOW = [  # id, time, settings, the setting that refuses it
    ("a_year", "2025-11-22T00:00:00.000Z", {}, ""),
    ("more_than_a_year", "2025-11-21T23:59:59.999Z", {}, "late (365d)"),
    ("tomorrow", "2026-11-23T23:59:59.999Z", {}, ""),
    ("the_day_after", "2026-11-24T00:00:00.000Z", {}, "future (1d)"),
    ("first_day", "0001-01-01T00:00:00.000Z", {}, "late (365d)"),
    ("last_day", "9999-12-31T23:59:59.999Z", {}, "future (1d)"),
    ("first_day_if_wanted", "0001-01-01T00:00:00.000Z", {"late": "accept"}, ""),
    ("last_day_if_wanted", "9999-12-31T23:59:59.999Z", {"future": "accept"}, ""),
    ("days_of_its_own", "2026-11-20T23:59:59.999Z", {"late": 86_400.0}, "late (1d)"),
    ("today_only", "2026-11-23T00:00:00.000Z", {"future": 0.0}, "future (0s)"),
]


@pytest.mark.parametrize(("time", "settings", "why"), [row[1:] for row in WINDOW], ids=[row[0] for row in WINDOW])
def test_window_of_days(time: str, settings: dict[str, Any], why: str) -> None:
    names, rejected = named(at(time, "2026-11-22T10:00:00.000Z"), **settings)
    assert "logstash-2026.11.22" in names
    assert len(names) == 2 - bool(why)
    assert [why in letter.reason and "ingestd deadletters replay" in letter.reason for letter in rejected] == [
        True
    ] * bool(why)


def test_8000_days_make_few_indices() -> None:
    days = [datetime.date(2010, 1, 1) + datetime.timedelta(days=number) for number in range(8000)]
    events = at(*(f"{day}T10:00:00.000Z" for day in days))
    names, rejected = named(events)
    assert (len(names), len(rejected)) == (200, 7800)
    names, rejected = named(events, late="accept", future="accept", new_indices_per_hour=0)
    assert (len(names), len(rejected)) == (8000, 0)


def test_new_indices_of_an_hour_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """The same ones are taken on, those that exist are no new ones, and the next hour has as many again."""
    limit = NewIndexLimit(2, {"there"}.__contains__)
    refused = [bool(limit.refusal(name, NOW)) for name in ("a", "there", "b", "c", "d", "a", "b", "there")]
    assert refused == [False, False, False, True, True, False, False, False]
    assert caplog.text.count("too many new indices") == 1
    assert "new_indices_per_hour (2)" in limit.refusal("c", NOW + 60)
    assert [bool(limit.refusal(name, NOW + 3600)) for name in ("c", "d", "e")] == [False, False, True]


def test_events_older_than_retention_are_rejected_if_wanted() -> None:
    names, rejected = named(OLD, late="dead_letter")
    assert names == ["logstash-2026.10.23", "logstash-2026.11.22"]
    old = ["logstash-2026.10.22", "logstash-2018.01.01"]
    assert [letter.reason.partition(" is older")[0] for letter in rejected] == old


def test_without_retention_none_is_too_old() -> None:
    assert len(named(OLD, late="dead_letter", retention=RetentionSettings(max_age=0))[0]) == 4


def test_all_may_be_too_old() -> None:
    assert named(OLD[:1], late="dead_letter")[0] == []
