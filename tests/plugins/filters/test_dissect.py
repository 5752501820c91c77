"""The filter ``dissect``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.fields import Event
from ingestd.plugins.filters._dissection import compile_dissection
from tests.conformance.running import run
from tests.plugins.filters.random_events import EVENTS, MARKS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check

FAILED = {"tags": ["_dissectfailure"]}
SYSLOG = "%{ts} %{+ts} %{+ts} %{src} %{} %{prog}[%{pid}]: %{msg}"
LINE = "Oct 16 20:21:22 web1 x sshd[55]: Accepted: key [a]"


def case(name: str, pattern: str, text: Any, after: dict[str, Any], done: bool = True) -> Case:
    """Return a row of the table: an event with only ``message``."""
    return Case(name, {"mapping": {"message": pattern}}, {"message": text}, {"message": text, **after}, done)


def convert(name: str, kind: str, value: Any, after: dict[str, Any], done: bool = False) -> Case:
    return Case(f"{kind}_{name}", {"convert_datatype": {"n": kind}}, {"n": value}, {"n": value, **after}, done)


CASES = [
    case("plain", "%{a} %{b} %{c}", "1 2 3 4", {"a": "1", "b": "2", "c": "3 4"}),
    case(
        "syslog",
        SYSLOG,
        LINE,
        {"ts": "Oct 16 20:21:22", "src": "web1", "prog": "sshd", "pid": "55", "msg": "Accepted: key [a]"},
    ),
    case("long_delimiters", "%{a} - %{b} -- %{c}", "1-2 - 3 - 4 -- 5", {"a": "1-2", "b": "3 - 4", "c": "5"}),
    case("unicode", "%{a}►%{b}·한·%{c}", "é►🙂·한·三", {"a": "é", "b": "🙂", "c": "三"}),
    case("nested", "%{[x][a]} %{[x][b]}", "1 2", {"x": {"a": "1", "b": "2"}}),
    case("line_end_is_a_delimiter", "%{a}\n%{b}", "1 2\n3\n4", {"a": "1 2", "b": "3\n4"}),
    case("text_before", "<%{a}> %{b}", "<1> 2", {"a": "1", "b": "2"}),
    case("text_before_is_missing", "<%{a}> %{b}", "x<1> 2", FAILED, False),
    case("text_after", "%{a} %{b}>", "1 2> 3", {"a": "1", "b": "2"}),
    case("text_after_is_missing", "%{a} %{b}>", "1 2", FAILED, False),
    case("one_field", "%{a}", "1 2", {"a": "1 2"}),
    case("delimiter_is_missing", "%{a} %{b}, %{c}", "1 2 3", FAILED, False),
    case("nothing_is_set_then", "%{a}:%{+a}:%{b}", "1:2", FAILED, False),
    case("empty_fields", "%{a},%{b},%{c},%{d}", "1,,,4", {"a": "1", "b": "", "c": "", "d": "4"}),
    case("empty_first_and_last", "%{a},%{b},%{c}", ",2,", {"a": "", "b": "2", "c": ""}),
    case("padding", "%{a->} %{b->} %{c}", "1    2 3", {"a": "1", "b": "2", "c": "3"}),
    case("padding_of_two", "%{a->}, %{b}", "1, , , 2", {"a": "1", "b": "2"}),
    case("padding_to_the_end", "%{a->} %{b}", "1   ", {"a": "1", "b": ""}),
    case("padded_skip", "%{->} %{b} %{?x->} %{c}", "1   2 3   4", {"b": "2", "c": "4"}),
    case("padding_without_suffix", "%{a} %{b} %{c}", "1  3", {"a": "1", "b": "", "c": "3"}),
    case("skip", "%{} %{?b} %{c}", "1 2 3", {"c": "3"}),
    case("append", "%{a} %{b} %{+a}-%{+a}", "1 2 3-4", {"a": "1 3-4", "b": "2"}),
    case("append_only", "%{+a} %{b} %{+a}", "1 2 3", {"a": "1 3", "b": "2"}),
    case("append_in_order", "%{+a/2} %{+a/1} %{+a/4} %{+a/3}", "1 2 3 go", {"a": "2 1 go 3"}),
    case("append_in_order_with_delimiters", "%{+a/2}:%{+a/1}|%{b}", "1:2|3", {"a": "2 1", "b": "3"}),
    case("append_with_padding", "%{+a/2->} %{+a/1} %{b}", "1   2 3", {"a": "2 1", "b": "3"}),
    case("append_with_padding_first", "%{+a->/2} %{+a/1} %{b}", "1   2 3", {"a": "2 1", "b": "3"}),
    case("order_of_a_plain_field", "%{a/1} %{b/22->} %{c}", "1 2  3", {"a": "1", "b": "2", "c": "3"}),
    case("indirect", "%{?k}: %{&k}", "google: 77.98", {"google": "77.98"}),
    case("indirect_kept", "error: %{k}, %{&k}", "error: e, some", {"k": "e", "e": "some"}),
    case("indirect_before", "%{&k} %{?k}", "1 n", {"n": "1"}),
    case("indirect_nested", "%{?k} %{&k}", "[a][b] 1", {"a": {"b": "1"}}),
    case("indirect_no_reference", "%{?k} %{&k}", "[a 1", {"[a": "1"}),
    case("indirect_empty", "%{?k},%{&k}", ",1", {}),
    case("indirect_unknown", "%{&k} %{b}", "1 2", {"b": "2"}),
    case(
        "percent_and_braces_in_delimiters",
        "%{a}{%{b}} %{c}% %{d}",
        "1{2} 3% 4",
        {"a": "1", "b": "2", "c": "3", "d": "4"},
    ),
    case(
        "special_characters",
        "%{a}^%{b}]%{c}.*%{d}\\%{e}",
        "1^2]3.*4\\5",
        {"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"},
    ),
    case("no_delimiter_between", "%{a}%{b}", "12", FAILED, False),
    case("blanks_in_names", "%{a b} %{c}", "1 2", {"a b": "1", "c": "2"}),
    case("source_is_replaced", "%{a} %{message}", "1 2", {"a": "1", "message": "2"}),
    case("empty", "%{a} %{b}", "", FAILED, False),
    case("null", "%{a} %{b}", None, FAILED, False),
    case("number", "%{a}.%{b}", 1.5, {"a": "1", "b": "5"}),
    case("array", "[%{a}, %{b}]", [1, 2], {"a": "1", "b": "2"}),
    Case("missing", {"mapping": {"message": "%{a} %{b}"}}, {"x": "1 2"}, {"x": "1 2"}, False),
    Case("missing_nested", {"mapping": {"[x][y]": "%{a}"}}, {"x": {"z": 1}}, {"x": {"z": 1}}, False),
    Case("no_pattern", {"mapping": {"message": ""}}, {"message": "1"}, {"message": "1"}, False),
    Case(
        "own_tags",
        {"mapping": {"m": "%{a},%{b}"}, "tag_on_failure": ["x", "y"]},
        {"m": "1"},
        {"m": "1", "tags": ["x", "y"]},
        False,
    ),
    Case("no_tags", {"mapping": {"m": "%{a},%{b}"}, "tag_on_failure": []}, {"m": "1"}, {"m": "1"}, False),
    Case(
        "several",
        {"mapping": {"message": "%{a} %{rest}", "rest": "%{b}-%{c}", "other": "%{d}", "[x][y]": "%{e}:%{f}"}},
        {"message": "1 2-3", "x": {"y": "5:6"}},
        {"message": "1 2-3", "a": "1", "rest": "2-3", "b": "2", "c": "3", "x": {"y": "5:6"}, "e": "5", "f": "6"},
    ),
    Case(
        "some_fail",
        {"mapping": {"m": "%{a} %{b}", "n": "%{c} %{d}"}},
        {"m": "1", "n": "2 3"},
        {"m": "1", "n": "2 3", "c": "2", "d": "3", **FAILED},
    ),
    Case("append_to_a_field", {"mapping": {"m": "%{+a}:%{+a}"}}, {"m": "1:2", "a": "x"}, {"m": "1:2", "a": "x 1:2"}),
    Case("append_to_null", {"mapping": {"m": "%{+a}:%{+a}"}}, {"m": "1:2", "a": None}, {"m": "1:2", "a": "1:2"}),
    Case(
        "append_to_nested", {"mapping": {"m": "%{+[a][b]}"}}, {"m": "1", "a": {"b": 5}}, {"m": "1", "a": {"b": "5 1"}}
    ),
    Case("plain_replaces", {"mapping": {"m": "%{a} %{+a}"}}, {"m": "1 2", "a": "x"}, {"m": "1 2", "a": "1 2"}),
    Case("indirect_by_a_field", {"mapping": {"m": "%{&k}"}}, {"m": "1", "k": "n"}, {"m": "1", "k": "n", "n": "1"}),
    Case(
        "converted",
        {"mapping": {"m": "%{a} %{[b][c]}"}, "convert_datatype": {"a": "int", "[b][c]": "float"}},
        {"m": "12 1.50"},
        {"m": "12 1.50", "a": 12, "b": {"c": 1.5}},
    ),
    convert("text", "int", "42", {"n": 42}),
    convert("fraction", "int", "-42.9", {"n": -42}),
    convert("exponent", "int", "1e3", {"n": 1000}),
    convert("large", "int", "12345678901234567890123", {"n": 12345678901234567890123}),
    convert("float", "int", 5.9, {"n": 5}),
    convert("same", "int", 5, {"n": 5}),
    convert("text", "float", "+.5", {"n": 0.5}),
    convert("integer", "float", 5, {"n": 5.0}),
    *(
        convert(name, kind, value, {"tags": [f"_dataconversionuncoercible_n_{kind}"]})
        for kind in ("int", "float")
        for name, value in [
            ("word", "abc"),
            ("empty", ""),
            ("blank", "1 "),
            ("underscore", "1_0"),
            ("true", True),
            ("array", ["1"]),
            ("too_large", "1e999999999"),
            ("far_too_large", "1e99999999999999999999"),
            ("infinite", "Infinity"),
        ]
    ),
    convert("almost_too_large", "float", "1e309", {"tags": ["_dataconversionuncoercible_n_float"]}),
    convert("null", "int", None, {"tags": ["_dataconversionnullvalue_n_int"]}),
    Case(
        "float_missing", {"convert_datatype": {"n": "float"}}, {}, {"tags": ["_dataconversionnullvalue_n_float"]}, False
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_dissect(case: Case) -> None:
    check("dissect", case)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"mapping": {"m": "abc"}}, "has no field"),
        ({"mapping": {"m": "%{+&a}"}}, "cannot both append and be indirect"),
        ({"mapping": {"m": "%{&+a}"}}, "cannot both append and be indirect"),
        ({"mapping": {"m": "%{+} %{a}"}}, "has no name"),
        ({"mapping": {"m": "%{+/1} %{a}"}}, "has no name"),
        ({"mapping": {"m": "%{&->} %{a}"}}, "has no name"),
        ({"mapping": {"m": "%{a[b]}"}}, "invalid field reference"),
        ({"mapping": {"a[b": "%{a}"}}, "invalid field reference"),
        ({"convert_datatype": {"n": "integer"}}, "'integer' is not one of int, float"),
    ],
)
def test_wrong_options(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        build("dissect", **settings)


def test_rows_that_match_among_others() -> None:
    events: list[Event] = [{"m": "1 a"}, {"m": "2"}, {"x": 1}, {"m": "3 b", "a": "old"}]
    found = run('dissect { mapping => { m => "%{a} %{[b][c]}" } add_tag => "done" }', *events)
    assert found == [
        {"m": "1 a", "a": "1", "b": {"c": "a"}, "tags": ["done"]},
        {"m": "2", "tags": ["_dissectfailure"]},
        {"x": 1},
        {"m": "3 b", "a": "3", "b": {"c": "b"}, "tags": ["done"]},
    ]


DELIMITERS = ["", " ", ",", "--", ": ", "%"]


@given(st.text(" ,-:%ab", max_size=20), st.lists(st.sampled_from(DELIMITERS), min_size=2, max_size=5))
def test_matches_are_those_of_a_search_for_each_delimiter(text: str, delimiters: list[str]) -> None:
    """Each part ends where the next delimiter is first found."""
    first, *others = delimiters
    names = "abcde"[: len(others) + 1]
    pattern = first + "".join(f"%{{{name}}}{after}" for name, after in zip(names, [*others, ""], strict=True))
    found = compile_dissection(pattern).pattern.match(text)
    assert (found and list(found.groups())) == _parts(text, first, others)


def _parts(text: str, first: str, delimiters: list[str]) -> list[str] | None:
    if not text.startswith(first):
        return None
    rest, parts = text[len(first) :], []
    for delimiter in delimiters:
        part, found, rest = rest.partition(delimiter) if delimiter else ("", "", "")
        if not found:
            return None
        parts.append(part)
    return [*parts, rest]


@pytest.mark.parametrize("text", [" ", "a", ", ", "a,"])
def test_time_is_linear(text: str) -> None:
    dissect = build("dissect", mapping={"message": "%{a->}, %{b}, %{c} - %{d}::%{e}"})
    dissect({"message": text * 200_000})


PIPELINE = pipeline_of(
    'dissect { mapping => { message => "%{a->} %{+b/2}=%{+b/1},%{?k} %{&k}" a => "%{[c][d]}:%{tags}" }'
    ' convert_datatype => { a => "int" b => "float" } }'
)


@given(EVENTS | st.fixed_dictionaries({"message": MARKS.map("a b=c,".__add__), "id": st.just(7)}))
def test_no_event_is_lost(event: Event) -> None:
    assert len(survivors(PIPELINE, event)) == 1
