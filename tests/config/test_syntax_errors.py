"""What is said about a broken config: each row one mistake; then how the parser goes on after one."""

from __future__ import annotations

import pytest

from ingestd.config.cursor import MAX_DEPTH, MAX_ERRORS
from ingestd.config.errors import ConfigError, ConfigErrors
from ingestd.config.parser import parse


def errors_of(text: str) -> list[ConfigError]:
    try:
        return [*parse(text, "f", {"X": "1"}).errors]
    except ConfigErrors as caught:
        return caught.errors


OPERAND = "a field, string, number or array"
COMPLETE = "join comparisons with 'and' or 'or', negate with !([a] == 1)"
SECTIONS = "a config consists of input { … }, filter { … }, output { … }"
CASES = [  # id, text, column, message, hint
    ("no_arrow", "filter { g { m { } } }", 16, "expected '=>' after option name 'm', found '{'", "write m => value"),
    ("equals", 'filter { g { m = "x" } }', 16, "expected '=>' after option name 'm', found '='", "write m => value"),
    ("thin_arrow", "filter { g { m -> 1 } }", 16, "expected '=>' after option name 'm', found '-'", "write m => value"),
    (
        "colon",
        "filter { g { m: 1 } }",
        14,
        "expected an option name or '}' in plugin 'g', found 'm:'",
        "write m => value",
    ),
    ("no_value", "filter { g { m => } }", 19, "expected a value after '=>', found '}'", ""),
    ("no_name", "filter { g { => 1 } }", 14, "expected an option name or '}' in plugin 'g', found '=>'", ""),
    (
        "comma_between_options",
        "filter { g { a => 1, b => 2 } }",
        20,
        "expected an option name or '}' in plugin 'g', found ','",
        "remove the ',': blanks or line ends separate options",
    ),
    (
        "comma_between_pairs",
        "filter { g { a => { b => 1, c => 2 } } }",
        27,
        "expected a key or '}' in the hash, found ','",
        "remove the ',': blanks or line ends separate the pairs of a hash",
    ),
    ("pair", "filter { g { a => { b 1 } } }", 23, "expected '=>' after key 'b', found '1'", "write b => value"),
    (
        "no_comma_in_array",
        "filter { g { a => [1 2] } }",
        22,
        "expected ',' or ']' in the array, found '2'",
        "put ',' between the values",
    ),
    (
        "comma_at_the_end",
        "filter { g { a => [1,] } }",
        22,
        "expected a value after ',', found ']'",
        "remove the ',' after the last value",
    ),
    (
        "no_comma_before_a_float",
        "filter { g { a => [1 2.5] } }",
        22,
        "expected ',' or ']' in the array, found '2.5'",
        "put ',' between the values",
    ),
    ("comma_first", "filter { g { a => [, 1] } }", 20, "expected a value or ']' in the array, found ','", ""),
    (
        "address",
        "filter { g { a => 10.0.0.1 } }",
        19,
        "expected a value after '=>', found '10.0.0.1'",
        'put the value in quotes: "10.0.0.1"',
    ),
    (
        "path",
        "filter { g { a => /var/log } }",
        19,
        "expected a value after '=>', found '/var/log'",
        'put the value in quotes: "/var/log"',
    ),
    ("dash_in_value", "filter { g { a => b-c } }", 19, "'b-c' needs quotes", 'write "b-c"'),
    ("digits_first", "filter { g { a => 5s } }", 19, "'5s' needs quotes", 'write "5s"'),
    (
        "no_octal",
        "filter { g { a => 089 } }",
        19,
        "'089' is not an octal number",
        "leave out the leading zero, or put it in quotes",
    ),
    (
        "long_number",
        f"filter {{ g {{ a => {'9' * 101} }} }}",
        19,
        "a number of 101 characters is too long",
        "put it in quotes if it is text",
    ),
    (
        "after_a_variable",
        "filter { g { a => ${X}:9200 } }",
        23,
        "expected an option name or '}' in plugin 'g', found ':9200'",
        "a value with characters other than letters, digits and '_' needs quotes",
    ),
    (
        "no_break_space",
        "filter { g { a => b\xa0} }",
        19,
        "expected a value after '=>', found 'b\\xa0'",
        "there are blanks other than the usual one, such as no-break spaces: replace them",
    ),
    ("float_as_name", "filter { g { 1.5 => 2 } }", 14, "expected an option name or '}' in plugin 'g', found '1.5'", ""),
    (
        "number_as_codec",
        "filter { g { a => 5 { } } }",
        21,
        "expected an option name or '}' in plugin 'g', found '{'",
        "",
    ),
    (
        "semicolon",
        "filter { g { ; } }",
        14,
        "expected an option name or '}' in plugin 'g', found ';'",
        "remove the ';': blanks or line ends separate options",
    ),
    (
        "curly_quotes",
        "filter { g { a => \u201cb\u201d } }",
        19,
        "expected a value after '=>', found '\u201cb\u201d'",
        'write straight quotes: "…"',
    ),
    (
        "comment_of_another_language",
        "filter { // a\n}",
        10,
        "expected a plugin, 'if' or '}' in the section 'filter', found '//'",
        "comments start with #",
    ),
    (
        "template",
        "filter { g { a => [{{ .b }}] } }",
        21,
        "expected a key or '}' in the hash, found '{'",
        "this is a template: render it first, {{ … }} is not part of the language",
    ),
    (
        "filter_without_a_section",
        "json { }",
        1,
        "expected a section (input, filter or output), found 'json'",
        "put it into a section: filter { json … }",
    ),
    (
        "unequal",
        "filter { if [a] <> 1 { } }",
        18,
        "expected a field, string, number or array after '<', found '>'",
        "did you mean '!='?",
    ),
    ("bracket", "filter { g { a => 1 ] } }", 21, "expected an option name or '}' in plugin 'g', found ']'", ""),
    ("option_outside", "filter { g m }", 12, "expected '{' after plugin name 'g', found 'm'", "write g { … }"),
    ("plugin_arrow", "filter { g => {} }", 12, "expected '{' after plugin name 'g', found '=>'", "write g { … }"),
    ("no_brace", "filter g { }", 8, "expected '{' after 'filter', found 'g'", "write filter { … }"),
    ("only_a_section_name", "input", 1, "expected '{' after 'input', found the end of the text", "write input { … }"),
    (
        "section_misspelt",
        "filtre { }",
        1,
        "expected a section (input, filter or output), found 'filtre'",
        "did you mean 'filter'?",
    ),
    ("no_section", "x", 1, "expected a section (input, filter or output), found 'x'", SECTIONS),
    ("one_brace_more", "filter { } }", 12, "this '}' has no '{'", "remove it, or add the '{' that it belongs to"),
    ("no_plugin", "filter { => }", 10, "expected a plugin, 'if' or '}' in the section 'filter', found '=>'", ""),
    (
        "one_equals",
        "filter { if [a] = 1 { } }",
        17,
        "expected '{' or an operator after '[a]', found '='",
        "did you mean '=='?",
    ),
    (
        "flags_after_a_regex",
        "filter { if [a] =~ /^x/im { } }",
        24,
        "expected '{' or an operator after '/^x/', found 'im'",
        "write the flags into the regex: /(?im)^x/",
    ),
    (
        "ampersands",
        "filter { if [a] && [b] { } }",
        17,
        "expected '{' or an operator after '[a]', found '&&'",
        "did you mean 'and'?",
    ),
    (
        "bare_field",
        "filter { if a == 1 { } }",
        13,
        "expected a condition after 'if', found 'a'",
        'write [a] for a field, "a" for a string',
    ),
    (
        "not",
        "filter { if not [a] { } }",
        13,
        "expected a condition after 'if', found 'not'",
        "write ! for not: ![a] or !([a] == 1)",
    ),
    (
        "true",
        "filter { if [a] == true { } }",
        20,
        f"expected {OPERAND} after '==', found 'true'",
        'write [a] to ask whether a field is true, ![a] whether it is false, null or missing; "true" is a text',
    ),
    (
        "bare_variable",
        "filter { if [a] > ${X} { } }",
        19,
        f"expected {OPERAND} after '>', found '${{X}}'",
        'put it in quotes: "${X}"',
    ),
    ("no_operand", "filter { if [a] == { } }", 20, f"expected {OPERAND} after '==', found '{{'", ""),
    ("nothing_after_or", "filter { if [a] == 1 or { } }", 25, "expected a condition after 'or', found '{'", ""),
    ("no_condition", "filter { if { } }", 13, "expected a condition after 'if', found '{'", ""),
    ("parenthesis_open", "filter { if ([a] == 1 { } }", 23, "expected ')' or an operator after '1', found '{'", ""),
    ("parenthesis_more", "filter { if [a] == 1) { } }", 21, "expected '{' or an operator after '1', found ')'", ""),
    (
        "regex_is_a_number",
        "filter { if [a] =~ 5 { } }",
        20,
        "expected a regex after '=~', found '5'",
        "write it between slashes, /^a+$/, or in quotes",
    ),
    (
        "not_and_compare",
        "filter { if ![a] == 1 { } }",
        18,
        "expected '{' or an operator after '[a]', found '=='",
        COMPLETE,
    ),
    ("chain", "filter { if [a] == 1 == 2 { } }", 22, "expected '{' or an operator after '1', found '=='", COMPLETE),
    (
        "chain_of_words",
        "filter { if [a] == 1 in [b] { } }",
        22,
        "expected '{' or an operator after '1', found 'in'",
        COMPLETE,
    ),
    (
        "not_a_string",
        'filter { if !"a" { } }',
        14,
        "expected a field or '(' after '!', found the string \"a\"",
        "write ![a] or !([a] == 1)",
    ),
    (
        "not_without_in",
        "filter { if [a] not == 1 { } }",
        21,
        "expected 'in' after 'not', found '=='",
        "to negate a condition write !([a] == 1)",
    ),
    (
        "elsif",
        "filter { if [a] { } elsif [b] { } }",
        27,
        "expected '{' after plugin name 'elsif', found '['",
        "did you mean 'else if'?",
    ),
    ("else_condition", "filter { if [a] { } else [b] { } }", 26, "expected '{' or 'if' after 'else', found '['", ""),
    (
        "else_alone",
        "filter { else { } }",
        10,
        "'else' without an 'if' before it",
        "'else' follows the '}' of an 'if' block",
    ),
    (
        "else_twice",
        "filter { if [a] { } else { } else { } }",
        30,
        "'else' without an 'if' before it",
        "'else' follows the '}' of an 'if' block",
    ),
    (
        "elsif_before_else",
        "filter { if [a] { } elsif [b] { } else { } }",
        27,
        "expected '{' after plugin name 'elsif', found '['",
        "did you mean 'else if'?",
    ),
    (
        "else_condition_before_else",
        "filter { if [a] { } else [b] { } else if [c] { } else { } }",
        26,
        "expected '{' or 'if' after 'else', found '['",
        "",
    ),
    (
        "unclosed_string",
        'filter { g { a => "x } }',
        19,
        'the string that starts here is never closed: " is missing',
        "",
    ),
    (
        "variable",
        'filter { g { a => "a ${NONE}" } }',
        22,
        "the environment variable 'NONE' is not set",
        "set it, or give a default: ${NONE:value}",
    ),
    (
        "variable_in_condition",
        'filter { if [a] == "${NONE}" { } }',
        21,
        "the environment variable 'NONE' is not set",
        "set it, or give a default: ${NONE:value}",
    ),
    (
        "brace_open",
        "filter { g { a => { b => 1 } }",
        8,
        "the '{' of the section 'filter' is never closed",
        "add '}' before the end of the text",
    ),
    (
        "depth",
        "filter { g { a => " + "[" * 99,
        19 + MAX_DEPTH - 2,
        "brackets are nested deeper than 100 levels",
        "make the config flatter",
    ),
    (
        "alternating",
        "filter { if [a]" + " nand [a]" * 101 + " { } }",
        17,
        "'and', 'or', 'xor' and 'nand' alternate in more than 100 levels",
        'write a condition on an array: [a] in ["x", "y"]',
    ),
]


@pytest.mark.parametrize(("text", "column", "message", "hint"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_one_mistake_is_one_error(text: str, column: int, message: str, hint: str) -> None:
    found = [(error.span.line, error.span.column, error.message, error.hint) for error in errors_of(text)]
    assert found == [(1, column, message, hint)]


FORGOTTEN = [  # id, text, place and message of each error
    (
        "quote_before_another_string",
        'input {\n tcp {\n  host => "x\n  port => "5"\n }\n}',
        ['3:11 the string that starts here is never closed: " is missing'],
    ),
    (
        "quote_before_an_empty_string",
        "input {\n tcp {\n  host => 'x\n  port => ''\n }\n}\nfilter { }",
        ["3:11 the string that starts here is never closed: ' is missing"],
    ),
    (
        "brace_of_a_section",
        "input {\n stdin { }\nfilter {\n x { }\n}\n",
        ["1:7 the '{' of the section 'input' is never closed"],
    ),
    (
        "braces_of_section_and_if",
        "filter {\n if [a] {\n  x { }\noutput {\n z { }\n}\n",
        ["2:9 the '{' of the 'if' block is never closed"],
    ),
    (
        "brace_of_a_plugin_before_a_plugin",
        "filter {\n grok {\n  a => 1\n mutate { b 2 }\n}",
        ["2:7 the '{' of the plugin 'grok' is never closed", "4:13 expected '=>' after option name 'b', found '2'"],
    ),
    (
        "brace_of_a_plugin_before_if",
        "filter {\n grok {\n  a => 1\n if [a] { x { } }\n}",
        ["2:7 the '{' of the plugin 'grok' is never closed"],
    ),
    (
        "brace_of_a_plugin_before_else",
        "filter {\n if [a] {\n  grok {\n   a => 1\n } else {\n  x { }\n }\n}",
        ["2:9 the '{' of the 'if' block is never closed"],
    ),
    (
        "brace_of_a_codec",
        "input {\n tcp {\n  codec => json {\n if [a] { x { } }\n}",
        [
            "2:6 the '{' of the plugin 'tcp' is never closed",
            "3:17 the '{' of the plugin 'json' is never closed",
        ],
    ),
    (
        "brace_of_a_plugin_and_a_section",
        "input {\n tcp {\n  a => 1\nfilter {\n x { }\n}",
        ["1:7 the '{' of the section 'input' is never closed", "2:6 the '{' of the plugin 'tcp' is never closed"],
    ),
    (
        "section_in_else",
        "filter { if [a] { } else input { x { } } }",
        ["1:26 expected '{' or 'if' after 'else', found 'input'"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), [c[1:] for c in FORGOTTEN], ids=[c[0] for c in FORGOTTEN])
def test_forgotten_marks_are_shown_where_they_were_opened(text: str, expected: list[str]) -> None:
    assert [f"{error.span.line}:{error.span.column} {error.message}" for error in errors_of(text)] == expected


GO_ON = [  # id, text, place and message of each error
    (
        "bad_plugin_name",
        "filter {\n x: { }\n y { a 1 }\n}",
        [
            "2:2 expected a plugin, 'if' or '}' in the section 'filter', found 'x:'",
            "3:8 expected '=>' after option name 'a', found '1'",
        ],
    ),
    (
        "else_alone_in_its_line",
        "filter {\n else { }\n y { a 1 }\n}",
        ["2:2 'else' without an 'if' before it", "3:8 expected '=>' after option name 'a', found '1'"],
    ),
    (
        "after_a_string_over_lines",
        "filter {\n x { a => 'b\n c; ' => 1\n }\n y { a 1 }\n}",
        [
            "2:11 the string that starts here is never closed: ' is missing",
            "3:2 expected an option name or '}' in plugin 'x', found 'c;'",
            "5:8 expected '=>' after option name 'a', found '1'",
        ],
    ),
    (
        "variable_in_a_broken_statement",
        'filter { x { a => "${NONE}" b 1 } }',
        ["1:20 the environment variable 'NONE' is not set", "1:31 expected '=>' after option name 'b', found '1'"],
    ),
    (
        "misspelt_section",
        "fliter { x { a 1 } ; }",
        [
            "1:1 expected a section (input, filter or output), found 'fliter'",
            "1:16 expected '=>' after option name 'a', found '1'",
            "1:20 expected a plugin, 'if' or '}' in the section 'fliter', found ';'",
        ],
    ),
    (
        "condition_without_block",
        "filter { if [a] { if [b] = 1 } x { a 1 } }",
        [
            "1:26 expected '{' or an operator after '[b]', found '='",
            "1:38 expected '=>' after option name 'a', found '1'",
        ],
    ),
    (
        "braces_in_a_regex",
        "filter { if a =~ /}{/ { x { a 1 } } }",
        ["1:13 expected a condition after 'if', found 'a'", "1:31 expected '=>' after option name 'a', found '1'"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), [c[1:] for c in GO_ON], ids=[c[0] for c in GO_ON])
def test_goes_on_after_an_error(text: str, expected: list[str]) -> None:
    assert [f"{error.span.line}:{error.span.column} {error.message}" for error in errors_of(text)] == expected


DEEP = [  # id, start, opening, inside, closing, end
    ("blocks", "", "if [a] {", "", "}", ""),
    ("else_blocks", "", "if [a] { } else {", "", "}", ""),
    ("parentheses", "if ", "(", "[a]", ")", "{ }"),
    ("negations", "if ", "!(", "[a]", ")", "{ }"),
    ("arrays", "x { a => ", "[", "", "]", "}"),
    ("hashes", "x { a => ", "{ b => ", "1", "}", "}"),
    ("codecs", "x { a => ", "b { c => ", "1", "}", "}"),
]


@pytest.mark.parametrize(
    ("start", "opening", "inside", "closing", "end"), [c[1:] for c in DEEP], ids=[c[0] for c in DEEP]
)
def test_deep_nesting_is_an_error(start: str, opening: str, inside: str, closing: str, end: str) -> None:
    around = 1 + start.count("{")
    deepest = MAX_DEPTH - around
    parse(f"filter {{ {start}{opening * deepest}{inside}{closing * deepest}{end} }}", "f", {})
    (error,) = errors_of(f"filter {{ {start}{opening * 50_000}")
    assert error.message == f"brackets are nested deeper than {MAX_DEPTH} levels"


BROKEN = """\
input {
  tcp { port 5959 }
  udp { port => 5, host => "x" }
  tcp { host => localhost:5 tags => [a b] } # one error for each plugin
}
filter {
  if [status] = 404 {
\tgrok { match = "%{서울}" }
    mutate { add => "${NONE}" }
  } else if level == 1 {
    date { match => [] timezone } }
  } else {
    drop { }
  }
}
fliter { x { "서울" => [1,] } }
output { stdout { codec => rubydebug { } }
"""
RENDERED = """\
main.conf:2:14: error: expected '=>' after option name 'port', found '5959'
    2 |   tcp { port 5959 }
      |              ^^^^
  help: write port => value
main.conf:3:18: error: expected an option name or '}' in plugin 'udp', found ','
    3 |   udp { port => 5, host => "x" }
      |                  ^
  help: remove the ',': blanks or line ends separate options
main.conf:4:17: error: expected a value after '=>', found 'localhost:5'
    4 |   tcp { host => localhost:5 tags => [a b] } # one error for each plugin
      |                 ^^^^^^^^^^^
  help: put the value in quotes: "localhost:5"
main.conf:7:15: error: expected '{' or an operator after '[status]', found '='
    7 |   if [status] = 404 {
      |               ^
  help: did you mean '=='?
main.conf:8:15: error: expected '=>' after option name 'match', found '='
    8 | \tgrok { match = "%{서울}" }
      | \t             ^
  help: write match => value
main.conf:9:22: error: the environment variable 'NONE' is not set
    9 |     mutate { add => "${NONE}" }
      |                      ^^^^^^^
  help: set it, or give a default: ${NONE:value}
main.conf:10:13: error: expected a condition after 'if', found 'level'
   10 |   } else if level == 1 {
      |             ^^^^^
  help: write [level] for a field, "level" for a string
main.conf:11:33: error: expected '=>' after option name 'timezone', found '}'
   11 |     date { match => [] timezone } }
      |                                 ^
  help: write timezone => value
"""


def test_all_errors_of_a_config_at_once() -> None:
    text = BROKEN.replace("timezone } }", "timezone }")
    with pytest.raises(ConfigErrors) as caught:
        parse(text, "main.conf", {})
    assert caught.value.render().startswith(RENDERED.replace("timezone } }", "timezone }"))
    assert [(error.span.line, error.message) for error in caught.value.errors[8:]] == [
        (16, "expected a section (input, filter or output), found 'fliter'"),
        (16, "expected a value after ',', found ']'"),
        (17, "the '{' of the section 'output' is never closed"),
    ]


def test_carriage_returns_do_not_move_the_caret() -> None:
    (error,) = errors_of("filter {\r\n\tx { 가 나 }\r\n}\r\n")
    assert error.render("filter {\r\n\tx { 가 나 }\r\n}\r\n").split("\n")[1:3] == [
        "    2 | \tx { 가 나 }",
        "      | \t    ^^",
    ]


@pytest.mark.parametrize("mark", ["{", "}", '"\n', "a {", "filter { x { a 1 } }\n"])
def test_hopeless_texts_end_soon(mark: str) -> None:
    assert 1 <= len(errors_of(mark * 3000)) <= MAX_ERRORS
