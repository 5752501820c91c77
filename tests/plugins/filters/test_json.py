"""The filter ``json``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.jsontext import dumps
from tests.plugins.filters.tables import Case, build, check

TEXT = '{"hello":"world","list":[1,2,3],"hash":{"k":"v"}}'
HASH = {"hello": "world", "list": [1, 2, 3], "hash": {"k": "v"}}
SOURCE = {"source": "message"}
TO_DATA = {"source": "message", "target": "data"}
BAD_TAGS = ["_tagsparsefailure"]
FAILED = ["_jsonparsefailure"]
NO_TIME = ["_timestampparsefailure"]
NOW = "2025-11-22T10:00:00.500Z"

TIMESTAMPS: list[tuple[str, str, dict[str, Any]]] = [
    ("valid", '{"@timestamp":"2015-12-02T17:40:00.666Z"}', {"@timestamp": "2015-12-02T17:40:00.666Z"}),
    ("offset", '{"@timestamp":"2015-12-02T17:40:00+09:00"}', {"@timestamp": "2015-12-02T08:40:00.000Z"}),
    ("null", '{"@timestamp":null}', {"@timestamp": "old"}),
    ("invalid", '{"@timestamp":"foobar"}', {"@timestamp": NOW, "_@timestamp": "foobar", "tags": NO_TIME}),
    ("number", '{"@timestamp":1.5}', {"@timestamp": NOW, "_@timestamp": "1.5", "tags": NO_TIME}),
]

REST_IS_KEPT: list[tuple[str, str, dict[str, Any]]] = [
    ("nested", '{"b":2,"[what][is][this]":"five","c":3}', {"what": {"is": {"this": "five"}}}),
    ("no_reference", '{"b":2,"aa[bb]":1,"c":3}', {"aa[bb]": 1}),
    ("open_bracket", '{"b":2,"[foo":1,"c":3}', {"[foo": 1}),
    ("tags_hash", '{"b":2,"tags":{"a":1},"c":3}', {"tags": BAD_TAGS, "_tags": [{"a": 1}]}),
    ("tags_number", '{"b":2,"tags":5,"c":3}', {"tags": BAD_TAGS, "_tags": [5]}),
    ("tags_reference", '{"b":2,"[tags]":{"x":1},"c":3}', {"tags": BAD_TAGS, "_tags": [{"x": 1}]}),
    ("metadata", '{"b":2,"@metadata":5,"c":3}', {"@metadata": 5}),
    ("inside_text", '{"b":2,"[m][x]":1,"c":3}', {"[m][x]": 1}),
    ("empty_key", '{"b":2,"":1,"[a][b]":1,"c":3}', {"": 1, "a": {"b": 1}}),
    (
        "timestamp_reference",
        '{"b":2,"[@timestamp]":"2020-01-01T00:00:00Z","c":3}',
        {"@timestamp": "2020-01-01T00:00:00.000Z"},
    ),
    (
        "timestamp",
        '{"b":2,"@timestamp":"bad","c":3}',
        {
            "@timestamp": "2025-11-22T10:00:00.500Z",
            "_@timestamp": "bad",
            "tags": ["_timestampparsefailure"],
        },
    ),
]
CASES = [
    Case("into_event", SOURCE, {"message": TEXT}, {"message": TEXT, **HASH}),
    Case("into_target", TO_DATA, {"message": TEXT}, {"message": TEXT, "data": HASH}),
    Case("into_source", {"source": "a", "target": "a"}, {"a": '{"b":1}'}, {"a": {"b": 1}}),
    Case("into_nested", {"source": "[a][b]", "target": "[a][c]"}, {"a": {"b": "[1]"}}, {"a": {"b": "[1]", "c": [1]}}),
    Case("into_metadata", {"source": "a", "target": "[@metadata][j]"}, {"a": "1"}, {"a": "1", "@metadata": {"j": 1}}),
    Case("target_is_replaced", TO_DATA, {"message": "[]", "data": {"a": 1}}, {"message": "[]", "data": []}),
    Case("blanks_around", SOURCE, {"message": ' \n{"a":1}\t'}, {"message": ' \n{"a":1}\t', "a": 1}),
    Case(
        "overwrites",
        SOURCE,
        {"message": '{"message":"x","@version":"2"}', "@version": "1"},
        {"message": "x", "@version": "2"},
    ),
    Case("last_duplicate_counts", SOURCE, {"message": '{"a":1,"a":2}'}, {"message": '{"a":1,"a":2}', "a": 2}),
    Case(
        "numbers",
        TO_DATA,
        {"message": "[1.5,1e3,12345678901234567890123]"},
        {"message": "[1.5,1e3,12345678901234567890123]", "data": [1.5, 1000.0, 12345678901234567890123]},
    ),
    Case("scalar_into_target", TO_DATA, {"message": "5"}, {"message": "5", "data": 5}),
    Case(
        "key_is_a_reference",
        SOURCE,
        {"message": '{"[a][b]":1,"c":2}'},
        {"message": '{"[a][b]":1,"c":2}', "c": 2, "a": {"b": 1}},
    ),
    Case(
        "metadata_key",
        SOURCE,
        {"message": '{"@metadata":{"x":1}}'},
        {"message": '{"@metadata":{"x":1}}', "@metadata": {"x": 1}},
    ),
    Case("empty_object", SOURCE, {"message": "{}"}, {"message": "{}"}),
    Case("missing_source", SOURCE, {"a": 1}, {"a": 1}, False),
    Case("null_source", SOURCE, {"message": None}, {"message": None}, False),
    Case("no_json", SOURCE, {"message": "random"}, {"message": "random", "tags": FAILED}, False),
    Case("no_json_with_tags", SOURCE, {"message": "{", "tags": ["a"]}, {"message": "{", "tags": ["a", *FAILED]}, False),
    Case("no_json_skipped", {**SOURCE, "skip_on_invalid_json": True}, {"message": "{"}, {"message": "{"}, False),
    Case("two_values", SOURCE, {"message": '{"a":1}{"a":2}'}, {"message": '{"a":1}{"a":2}', "tags": FAILED}, False),
    Case(
        "own_tags",
        {**TO_DATA, "tag_on_failure": ["a", "b"]},
        {"message": "{"},
        {"message": "{", "tags": ["a", "b"]},
        False,
    ),
    Case("no_tags", {**SOURCE, "tag_on_failure": []}, {"message": "{"}, {"message": "{"}, False),
    Case("array_without_target", SOURCE, {"message": "[1]"}, {"message": "[1]", "tags": FAILED}, False),
    Case(
        "array_without_target_is_not_skipped",
        {**SOURCE, "skip_on_invalid_json": True},
        {"message": "[1]"},
        {"message": "[1]", "tags": FAILED},
        False,
    ),
    Case("number_is_no_text", SOURCE, {"message": 5}, {"message": 5, "tags": FAILED}, False),
    Case("hash_is_no_text", TO_DATA, {"message": {"a": 1}}, {"message": {"a": 1}, "tags": FAILED}, False),
    Case("blank_is_null", TO_DATA, {"message": "  "}, {"message": "  ", "data": None}),
    Case("blank_without_target", SOURCE, {"message": ""}, {"message": "", "tags": FAILED}, False),
    Case(
        "bad_key",
        SOURCE,
        {"message": '{"un[sup]]ported":1,"b":2}'},
        {"message": '{"un[sup]]ported":1,"b":2}', "un[sup]]ported": 1, "b": 2},
    ),
    *[
        Case(f"rest_is_kept_{name}", {"source": "m"}, {"m": text}, {"m": text, "b": 2, "c": 3, **after})
        for name, text, after in REST_IS_KEPT
    ],
    Case(
        "target_inside_text",
        {"source": "a", "target": "[b][c]"},
        {"a": "1", "b": "x"},
        {"a": "1", "b": "x", "tags": FAILED},
        False,
    ),
    Case(
        "tags_set", SOURCE, {"message": '{"tags":["a"]}', "tags": ["b"]}, {"message": '{"tags":["a"]}', "tags": ["a"]}
    ),
    Case(
        "tags_that_are_none",
        SOURCE,
        {"message": '{"tags":{"a":1}}'},
        {"message": '{"tags":{"a":1}}', "tags": BAD_TAGS, "_tags": [{"a": 1}]},
    ),
    Case(
        "timestamp",
        {**SOURCE, "target": "m"},
        {"message": '{"@timestamp":"x"}'},
        {"message": '{"@timestamp":"x"}', "m": {"@timestamp": "x"}},
    ),
    *[
        Case(f"timestamp_{name}", {"source": "m"}, {"m": text, "@timestamp": "old"}, {"m": text, **after})
        for name, text, after in TIMESTAMPS
    ],
    Case(
        "target_timestamp",
        {"source": "m", "target": "@timestamp"},
        {"m": '"2015-01-01"', "@timestamp": "t"},
        {"m": '"2015-01-01"', "@timestamp": "2015-01-01T00:00:00.000Z"},
    ),
    Case(
        "target_timestamp_fails",
        {"source": "m", "target": "@timestamp"},
        {"m": "5", "@timestamp": "t"},
        {"m": "5", "@timestamp": "t", "tags": FAILED},
        False,
    ),
    Case("surrogates", TO_DATA, {"message": '"\\ud800"'}, {"message": '"\\ud800"', "data": "\ufffd"}),
    Case("nan", TO_DATA, {"message": "[NaN]"}, {"message": "[NaN]", "data": [None]}),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_json(case: Case) -> None:
    check("json", case)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_written_is_read_again(value: Any) -> None:
    event = {"message": dumps(value).decode()}
    assert build("json", **TO_DATA)(event) is True
    assert event["data"] == value


@given(st.text(max_size=30))
def test_any_text_is_taken(text: str) -> None:
    event: dict[str, Any] = {"message": text}
    done = build("json", **SOURCE)(event)
    assert done is not ("tags" in event and event["tags"] == FAILED)
