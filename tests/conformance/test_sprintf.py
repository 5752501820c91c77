"""``%{field}`` and ``%{+date}`` in option values, as Logstash's StringInterpolation fills them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.running import NOW, run_one

STAMP = {"@timestamp": "2015-10-01T01:02:03.456Z"}
EVENT = {
    "bar": "foo",
    "awesome": "logstash",
    "j": {"k1": "v", "n": None, "d": {"e": [1, 2]}},
    "list": ["Hello", "world"],
    "deep": [["a", None, [1]], True],
    "empty": "",
    "nothing": None,
    "none": [],
    "yes": True,
    "no": False,
    "n": 5,
    "big": 2**70,
    "f": 1.5,
    "whole": 100.0,
    "tiny": 0.0005,
    "huge": 12345678.5,
    "field with space": "s",
    "a.b": "dotted",
    "한글": "값",
}
CASES = [  # text, what comes of it
    ("/full/path/awesome", "/full/path/awesome"),
    ("/full/%{bar}/awesome", "/full/foo/awesome"),
    ("/full/%{bar}/%{awesome}", "/full/foo/logstash"),
    ("%{bar}%{bar}", "foofoo"),
    ("/full/%{do-not-exist}", "/full/%{do-not-exist}"),
    ("%{[do][not][exist]}", "%{[do][not][exist]}"),
    ("%{nothing}", "%{nothing}"),
    ("%{[j][n]}", "%{[j][n]}"),
    ("<%{empty}>", "<>"),
    ("%{[j][k1]}", "v"),
    ("%{[j][d][e][1]}", "2"),
    ("%{[list][0]} %{[list][-1]}", "Hello world"),
    ("%{[list][7]}", "%{[list][7]}"),
    ("%{list}", "Hello,world"),
    ("%{deep}", "a,,1,true"),
    ("<%{none}>", "<>"),
    ("%{j}", '{"k1":"v","n":null,"d":{"e":[1,2]}}'),
    ("%{yes} %{no}", "true false"),
    ("%{n}", "5"),
    ("%{big}", str(2**70)),
    ("%{f}", "1.5"),
    ("%{whole}", "100.0"),
    ("%{tiny}", "5.0E-4"),
    ("%{huge}", "1.23456785E7"),
    ("%{field with space}", "s"),
    ("%{a.b}", "dotted"),
    ("%{한글}", "값"),
    ("%{{TIME_NOW}} %{{TIME_NOW", f"{NOW} %{{{{TIME_NOW"),
    ("한글 %{bar} 끝", "한글 foo 끝"),
    ("%{[@metadata][m]}", "meta"),
    ("%{@timestamp}", "2015-10-01T01:02:03.456Z"),
    ("%{@version}", "1"),
    # dates
    ("/full/%{+YYYY}", "/full/2015"),
    ("%{+YYYY}", "2015"),
    ("/full/%{+YYYY}/weeee/%{bar}", "/full/2015/weeee/foo"),
    ("%{+YYYY.MM.dd}", "2015.10.01"),
    ("%{+YYYY-MM-dd'T'HH:mm:ss.SSS}", "2015-10-01T01:02:03.456"),
    ("%{+HH}:%{+mm}", "01:02"),
    ("%{+xxxx-'W'ww}", "2015-W40"),
    ("%{+EEE MMM}", "Thu Oct"),
    ("%{+%s}", "1443661323"),
    ("%{+%ss}", "%03"),  # no epoch: a percent sign, and the seconds in two digits
    ("/full/%{{YYYY-DDD}}/weeee/%{bar}", "/full/2015-274/weeee/foo"),
    ("%{{YYYY-'W'ww}}", "2015-W40"),
    ("%{{yyyy-MM-dd}}", "2015-10-01"),
    ("%{{yyyy.MM.dd.HH}}.%{bar}", "2015.10.01.01.foo"),
    # what is no placeholder
    ("/full/%{+YYY/web", "/full/%{+YYY/web"),
    ("%{bar", "%{bar"),
    ("%{bar} %{", "foo %{"),
    ("{bar} %bar% 100%", "{bar} %bar% 100%"),
    ("%{{bar} %{bar}", "%{{bar} foo"),
    ("}%{bar}{", "}foo{"),
    ("%%{bar}", "%foo"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[repr(case[0]) for case in CASES])
def test_value(text: str, expected: str) -> None:
    event: dict[str, Any] = {**EVENT, **STAMP, "@metadata": {"m": "meta"}}
    assert run_one(f'mutate {{ add_field => {{ "out" => "{text}" }} }}', event)["out"] == expected


def test_a_removed_timestamp_leaves_dates_empty() -> None:
    filters = 'mutate { remove_field => "@timestamp" } mutate { add_field => { "out" => "<%{+YYYY}%{{YYYY}}%{+%s}>" } }'
    assert run_one(filters, {})["out"] == "<>"


NAMES = [  # name of a new field, the event afterwards but for what it was
    ("plain", {"plain": "v"}),
    ("x-%{bar}", {"x-foo": "v"}),
    ("[a][b]", {"a": {"b": "v"}}),
    ("[a][%{bar}]", {"a": {"foo": "v"}}),
    ("[j][new]", {"j": {**EVENT["j"], "new": "v"}}),  # type: ignore[dict-item]
    ("%{missing}", {"%{missing}": "v"}),
    ("[n1][0]", {"n1": {"0": "v"}}),
    ("[list][2]", {"list": ["Hello", "world", "v"]}),
    ("[list][4]", {"list": ["Hello", "world", None, None, "v"]}),
    ("[list][0]", {"list": [["Hello", "v"], "world"]}),
    ("[@metadata][x]", {}),
]


@pytest.mark.parametrize(("name", "added"), NAMES, ids=[case[0] for case in NAMES])
def test_name(name: str, added: dict[str, Any]) -> None:
    assert run_one(f'mutate {{ add_field => {{ "{name}" => "v" }} }}', dict(EVENT)) == EVENT | added
