"""The filter ``csv``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from ingestd.event.fields import Event
from ingestd.plugins.csv_values import converter
from ingestd.plugins.registry import BuildContext
from tests.conformance.running import run
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, build_in, check

ROW = "big,bird,sesame street"
NAMES = {"columns": ["first", "last", "address"]}
NAMED = {"first": "big", "last": "bird", "address": "sesame street"}


def case(name: str, settings: dict[str, Any], text: Any, after: dict[str, Any], dropped: bool = False) -> Case:
    """Return a row of the table: an event with only ``message``, which stays."""
    return Case(name, settings, {"message": text}, {"message": text, **after}, dropped)


CASES = [
    case("defaults", {}, ROW, {"column1": "big", "column2": "bird", "column3": "sesame street"}),
    case("names", NAMES, ROW, NAMED),
    case("more_columns_than_names", {"columns": ["first"]}, "a,b", {"first": "a", "column2": "b"}),
    case("fewer_columns_than_names", NAMES, "big", {"first": "big"}),
    case(
        "no_generated_names",
        {"columns": ["first"], "autogenerate_column_names": False},
        "a,b,c",
        {"first": "a"},
    ),
    case("separator", {"separator": ";"}, "a,b;c", {"column1": "a,b", "column2": "c"}),
    case("tab", {"separator": "\t"}, "a\tb c", {"column1": "a", "column2": "b c"}),
    case("quotes", {}, 'a,"b, c"', {"column1": "a", "column2": "b, c"}),
    case("other_quotes", {"quote_char": "'"}, "a,'b, \"c'", {"column1": "a", "column2": 'b, "c'}),
    case("no_quotes", {"quote_char": "\\x00"}, 'a,b "c" d', {"column1": "a", "column2": 'b "c" d'}),
    case("empty_columns", {}, 'a,,""', {"column1": "a", "column2": None, "column3": ""}),
    case("empty_columns_skipped", {"skip_empty_columns": True}, 'a,,"",d', {"column1": "a", "column4": "d"}),
    case("target", {**NAMES, "target": "data"}, ROW, {"data": NAMED}),
    case("nested_target", {**NAMES, "target": "[a][b]"}, ROW, {"a": {"b": NAMED}}),
    case("nested_names", {"columns": ["[a][b]", "[a][c]"]}, "1,2", {"a": {"b": "1", "c": "2"}}),
    case(
        "nested_names_in_target", {"columns": ["[a][b]", "c"], "target": "t"}, "1,2", {"t": {"a": {"b": "1"}, "c": "2"}}
    ),
    case("name_is_no_reference", {"columns": ["a[b"]}, "1", {"a[b": "1"}),
    case("header", {**NAMES, "skip_header": True}, "first,last,address", {}, True),
    case(
        "no_header",
        {**NAMES, "skip_header": True},
        "first,last,other",
        {"first": "first", "last": "last", "address": "other"},
    ),
    case("header_is_kept", NAMES, "first,last,address", {"first": "first", "last": "last", "address": "address"}),
    case("empty_row_skipped", {"skip_empty_rows": True}, "", {"tags": ["_csvskippedemptyfield"]}),
    case("empty_line", {}, "\n", {}),
    case("several_rows", {}, "a,b\nc,d", {"column1": "a", "column2": "b"}),
    case("source_is_replaced", {"columns": ["message"]}, "a", {"message": "a"}),
    Case("missing", {}, {"a": 1}, {"a": 1}, False),
    Case("null", {}, {"message": None}, {"message": None}, False),
    Case("source", {"source": "[a][b]"}, {"a": {"b": "x"}}, {"a": {"b": "x"}, "column1": "x"}, False),
    Case(
        "target_is_filled",
        {"columns": ["n"], "target": "t"},
        {"message": "1", "t": {"m": 0, "n": 0}},
        {"message": "1", "t": {"m": 0, "n": "1"}},
        False,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_csv(case: Case) -> None:
    """True drops the event."""
    check("csv", case)


@pytest.mark.parametrize(
    "event",
    [{"message": 'a"b'}, {"message": ""}, {"message": 5}, {"message": ["a"]}, {"message": "a", "t": "text"}],
    ids=["quotes", "empty", "number", "array", "target_is_text"],
)
def test_what_is_not_csv_is_tagged(event: Event) -> None:
    [found] = run('csv { target => "t" add_field => { "done" => "1" } }', event)
    assert found == {**event, "tags": ["_csvparsefailure"]}


def test_names_come_from_the_first_row() -> None:
    csv = build("csv", autodetect_column_names=True, autogenerate_column_names=False, skip_header=True)
    rows = ["", "id,name", "1,x,y", "id,name", "2"]
    events: list[Event] = [{"message": row} for row in rows]
    assert [csv(event) for event in events[1:]] == [True, False, True, False]
    assert events[2] == {"message": "1,x,y", "id": "1", "name": "x"}
    assert events[4] == {"message": "2", "id": "2"}


def test_names_that_come_again_are_no_values() -> None:
    """An output that is behind gets the events a second time, the header among them."""
    csv = build("csv", autodetect_column_names=True)
    rows = ["id,name", "1,x"] * 2
    assert [csv({"message": row}) for row in rows] == [True, False, True, False]


def test_a_header_may_have_nameless_columns() -> None:
    csv = build("csv", autodetect_column_names=True)
    event = {"message": "1,2,3"}
    csv({"message": 'a,,""'})
    csv(event)
    assert event == {"message": "1,2,3", "a": "1", "column2": "2", "column3": "3"}


def test_dropped_headers_and_common_options_in_a_pipeline() -> None:
    found = run(
        'csv { columns => ["a", "b"] skip_header => true add_tag => "csv" remove_field => "message" }',
        *({"message": text} for text in ("a,b", "1,2")),
    )
    assert found == [{"a": "1", "b": "2", "tags": ["csv"]}]


def test_common_options_run_for_rows_alone() -> None:
    tagged: list[Any] = []
    context = BuildContext(common_options=lambda event: tagged.append(event["message"]))
    csv = build_in(context, "csv", {"columns": ["a"], "skip_header": True, "skip_empty_rows": True})
    for text in ("a", "", None, "x"):
        csv({"message": text})
    assert tagged == ["x"]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"convert": {"a": "int"}}, "'int' is not one of integer"),
        ({"separator": ""}, "must not be empty"),
        ({"quote_char": "''"}, "a single character"),
    ],
)
def test_wrong_options(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        build("csv", **settings)


CONVERSIONS: list[tuple[str, str, Any]] = [
    ("integer", "1234", 1234), ("integer", " -7 ", -7), ("integer", "1_000", 1000), ("integer", "0x1A", 26),
    ("integer", "010", 8), ("integer", "08", "08"), ("integer", "1.5", "1.5"), ("integer", "abc", "abc"),
    ("integer", "", ""), ("integer", "١٢", "١٢"), ("integer", "9" * 5000, "9" * 5000),
    ("float", "1.5", 1.5), ("float", " 1e3 ", 1000.0), ("float", "5", 5.0), ("float", "x", "x"),
    ("float", "1e999", "1e999"),
    ("boolean", "true", True), ("boolean", " FALSE ", False), ("boolean", "Maybe", "maybe"),
    ("date", "2001-02-03", "2001-02-02T15:00:00.000Z"), ("date", "Feb 3, 2001", "2001-02-02T15:00:00.000Z"),
    ("date", "Saturday, February 3 01", "2001-02-02T15:00:00.000Z"), ("date", "Feb 3 70", "1970-02-02T15:00:00.000Z"),
    ("date", "2001-02-30", "2001-02-30"), ("date", "Foo 3, 2001", "Foo 3, 2001"), ("date", "0001-01-01", "0001-01-01"),
    ("date", "3 Feb 2001", "3 Feb 2001"),
    ("date_time", "2001-02-03T04:05:06", "2001-02-03T04:05:06.000Z"),
    ("date_time", "2001-02-03 04:05:06", "2001-02-03T04:05:06.000Z"),
    ("date_time", "2001-02-03T04:05:06.123+09:00", "2001-02-02T19:05:06.123Z"),
    ("date_time", "2001-02-03 04:05 UTC", "2001-02-03T04:05:00.000Z"),
    ("date_time", "2001-02-03", "2001-02-03T00:00:00.000Z"),
    ("date_time", "Sat Feb 3 04:05:06 2001", "2001-02-03T04:05:06.000Z"),
    ("date_time", "2001-02-03 25:05:06", "2001-02-03 25:05:06"), ("date_time", "04:05:06", "04:05:06"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text", "value"), CONVERSIONS, ids=[f"{kind}-{text[:30]}" for kind, text, _ in CONVERSIONS]
)
def test_conversions(monkeypatch: pytest.MonkeyPatch, kind: str, text: str, value: Any) -> None:
    monkeypatch.setenv("TZ", "Asia/Seoul")  # where days of dates start
    assert repr(converter(kind)(text)) == repr(value)


def test_conversion_of_columns() -> None:
    csv = build("csv", columns=["n", "t"], convert={"n": "integer", "t": "boolean", "column3": "float"})
    event = {"message": "5,,1.5"}
    csv(event)
    assert event == {"message": "5,,1.5", "n": 5, "t": None, "column3": 1.5}


PIPELINE = pipeline_of('csv { convert => { "column1" => "date_time" "column2" => "float" } }')


@given(EVENTS)
def test_no_event_is_lost(event: Event) -> None:
    [found] = survivors(PIPELINE, event)
    assert found["id"] == 7
