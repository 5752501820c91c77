from __future__ import annotations

import pytest

from ingestd.config.errors import ConfigError, ConfigErrors, Span

SOURCE = 'filter {\n  grok {\n\tmatchh => { "message" => "%{IP:client}" }\n  }\n}\n'


def test_render_points_at_the_word() -> None:
    error = ConfigError("unknown option 'matchh'", Span("main.conf", 3, 2, 6), hint="did you mean 'match'?")
    assert error.render(SOURCE) == (
        "main.conf:3:2: error: unknown option 'matchh'\n"
        '    3 | \tmatchh => { "message" => "***" }\n'
        "      | \t^^^^^^\n"
        "  help: did you mean 'match'?"
    )


def test_warning_says_so() -> None:
    assert str(ConfigError("odd", Span("f", 1, 2), severity="warning")) == "f:1:2: warning: odd"


@pytest.mark.parametrize(("source", "line"), [("", 1), ("input {", 1), ("input {\n", 2), ("input {", 9)])
def test_render_at_the_end_never_fails(source: str, line: int) -> None:
    assert "^" in ConfigError("missing '}'", Span("main.conf", line, 8)).render(source)


def test_an_error_without_source_has_no_caret() -> None:
    errors = ConfigErrors(
        [ConfigError("no such file", Span("a", 1, 1), "look there"), ConfigError("bad", Span("b", 1, 3, 9))],
        {"b": "x yy"},
    )
    assert str(errors) == (
        "a:1:1: error: no such file\n  help: look there\nb:1:3: error: bad\n    1 | x yy\n      |   ^^"
    )
