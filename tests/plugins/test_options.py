"""Settings of the config become typed options, or errors at their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ingestd.config.errors import ConfigError
from ingestd.config.nodes import PluginBlock
from ingestd.config.parser import parse
from ingestd.event.fields import FieldRef
from ingestd.event.sprintf import Template
from ingestd.plugins.options import read_options
from ingestd.plugins.registry import ignored, option, refused, replaced, required


@dataclass(frozen=True, slots=True)
class Options:
    """Every type of option."""

    text: str = option("", "A text.")
    count: int = option(0, "A number.")
    ratio: float = option(0.0, "A float.")
    flag: bool = option(False, "A flag.")
    mode: str = option("fast", "A mode.", choices=("fast", "slow"))
    field: FieldRef | None = option(None, "A field.")
    title: Template = option(Template(""), "A title.")
    texts: list[str] = option([], "Texts.")
    fields: list[FieldRef] = option([], "Fields.")
    modes: list[str] = option([], "Modes.", choices=("a", "b"))
    table: dict[str, str] = option({}, "A table.")
    lists: dict[str, list[str]] = option({}, "A table of lists.")
    free: dict[str, Any] = option({}, "A table of anything.")
    anything: Any = option(None, "Anything.")
    odd: str = option("", "An option whose name is no identifier.", name="odd-name")


LEGACY = {
    "old_text": replaced("text"),
    "old_flag": replaced("mode", true="fast", false="slow"),
    "quiet": replaced("text", silent=True),
    "gone": ignored("leave it out"),
    "type": refused("use a condition"),
    "count": ignored("never reached: the plugin declares it"),
}


def read(settings: str, options: type[Any] = Options) -> tuple[Any, list[ConfigError], str]:
    source = f"filter {{ x {{ {settings} }} }}"
    [node] = parse(source, "test.conf", {}).filters
    assert isinstance(node, PluginBlock)
    errors: list[ConfigError] = []
    result = read_options(options, node.settings, "filter 'x'", node.span, errors, known=("add_tag",), legacy=LEGACY)
    return result, errors, source


GOOD: list[tuple[str, str, Any]] = [  # settings, name of the option, value
    ('text => "a b"', "text", "a b"),
    ("text => bare", "text", "bare"),
    ("text => 5", "text", "5"),
    ("text => 1.50", "text", "1.5"),
    ('text => ["one"]', "text", "one"),
    ("count => 5", "count", 5),
    ('count => "5"', "count", 5),
    ("count => -5", "count", -5),
    ("count => 5.0", "count", 5),
    ("ratio => 5", "ratio", 5.0),
    ('ratio => "0.5"', "ratio", 0.5),
    ("flag => true", "flag", True),
    ('flag => "false"', "flag", False),
    ("mode => slow", "mode", "slow"),
    ('field => "[a][b]"', "field", FieldRef("[a][b]")),
    ("field => message", "field", FieldRef("message")),
    ('title => "%{a}"', "title", Template("%{a}")),
    ("texts => one", "texts", ["one"]),
    ('texts => ["one", 2]', "texts", ["one", "2"]),
    ("texts => []", "texts", []),
    ("texts => one texts => two", "texts", ["one", "two"]),
    ('fields => ["a", "[b][c]"]', "fields", [FieldRef("a"), FieldRef("[b][c]")]),
    ("modes => [a, b]", "modes", ["a", "b"]),
    ('table => { "a" => "1" b => 2 }', "table", {"a": "1", "b": "2"}),
    ('table => ["a", "1", "b", "2"]', "table", {"a": "1", "b": "2"}),
    ("table => { a => 1 } table => { b => 2 }", "table", {"a": "1", "b": "2"}),
    ("table => { a => 1 } table => { a => 2 }", "table", {"a": "2"}),
    ("table => { }", "table", {}),
    ('lists => { a => ["1", "2"] b => "3" }', "lists", {"a": ["1", "2"], "b": ["3"]}),
    ("lists => { a => 1 } lists => { a => 2 }", "lists", {"a": ["1", "2"]}),
    ('lists => ["a", "1", "a", "2"]', "lists", {"a": ["1", "2"]}),
    ("free => { a => 1 b => [2, x] c => { d => 1.5 } }", "free", {"a": 1, "b": [2, "x"], "c": {"d": 1.5}}),
    ("free => [a, 1] free => [a, 2]", "free", {"a": [1, 2]}),
    ("free => { a => [1] } free => { a => [2] }", "free", {"a": [1, 2]}),
    ("anything => 5", "anything", 5),
    ("anything => [a, { b => c }]", "anything", ["a", {"b": "c"}]),
    ("text => a text => b", "text", "b"),
    ('"odd-name" => x', "odd", "x"),
]


@pytest.mark.parametrize(("settings", "name", "value"), GOOD, ids=[case[0] for case in GOOD])
def test_value(settings: str, name: str, value: Any) -> None:
    options, errors, _ = read(settings)
    assert not errors
    assert getattr(options, name) == value
    assert type(getattr(options, name)) is type(value)


BAD = [  # settings, part of the message, the text that is pointed at, part of the hint
    ("texx => 1", "unknown option 'texx' for filter 'x'", "texx", "did you mean 'text'?"),
    ("ad_tag => a", "unknown option 'ad_tag'", "ad_tag", "did you mean 'add_tag'?"),
    ("zzzzzz => 1", "unknown option 'zzzzzz'", "zzzzzz", "known options: add_tag, anything"),
    ("count => many", "option 'count' of filter 'x': expected a whole number, found 'many'", "many", "A number."),
    ("count => 1.5", "expected a whole number, found 1.5", "1.5", ""),
    ("ratio => x", "expected a number, found 'x'", "x", ""),
    ("flag => yes", "expected true or false, found 'yes'", "yes", "A flag."),
    ("flag => 1", "expected true or false, found 1", "1", ""),
    ("mode => slwo", "'slwo' is not one of fast, slow", "slwo", "did you mean 'slow'?"),
    ("modes => [a, c]", "'c' is not one of a, b", "[", ""),
    ('text => ["a", "b"]', "expected text, found an array", "[", ""),
    ("text => { a => b }", "expected text, found a hash", "{", ""),
    ("text => plain { }", "expected text, found a plugin", "plain", ""),
    ('field => "a[b]"', "invalid field reference 'a[b]'", '"a[b]"', "write [outer][inner]"),
    ('field => ""', "must not be empty", '""', ""),
    ('title => "%{+QQQQQQ}"', "date pattern", '"%{+QQQQQQ}"', ""),
    ("table => [a]", "expected a hash { key => value }, found an array", "[", ""),
    ("table => 5", "expected a hash { key => value }, found 5", "5", ""),
    ("table => { a => 1 a => 2 }", "the key 'a' appears twice in the hash", "a", "put both values into one array"),
    ("table => { a => [1, 2] }", "expected text, found an array", "[", ""),
    ("texts => [a, { b => c }]", "expected text, found a hash", "{ b", ""),
    ("anything => [plain { }]", "is not allowed here", "plain", "only 'codec' accepts a plugin"),
]


@pytest.mark.parametrize(("settings", "message", "place", "hint"), BAD, ids=[case[0] for case in BAD])
def test_error(settings: str, message: str, place: str, hint: str) -> None:
    options, errors, source = read(settings)
    assert options is None
    [error] = errors
    assert message in error.message
    assert hint in error.hint
    assert source[error.span.column - 1 :].startswith(place)


def test_all_errors_are_reported() -> None:
    options, errors, _ = read("count => x flag => 5 nope => 1")
    assert options is None
    assert len(errors) == 3


@dataclass(frozen=True, slots=True)
class Needy:
    """An option that must be given."""

    match: str = required("What to match.")


def test_a_misspelt_option_is_not_missing_as_well() -> None:
    options, [error], _ = read("mtch => a", Needy)
    assert options is None
    assert (error.message, error.hint) == ("unknown option 'mtch' for filter 'x'", "did you mean 'match'?")


def test_missing() -> None:
    options, [error], source = read("", Needy)
    assert options is None
    assert error.message == "filter 'x' needs the option 'match'"
    assert error.hint == "add match => ...  (What to match.)"
    assert error.render(source).splitlines()[1:3] == ["    1 | filter { x {  } }", "      |          ^"]


def test_an_error_shows_line_and_caret() -> None:
    _, [error], source = read("text => a\n\tcount => many")
    assert error.render(source).splitlines() == [
        "test.conf:2:11: error: option 'count' of filter 'x': expected a whole number, found 'many'",
        "    2 | \tcount => many } }",
        "      | \t         ^^^^",
        "  help: A number.",
    ]


LEGACY_CASES: list[tuple[str, str, str, Any, list[str]]] = [  # id, settings, option, its value, messages
    ("successor", 'old_text => "a"', "text", "a", ["the option 'old_text' of filter 'x' is called 'text' now"]),
    ("successor_is_given", "text => b old_text => a", "text", "b", ["the option 'old_text' of filter 'x' is called"]),
    ("value_is_translated", "old_flag => false", "mode", "slow", ["the option 'old_flag' of filter 'x' is called"]),
    ("nothing_to_do", "quiet => a", "text", "a", []),
    ("no_effect", "gone => [1, 2] count => 3", "count", 3, ["the option 'gone' of filter 'x' has no effect"]),
    ("declared_options_win", "count => 3", "count", 3, []),
]


@pytest.mark.parametrize(
    ("settings", "name", "expected", "messages"),
    [case[1:] for case in LEGACY_CASES],
    ids=[case[0] for case in LEGACY_CASES],
)
def test_legacy_options_are_accepted(settings: str, name: str, expected: Any, messages: list[str]) -> None:
    result, errors, _ = read(settings)
    assert getattr(result, name) == expected
    assert [error.severity for error in errors] == ["warning"] * len(messages)
    for error, message in zip(errors, messages, strict=True):
        assert error.message.startswith(message)
        assert error.hint


def test_a_legacy_option_that_would_change_the_events_is_an_error() -> None:
    result, [error], source = read("type => a")
    assert result is None
    assert error.message == "the option 'type' of filter 'x' no longer exists, as in Logstash"
    assert (error.severity, error.hint) == ("error", "use a condition")
    assert source[error.span.column - 1 :].startswith("type")
