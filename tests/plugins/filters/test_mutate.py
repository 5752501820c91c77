"""The filter ``mutate``. Expected values are those of Logstash 9, error for error."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.grok.errors import PatternError
from tests.plugins.filters.tables import Case, build, check, spec_of


def convert(kind: str, value: Any, result: Any) -> Case:
    return Case(f"{kind}_{value!r}", {"convert": {"f": kind}}, {"f": value}, {"f": result})


CONVERT = [
    *[
        convert("integer", value, result)
        for value, result in [
            ("1234", 1234), ("-7", -7), ("+7", 7), (" 12 ", 12), ("1,000", 1000), ("1,234,567.8", 1234567),
            ("123.4", 123), ("12abc", 12), ("abc", 0), ("", 0), ("1_000", 1000), (".5", 0), ("- 5", 0),
            ("1.230000e+02", 123), ("1.234500e+02", 123), ("5e-1", 0), ("1e-999999999", 0), ("1E3", 1000), ("NONE", 0),
            ("0x7b", 123), ("-0x1A", -26), ("0x1.edcdp6", 123), ("0X10", 16),
            ("9223372036854775808", 9223372036854775808), ("9007199254740993", 9007199254740993),
            (True, 1), (False, 0), (5, 5), (7.9, 7), (-7.9, -7), (None, None), ({"a": "1"}, {"a": "1"}),
            (["1", None, "2.5", True, 3.9], [1, None, 2, 1, 3]), ([], []),
        ]
    ],
    *[
        convert("float", value, result)
        for value, result in [
            ("3141.5926", 3141.5926), ("3,141.5926", 3141.5926), ("3,141", 3141.0), ("3141", 3141.0), (" 1.5\t", 1.5),
            ("1e3", 1000.0), ("-.5", -0.5), ("1_000.5", 1000.5), ("0x1A", 26.0), ("0x1.8p1", 3.0),
            (3.25, 3.25), (3, 3.0), (True, 1.0), (False, 0.0), (None, None), (["1.5", None, 2], [1.5, None, 2.0]),
        ]
    ],
    *[
        convert("integer_eu", value, result)
        for value, result in [("1.000", 1000), ("1.234.567,8", 1234567), ("123,4", 123), (5, 5), (True, 1)]
    ],
    *[
        convert("float_eu", value, result)
        for value, result in [
            ("3141,5926", 3141.5926), ("3.141,5926", 3141.5926), ("3.141", 3141.0), ("3141", 3141.0), (3.25, 3.25),
            (3, 3.0), (False, 0.0), (["1.000", "123,4"], [1000.0, 123.4]),
        ]
    ],
    *[
        convert("string", value, result)
        for value, result in [
            (1234, "1234"), (5.0, "5.0"), (1e20, "1.0e+20"), (1e-7, "1.0e-07"), (True, "true"), (False, "false"),
            ("a", "a"), ([1, None, "a", [1, None, "b"]], ["1", None, "a", '[1, nil, "b"]']), ([{"a": 1}], ['{"a"=>1}']),
            (None, None), ({"a": 1}, {"a": 1}), ([True, {}], ["true", "{}"]),
        ]
    ],
    *[
        convert("boolean", value, result)
        for value, result in [
            ("true", True), ("True", True), ("t", True), ("yes", True), ("Y", True), ("1", True), ("1.0", True),
            ("false", False), ("F", False), ("no", False), ("n", False), ("0", False), ("0.0", False), ("", False),
            ("none of the above", "none of the above"), (" true", " true"), (0, False), (1, True), (-1, -1), (2, 2),
            (1.0, True), (0.0, False), (1.0123, 1.0123), (0.01, 0.01), (True, True), (False, False),
            (["1", "0", 0, 1, 2, None], [True, False, False, True, 2, None]), ({"a": 0}, {"a": 0}),
            ("100", True), ("no\nyes", True),  # a dot for any character, and lines: Logstash's own expression
        ]
    ],
]  # fmt: skip

STAMP = "2026-11-22T10:00:00.000Z"
NESTED = {"a": {"b": [1, {"c": "x"}]}, "z": "z"}

MERGES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("into_missing", {"foo": "bar"}, {"foo": "bar", "list": ["bar"]}),
    ("missing_into_missing", {}, {"list": []}),
    ("into_empty", {"foo": "bar", "list": []}, {"foo": "bar", "list": ["bar"]}),
    ("text_into_array", {"foo": "bar", "list": ["baz"]}, {"foo": "bar", "list": ["baz", "bar"]}),
    ("array_into_array", {"foo": ["bar"], "list": ["baz"]}, {"foo": ["bar"], "list": ["baz", "bar"]}),
    ("empty_into_array", {"foo": [], "list": ["baz"]}, {"foo": [], "list": ["baz"]}),
    ("missing_into_array", {"list": ["baz"]}, {"list": ["baz"]}),
    ("array_into_text", {"foo": ["bar"], "list": "baz"}, {"foo": ["bar"], "list": ["baz", "bar"]}),
    ("text_into_text", {"foo": "bar", "list": "baz"}, {"foo": "bar", "list": ["baz", "bar"]}),
    ("missing_into_text", {"list": "baz"}, {"list": ["baz"]}),
    ("numbers", {"foo": 1, "list": 2}, {"foo": 1, "list": [2, 1]}),
    (
        "hashes",
        {"foo": {"a": 1, "b": 2}, "list": {"b": 3, "c": 4}},
        {"foo": {"a": 1, "b": 2}, "list": {"b": 2, "c": 4, "a": 1}},
    ),
    ("hash_into_array", {"foo": {"a": 1}, "list": [1]}, {"foo": {"a": 1}, "list": [1]}),
    ("hash_into_missing", {"foo": {"a": 1}}, {"foo": {"a": 1}}),
    ("array_into_hash", {"foo": [1], "list": {"a": 1}}, {"foo": [1], "list": {"a": 1}}),
]

CASES = [
    *CONVERT,
    Case("convert_nested", {"convert": {"[foo][bar]": "integer"}}, {"foo": {"bar": "10"}}, {"foo": {"bar": 10}}),
    Case("convert_element", {"convert": {"[foo][0]": "integer"}}, {"foo": ["1", "2"]}, {"foo": [1, "2"]}),
    Case("convert_missing", {"convert": {"x": "integer"}}, {"f": "1"}, {"f": "1"}),
    Case(
        "convert_metadata",
        {"convert": {"[@metadata][n]": "float"}},
        {"@metadata": {"n": "1"}},
        {"@metadata": {"n": 1.0}},
    ),
    Case("coerce_null", {"coerce": {"a": "Hello", "b": 5}}, {"a": None, "b": None}, {"a": "Hello", "b": "5"}),
    Case("coerce_value_stays", {"coerce": {"a": "x"}}, {"a": False}, {"a": False}),
    Case("coerce_missing_stays_missing", {"coerce": {"a": "x"}}, {"b": 1}, {"b": 1}),
    Case("coerce_placeholder", {"coerce": {"[a][b]": "%{c}"}}, {"a": {"b": None}, "c": 1}, {"a": {"b": "1"}, "c": 1}),
    Case("rename", {"rename": {"a": "b"}}, {"a": [1]}, {"b": [1]}),
    Case("rename_missing", {"rename": {"a": "b"}}, {"c": 1}, {"c": 1}),
    Case("rename_null", {"rename": {"a": "b"}}, {"a": None}, {"b": None}),
    Case("rename_overwrites", {"rename": {"a": "b"}}, {"a": 1, "b": 2}, {"b": 1}),
    Case("rename_nested", {"rename": {"[a][b]": "[c][d]"}}, {"a": {"b": 1, "x": 2}}, {"a": {"x": 2}, "c": {"d": 1}}),
    Case("rename_into_itself", {"rename": {"a": "[a][b]"}}, {"a": 1}, {"a": {"b": 1}}),
    Case("rename_element", {"rename": {"[a][0]": "b"}}, {"a": [1, 2]}, {"a": [2], "b": 1}),
    Case("rename_to_metadata", {"rename": {"a": "[@metadata][a]"}}, {"a": 1}, {"@metadata": {"a": 1}}),
    Case(
        "rename_dynamic_source", {"rename": {"field_%{x}": "to"}}, {"field_one": 1, "x": "one"}, {"to": 1, "x": "one"}
    ),
    Case("rename_dynamic_target", {"rename": {"a": "field_%{x}"}}, {"a": 1, "x": "one"}, {"field_one": 1, "x": "one"}),
    Case("rename_in_order", {"rename": {"a": "b", "b": "c"}}, {"a": 1}, {"c": 1}),
    Case("update", {"update": {"a": "n", "b": "%{a}"}}, {"a": 1}, {"a": "n"}),
    Case("update_null", {"update": {"a": "n"}}, {"a": None}, {"a": "n"}),
    Case(
        "replace",
        {"replace": {"a": "%{b}: c", "[x][y]": "z"}},
        {"a": [1], "b": 2},
        {"a": "2: c", "b": 2, "x": {"y": "z"}},
    ),
    Case("replace_unknown_placeholder", {"replace": {"a": "%{nope}"}}, {}, {"a": "%{nope}"}),
    Case("replace_number", {"replace": {"a": 5}}, {}, {"a": "5"}),
    Case("uppercase", {"uppercase": ["a"]}, {"a": "xYzółć ß"}, {"a": "XYZÓŁĆ SS"}),
    Case("uppercase_array", {"uppercase": "a"}, {"a": ["a", 2, "C", None]}, {"a": ["A", 2, "C", None]}),
    Case(
        "uppercase_other",
        {"uppercase": ["a", "b", "c", "d"]},
        {"a": 1, "b": {"x": "y"}, "c": None},
        {"a": 1, "b": {"x": "y"}, "c": None},
    ),
    Case("lowercase", {"lowercase": ["a"]}, {"a": "NÎCË АБВГД\0ΣΑΣ"}, {"a": "nîcë абвгд\0σασ"}),
    Case(
        "capitalize",
        {"capitalize": ["a"]},
        {"a": ["ab", 2, "CDE", "абв", "ǆ", ""]},
        {"a": ["Ab", 2, "Cde", "Абв", "ǅ", ""]},
    ),
    Case("case_nested", {"lowercase": ["[a][b]"]}, {"a": {"b": "X"}}, {"a": {"b": "x"}}),
    Case("upper_then_lower", {"lowercase": ["a"], "uppercase": ["a"]}, {"a": "aB"}, {"a": "ab"}),
    Case("strip", {"strip": ["a", "b"]}, {"a": " /x \t\r\n\0", "b": [" y", "z "]}, {"a": "/x", "b": ["y", "z"]}),
    Case("strip_keeps_wide_blanks", {"strip": ["a"]}, {"a": "\u3000x\u00a0"}, {"a": "\u3000x\u00a0"}),
    Case("strip_other", {"strip": ["a"]}, {"a": 5}, {"a": 5}),
    Case("split", {"split": {"a": ","}}, {"a": "foo,bar,baz"}, {"a": ["foo", "bar", "baz"]}),
    Case("split_one", {"split": {"a": ","}}, {"a": "foo"}, {"a": ["foo"]}),
    Case("split_trailing", {"split": {"a": ","}}, {"a": "foo,,"}, {"a": ["foo"]}),
    Case("split_leading", {"split": {"a": ","}}, {"a": ",,foo"}, {"a": ["", "", "foo"]}),
    Case("split_only_separators", {"split": {"a": ","}}, {"a": ",,"}, {"a": []}),
    Case("split_empty_text", {"split": {"a": ","}}, {"a": ""}, {"a": []}),
    Case("split_blank", {"split": {"a": " "}}, {"a": "  a \t b\n"}, {"a": ["a", "b"]}),
    Case("split_chars", {"split": {"a": ""}}, {"a": "맛집"}, {"a": ["맛", "집"]}),
    Case("split_long_separator", {"split": {"a": "||"}}, {"a": "x||y|z"}, {"a": ["x", "y|z"]}),
    Case("split_other", {"split": {"a": ","}}, {"a": ["x,y"]}, {"a": ["x,y"]}),
    Case(
        "join",
        {"join": {"a": ", "}},
        {"a": [1, None, "x", True, 1.5, [2, [3]], {"k": "v"}]},
        {"a": '1, , x, true, 1.5, 2, 3, {"k"=>"v"}'},
    ),
    Case("join_other", {"join": {"a": ","}}, {"a": "x"}, {"a": "x"}),
    Case("split_then_join", {"split": {"a": "."}, "join": {"a": "-"}}, {"a": "1.2"}, {"a": "1-2"}),
    Case("copy", {"copy": {"a": "b"}}, {"a": {"x": [1]}}, {"a": {"x": [1]}, "b": {"x": [1]}}),
    Case(
        "copy_overwrites", {"copy": {"a": "[b][c]"}}, {"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 1, "d": 3}}
    ),
    Case("copy_null_or_missing", {"copy": {"a": "b", "x": "y"}}, {"a": None}, {"a": None}),
    *[
        Case(f"merge_{name}", {"merge": {"list": "foo"}}, before, after)
        for name, before, after in MERGES
    ],
    Case(
        "merge_several", {"merge": {"l": ["a", "b"]}}, {"a": 1, "b": [2], "l": [0]}, {"a": 1, "b": [2], "l": [0, 1, 2]}
    ),
    Case(
        "merge_several_into_text",
        {"merge": {"l": ["a", "b"]}},
        {"a": 1, "b": 2, "l": 0},
        {"a": 1, "b": 2, "l": [0, 2]},
    ),
    Case("gsub", {"gsub": ["a", "but extinct", "and common"]}, {"a": "Rare, but extinct"}, {"a": "Rare, and common"}),
    Case("gsub_array", {"gsub": ["a", "x", "y"]}, {"a": ["xx", 1, None, ["x"]]}, {"a": ["yy", 1, None, ["x"]]}),
    Case(
        "gsub_several",
        {"gsub": ["a", "red", "blue", "b", "sq.*e", "circle"]},
        {"a": "red", "b": "a square"},
        {"a": "blue", "b": "a circle"},
    ),
    Case("gsub_regex", {"gsub": ["a", "\\d$", "blue"]}, {"a": "red3"}, {"a": "redblue"}),
    Case("gsub_slash", {"gsub": ["a", "/", "_"]}, {"a": "/x/y"}, {"a": "_x_y"}),
    Case("gsub_class", {"gsub": ["a", "[\\\\?#-]", "."]}, {"a": "a\\b?c#d-e"}, {"a": "a.b.c.d.e"}),
    Case("gsub_group", {"gsub": ["a", "(\\w+) (\\w+)", "\\2 \\1 \\0"]}, {"a": "x y"}, {"a": "y x x y"}),
    Case("gsub_empty", {"gsub": ["a", "x", ""]}, {"a": "xax"}, {"a": "a"}),
    Case("gsub_number_stays", {"gsub": ["a", "1", "2"]}, {"a": 1}, {"a": 1}),
    Case("gsub_missing", {"gsub": ["b", "1", "2"]}, {"a": "1"}, {"a": "1"}),
    Case("gsub_nested", {"gsub": ["[a][b]", "1", "2"]}, {"a": {"b": "1"}}, {"a": {"b": "2"}}),
    Case(
        "gsub_field_in_pattern",
        {"gsub": ["a", "of type %{t}", "green"]},
        {"a": "x of type blue", "t": "blue"},
        {"a": "x green", "t": "blue"},
    ),
    Case(
        "gsub_field_in_both",
        {"gsub": ["a", "of %{t}", "%{t} and %{u}"]},
        {"a": ["x of b"], "t": "b"},
        {"a": ["x b and %{u}"], "t": "b"},
    ),
    Case("gsub_dollar_is_text", {"gsub": ["a", "x", "$1"]}, {"a": "x"}, {"a": "$1"}),
    Case(
        "fixed_order",
        {
            "copy": {"d": "e"},
            "join": {"d": "+"},
            "gsub": ["d", "1", "9"],
            "split": {"d": "."},
            "rename": {"c": "d"},
            "replace": {"d": "1.%{x}"},
        },
        {"c": 0, "x": 3},
        {"x": 3, "d": "9+3", "e": "9+3"},
    ),
    Case(
        "own_tag",
        {"convert": {"a": "float"}, "tag_on_failure": "oops"},
        {"a": "x"},
        {"a": "x", "tags": ["oops"]},
        False,
    ),
    Case(
        "after_an_error_the_rest_is_skipped",
        {"replace": {"b": "done"}, "convert": {"a": "float"}, "uppercase": ["b"], "tag_on_failure": "oops"},
        {"a": "x"},
        {"a": "x", "b": "done", "tags": ["oops"]},
        False,
    ),
    Case("tag_and_no_error", {"uppercase": ["a"], "tag_on_failure": "oops"}, {"a": "x"}, {"a": "X"}),
    Case(
        "timestamp_is_normalised",
        {"rename": {"t": "@timestamp"}},
        {"t": "2015-01-01T00:00:00+09:00", "@timestamp": "old"},
        {"@timestamp": "2014-12-31T15:00:00.000Z"},
    ),
    Case("timestamp_copied", {"copy": {"@timestamp": "t"}}, {"@timestamp": STAMP}, {"@timestamp": STAMP, "t": STAMP}),
    Case("timestamp_moved", {"rename": {"@timestamp": "t"}}, {"@timestamp": STAMP}, {"t": STAMP}),
    Case("tags_merged", {"merge": {"tags": "a"}}, {"a": "x", "tags": ["y"]}, {"a": "x", "tags": ["y", "x"]}),
    Case("tags_split", {"split": {"tags": ","}}, {"tags": "x,y"}, {"tags": ["x", "y"]}),
    Case("nothing_to_do", {}, NESTED, NESTED),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_mutate(case: Case) -> None:
    check("mutate", case)


@pytest.mark.parametrize(
    ("settings", "event"),
    [
        ({"convert": {"a": "float"}}, {"a": "12abc"}),
        ({"convert": {"a": "float"}}, {"a": ""}),
        ({"convert": {"a": "float"}}, {"a": "1e999"}),
        ({"convert": {"a": "float"}}, {"a": "1."}),
        ({"convert": {"a": "float"}}, {"a": [{"b": 1}]}),
        ({"convert": {"a": "integer"}}, {"a": "hello"}),  # it has an e
        ({"convert": {"a": "integer"}}, {"a": "0xyz"}),
        ({"convert": {"a": "integer"}}, {"a": "1e999999999"}),
        ({"convert": {"a": "integer"}}, {"a": [[1]]}),
        ({"strip": ["a"]}, {"a": ["x", 1]}),
        ({"rename": {"a": "[b][c]"}}, {"a": 1, "b": "text"}),
        ({"replace": {"[b][c]": "x"}}, {"b": 5}),
        ({"copy": {"a": "[b][c]"}}, {"a": 1, "b": "text"}),
        ({"replace": {"@timestamp": "today"}}, {"@timestamp": STAMP}),
        ({"rename": {"a": "@timestamp"}}, {"a": 5, "@timestamp": STAMP}),
        ({"split": {"@timestamp": "T"}}, {"@timestamp": STAMP}),
        ({"copy": {"a": "tags"}}, {"a": {"b": 1}}),
        ({"rename": {"a": "tag%{x}"}}, {"a": 5, "x": "s"}),
        ({"gsub": ["a", "(%{x}", "y"]}, {"a": "b", "x": "b"}),
    ],
)
def test_what_cannot_be_done_raises_and_loses_nothing(settings: dict[str, Any], event: dict[str, Any]) -> None:
    """The pipeline adds the tag ``_mutate_error``."""
    before = copy.deepcopy(event)
    mutate = build("mutate", **settings)
    with pytest.raises((ValueError, TypeError, PatternError)):
        mutate(event)
    assert event == before
    assert spec_of("mutate").failure_tag == "_mutate_error"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"convert": {"a": "int"}}, "'int' is not one of string, integer"),
        ({"gsub": ["a", "b"]}, "triples"),
        ({"gsub": ["a", "(b", "c"]}, "gsub '\\(b'"),
        ({"gsub": ["a", "b", "\\k<n>"]}, "no group named 'n'"),
        ({"replace": {"a[b]": "c"}}, "write \\[a\\]\\[b\\]"),
    ],
)
def test_mistake_in_the_options_fails_at_start(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("mutate", **settings)


def test_field_that_needs_no_change_keeps_its_identity() -> None:
    """Else the record would be rewritten for nothing."""
    text, items = "".join(["low", "er"]), ["x"]
    event = {"a": text, "b": items}
    build("mutate", lowercase=["a", "b"], strip=["a"], gsub=["a", "zz", "y"], merge={"b": "none"})(event)
    assert event["a"] is text
    assert event["b"] is items


@given(st.text(max_size=40), st.sampled_from(["integer", "float", "boolean", "string", "integer_eu", "float_eu"]))
def test_any_text_is_converted_or_refused(text: str, kind: str) -> None:
    event: dict[str, Any] = {"a": text}
    done = build("mutate", convert={"a": kind}, tag_on_failure="no")(event)
    assert done is ("tags" not in event)
    assert done or event["a"] == text
