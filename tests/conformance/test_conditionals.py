"""Conditionals, as Logstash's conditionals_spec and EventCondition take them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.running import run, run_one

BRANCH = 'if %s { mutate { add_field => { "went" => "then" } } } else { mutate { add_field => { "went" => "else" } } }'


def holds(condition: str, event: dict[str, Any]) -> bool:
    return bool(run_one(BRANCH % condition, event)["went"] == "then")


LIST = ["foo", "bar", "baz"]
CASES: list[tuple[str, dict[str, Any], bool]] = [  # condition, event, whether it holds
    # equality of texts
    ("[message] == 'sample'", {"message": "sample"}, True),
    ("[message] == 'sample'", {"message": "different"}, False),
    ("'sample' == [message]", {"message": "sample"}, True),
    ("'sample' == [message]", {"message": "different"}, False),
    ("'value' == 'value'", {}, True),
    ("'value' == 'other'", {}, False),
    ("[message] != 'sample'", {"message": "sample"}, False),
    ("[message] != 'sample'", {"message": "different"}, True),
    ("[message] == 'Sample'", {"message": "sample"}, False),
    ("[message] == ''", {"message": ""}, True),
    ("[message] == ''", {}, False),
    ("[message] == '서울'", {"message": "서울"}, True),
    # of numbers
    ("[n] == 5", {"n": 5}, True),
    ("[n] == 5", {"n": 3}, False),
    ("5 == [n]", {"n": 5}, True),
    ("5 == [n]", {"n": 3}, False),
    ("7 == 7", {}, True),
    ("5 == 7", {}, False),
    ("[n] != 5", {"n": 5}, False),
    ("[n] != 5", {"n": 3}, True),
    ("[n] == -5", {"n": -5}, True),
    ("[n] == 1.5", {"n": 1.5}, True),
    ("[n] == 5", {"n": 5.0}, False),  # an integer equals no float
    ("[n] == 5.0", {"n": 5}, False),
    # across types
    ("[n] == 5", {"n": "5"}, False),
    ("[n] == '5'", {"n": 5}, False),
    ("[n] == '5'", {"n": "5"}, True),
    ("[n] == 1", {"n": True}, False),
    ("[n] == 'true'", {"n": True}, False),
    ("[n] == 'true'", {"n": "true"}, True),
    ("[n] == 0", {"n": False}, False),
    ("[n] == 'a'", {"n": ["a"]}, False),
    ("[n] != 'a'", {"n": ["a"]}, True),
    # of fields
    ("[a] == [b]", {"a": 123, "b": 123}, True),
    ("[a] == [b]", {"a": 123, "b": "123"}, False),
    ("[a] == [b]", {"a": "x", "b": "y"}, False),
    ("[a] != [b]", {"a": "x", "b": "y"}, True),
    ("[a] == [b]", {}, True),
    ("[a] == [b]", {"a": 1}, False),
    ("[a] == [b]", {"a": [1, "x"], "b": [1, "x"]}, True),
    ("[a] == [b]", {"a": True, "b": 1}, False),
    # missing and null
    ("[x] == 'a'", {}, False),
    ("[x] != 'a'", {}, True),
    ("[x] != 5", {}, True),
    ("[x] == 0", {"x": None}, False),
    ("[x] != 0", {"x": None}, True),
    # order
    ("[message] < 'sample'", {"message": "apple"}, True),
    ("[message] < 'sample'", {"message": "zebra"}, False),
    ("[message] < 'sample'", {"message": "sample"}, False),
    ("[message] > 'sample'", {"message": "zebra"}, True),
    ("[message] > 'sample'", {"message": "apple"}, False),
    ("[message] <= 'sample'", {"message": "apple"}, True),
    ("[message] <= 'sample'", {"message": "zebra"}, False),
    ("[message] <= 'sample'", {"message": "sample"}, True),
    ("[message] >= 'sample'", {"message": "zebra"}, True),
    ("[message] >= 'sample'", {"message": "sample"}, True),
    ("[message] >= 'sample'", {"message": "apple"}, False),
    ("[n] < 5", {"n": 3}, True),
    ("[n] < 5", {"n": 5}, False),
    ("[n] < 5", {"n": 9}, False),
    ("[n] > 5", {"n": 9}, True),
    ("[n] > 5", {"n": 5}, False),
    ("[n] > 5", {"n": 4}, False),
    ("[n] <= 5", {"n": 9}, False),
    ("[n] <= 5", {"n": 5}, True),
    ("[n] <= 5", {"n": 3}, True),
    ("[n] >= 5", {"n": 5}, True),
    ("[n] >= 5", {"n": 7}, True),
    ("[n] >= 5", {"n": 3}, False),
    ("[n] > 5", {"n": 5.5}, True),
    ("[n] >= 4.5", {"n": 5}, True),
    ("[n] <= -1", {"n": -2}, True),
    ("5 > [n]", {"n": 3}, True),
    ("5 <= [n]", {"n": 3}, False),
    ("5 < [n]", {"n": 9}, True),
    ("5 >= [n]", {"n": 9}, False),
    ("3 < 5", {}, True),
    ("'b' > 'a'", {}, True),
    ("[a] < [b]", {"a": 1, "b": 2}, True),
    ("[a] >= [b]", {"a": 1, "b": 2}, False),
    ("'10' < '9'", {}, True),
    # what has no order holds neither way (Logstash gives the event up)
    ("[x] > 5", {}, False),
    ("[x] <= 5", {}, False),
    ("[x] > 5", {"x": "9"}, False),
    ("[x] <= 5", {"x": "1"}, False),
    ("[x] < 'a'", {"x": 1}, False),
    ("[x] >= 0", {"x": None}, False),
    ("[x] > 0", {"x": [5]}, False),
    ("[x] > 0", {"x": True}, False),
    # regular expressions
    ("[message] =~ /sample/", {"message": "apple"}, False),
    ("[message] =~ /sample/", {"message": "sample"}, True),
    ("[message] =~ /sample/", {"message": "some sample"}, True),
    ("[message] !~ /sample/", {"message": "apple"}, True),
    ("[message] !~ /sample/", {"message": "some sample"}, False),
    ('[message] =~ "^some"', {"message": "some sample"}, True),
    ("[message] =~ /^a.c$/", {"message": "abc"}, True),
    ("[message] =~ /A/", {"message": "a"}, False),
    ("[message] =~ /(?i)A/", {"message": "a"}, True),
    (r"[path] =~ /\/var\/log/", {"path": "/var/log/x"}, True),
    ("[message] =~ /^two$/", {"message": "one\ntwo"}, True),  # ^ and $ are line ends, as in Ruby
    (r"[message] =~ /\Atwo/", {"message": "one\ntwo"}, False),
    ("[x] =~ /5/", {"x": 5}, False),
    ("[x] !~ /5/", {"x": 5}, True),
    ("[x] =~ /a/", {"x": ["a"]}, False),
    ("[x] =~ /a/", {}, False),
    ("[x] !~ /a/", {}, True),
    ("'abc' =~ /b/", {}, True),
    # a value alone
    ("[x]", {"x": "apple"}, True),
    ("[x]", {}, False),
    ("[x]", {"x": None}, False),
    ("[x]", {"x": False}, False),
    ("[x]", {"x": True}, True),
    ("[x]", {"x": "false"}, False),
    ("[x]", {"x": "true"}, True),
    ("[x]", {"x": ""}, False),
    ("[x]", {"x": " "}, True),
    ("[x]", {"x": 0}, True),
    ("[x]", {"x": 0.0}, True),
    ("[x]", {"x": []}, True),
    ("[x]", {"x": {}}, True),
    ("![x]", {"x": 1}, False),
    ("![x]", {}, True),
    ("! [x]", {"x": False}, True),
    ('"[abc]"', {}, True),
    ('"false"', {}, False),
    ('""', {}, False),
    # in
    ("[foo] in [foobar]", {"foo": "foo", "foobar": "foobar"}, True),
    ("[foo] in 'foo'", {"foo": "foo"}, True),
    ("[foo] in 'a foo b'", {"foo": "foo"}, True),
    ("'hello' in [greeting]", {"greeting": "hello world"}, True),
    ("[foo] in ['hello', 'world', 'foo']", {"foo": "foo"}, True),
    ("[foo] in ['hello', 'world']", {"foo": "foo"}, False),
    ("[foo] in ['one']", {"foo": "one"}, False),  # one element in brackets is a field of that name, quotes and all
    ("[missing] in [alsomissing]", {}, False),
    ("[missing] in ['a', 'b']", {}, False),
    ("[missing] in 'a'", {}, False),
    ("'a' in [missing]", {}, False),
    ("!('foo' in ['hello', 'world'])", {}, True),
    ("'foo' in [tags]", {"tags": ["foo", "bar"]}, True),
    ("'fo' in [tags]", {"tags": ["foo", "bar"]}, False),
    ("'fo' in [tags]", {"tags": "foo"}, True),
    ("[n] in [5, 6]", {"n": 5}, True),
    ("[n] in ['5', '6']", {"n": 5}, True),  # lists in the config compare as text
    ("[n] in [5, 6]", {"n": "5"}, True),
    ("[n] in [0, 1]", {"n": True}, False),
    ("5 in [list]", {"list": [1, 5]}, True),
    ("5 in [list]", {"list": ["5"]}, False),
    ("'5' in [n]", {"n": 5}, False),
    ("[x] in ['a,b', 'c']", {"x": ["a", "b"]}, False),
    # field in field
    ("[left] in [right]", {"left": LIST, "right": LIST}, False),
    ("[left] in [right]", {"left": {"foo": "bar"}, "right": {"foo": "bar"}}, False),
    ("[left] in [right]", {"left": "foo", "right": "zfooz"}, True),
    ("[left] in [right]", {"left": "foo", "right": "zzz"}, False),
    ("[left] in [right]", {"left": "bar", "right": LIST}, True),
    ("[left] in [right]", {"left": "zzz", "right": LIST}, False),
    ("[left] in [right]", {"left": 42, "right": 42}, True),
    ("[left] in [right]", {"left": 42, "right": 43}, False),
    ("[left] in [right]", {"left": 1, "right": [True]}, False),
    ("[left] in [right]", {"left": "zfooz", "right": "foo"}, False),
    # not in
    ("'foo' not in 'baz'", {}, True),
    ("'foo' not in 'foo'", {}, False),
    ("!('foo' not in 'foo')", {}, True),
    ("'foo' not in [somelist]", {"somelist": ["one", "two"]}, True),
    ("'one' not in [somelist]", {"somelist": ["one", "two"]}, False),
    ("'foo' not in [alsomissing]", {}, True),
    ("[foo] not in ['a', 'b']", {}, True),
    # negation
    ("!([message] == 'sample')", {"message": "sample"}, False),
    ("!([message] != 'sample')", {"message": "sample"}, True),
    ("!([message] < 'sample')", {"message": "apple"}, False),
    ("!([message] > 'sample')", {"message": "apple"}, True),
    ("!([message] <= 'sample')", {"message": "sample"}, False),
    ("!([message] >= 'sample')", {"message": "sample"}, False),
    ("!([message] =~ /sample/)", {"message": "apple"}, True),
    ("!([message] !~ /sample/)", {"message": "apple"}, False),
    ("!(![x])", {"x": 1}, True),
    # logic
    *(
        (f"{left}[t] {word} {right}[t]", {"t": 1}, answer)
        for word, answers in {
            "and": (True, False, False, False),
            "or": (True, True, True, False),
            "nand": (False, True, True, True),
            "xor": (False, True, True, False),
        }.items()
        for (left, right), answer in zip((("", ""), ("", "!"), ("!", ""), ("!", "!")), answers, strict=True)
    ),
    ("[a] and [b] or [c]", {"c": 1}, True),
    ("[a] or [b] and [c]", {"a": 1}, True),
    ("[a] and ([b] or [c])", {"c": 1}, False),
    ("([a] or [b]) and [c]", {"a": 1}, False),
    ("[a] and [b] and [c] or [d]", {"d": 1}, False),  # Logstash groups it as a and ((b and c) or d)
    ("[a] and [b] and [c] or [d]", {"a": 1, "d": 1}, True),
    ("[a] == 1 and [b] == 2 or [c] in ['x', 'y']", {"c": "x"}, True),
    ("[a] == 1 or [b] == 2 or [c] == 3", {"c": 3}, True),
    # names and places
    ("[field with space]", {"field with space": "hurray"}, True),
    ("[field with space] == 'hurray'", {"field with space": "hurray"}, True),
    ("[a b][c d][e f] == 'hurray'", {"a b": {"c d": {"e f": "hurray"}}}, True),
    ("[a.b] == 1", {"a.b": 1}, True),
    ("[a.b] == 1", {"a": {"b": 1}}, False),
    ("[a-b][@c] == 1", {"a-b": {"@c": 1}}, True),
    ("[list][0] == 'x'", {"list": ["x", "y"]}, True),
    ("[list][-1] == 'y'", {"list": ["x", "y"]}, True),
    ("[list][2]", {"list": ["x", "y"]}, False),
    ("[list][0][k] == 1", {"list": [{"k": 1}]}, True),
    ("[a][0] == 1", {"a": {"0": 1}}, True),
    ("[x][y]", {"x": "text"}, False),
    ("[x][0]", {"x": "text"}, False),
    ("[@metadata][a] == 'b'", {"@metadata": {"a": "b"}}, True),
    ("[@metadata][a]", {}, False),
    ("[한글] == '값'", {"한글": "값"}, True),
    ("[@timestamp] >= '2026-01-01'", {}, True),
    ("[@version] == '1'", {}, True),
]


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("condition", "event", "expected"), CASES, ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)]
)
def test_condition(condition: str, event: dict[str, Any], expected: bool) -> None:
    assert holds(condition, event) is expected


CHAIN = """
  mutate { add_field => { "always" => "awesome" } }
  if [foo] == "bar" { mutate { add_field => { "hello" => "world" } } }
  else if [bar] == "baz" { mutate { add_field => { "fancy" => "pants" } } }
  else { mutate { add_field => { "free" => "hugs" } } }
"""
CHAINS = [
    ("first", {"foo": "bar"}, {"always": "awesome", "hello": "world"}),
    ("second", {"bar": "baz"}, {"always": "awesome", "fancy": "pants"}),
    ("else", {"notfoo": "bar"}, {"always": "awesome", "free": "hugs"}),
    ("only_the_first_that_holds", {"foo": "bar", "bar": "baz"}, {"always": "awesome", "hello": "world"}),
]


@pytest.mark.parametrize(("event", "added"), [case[1:] for case in CHAINS], ids=[case[0] for case in CHAINS])
def test_else_if_chain(event: dict[str, Any], added: dict[str, Any]) -> None:
    assert run_one(CHAIN, event) == event | added
    assert run_one(f"if [nest] == 123 {{ {CHAIN} }}", event | {"nest": 123}) == event | added | {"nest": 123}
    assert run_one(f"if [nest] == 123 {{ {CHAIN} }}", event | {"nest": 124}) == event | {"nest": 124}


DEEP = """
  if ("foo" in [tags]) {
    mutate { id => addbar add_tag => bar }
    if ("bar" in [tags]) { mutate { id => addbaz add_tag => baz } }
    if ("baz" in [tags]) {
      mutate { id => addbot add_tag => bot }
      if ("bot" in [tags]) { mutate { id => addbonk add_tag => bonk } }
    }
  }
  if ("bot" in [tags]) { mutate { id => addwat add_tag => wat } }
  mutate { id => addprev add_tag => prev }
  mutate { id => addfinal add_tag => final }
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"tags": ["bot"]}, ["bot", "wat", "prev", "final"]),
        ({"tags": ["foo"]}, ["foo", "bar", "baz", "bot", "bonk", "wat", "prev", "final"]),
        ({"type": "original"}, ["prev", "final"]),
    ],
    ids=["bot", "foo", "no_tags"],
)
def test_a_condition_sees_what_earlier_filters_did(before: dict[str, Any], after: list[str]) -> None:
    assert run_one(DEEP, before)["tags"] == after


def test_empty_branches_change_nothing() -> None:
    assert run("if [a] { } else if [b] { } else { }", {"a": 1}, {"b": 1}, {}) == [{"a": 1}, {"b": 1}, {}]


def test_a_branch_may_hold_only_comments() -> None:
    assert run("if [a] { # nothing yet\n }", {"a": 1}) == [{"a": 1}]
