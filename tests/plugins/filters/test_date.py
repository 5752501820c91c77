"""The filter ``date``; the first tables follow the test-suite of Logstash's plugin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.timestamp import from_epoch_ns, to_epoch_ns
from ingestd.plugins.filters._times import machine_zone
from ingestd.plugins.registry import BuildContext
from tests.plugins.filters.tables import Case, build, check, on_event, options_of, spec_of

NOW = "2000-01-01T00:00:00.000Z"
TAGGED = {"@timestamp": NOW, "tags": ["_dateparsefailure"]}
UTC = {"locale": "en", "timezone": "UTC"}


def parsed(name: str, formats: list[str], value: Any, expected: str, **settings: Any) -> Case:
    before = {"@timestamp": NOW, "t": value}
    return Case(name, {"match": ["t", *formats], **UTC, **settings}, before, {"@timestamp": expected, "t": value})


def failed(name: str, formats: list[str], value: Any, **settings: Any) -> Case:
    before = {"@timestamp": NOW, "t": value}
    return Case(name, {"match": ["t", *formats], **UTC, **settings}, before, {**TAGGED, "t": value}, done=False)


BOTH = ["UNIX", "UNIX_MS"]
ZONED = {"timezone": "%{tz}"}
LOS_ANGELES = {"match": ["t", "yyyy MMM dd HH:mm:ss"], "timezone": "%{tz}"}

CASES = [
    parsed("iso_offset", ["ISO8601"], "2001-01-01T00:00:00-0800", "2001-01-01T08:00:00.000Z"),
    parsed("iso_comma", ["ISO8601"], "2001-12-07T23:54:54,123Z", "2001-12-07T23:54:54.123Z"),
    parsed("iso_blank", ["ISO8601"], "2001-11-06 20:45:45.123-0000", "2001-11-06T20:45:45.123Z"),
    parsed("iso_zone", ["ISO8601"], "2001-11-06 20:45:45,123", "2001-11-06T11:45:45.123Z", timezone="Asia/Seoul"),
    parsed("unix_text", ["UNIX"], "1000000000", "2001-09-09T01:46:40.000Z"),
    parsed("unix_int", ["UNIX"], 1000000000, "2001-09-09T01:46:40.000Z"),
    parsed("unix_zero", ["UNIX"], 0, "1970-01-01T00:00:00.000Z"),
    parsed("unix_micros_text", ["UNIX"], "1350414944.123456", "2012-10-16T19:15:44.123Z"),
    parsed("unix_micros_float", ["UNIX"], 1350414944.123456, "2012-10-16T19:15:44.123Z"),
    failed("unix_placeholder", ["UNIX"], "%{bad_value}"),
    failed("unix_too_large", ["UNIX"], 1000000000123),
    failed("unix_bool", ["UNIX"], True),
    parsed("unix_ms_text", ["UNIX_MS"], "456", "1970-01-01T00:00:00.456Z"),
    parsed("unix_ms_int", ["UNIX_MS"], 1000000000123, "2001-09-09T01:46:40.123Z"),
    failed("unix_ms_beyond_9999", ["UNIX_MS"], 10**18),
    parsed("both_seconds", BOTH, "1478207457", "2016-11-03T21:10:57.000Z"),
    parsed("both_float", BOTH, 1478207457.456, "2016-11-03T21:10:57.456Z"),
    parsed("both_ms", BOTH, 1000000000123, "2001-09-09T01:46:40.123Z"),
    parsed("tai64n", ["TAI64N"], "4000000050d506482dbdf024", "2012-12-22T01:00:46.767Z"),
    parsed("tai64n_at", ["TAI64N"], "@4000000050d506482dbdf024", "2012-12-22T01:00:46.767Z"),
    parsed("http", ["dd/MMM/yyyy:HH:mm:ss Z"], "25/Mar/2013:20:33:56 +0000", "2013-03-25T20:33:56.000Z"),
    parsed("offset_wins", ["ISO8601"], "2013-03-25T20:33:56+09:00", "2013-03-25T11:33:56.000Z", timezone="CET"),
    parsed("second_format", ["MMM  d yyyy", "MMM dd yyyy"], "Jun 02 2013", "2013-06-02T00:00:00.000Z"),
    parsed("first_that_fits", ["UNIX", "yyyy"], "2013", "1970-01-01T00:33:33.000Z"),
    failed("nothing_fits", ["MMM  d HH:mm:ss", "MMM dd HH:mm:ss"], "this will not parse"),
    failed("month_name", ["yyyy/MM/dd"], "2013/Apr/21"),
    failed("number_for_a_pattern", ["yyyy", "ISO8601"], 2013),
    failed("array", ["ISO8601", "UNIX"], ["2013-01-01"]),
    failed("hash", ["ISO8601"], {"a": 1}),
    failed("empty", ["ISO8601", "UNIX", "UNIX_MS", "TAI64N", "yyyy"], ""),
    failed("skipped_hour", ["yyyy-MM-dd HH:mm:ss"], "2016-03-27 02:30:00", timezone="CET"),
    parsed("yearless", ["MMM dd HH:mm:ss"], "Nov 21 10:00:00", "2025-11-21T10:00:00.000Z"),
    parsed("yearless_los_angeles", ["MMM dd"], "Jun 24", "2025-06-24T07:00:00.000Z", timezone="America/Los_Angeles"),
    parsed("french", ["dd MMMM yyyy"], "14 juillet 1789", "1789-07-14T00:00:00.000Z", locale="fr"),
    parsed("french_country", ["dd MMMM yyyy"], "14 juillet 1789", "1789-07-14T00:00:00.000Z", locale="fr-FR"),
    parsed("french_posix", ["dd MMMM yyyy"], "14 juillet 1789", "1789-07-14T00:00:00.000Z", locale="fr_FR"),
    parsed("cut_to_ms", ["ISO8601"], "2013-01-01T00:00:00.123999Z", "2013-01-01T00:00:00.123Z"),
    parsed("ns", ["ISO8601"], "2013-01-01T00:00:00.123456Z", "2013-01-01T00:00:00.123456Z", precision="ns"),
    parsed("ns_unix", ["UNIX"], "1478207457.123456789", "2016-11-03T21:10:57.123456789Z", precision="ns"),
    parsed("ns_tai", ["TAI64N"], "@4000000050d506482dbdf024", "2012-12-22T01:00:46.767422500Z", precision="ns"),
    parsed("ns_pattern", ["yyyy ss.SSSSSS"], "2013 01.000001", "2013-01-01T00:00:01.000001Z", precision="ns"),
    Case("missing", {"match": ["t", "ISO8601"]}, {"@timestamp": NOW}, {"@timestamp": NOW}, done=False),
    Case("null", {"match": ["t", "ISO8601"]}, {"t": None}, {"t": None}, done=False),
    Case(
        "nested",
        {"match": ["[data][deep]", "ISO8601"], **UTC},
        {"data": {"deep": "2013-01-01T00:00:00.000Z"}},
        {"data": {"deep": "2013-01-01T00:00:00.000Z"}, "@timestamp": "2013-01-01T00:00:00.000Z"},
    ),
    Case(
        "target",
        {"match": ["t", "UNIX"], "target": "[a][b]"},
        {"@timestamp": NOW, "t": 1, "a": {"c": 2}},
        {"@timestamp": NOW, "t": 1, "a": {"c": 2, "b": "1970-01-01T00:00:01.000Z"}},
    ),
    Case(
        "own_tags",
        {"match": ["t", "UNIX"], "tag_on_failure": ["a", "b"]},
        {"t": "x", "tags": ["b"]},
        {"t": "x", "tags": ["b", "a"]},
        done=False,
    ),
    Case("no_tag", {"match": ["t", "UNIX"], "tag_on_failure": []}, {"t": "x"}, {"t": "x"}, done=False),
    Case(
        "zone_of_the_event",
        LOS_ANGELES,
        {"t": "2013 Nov 24 01:29:01", "tz": "America/Los_Angeles"},
        {"t": "2013 Nov 24 01:29:01", "tz": "America/Los_Angeles", "@timestamp": "2013-11-24T09:29:01.000Z"},
    ),
    Case(
        "iso_in_the_zone_of_the_event",
        {"match": ["t", "ISO8601"], **ZONED},
        {"t": "2008-01-01T00:00:00", "tz": "America/Caracas"},
        {"t": "2008-01-01T00:00:00", "tz": "America/Caracas", "@timestamp": "2008-01-01T04:30:00.000Z"},
    ),
    Case(
        "zone_missing_in_the_event",
        LOS_ANGELES,
        {"@timestamp": NOW, "t": "2013 Nov 24 01:29:01"},
        {**TAGGED, "t": "2013 Nov 24 01:29:01"},
        done=False,
    ),
    Case(
        "zone_of_the_event_unknown",
        LOS_ANGELES,
        {"@timestamp": NOW, "t": "2013 Nov 24 01:29:01", "tz": "PST"},
        {**TAGGED, "t": "2013 Nov 24 01:29:01", "tz": "PST"},
        done=False,
    ),
    Case(
        "count_of_seconds_needs_no_zone",
        {"match": ["t", "ISO8601", "UNIX"], **ZONED},
        {"t": 5, "tz": "nowhere"},
        {"t": 5, "tz": "nowhere", "@timestamp": "1970-01-01T00:00:05.000Z"},
    ),
    Case(
        "locale_of_the_event",
        {"match": ["t", "d MMMM yyyy"], "locale": "%{lang}", "timezone": "UTC"},
        {"t": "5 mai 2026", "lang": "fr"},
        {"t": "5 mai 2026", "lang": "fr", "@timestamp": "2026-05-05T00:00:00.000Z"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_date(case: Case) -> None:
    check("date", case)


INVALID = [
    ("no_match", {}, "match needs a field and at least one format"),
    ("no_format", {"match": ["t"]}, "match needs a field and at least one format"),
    ("pattern", {"match": ["t", "yyyy-MM-ddTHH:mm"]}, "'T' is not a valid letter"),
    ("zone_names", {"match": ["t", "yyyy zzzz"]}, "cannot be parsed"),
    ("zone", {"match": ["t", "ISO8601"], "timezone": "PST"}, "unknown time zone 'PST'"),
    ("locale", {"match": ["t", "MMM"], "locale": "tlh"}, "locale 'tlh' is not known"),
    ("pattern_with_zone_of_the_event", {"match": ["t", "foo"], "timezone": "%{tz}"}, "not a valid letter"),
    ("field", {"match": ["a[b]", "ISO8601"]}, "invalid field reference"),
]


@pytest.mark.parametrize(("settings", "message"), [row[1:] for row in INVALID], ids=[row[0] for row in INVALID])
def test_invalid(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("date", **settings)


def test_touches() -> None:
    settings = {"match": ["[log][date]", "ISO8601"], "timezone": "%{[tz][name]}", "target": "when"}
    touch = spec_of("date").touches(options_of("date", settings))
    assert (touch.reads, touch.sets, touch.removes) == (
        frozenset({"[log][date]", "[tz][name]"}),
        frozenset({"when", "tags"}),
        frozenset(),
    )


def test_the_new_year_is_noticed() -> None:
    """What a text without a year means is not remembered across the turn of the year."""
    now = to_epoch_ns("2025-12-31T23:59:59.000Z")
    date = spec_of("date").build(options_of("date", {"match": ["t", "MMM dd HH:mm:ss"], **UTC}), BuildContext())
    years = []
    for _ in range(2):
        event: dict[str, Any] = {"t": "Dec 31 23:59:59"}
        on_event(date, event, now)
        years.append(event["@timestamp"][:4])
        now += 40 * 86400 * 10**9
    assert years == ["2025", "2026"]


def test_equal_texts_give_one_object() -> None:
    """Lines of one second share their timestamp, which is found once."""
    date = build("date", match=["t", "ISO8601"], **UTC)
    first, second = {"t": "2026-11-22T10:00:00+09:00"}, {"t": "2026-11-22T10:00:00+09:00"}
    date(first)
    date(second)
    assert first["@timestamp"] is second["@timestamp"]


@pytest.mark.parametrize(
    ("value", "hours"), [("Asia/Seoul", 9), (":Asia/Seoul", 9), ("UTC", 0)], ids=["name", "posix_name", "utc"]
)
def test_zone_of_the_machine(value: str, hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", value)
    offset = machine_zone().utcoffset(datetime(2026, 1, 1))
    assert offset is not None
    assert offset.total_seconds() == hours * 3600
    event: dict[str, Any] = {"t": "2026-01-01 12:00:00"}
    build("date", match=["t", "ISO8601"])(event)
    assert event["@timestamp"] == f"2026-01-01T{12 - hours:02d}:00:00.000Z"


@pytest.mark.parametrize("value", ["", "XYZ-3:30xx"])
def test_there_is_always_a_zone(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", value)
    assert machine_zone().utcoffset(datetime(2026, 1, 1)) is not None


@given(st.integers(0, 4_000_000_000_000))
def test_every_form_of_an_instant_is_the_same(ms: int) -> None:
    text = from_epoch_ns(ms * 1_000_000)
    date = build("date", match=["t", "ISO8601", "UNIX_MS"], **UTC)
    for value in (text, ms, str(ms) if ms > 9999 else ms, text.replace("T", " "), text.replace(".", ",")):
        event: dict[str, Any] = {"t": value}
        assert date(event)
        assert event["@timestamp"] == text


@given(st.text(max_size=80) | st.integers() | st.floats() | st.booleans() | st.lists(st.text()))
def test_no_value_raises(value: Any) -> None:
    date = build("date", match=["t", "ISO8601", "UNIX", "UNIX_MS", "TAI64N", "MMM dd HH:mm:ss", "yy Z"], **UTC)
    event = {"t": value, "@timestamp": NOW}
    done = date(event)
    assert done or event["@timestamp"] == NOW
