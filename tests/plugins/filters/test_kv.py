"""The filter ``kv``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.event.fields import Event
from ingestd.plugins.filters._key_values import Scan, char_scanner
from tests.conformance.running import run
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check


def case(name: str, settings: dict[str, Any], text: Any, after: dict[str, Any], done: bool = True) -> Case:
    """Return a row of the table: an event with only ``message``."""
    return Case(name, settings, {"message": text}, {"message": text, **after}, done)


BRACKETS = "a=\"b c\" d='e f' g=(h i) j=[k l] m=<n o>"
STRICT = {"whitespace": "strict"}
COLON = {"field_split_pattern": ":+"}
CASES = [
    case("plain", {}, "hello=world foo=bar", {"hello": "world", "foo": "bar"}),
    case("words_between", {}, "hi hello=world, said foo=bar.", {"hello": "world,", "foo": "bar."}),
    case("quotes_and_brackets", {}, BRACKETS, {"a": "b c", "d": "e f", "g": "h i", "j": "k l", "m": "n o"}),
    case(
        "brackets_are_kept",
        {"include_brackets": False},
        'a=(b c) d=[e] f="g h"',
        {"a": "(b", "d": "[e]", "f": "g h"},
    ),
    case("open_quote", {}, 'a="b c=d', {"a": '"b', "c": "d"}),
    case("text_after_quote", {}, 'a="b"c d=(e)f', {"a": '"b"c', "d": "(e)f"}),
    case("quote_inside", {}, 'a=b"c d"', {"a": 'b"c'}),
    case("escaped_blank", {}, r"a=b\ c d\ e=f", {"a": r"b\ c", r"d\ e": "f"}),
    case("escaped_splitter", {}, r"a\=b=c", {r"a\=b": "c"}),
    case("escaped_quote", {}, r'a="b \"c\" d" e=f', {"a": r"b \"c\" d", "e": "f"}),
    case("backslash_before_the_last_quote", {}, r'a="C:\dir\" b="x"', {"a": "C:\\dir\\", "b": "x"}),
    case("blanks_around_splitter", {}, "a = b c= d e =f", {"a": "b", "c": "d", "e": "f"}),
    case("blanks_in_strict_mode", STRICT, "a = b c=d e= f", {"c": "d"}),
    case("empty_value_in_strict_mode", {**STRICT, "allow_empty_values": True}, "e= f=g", {"e": "", "f": "g"}),
    case("value_has_splitter", {}, "a=b=c", {"a": "b=c"}),
    case("empty_values", {"field_split": "&"}, 'a=&b=1&c=""&d=', {"b": "1"}),
    case(
        "empty_values_allowed",
        {"field_split": "&", "allow_empty_values": True},
        'a=&b=1&c=""&d=',
        {"a": "", "b": "1", "c": "", "d": ""},
    ),
    case("line_end_in_value", {}, "a=b\nc d=e", {"a": "b\nc", "d": "e"}),
    case("line_end_after_quote", {}, 'a="b"\nc=d', {"a": "b", "\nc": "d"}),
    case("field_split", {"field_split": "&?"}, "?a=1&b=2", {"a": "1", "b": "2"}),
    case("field_split_tab", {"field_split": "\\t"}, "a=1 2\tb=3", {"a": "1 2", "b": "3"}),
    case("field_split_white_space", {"field_split": "\\s"}, "a=1\nb=2", {"a": "1", "b": "2"}),
    case("field_split_newline", {"field_split": "\n"}, "a=1 2\nb=3", {"a": "1 2", "b": "3"}),
    case("field_split_backslash", {"field_split": "\\\\|"}, "a=1\\b=2|c=3", {"a": "1\\b=2", "c": "3"}),
    case("field_split_bracket", {"field_split": "\\[\\]"}, "[a=1][b=2]", {"a": "1", "b": "2"}),
    case("value_split", {"value_split": ":"}, "a:1 b:2 c=3", {"a": "1", "b": "2"}),
    case("value_split_of_two", {"value_split": ":="}, "a:1 b=2 c:=3", {"a": "1", "b": "2", "c": "=3"}),
    case("blanks_in_keys", {"field_split": ","}, "a b=1, c =2", {"a b": "1", " c ": "2"}),
    case("hangul", {}, '이름=홍 도시="서울 시"', {"이름": "홍", "도시": "서울 시"}),
    case("field_pattern", COLON, "k1=v1:k2=v2::k3=v3:::k4=v4", {"k1": "v1", "k2": "v2", "k3": "v3", "k4": "v4"}),
    case("field_pattern_of_two", {"field_split_pattern": "\\+\\+"}, "a=b+c++d=e", {"a": "b+c", "d": "e"}),
    case("field_pattern_backslash", {"field_split_pattern": "\\\\"}, "a=b\\c=d", {"a": "b", "c": "d"}),
    case(
        "field_pattern_quotes",
        {"field_split_pattern": ", "},
        'a="b, c", d=(e, f), g=h',
        {"a": "b, c", "d": "e, f", "g": "h"},
    ),
    case(
        "field_pattern_backslash_before_the_last_quote",
        {"field_split_pattern": ", "},
        'a="C:\\dir\\", b="x \\"y\\" z"',
        {"a": "C:\\dir\\", "b": 'x \\"y\\" z'},
    ),
    case("value_pattern", {"value_split_pattern": "=>"}, "a=>1 b =>2 c=3", {"a": "1", "b": "2"}),
    case(
        "both_patterns",
        {"field_split_pattern": ";|,", "value_split_pattern": ":{2}"},
        "a::1;b::2,c::3 4",
        {"a": "1", "b": "2", "c": "3 4"},
    ),
    case("pattern_empty_values", {**COLON, "allow_empty_values": True}, "a=:b=1", {"a": "", "b": "1"}),
    case("pattern_with_groups", {"field_split_pattern": "(;|,)"}, "a=1;b=2", {"a": "1", "b": "2"}),
    case("prefix", {"prefix": "p_%{a}_"}, "b=1", {"p_%{a}_b": "1"}),
    case("include", {"include_keys": ["b", "z"]}, "a=1 b=2 c=3", {"b": "2"}),
    case("exclude", {"exclude_keys": ["b"]}, "a=1 b=2 c=3", {"a": "1", "c": "3"}),
    case("include_and_prefix", {"include_keys": "b", "prefix": "x."}, "a=1 b=2", {"x.b": "2"}),
    case("defaults", {"default_keys": {"a": "x", "n": 5}}, "a=1", {"a": "1", "n": 5}),
    case("defaults_alone", {"default_keys": {"a": "x"}}, "no pairs", {"a": "x"}),
    case("defaults_and_include", {"default_keys": {"d": "x"}, "include_keys": ["a"]}, "a=1 b=2", {"d": "x", "a": "1"}),
    case("duplicates", {}, "a=1 a=1 a=2", {"a": ["1", "1", "2"]}),
    case("no_duplicates", {"allow_duplicate_values": False}, "a=10 a=1 a=10 b=1", {"a": ["10", "1"], "b": "1"}),
    case("trim_value", {"trim_value": '<>\\[\\],"'}, "a=<<b>> c=[d, e=f,,", {"a": "b", "c": "d", "e": "f"}),
    case("trim_key", {"trim_key": "<>\\s", "field_split": ","}, " <a> =1, b=2", {"a": "1", "b": "2"}),
    case("trim_lines", {"trim_value": "-"}, "a=-b-\n-c-", {"a": "b\nc"}),
    case("remove_from_value", {"remove_char_value": "\\[,"}, "a=[1,2[", {"a": "12"}),
    case("remove_from_key", {"remove_char_key": "x-"}, "xa-bx=1", {"ab": "1"}),
    case("upper_value", {"transform_value": "uppercase"}, "a=bC", {"a": "BC"}),
    case("lower_key", {"transform_key": "lowercase"}, "AbC=dE", {"abc": "dE"}),
    case("capital", {"transform_key": "capitalize", "transform_value": "capitalize"}, "aB=cD", {"Ab": "Cd"}),
    case("changed_keys_are_included", {"trim_key": "<>", "include_keys": ["a"]}, "<a>=1 <b>=2", {"a": "1"}),
    case(
        "recursive",
        {"recursive": True},
        "a=1 b=(c=2 d=[e=3]) f=[g=4 g=5]",
        {"a": "1", "b": {"c": "2", "d": {"e": "3"}}, "f": {"g": ["4", "5"]}},
    ),
    case("target", {"target": "t"}, "a=1 [b][c]=2", {"t": {"a": "1", "[b][c]": "2"}}),
    case("keys_are_references", {"include_brackets": False}, "[a][b]=1 [a][c]=2", {"a": {"b": "1", "c": "2"}}),
    case("key_is_no_reference", {}, "a[b=1 c=2", {"a[b": "1", "c": "2", "tags": ["_kv_filter_error"]}, False),
    case("own_failure_tags", {"tag_on_failure": ["x", "y"]}, "a]=1", {"a]": "1", "tags": ["x", "y"]}, False),
    case("no_timestamp", {}, "@timestamp=1 a=2", {"@timestamp": "1", "a": "2", "tags": ["_kv_filter_error"]}, False),
    case("array", {}, ["a=1 b=2", 5, None, "a=3"], {"a": ["1", "3"], "b": "2"}),
    case("no_pairs", {}, "no pairs here", {}, False),
    case("empty", {}, "", {}, False),
    case("number", {}, 5, {}, False),
    case("hash", {}, {"a": "b=c"}, {}, False),
    case("null", {}, None, {}, False),
    Case("missing", {}, {"a": "b=c"}, {"a": "b=c"}, False),
    Case("target_is_replaced", {"target": "t"}, {"message": "a=1", "t": {"b": 2}}, {"message": "a=1", "t": {"a": "1"}}),
    Case("source", {"source": "[x][y]"}, {"x": {"y": "a=1"}}, {"x": {"y": "a=1"}, "a": "1"}),
    Case(
        "prefix_of_a_field", {"prefix": "%{p}_"}, {"message": "a=1", "p": "q"}, {"message": "a=1", "p": "q", "q_a": "1"}
    ),
    Case(
        "keys_of_fields",
        {"include_keys": ["%{p}", "b"], "exclude_keys": "%{q}"},
        {"message": "a=1 b=2 c=3", "p": "a", "q": "b"},
        {"message": "a=1 b=2 c=3", "p": "a", "q": "b", "a": "1"},
    ),
    Case("replaces_fields", {}, {"message": "a=1", "a": 0}, {"message": "a=1", "a": "1"}),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_kv(case: Case) -> None:
    check("kv", case)


def test_common_options_run_if_there_was_a_pair() -> None:
    found = run('kv { add_tag => "kv" }', {"message": "a=1"}, {"message": "x"})
    assert found == [{"message": "a=1", "a": "1", "tags": ["kv"]}, {"message": "x"}]


def test_time_limit() -> None:
    event: Event = {"message": "a=" + "x" * 40}
    kv = build("kv", field_split_pattern="(x+x+)+y", timeout_millis=1, tag_on_timeout="slow")
    assert kv(event) is False
    assert event["tags"] == ["slow"]


TEXTS = ["a=(", 'a="\\"', "a", " ", "a ", "\\=", '"=\\"', "a=", "a=1 ", "a=b\\ ", "(=)x", "=\n"]


@pytest.mark.sampled
@pytest.mark.parametrize(
    "text", [*(text * 30_000 for text in TEXTS), "a=( " * 30_000 + "\\)x" * 30_000], ids=[*TEXTS, "brackets"]
)
@pytest.mark.parametrize("settings", [{}, {"recursive": True}, {"trim_value": " x", "field_split": "&"}])
def test_time_is_linear(text: str, settings: dict[str, Any]) -> None:
    """What is quadratic would take minutes."""
    build("kv", **settings)({"message": f"{text}x"})


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"value_split": ""}, "value_split must not be empty"),
        ({"field_split_pattern": ""}, "field_split_pattern must not be empty"),
        ({"value_split_pattern": ""}, "value_split_pattern must not be empty"),
        ({"field_split_pattern": "(a"}, "field_split_pattern: "),
        ({"field_split": "["}, "field_split"),
        ({"trim_key": "["}, "trim_key"),
    ],
)
def test_wrong_options(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        build("kv", **settings)


PIPELINES = [
    pipeline_of(f"kv {{ {options} }}")
    for options in ("", "recursive => true allow_empty_values => true", 'field_split_pattern => "[&;]+" target => "a"')
]


@given(EVENTS)
@pytest.mark.parametrize("pipeline", PIPELINES, ids=["default", "recursive", "pattern"])
def test_no_event_is_lost(pipeline: Any, event: Event) -> None:
    assert len(survivors(pipeline, event)) == 1


def _scanners(field_split: str, *, lenient: bool) -> tuple[Scan, Scan]:
    """Return two of the same options: a character that is there twice is the same set, but no text is split at it."""
    both = [char_scanner(field_split * width, "=", lenient=lenient, brackets=True) for width in (1, 2)]
    return both[0], both[1]


SCANNERS = [_scanners(field_split, lenient=lenient) for field_split in " ;" for lenient in (True, False)]


@given(st.text("ab=; \"'()[]<>\\\n", max_size=30))
def test_splitting_finds_the_same_pairs(text: str) -> None:
    for by_splitting, by_matching in SCANNERS:
        assert [*map(tuple, by_splitting(text))] == [*map(tuple, by_matching(text))]
