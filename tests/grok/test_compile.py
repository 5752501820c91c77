"""From the text of a config to a pattern with captures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.grok import engine
from ingestd.grok.compile import Capture, compile_grok, compile_regex
from ingestd.grok.engine import max_fast_length
from ingestd.grok.errors import GrokTimeoutError, PatternError
from ingestd.grok.library import PatternLibrary, load_library, missing_paths, parse_patterns
from ingestd.grok.proof.safety import Safety, analyse
from ingestd.grok.syntax.nodes import ParsedRegex
from ingestd.grok.syntax.parser import parse

LIBRARY = load_library()

FIELDS = [  # pattern, text, captures as (field, text, convert)
    ("%{NUMBER:foo:int} %{NUMBER:bar:float}", "400 454.33", [("foo", "400", "int"), ("bar", "454.33", "float")]),
    ("%{NUMBER:n:string}", "4", [("n", "4", None)]),
    ("%{WORD}", "abc", []),
    ("%{WORD:foo-bar}", "hello", [("foo-bar", "hello", None)]),
    ("%{WORD:[a][b]}", "x", [("[a][b]", "x", None)]),
    ("%{NUMBER:[http][status]:int}", "200", [("[http][status]", "200", "int")]),
    ("%{WORD:[@metadata][x]}", "x", [("[@metadata][x]", "x", None)]),
    ("%{WORD:이름}", "x", [("이름", "x", None)]),
    (r"(?<foo>\w+)", "hello world", [("foo", "hello", None)]),
    (r"(?<[a][b]>\w+)", "hello", [("[a][b]", "hello", None)]),
    ("(?<timestamp>%{DATE_EU} %{TIME})", "fancy 12-12-12 12:12:12", [("timestamp", "12-12-12 12:12:12", None)]),
    (r"%{FIZZLE=\d+:}", "1:", []),
    (r"%{FIZZLE:f=\d{2,3}}x", "hello 1234x", [("f", "234", None)]),
    (r"%{A:a=[a-z]} %{A:b:int}", "x y", [("a", "x", None), ("b", "y", "int")]),
    ("%{INT:foo}|%{WORD:foo}", "hello", [("foo", None, None), ("foo", "hello", None)]),
    ("1=%{WORD:foo1} *(2=%{WORD:foo2})?", "1=test", [("foo1", "test", None), ("foo2", None, None)]),
    ("%{WORD:b} %{WORD:a} %{WORD:b}", "x y z", [("b", "x", None), ("b", "z", None), ("a", "y", None)]),
    ("(x|y)(?<n>z)", "yz", [("n", "z", None)]),
    (r"(x|y)\1%{SPACE}", "yy", []),
    ("%{GREEDYDATA:all}", "a\nb", [("all", "a\nb", None)]),
    ("%{WORD:a and more}", "x", [("a", "x", None)]),
    ("^403$", "403", []),
    (
        r"((a=(?<a>%{UNIXPATH})?|b=(?<b>%{UNIXPATH})?)(,\s)?)+",
        "a=/some/path, b=/some/other/path",
        [("a", "/some/path,", None), ("b", None, None)],
    ),
    ("%{}a%{", "%{}a%{", []),
    ("%{WORD:ignored:}", "x", [("ignored", "x", None)]),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), FIELDS)
def test_captures(pattern: str, text: str, expected: list[tuple[str, str | None, str | None]]) -> None:
    compiled = compile_grok(pattern, LIBRARY)
    found = compiled.matcher().search(text)
    assert found is not None
    assert [(c.field, found[c.group], c.convert) for c in compiled.captures] == expected


def test_unnamed_captures_when_asked_for() -> None:
    compiled = compile_grok(r"Hello %{WORD}. %{WORD:foo} %{FIZZLE=\d+}", LIBRARY, named_captures_only=False)
    found = compiled.matcher().search("Hello World, yo 1234")
    assert found is not None
    fields = {capture.field: found[capture.group] for capture in compiled.captures}
    assert fields == {"WORD": "World", "foo": "yo", "FIZZLE": "1234"}


def test_nested_unnamed_captures_are_all_there() -> None:
    compiled = compile_grok("%{HTTPDATE}", LIBRARY, named_captures_only=False)
    assert {"HTTPDATE", "MONTHDAY", "MONTH", "YEAR", "TIME", "HOUR", "INT"} <= {c.field for c in compiled.captures}


def test_only_fields_and_needed_groups_capture() -> None:
    assert re.compile(compile_grok("(a|b)(c) %{IPORHOST:x}", LIBRARY).source).groups == 1


ERRORS = [  # definitions, pattern, message, position, chain
    ({}, "x %{NUMER:n}", "unknown grok pattern 'NUMER', did you mean 'NUMBER'?", 2, ()),
    ({"A": "%{B}", "B": "a%{NOWHERE_NEAR}"}, "..%{A}", "unknown grok pattern 'NOWHERE_NEAR'", 2, ("A", "B")),
    ({"A": "%{B}", "B": "x%{A}"}, "%{A}", "refers to itself", 0, ("A", "B", "A")),
    ({"A": "a(b"}, "xy %{A} z", "a group is not closed", 3, ("A",)),
    ({}, "%{INT} (b", "a group is not closed", 7, ()),
    ({}, "%{INT:a} [z-a]", "range z-a is empty", 10, ()),
    ({f"D{n}": f"%{{D{n + 1}}}" * 10 for n in range(9)} | {"D9": "x"}, "%{D0}", "more than 10000 references", 0, None),
    ({"B": "y" * 3_000}, "%{B}" * 200, "is longer than", 532, ("B",)),
]


@pytest.mark.parametrize(("definitions", "pattern", "message", "position", "chain"), ERRORS)
def test_error(
    definitions: dict[str, str], pattern: str, message: str, position: int, chain: tuple[str, ...] | None
) -> None:
    with pytest.raises(PatternError) as caught:
        compile_grok(pattern, load_library(definitions=definitions))
    assert message in caught.value.message
    assert caught.value.position == position
    assert chain is None or caught.value.chain == chain


def test_error_text_names_the_way() -> None:
    error = PatternError("a group is not closed", 2, ("A", "B"))
    assert str(error) == "a group is not closed in A -> B (at character 3)"


@settings(deadline=None)
@given(st.text("%{}ABINT:=\\d+[]()a-", max_size=24))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    position = 0
    try:
        compile_grok(text, LIBRARY).matcher(timeout_s=1)
    except PatternError as error:
        position = error.position
    assert 0 <= position <= len(text)


def test_linear_pattern_runs_without_a_wrapper() -> None:
    compiled = compile_grok("^%{IPORHOST:host} %{GREEDYDATA:rest}", LIBRARY)
    assert compiled.safety.degree == 1
    assert compiled.program.fast is not None
    assert compiled.matcher().search == compiled.program.fast.search


def test_quadratic_pattern_changes_the_engine_with_the_length() -> None:
    compiled = compile_regex(r"\S+ foo")
    matcher = compiled.matcher()
    assert max_fast_length(compiled.safety.degree) == 1414
    for size in (10, 5_000):
        found = matcher.search("-" * size + " foo")
        assert found is not None
        assert isinstance(found, re.Match) == (size == 10)
        assert matcher.sub("x", "-" * size + " foo bar") == "x bar"


def test_exponential_pattern_never_runs_on_re() -> None:
    compiled = compile_regex(r"\A(?:a|a)*b")
    matcher = compiled.matcher(timeout_s=0.05)
    assert max_fast_length(compiled.safety.degree) == 0
    found = compiled.matcher(timeout_s=60).search("aab")
    assert found is not None
    assert type(found).__module__ == "_regex"
    with pytest.raises(GrokTimeoutError) as caught:
        matcher.search("a" * 40 + "cb")
    assert caught.value.limit_s == 0.05
    with pytest.raises(GrokTimeoutError):
        matcher.sub("x", "a" * 40 + "cb")


def test_patterns_that_differ_in_names_only_are_proven_once(monkeypatch: pytest.MonkeyPatch) -> None:
    analysed: list[ParsedRegex] = []

    def counted(tree: ParsedRegex) -> Safety:
        analysed.append(tree)
        return analyse(tree)

    monkeypatch.setattr(engine, "analyse", counted)
    monkeypatch.setattr(engine, "_SAFETIES", {})
    patterns = [f"(?<a{n}>x+) (?<b>y) \\k<a{n}>" for n in range(9)] + [
        "(?<b>x+) (?<a>y) \\k<a>",
        "(?:x+)+z",
        "(?:x+)+z",
    ]
    safeties = [compile_regex(pattern).safety for pattern in patterns]
    assert len(analysed) == 3
    assert safeties == [analyse(parse(pattern)) for pattern in patterns]


def test_replacing_all_may_be_slower_than_finding_one() -> None:
    safety = compile_regex("x(?:.*y)?").safety
    assert (safety.degree, safety.degree_of_all) == (1, 2)
    safety = compile_regex(r"[\\?#-]+").safety
    assert (safety.degree, safety.degree_of_all) == (1, 1)


def test_capture_is_a_plain_value() -> None:
    assert compile_grok("%{INT:a:int}", LIBRARY).captures == (Capture(1, "a", "int"),)


FILES = {
    "one": "# comment\n  POSTFIX [0-9A-F]{10,11}\n\nALONE\nTABBED\t\tx y\r\n",
    "two.pattern": "POSTFIX second\nWORD replaced\n",
}


def test_pattern_file_format() -> None:
    assert parse_patterns(FILES["one"]) == {"POSTFIX": "[0-9A-F]{10,11}", "TABBED": "x y"}


def write_files(folder: Path) -> None:
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("glob", "definitions", "expected"),
    [
        ("*", {}, {"POSTFIX": "second", "WORD": "replaced", "TABBED": "x y"}),
        ("*.pattern", {}, {"POSTFIX": "second", "TABBED": None}),
        ("one", {"POSTFIX": "mine"}, {"POSTFIX": "mine", "WORD": r"\b\w+\b"}),
    ],
    ids=["all", "glob", "definitions_win"],
)
def test_folders(tmp_path: Path, glob: str, definitions: dict[str, str], expected: dict[str, str | None]) -> None:
    write_files(tmp_path)
    patterns = load_library([tmp_path], glob, definitions).patterns
    assert {name: patterns.get(name) for name in expected} == expected


def test_a_path_may_be_a_file_or_a_wildcard(tmp_path: Path) -> None:
    write_files(tmp_path)
    assert load_library([tmp_path / "one"]).patterns["POSTFIX"] == "[0-9A-F]{10,11}"
    assert load_library([str(tmp_path / "*.pattern")]).patterns["POSTFIX"] == "second"


def test_a_missing_path_is_ignored(tmp_path: Path) -> None:
    """As in Logstash; the other paths count."""
    write_files(tmp_path)
    paths = [tmp_path / "missing", tmp_path / "one", tmp_path / "*.missing"]
    assert load_library(paths).patterns["POSTFIX"] == "[0-9A-F]{10,11}"
    assert missing_paths(paths) == [str(tmp_path / "missing"), str(tmp_path / "*.missing")]


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"A \xff\n")
    with pytest.raises(PatternError, match="cannot read the pattern file"):
        load_library([tmp_path])


def test_stock_library_is_read_once() -> None:
    assert load_library() is load_library()
    assert isinstance(load_library(), PatternLibrary)
