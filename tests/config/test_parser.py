from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingestd.config.errors import ConfigErrors, Span
from ingestd.config.nodes import Branch, Compare, HashLiteral, Logic, Negation, PluginBlock, StringLiteral, Truth
from ingestd.config.parser import load, parse
from tests.config.trees import plain

VARIABLES = {"HOST": "es1", "PORT": "9200", "EMPTY": "", "a.b": "dotted", "SELF": "${HOST}"}

VALUES = [  # id, text, value
    ("bareword", "json", "json"),
    ("bareword_letter", "x", "x"),
    ("bareword_true", "true", "true"),
    ("double_quoted", '"a b"', "a b"),
    ("single_quoted", "'a b'", "a b"),
    ("other_quote_inside", "'say \"hi\"'", 'say "hi"'),
    ("empty_string", '""', ""),
    ("backslash_is_a_character", r'"\d\n\t"', r"\d\n\t"),
    ("backslash_quote_stays_in_the_string", r'"a\"b"', r"a\"b"),
    ("backslash_apostrophe", r"'a\'b'", r"a\'b"),
    ("two_backslashes_before_a_quote", r'"a\\"b"', r'a\\"b'),
    ("string_over_lines", '"a\n  b"', "a\n  b"),
    ("string_with_comment_sign", '"a # b"', "a # b"),
    ("string_with_braces", '"%{X} }"', "%{X} }"),
    ("korean", '"서울 맛집"', "서울 맛집"),
    ("integer", "42", 42),
    ("negative", "-42", -42),
    ("zero", "0", 0),
    ("octal", "0640", 0o640),
    ("negative_octal", "-010", -8),
    ("float", "2.5", 2.5),
    ("float_zero", "0.5", 0.5),
    ("float_without_digits", "2.", 2.0),
    ("array", '[1, "b", c]', [1, "b", "c"]),
    ("array_empty", "[ ]", []),
    ("array_of_one", '["a"]', ["a"]),
    ("array_nested", "[[1, 2], [ ], [3]]", [[1, 2], [], [3]]),
    ("hash", '{ "a" => 1 b => "c" 404 => d }', {"hash": [("a", 1), ("b", "c"), (404, "d")]}),
    ("hash_empty", "{}", {"hash": []}),
    ("hash_twice", "{ a => 1 a => 2 }", {"hash": [("a", 1), ("a", 2)]}),
    ("hash_nested", "{ a => { b => [1] } }", {"hash": [("a", {"hash": [("b", [1])]})]}),
    ("array_of_hashes", "[{ a => 1 }, { }]", [{"hash": [("a", 1)]}, {"hash": []}]),
    ("codec", "json { charset => 'X' }", ("json", ("charset", "X"))),
    ("codec_empty", "rubydebug { }", ("rubydebug",)),
    ("codec_in_array", "[json { }, line { }]", [("json",), ("line",)]),
    ("codec_quoted", "'json' { }", ("json",)),
    ("variable", '"${HOST}"', "es1"),
    ("variable_inside", '"http://${HOST}:${PORT}/"', "http://es1:9200/"),
    ("variable_unquoted_stays_a_string", "${PORT}", "9200"),
    ("variable_default", '"${NONE:a b}"', "a b"),
    ("variable_unquoted_default", "${NONE:5959}", "5959"),
    ("variable_default_empty", '"${NONE:}"', ""),
    ("variable_set_but_empty", '"${EMPTY:x}"', ""),
    ("variable_dotted", '"${a.b}"', "dotted"),
    ("variable_is_not_searched_again", '"${SELF}"', "${HOST}"),
    ("variable_with_a_strange_name_is_text", '"${1A} ${} ${a-b}"', "${1A} ${} ${a-b}"),
    ("variable_in_array", '["${HOST}"]', ["es1"]),
    ("variable_in_hash_value_not_key", '{ "${HOST}" => "${HOST}" }', {"hash": [("${HOST}", "es1")]}),
    ("variable_in_codec", 'json { a => "${HOST}" }', ("json", ("a", "es1"))),
]


@pytest.mark.parametrize(("text", "expected"), [c[1:] for c in VALUES], ids=[c[0] for c in VALUES])
def test_value(text: str, expected: Any) -> None:
    config = parse(f"filter {{ x {{ a => {text} }} }}", "f", VARIABLES)
    assert plain(config.filters) == [("x", ("a", expected))]


ESCAPES = [
    ("line_end", r'"a\nb\rc\td"', "a\nb\rc\td"),
    ("quotes", r'"\"\'"', "\"'"),
    ("single", r"'\'\"'", "'\""),
    ("backslash", r'"a\\b"', r"a\b"),
    ("slash", r'"a\/b"', "a/b"),
    ("others_lose_the_backslash", r'"\d"', "d"),
    ("key", r'{ "a\tb" => 1 }', {"hash": [("a\tb", 1)]}),
]


@pytest.mark.parametrize(("text", "expected"), [c[1:] for c in ESCAPES], ids=[c[0] for c in ESCAPES])
def test_escapes_when_supported(text: str, expected: Any) -> None:
    config = parse(f"filter {{ x {{ a => {text} }} }}", "f", {}, support_escapes=True)
    assert plain(config.filters) == [("x", ("a", expected))]


SECTIONS = [
    ("empty_section", "input { }", {"input": [], "filter": [], "output": []}),
    ("plugins", "input { a { } b { } }", {"input": [("a",), ("b",)], "filter": [], "output": []}),
    (
        "sections_join_in_order",
        "output { z { } } input { a { } } filter { } input { b { } }",
        {"input": [("a",), ("b",)], "filter": [], "output": [("z",)]},
    ),
    ("no_blanks", 'filter{a{b=>"c"}}', {"input": [], "filter": [("a", ("b", "c"))], "output": []}),
    ("crlf_and_tabs", "filter\t{\r\n\ta {\r\n }\r\n}\r\n", {"input": [], "filter": [("a",)], "output": []}),
    ("comments", "#1\nfilter #2 }\n{ #3\n a #4\n { #5\n } } # 6", {"input": [], "filter": [("a",)], "output": []}),
    ("byte_order_mark", "\ufefffilter { }", {"input": [], "filter": [], "output": []}),
    ("quoted_names", "filter { \"a\" { 'b' => 1 } }", {"input": [], "filter": [("a", ("b", 1))], "output": []}),
    ("name_with_digits", "filter { 5 { -6 => 1 } }", {"input": [], "filter": [("5", ("-6", 1))], "output": []}),
    ("name_with_dash", "filter { a-b { c-d => 1 } }", {"input": [], "filter": [("a-b", ("c-d", 1))], "output": []}),
    ("option_twice", "filter {x { a => 1 a => 2}}", {"filter": [("x", ("a", 1), ("a", 2))], "input": [], "output": []}),
]


@pytest.mark.parametrize(("text", "expected"), [c[1:] for c in SECTIONS], ids=[c[0] for c in SECTIONS])
def test_sections(text: str, expected: Any) -> None:
    assert plain(parse(text, "f", {})) == expected


KEYWORDS = ("if", "else", "in", "not", "and", "or", "xor", "nand", "input", "filter", "output", "5")


@pytest.mark.parametrize("word", KEYWORDS)
def test_keywords_are_names_where_no_keyword_can_stand(word: str) -> None:
    """Also right behind a codec, an array and a hash, which can stand in conditions or before an 'if', too."""
    text = f"filter {{ x {{ {word} => [a] {word} => {{ {word} => b }} {word} => c {{ }} {word} => d }} }}"
    (plugin,) = parse(text, "f", {}).filters
    assert isinstance(plugin, PluginBlock)
    assert [setting.name for setting in plugin.settings] == [word] * 4


F, G = ("field", "[f]"), ("field", "[g]")
CONDITIONS = [
    ("field", "[f]", ("true", F)),
    ("nested_field", "[f][g h][@x]", ("true", ("field", "[f][g h][@x]"))),
    *((name, f"[f] {name} 5", (name, F, 5)) for name in ("==", "!=", "<", ">", "<=", ">=")),
    ("no_blanks", '"x"in[f]and[g]!=-1', ("and", ("in", "x", F), ("!=", G, -1))),
    ("field_first", '"x" == [f]', ("==", "x", F)),
    ("two_fields", "[f] < [g]", ("<", F, G)),
    ("regex", "[f] =~ /^a b$/", ("=~", F, ("regex", "^a b$"))),
    ("regex_slash", r"[f] !~ /a\/b\d/", ("!~", F, ("regex", r"a/b\d"))),
    ("regex_backslash_before_slash", r"[f] =~ /a\\/b/", ("=~", F, ("regex", r"a\\/b"))),
    ("regex_with_brace_and_hash", "[f] =~ /#{2}/", ("=~", F, ("regex", "#{2}"))),
    ("regex_string", r'[f] =~ "\.${HOST}"', ("=~", F, ("regex", r"\.${HOST}"))),
    ("regex_field", "[f] =~ [g]", ("=~", F, G)),
    ("in_array", '[f] in ["a", 1]', ("in", F, ["a", 1])),
    ("in_array_of_arrays", "[f] in [[1], [2]]", ("in", F, [[1], [2]])),
    ("in_empty_array", "[f] in []", ("in", F, [])),
    ("in_string", '[f] in "abc"', ("in", F, "abc")),
    ("not_in", '"a" not in [f]', ("not in", "a", F)),
    ("not_in_over_lines", '"a" not # yes\n in [f]', ("not in", "a", F)),
    ("array_of_one_is_a_field", '[f] in ["a"]', ("in", F, ("field", '["a"]'))),
    ("array_on_the_left", "[1, 2] in [f]", ("in", [1, 2], F)),
    ("not", "![f]", ("!", ("true", F))),
    ("not_parentheses", "! ([f] == 1)", ("!", ("==", F, 1))),
    ("parentheses", "(([f]))", ("true", F)),
    *((name, f"[f] {name} [g]", (name, ("true", F), ("true", G))) for name in ("and", "or", "xor", "nand")),
    ("parentheses_group", "([f] or [g]) and [f]", ("and", ("or", ("true", F), ("true", G)), ("true", F))),
    ("regex_alone", "/x/", ("true", ("regex", "x"))),
    ("array_alone", "[1, b]", ("true", [1, "b"])),
    (
        "array_of_everything",
        "[f] in [{ a => 1 }, b { c => '${HOST}' }, ${HOST}]",
        ("in", F, [{"hash": [("a", 1)]}, ("b", ("c", "es1")), "es1"]),
    ),
    ("string_in_a_nested_array", '[f] in [["${HOST}x"], 1]', ("in", F, [["es1x"], 1])),
    ("string_alone", '"x"', ("true", "x")),
    ("variable", '[f] == "${HOST}"', ("==", F, "es1")),
    ("variable_in_array", '[f] in ["${HOST}", "b"]', ("in", F, ["es1", "b"])),
    ("variable_in_longer_string_stays", '[f] == "${HOST}x"', ("==", F, "${HOST}x")),
]


@pytest.mark.parametrize(("text", "expected"), [c[1:] for c in CONDITIONS], ids=[c[0] for c in CONDITIONS])
def test_condition(text: str, expected: Any) -> None:
    config = parse(f"filter {{ if {text} {{ }} }}", "f", VARIABLES)
    assert plain(config.filters) == [("if", [(expected, [])], [])]


def test_branches_nest_in_every_section() -> None:
    text = "{ if [a] { x { } if [b] { y { } } } else if [c] { } else if [d] { z { } } else { if [e] { } } x { } }"
    a, b, c, d, e = (("true", ("field", f"[{name}]")) for name in "abcde")
    branch: tuple[Any, ...] = (
        "if",
        [(a, [("x",), ("if", [(b, [("y",)])], [])]), (c, []), (d, [("z",)])],
        [("if", [(e, [])], [])],
    )
    config = parse(f"input {text} filter {text} output {text}", "f", {})
    assert plain(config) == {kind: [branch, ("x",)] for kind in ("input", "filter", "output")}


def test_no_blank_is_needed_in_else_if() -> None:
    """Logstash's grammar allows none between the two words."""
    spaced = parse("filter { if [a] { x { } } else if [b] { y { } } else if [c] { } else { z { } } }", "f", {})
    joined = parse("filter { if [a] { x { } } elseif [b] { y { } } elseif[c]{}else{ z { } } }", "f", {})
    assert plain(joined.filters) == plain(spaced.filters)


WARNINGS = [
    ("array_of_one", 'if [a] in ["x"] { }', 'as in Logstash, ["x"] is the field with that name, not an array of'),
    ("and_and_or", "if [a] and [b] and [c] or [d] { }", "as in Logstash, two 'and's before this operator do not group"),
    ("part_of_a_string", 'if [a] == "x${A}" { }', "as in Logstash, a condition replaces a variable only if it"),
    ("key", 'x { a => { "${A}" => 1 } }', '"${A}" is not replaced: variables in the keys of a hash stay as they are'),
]


@pytest.mark.parametrize(("text", "message"), [c[1:] for c in WARNINGS], ids=[c[0] for c in WARNINGS])
def test_warns_where_logstash_surprises(text: str, message: str) -> None:
    (warning,) = parse(f"filter {{ {text} }}", "f", {"A": "1"}).warnings
    assert warning.message.startswith(message)
    assert warning.severity == "warning"


def test_spans() -> None:
    text = 'filter {\n\tif [가] == 1 and !([b] in "c") {\n  grok { match => { "a" => \'x\r\ny\' } }\n} }'
    (branch,) = parse(text, "f", {}).filters
    assert isinstance(branch, Branch)
    assert branch.span == Span("f", 2, 2, 2)
    ((condition, (plugin,)),) = branch.tests
    assert isinstance(condition, Logic)
    assert isinstance(condition.left, Compare)
    assert isinstance(condition.right, Negation)
    assert condition.span == Span("f", 2, 14, 3)
    assert condition.left.span == Span("f", 2, 5, 8)
    assert condition.left.left.span == Span("f", 2, 5, 3)
    assert condition.left.right.span == Span("f", 2, 12, 1)
    assert condition.right.span == Span("f", 2, 18, 1)
    assert isinstance(plugin, PluginBlock)
    assert plugin.span == Span("f", 3, 3, 4)
    (setting,) = plugin.settings
    assert setting.span == Span("f", 3, 10, 5)
    assert isinstance(setting.value, HashLiteral)
    assert setting.value.span == Span("f", 3, 19, 11), "of a hash over several lines the part in the first"
    ((key, value),) = setting.value.items
    assert key.span == Span("f", 3, 21, 3)
    assert value == StringLiteral("x\r\ny", Span("f", 3, 28, 2))


def test_truth_has_the_span_of_its_operand() -> None:
    (branch,) = parse("filter { if [a][b] { } }", "f", {}).filters
    assert isinstance(branch, Branch)
    ((condition, _),) = branch.tests
    assert isinstance(condition, Truth)
    assert condition.span == condition.operand.span == Span("f", 1, 13, 6)


def test_a_long_config_is_no_problem() -> None:
    """50 levels of blocks and 5,000 operands: what is written by programs must parse, and its repr must work."""
    test = " or ".join(f'[a] == "{number}"' for number in range(5000))
    config = parse(f"filter {{ if {test} {{" + "if [a] {" * 50 + "}" * 52, "f", {})
    assert repr(config.filters).count("Compare(") == 5000


def test_a_long_chain_of_else_if() -> None:
    (branch,) = parse("filter { if [a] { }" + " else if [b] { }" * 5000 + " else { x { } } }", "f", {}).filters
    assert isinstance(branch, Branch)
    assert len(branch.tests) == 5001
    assert plain(branch.otherwise) == [("x",)]


def test_load_joins_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "20-b.conf").write_text("filter { b { } }")
    (tmp_path / "10-a.conf").write_text("filter { a { } } output { o { } }")
    (tmp_path / "ignored.txt").write_text("no config at all {")
    (tmp_path / "sub.conf").mkdir()
    extra = tmp_path / "extra.txt"
    extra.write_text("# nothing here\ninput { i { } }", "utf-8-sig")
    config = load([tmp_path, extra], {})
    assert plain(config) == {"input": [("i",)], "filter": [("a",), ("b",)], "output": [("o",)]}
    assert list(config.sources) == [str(tmp_path / name) for name in ("10-a.conf", "20-b.conf", "extra.txt")]
    (plugin,) = config.inputs
    assert plugin.span == Span(str(extra), 2, 9, 1)


def test_load_takes_patterns(tmp_path: Path) -> None:
    for name in "ba":
        (tmp_path / f"{name}.cfg").write_text(f"filter {{ {name} {{ }} }}")
    assert plain(load([tmp_path / "*.cfg"], {}).filters) == [("a",), ("b",)]


@pytest.mark.parametrize("pattern", ["*/conf.d/*.conf", "**/[ab].conf", "a?/conf.d"])
def test_load_takes_patterns_of_folders(tmp_path: Path, pattern: str) -> None:
    for number, name in enumerate("ab", 1):
        (tmp_path / f"a{number}" / "conf.d").mkdir(parents=True)
        (tmp_path / f"a{number}" / "conf.d" / f"{name}.conf").write_text(f"filter {{ {name} {{ }} }}")
    assert plain(load([tmp_path / pattern], {}).filters) == [("a",), ("b",)]


def test_load_reports_the_errors_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("filter { x }")
    (tmp_path / "b.conf").write_text("filter { y { } }")
    (tmp_path / "c.conf").write_text('filter { z { a => "${NONE}" } }')
    with pytest.raises(ConfigErrors) as caught:
        load([tmp_path, tmp_path / "d.conf"], {})
    assert [(Path(e.span.file).name, e.message) for e in caught.value.errors] == [
        ("d.conf", "there is no such file"),
        ("a.conf", "expected '{' after plugin name 'x', found '}'"),
        ("c.conf", "the environment variable 'NONE' is not set"),
    ]


UNREADABLE = [
    ("latin1", b"filter {\n x \xe9 { } }", ":2:4: error: the byte 0xe9 is not UTF-8"),
    ("column_in_characters", "filter { # 가".encode() + b"\xff", ":1:13: error: the byte 0xff is not UTF-8"),
    ("utf16", "filter { }".encode("utf-16"), ":1:1: error: the file is UTF-16"),
    ("empty", b"", ":1:1: error: there is no section in this config"),
    ("only_comments", b"# x\n", ":1:1: error: there is no section in this config"),
]


@pytest.mark.parametrize(("data", "message"), [c[1:] for c in UNREADABLE], ids=[c[0] for c in UNREADABLE])
def test_unreadable_file(tmp_path: Path, data: bytes, message: str) -> None:
    file = tmp_path / "a.conf"
    file.write_bytes(data)
    with pytest.raises(ConfigErrors) as caught:
        load([file], {})
    assert str(caught.value).split("\n")[0] == f"{file}{message}"


def test_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load([tmp_path, tmp_path / "*.x", tmp_path / "none"], {})
    assert str(caught.value) == "\n".join(
        (
            f"{tmp_path}:1:1: error: this folder has no *.conf files",
            f"{tmp_path / '*.x'}:1:1: error: no file matches this pattern",
            f"{tmp_path / 'none'}:1:1: error: there is no such file",
        )
    )


def test_config_of_the_command_line() -> None:
    assert plain(parse("input { stdin { } }", "-e", {}).inputs) == [("stdin",)]
    with pytest.raises(ConfigErrors, match=r"^-e:1:9: error"):
        parse("input { ] }", "-e", {})
