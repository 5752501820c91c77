"""The filter ``grok``. What the patterns themselves match is tested with ``ingestd.grok``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins.filters import grok as module
from tests.plugins.filters.tables import Case, build, check, options_of, spec_of

FAILED = ["_grokparsefailure"]
SYSLOG = "Mar 16 00:01:25 evita postfix/smtpd[1713]: connect from camomile.cloud9.net[168.100.1.3]"
APACHE = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326 "http://a.com/" "Mozilla"'
DJANGO = '"GET /search?q=%EC%84%9C HTTP/1.1" 200 5316'
ACCESS = '"%{WORD:verb} %{NOTSPACE:path} HTTP/%{NUMBER:http}" %{INT:status:int} %{INT:bytes:int}'
DATE = "Mon Dec 26 16:22:08 2016"
DEFINED = {"APACHE_TIME": "%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{YEAR}"}
TWO = {"match": {"message": "%{INT:foo}", "somefield": "%{INT:bar}"}}
TWO_PATTERNS = {"match": {"message": ["%{INT:foo}", "%{WORD:bar}"]}}
ALL = {"break_on_match": False}
DURATION = {"match": {"message": "test (N/A|%{BASE10NUM:duration:float}ms)"}}
OPTIONAL = {"match": {"message": "1=%{WORD:foo1} *(2=%{WORD:foo2})?"}}
AS_TEXT = {"match": {"v": "^(?<out>.*)$"}}


def one(pattern: str, **settings: Any) -> dict[str, Any]:
    return {"match": {"message": pattern}, **settings}


def sets(name: str, settings: dict[str, Any], text: Any, **fields: Any) -> Case:
    return Case(name, settings, {"message": text}, {"message": text, **fields})


def fails(name: str, settings: dict[str, Any], text: Any, **fields: Any) -> Case:
    return Case(name, settings, {"message": text}, {"message": text, "tags": FAILED, **fields}, False)


CASES = [
    Case(
        "syslog_overwrites_message",
        one("%{SYSLOGLINE}", overwrite=["message"]),
        {"message": SYSLOG},
        {
            "message": "connect from camomile.cloud9.net[168.100.1.3]",
            "timestamp": "Mar 16 00:01:25",
            "logsource": "evita",
            "program": "postfix/smtpd",
            "pid": "1713",
        },
    ),
    sets("django", one(ACCESS), DJANGO, verb="GET", path="/search?q=%EC%84%9C", http="1.1", status=200, bytes=5316),
    sets(
        "apache",
        one("%{COMBINEDAPACHELOG}"),
        APACHE,
        clientip="127.0.0.1",
        ident="-",
        auth="frank",
        timestamp="10/Oct/2000:13:55:36 -0700",
        verb="GET",
        request="/a.gif",
        httpversion="1.0",
        response="200",
        bytes="2326",
        referrer='"http://a.com/"',
        agent='"Mozilla"',
    ),
    fails("no_match", one("%{INT:n}"), "x"),
    sets(
        "int_and_float",
        one("%{NUMBER:a:int} %{NUMBER:b:float} %{NUMBER:c:int}"),
        "400 454.33 7.9",
        a=400,
        b=454.33,
        c=7,
    ),
    sets("negative", one("%{NUMBER:a:int} %{NUMBER:b:float}"), "-5 -0.5", a=-5, b=-0.5),
    sets("conversion_of_no_number", one("%{WORD:a:int} %{WORD:b:float}"), "x y", a=0, b=0.0),
    sets("conversion_of_nothing", one("a%{DATA:n:int}$"), "a", n=0),
    sets("long_integer", one("%{INT:a:int}"), "12345678901234567890123", a=12345678901234567890123),
    sets("other_type_is_text", one("%{INT:a:long}"), "5", a="5"),
    sets("float_missing", DURATION, "test N/A"),
    sets("float_there", DURATION, "test 28.4ms", duration=28.4),
    fails("float_no_match", DURATION, "test abc"),
    sets("empty_kept", {**DURATION, "keep_empty_captures": True}, "test N/A", duration=None),
    sets("empty_vanishes", OPTIONAL, "1=test", foo1="test"),
    sets("empty_kept_text", {**OPTIONAL, "keep_empty_captures": True}, "1=test", foo1="test", foo2=None),
    sets("empty_text_kept", one("a(?<b>.*)", keep_empty_captures=True), "a", b=""),
    sets(
        "named_captures_only_off",
        one("Hello %{WORD}. %{WORD:foo}", named_captures_only=False),
        "Hello World, yo!",
        WORD="World",
        foo="yo",
    ),
    sets("inline_definition", one("%{FIZZLE=\\d+}", named_captures_only=False), "hello 1234", FIZZLE="1234"),
    sets("oniguruma_capture", one("(?<foo>\\w+)"), "hello world", foo="hello"),
    sets(
        "capture_around_patterns",
        one("(?<timestamp>%{DATE_EU} %{TIME})"),
        "fancy 12-12-12 12:12:12",
        timestamp="12-12-12 12:12:12",
    ),
    sets("dash_in_name", one("%{WORD:foo-bar}"), "hello world", **{"foo-bar": "hello"}),
    sets("nested_capture", one("%{WORD:[a][b]} %{INT:[a][c]:int}"), "x 5", a={"b": "x", "c": 5}),
    sets("metadata_capture", one("%{WORD:[@metadata][w]}"), "x", **{"@metadata": {"w": "x"}}),
    sets("name_twice_in_alternation", one("%{INT:foo}|%{WORD:foo}"), "hello", foo="hello"),
    sets("name_twice", one("%{INT:foo} %{WORD:foo}"), "1 a", foo=["1", "a"]),
    sets("not_anchored", one("%{INT:n}"), "abc 5 def", n="5"),
    sets("line_ends", one("a(?<b>.*)c"), "a\n\nc", b="\n\n"),
    sets("korean", one("검색 %{NOTSPACE:word}"), "검색 맛집 ", word="맛집"),
    sets("no_captures", one("hello"), "hello"),
    sets(
        "definitions",
        one("%{APACHE_TIME:ts} %{LOGLEVEL:level}", pattern_definitions=DEFINED),
        f"{DATE} error",
        ts=DATE,
        level="error",
    ),
    sets(
        "definition_replaces",
        one("%{LOGLEVEL:level}", pattern_definitions={"LOGLEVEL": "%{NUMBER}"}),
        "error 99",
        level="99",
    ),
    # what is there already
    Case("text_becomes_array", one("%{INT:n}"), {"message": "5", "n": "4"}, {"message": "5", "n": ["4", "5"]}),
    Case("array_grows", one("%{INT:n}"), {"message": "5", "n": ["3", "4"]}, {"message": "5", "n": ["3", "4", "5"]}),
    Case("number_stays", one("%{INT:n}"), {"message": "5", "n": 4}, {"message": "5", "n": 4}),
    Case("hash_stays", one("%{INT:n}"), {"message": "5", "n": {}}, {"message": "5", "n": {}}),
    Case("null_is_set", one("%{INT:n}"), {"message": "5", "n": None}, {"message": "5", "n": "5"}),
    Case("overwrite", one("%{INT:n:int}", overwrite="n"), {"message": "5", "n": "4"}, {"message": "5", "n": 5}),
    Case(
        "overwrite_nested",
        one("%{INT:[a][n]}", overwrite="[a][n]"),
        {"message": "5", "a": {"n": 4}},
        {"message": "5", "a": {"n": "5"}},
    ),
    Case(
        "overwrite_written_otherwise",
        one("%{INT:n}", overwrite="[n]"),
        {"message": "5", "n": 4},
        {"message": "5", "n": "5"},
    ),
    Case(
        "overwrite_needs_a_capture",
        one("a%{INT:n}?", overwrite="n"),
        {"message": "a", "n": 4},
        {"message": "a", "n": 4},
    ),
    Case(
        "parent_is_text",
        one("%{WORD:[a][b]}"),
        {"message": "x", "a": "t"},
        {"message": "x", "a": "t", "tags": FAILED},
        False,
    ),
    Case(
        "timestamp_is_left_alone",
        one("%{WORD:@timestamp}"),
        {"message": "x", "@timestamp": "t"},
        {"message": "x", "@timestamp": "t"},
    ),
    Case(
        "timestamp_overwritten",
        one("%{NOTSPACE:@timestamp}", overwrite="@timestamp"),
        {"message": "2015-01-01", "@timestamp": "t"},
        {"message": "2015-01-01", "@timestamp": "2015-01-01T00:00:00.000Z"},
    ),
    Case(
        "timestamp_by_no_time",
        one("%{WORD:@timestamp}", overwrite="@timestamp"),
        {"message": "x", "@timestamp": "t"},
        {"message": "x", "@timestamp": "t", "tags": FAILED},
        False,
    ),
    Case("tags_grow", one("%{WORD:tags}"), {"message": "x", "tags": ["a"]}, {"message": "x", "tags": ["a", "x"]}),
    # target
    sets("target", one("%{WORD:w} %{INT:[a][n]:int}", target="grok"), "x 5", grok={"w": "x", "a": {"n": 5}}),
    sets("target_nested", one("%{WORD:w}", target="[a][b]"), "x", a={"b": {"w": "x"}}),
    Case(
        "target_adds",
        one("%{WORD:w}", target="t"),
        {"message": "x", "t": {"w": "y", "z": 1}},
        {"message": "x", "t": {"w": ["y", "x"], "z": 1}},
    ),
    Case(
        "target_overwrite",
        one("%{WORD:w}", target="t", overwrite="w"),
        {"message": "x", "t": {"w": "y"}},
        {"message": "x", "t": {"w": "x"}},
    ),
    # values that are no text
    Case("integer", {"match": {"status": "^403$"}}, {"status": 403}, {"status": 403}),
    Case("float", {"match": {"version": "^1.0$"}}, {"version": 1.0}, {"version": 1.0}),
    Case("boolean", AS_TEXT, {"v": True}, {"v": True, "out": "true"}),
    Case("hash", AS_TEXT, {"v": {"a": 1}}, {"v": {"a": 1}, "out": '{"a"=>1}'}),
    Case("missing_is_empty", one("^$"), {"a": 1}, {"a": 1}),
    Case("missing_does_not_match", one("%{INT:n}"), {"a": 1}, {"a": 1, "tags": FAILED}, False),
    Case("null_is_empty", one("^$"), {"message": None}, {"message": None}),
    Case("nested_field", {"match": {"[a][b]": "%{INT:n}"}}, {"a": {"b": "5"}}, {"a": {"b": "5"}, "n": "5"}),
    # arrays
    sets("array", one("%{INT:foo}"), ["hello world 123", "line 23"], foo=["123", "23"]),
    sets("array_one_matches", one("%{INT:foo}"), ["hello world 123", "abc"], foo="123"),
    sets("array_last_matches", one("%{INT:foo}"), ["abc", 5, None], foo="5"),
    fails("array_none_matches", one("%{INT:foo}"), ["abc", None]),
    fails("empty_array", one("^"), []),
    sets("array_and_patterns", TWO_PATTERNS, ["hello world 123", "line 23"], foo=["123", "23"]),
    sets("array_and_patterns_mixed", TWO_PATTERNS, ["hello world", "line 23"], bar="hello", foo="23"),
    sets(
        "array_and_all_patterns",
        {**TWO_PATTERNS, **ALL},
        ["hello world 123", "line 23"],
        foo=["123", "23"],
        bar=["hello", "line"],
    ),
    sets(
        "array_and_all_patterns_mixed",
        {**TWO_PATTERNS, **ALL},
        ["hello world", "line 23"],
        bar=["hello", "line"],
        foo="23",
    ),
    # several patterns and fields
    sets("second_pattern", TWO_PATTERNS, "abc", bar="abc"),
    sets("first_pattern", TWO_PATTERNS, "abc 1", foo="1"),
    fails("no_pattern", TWO_PATTERNS, "--"),
    sets(
        "all_patterns",
        {"match": {"message": ["%{GREEDYDATA:a}beard", "tree%{GREEDYDATA:b}"]}, **ALL},
        "treebeard",
        a="tree",
        b="beard",
    ),
    sets(
        "all_patterns_first",
        {"match": {"message": ["%{GREEDYDATA:a}beard", "tree%{GREEDYDATA:b}"]}, **ALL},
        "bushbeard",
        a="bush",
    ),
    Case("break_on_match", TWO, {"message": "1", "somefield": "2"}, {"message": "1", "somefield": "2", "foo": "1"}),
    Case(
        "no_break_on_match",
        {**TWO, **ALL},
        {"message": "1", "somefield": "2"},
        {"message": "1", "somefield": "2", "foo": "1", "bar": "2"},
    ),
    Case("second_field", TWO, {"message": "x", "somefield": "2"}, {"message": "x", "somefield": "2", "bar": "2"}),
    Case("no_field", TWO, {"message": "x"}, {"message": "x", "tags": FAILED}, False),
    Case("flat_array", {"match": ["message", "%{INT:n}"]}, {"message": "5"}, {"message": "5", "n": "5"}),
    fails("nothing_to_match", {}, "x"),
    # tags
    Case("own_tag", one("%{INT:n}", tag_on_failure="no"), {"message": "x"}, {"message": "x", "tags": ["no"]}, False),
    Case(
        "own_tags",
        one("%{INT:n}", tag_on_failure=["a", "b"]),
        {"message": "x", "tags": ["b"]},
        {"message": "x", "tags": ["b", "a"]},
        False,
    ),
    Case("no_tags", one("%{INT:n}", tag_on_failure=[]), {"message": "x"}, {"message": "x"}, False),
    Case(
        "false_is_a_tag",
        one("%{INT:n}", tag_on_failure="false"),
        {"message": "x"},
        {"message": "x", "tags": ["false"]},
        False,
    ),
    # time: a pattern that takes ages in both engines
    Case(
        "timeout",
        one("^(a|aa)+$", timeout_millis=50),
        {"message": "a" * 68 + "b"},
        {"message": "a" * 68 + "b", "tags": ["_groktimeout"]},
        False,
    ),
    Case(
        "timeout_own_tag",
        one("^(a|aa)+$", timeout_millis=50, tag_on_timeout="slow"),
        {"message": "a" * 68 + "b"},
        {"message": "a" * 68 + "b", "tags": ["slow"]},
        False,
    ),
    Case(
        "timeout_of_the_second_pattern",
        {"match": {"message": ["x", "^(a|aa)+$"]}, "timeout_millis": 50},
        {"message": "a" * 68 + "b"},
        {"message": "a" * 68 + "b", "tags": ["_groktimeout"]},
        False,
    ),
    sets("in_time_event", {**TWO_PATTERNS, "timeout_scope": "event"}, "abc", bar="abc"),
    sets("no_time_limit", {**TWO_PATTERNS, "timeout_millis": 0}, "abc", bar="abc"),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_grok(case: Case) -> None:
    check("grok", case)


def test_an_unsafe_pattern_is_stopped_after_a_while(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is a second, see `test_time_limit`; here it is less, which takes the same way."""
    monkeypatch.setattr(module, "_UNSAFE_TIMEOUT_S", 0.05)
    grok = build("grok", match={"message": "^(a|aa)+$"})
    for _ in range(2):
        event: dict[str, Any] = {"message": "a" * 68 + "b"}
        assert grok(event) is False
        assert event["tags"] == ["_groktimeout"]
    [record] = [record for record in caplog.records if "time limit" in record.getMessage()]
    assert record.levelname == "WARNING"


@pytest.mark.parametrize(
    ("pattern", "options", "seconds"),
    [
        ("%{WORD:a}", {}, 30.0),
        ("^(a|aa)+$", {}, 1.0),
        (["x", "^(a|aa)+$"], {}, 1.0),
        ("^(a|aa)+$", {"timeout_millis": 5000}, 5.0),
        ("^(a|aa)+$", {"timeout_millis": 0}, None),
    ],
    ids=["linear", "unsafe", "one_unsafe", "given", "none"],
)
def test_time_limit(pattern: Any, options: dict[str, Any], seconds: float | None) -> None:
    texts = [pattern] if isinstance(pattern, str) else pattern
    chosen = module.Options(match={"message": texts}, **options)
    assert module._limit_s(chosen, module._patterns(chosen)) == seconds


def test_time_for_the_whole_event() -> None:
    """Each pattern alone would be quick enough for a limit of its own."""
    patterns = [f"(.*{letter}){{12}}" for letter in "zyxwvutsrq"]
    event = {"message": "a" * 400}
    grok = build("grok", match={"message": patterns}, timeout_millis=1e-6, timeout_scope="event")
    assert grok(event) is False
    assert event["tags"] == ["_groktimeout"]  # type: ignore[comparison-overlap]


def test_patterns_dir(tmp_path: Path) -> None:
    (tmp_path / "a.pattern").write_text("# comment\nWORD [0-1]\nNEW %{WORD}-%{WORD}\n")
    (tmp_path / "a.pattern.old").write_text("WORD [2-5]\n")
    (tmp_path / "folder").mkdir()
    event = {"message": "x 0-1"}
    settings = {"patterns_dir": [str(tmp_path)], "patterns_files_glob": "*.pattern"}
    assert build("grok", match={"message": "%{NEW:new}"}, **settings)(event) is True
    assert event["new"] == "0-1"
    event = {"message": "x 0-1"}
    definitions = {"WORD": "x"}
    assert build("grok", match={"message": "%{WORD:w}"}, pattern_definitions=definitions, **settings)(event) is True
    assert event["w"] == "x"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (one("%{WRD:x}"), "unknown grok pattern 'WRD', did you mean 'WORD'"),
        (one("(?<x>"), "pattern '\\(\\?<x>'"),
        (one("%{WORD:a[b]}"), "write \\[a\\]\\[b\\]"),
    ],
)
def test_mistake_in_the_options_fails_at_start(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("grok", **settings)
    with pytest.raises(ValueError, match=message):
        spec_of("grok").touches(options_of("grok", settings))


@given(
    st.lists(st.sampled_from(["%{INT:a}", "%{WORD:b}", "%{INT:a:int}", "%{WORD:[c][d]}", "%{WORD}"]), max_size=4),
    st.text(st.sampled_from("a1 -"), max_size=12),
    st.booleans(),
    st.booleans(),
)
def test_another_pattern_that_does_not_match_changes_nothing(
    patterns: list[str], text: str, keep: bool, named: bool
) -> None:
    pattern = " ?".join(patterns) or "a"
    settings = {"keep_empty_captures": keep, "named_captures_only": named}
    one_event: dict[str, Any] = {"message": text, "b": "there"}
    two_event: dict[str, Any] = {"message": text, "b": "there"}
    one_done = build("grok", match={"message": pattern}, **settings)(one_event)
    assert build("grok", match={"message": ["\\A~\\z", pattern]}, **settings)(two_event) is one_done
    assert one_event == two_event
