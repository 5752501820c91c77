"""Laws of the parser: it is total, what it reads means what was written, and white space means nothing."""

from __future__ import annotations

from itertools import chain
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingestd.config.errors import ConfigErrors, Span
from ingestd.config.nodes import (
    ArrayLiteral,
    Branch,
    Compare,
    Condition,
    Config,
    HashLiteral,
    Logic,
    Negation,
    NumberLiteral,
    PluginBlock,
    PluginSetting,
    RegexLiteral,
    Selector,
    StringLiteral,
    Truth,
    Value,
)
from ingestd.config.parser import parse
from tests.config.trees import plain, tokens
from tests.random_cases import random_cases

# Whole configs are slow to draw; the smaller laws keep the default of 100 examples.
few = random_cases(30)
HERE = Span("f", 1, 1)


def node(kind: type[Any], *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for nodes of a kind, all in one place."""
    return st.tuples(*parts).map(lambda values: kind(*values, HERE))


def tuples(parts: st.SearchStrategy[Any], least: int = 0, most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(parts, min_size=least, max_size=most).map(tuple)


# At the end of a string a backslash would hide the quote; '${' would be a variable.
characters = st.characters(exclude_characters="'\\$\r", exclude_categories=["Cs"])
strings = st.text(st.one_of(characters, st.sampled_from('ab \n\t{}#"=>')), max_size=8)
words = st.sampled_from(["a", "b_1", "_", "json", "in", "not", "and", "filter", "if", "else", "X"])
names = st.sampled_from(["grok", "a-b", "_", "x1", "in", "or"])  # not "input": that is taken for a section
barewords = words.map(lambda word: StringLiteral(word, HERE, bare=True))
texts = node(StringLiteral, strings)
numbers = node(
    NumberLiteral, st.integers(-(10**18), 10**18) | st.floats(-1e6, 1e6, width=32).map(lambda f: round(f, 3))
)
numbers = numbers.filter(lambda number: "e" not in repr(number.value))

scalars = texts | numbers | barewords
values: st.SearchStrategy[Value] = st.recursive(
    scalars,
    lambda inner: (
        node(ArrayLiteral, tuples(inner))
        | node(HashLiteral, tuples(st.tuples(scalars, inner)))
        | node(PluginBlock, names, tuples(node(PluginSetting, names, inner)))
    ),
    max_leaves=4,
)
plugins = node(PluginBlock, names, tuples(node(PluginSetting, names | words, values)))

keys = st.sampled_from(["[a]", "[b c]", "[@timestamp]", "[ 0 ]", "[if]", "[가]"])
fields = node(Selector, st.lists(keys, min_size=1, max_size=3).map("".join))
# Brackets in the strings of an array in a condition: '["a]' would be a field, as in Logstash.
flat = node(StringLiteral, st.text("ab {}#,", max_size=4)) | numbers
operands = fields | texts | numbers | node(ArrayLiteral, tuples(flat, 2))
patterns = node(RegexLiteral, st.text(st.characters(exclude_characters="\\\r\n"), min_size=1, max_size=6))
operators = st.sampled_from(["==", "!=", "<", ">", "<=", ">=", "in", "not in"])
conditions: st.SearchStrategy[Condition] = st.recursive(
    node(Compare, operators, operands, operands)
    | node(Compare, st.sampled_from(["=~", "!~"]), fields, patterns)
    | node(Truth, fields),
    lambda inner: node(Negation, inner) | node(Logic, st.sampled_from(["and", "or", "xor", "nand"]), inner, inner),
    max_leaves=3,
)
statements: st.SearchStrategy[Any] = st.recursive(
    plugins,
    lambda inner: node(Branch, tuples(st.tuples(conditions, tuples(inner)), 1), tuples(inner)),
    max_leaves=3,
)
sections = tuples(statements)
configs = st.builds(lambda i, f, o: Config(i, f, o, {}), sections, sections, sections)
blanks = st.sampled_from([" ", "\t", "\n", " \r\n ", "# a { \" } '\n", "#\n#\r\n", " \n\n\t"])


@few
@given(configs)
def test_parse_reads_what_was_written(config: Config) -> None:
    assert plain(parse(" ".join(tokens(config)), "f", {})) == plain(config)


@few
@given(configs, st.data())
def test_blanks_and_comments_change_nothing(config: Config, data: st.DataObject) -> None:
    pieces = list(tokens(config))
    gaps = data.draw(st.lists(blanks, min_size=len(pieces), max_size=len(pieces)))
    assert plain(parse("".join(chain(*zip(gaps, pieces, strict=True))), "f", {})) == plain(config)


def check_total(text: str) -> None:
    """Parse, or fail with errors that lie in the text and can be shown."""
    failure = None
    try:
        parse(text, "f", {"A": "1"})
    except ConfigErrors as caught:
        failure = caught
    if failure:
        lines = text.removeprefix("\ufeff").split("\n")
        assert failure.errors
        for error in failure.errors:
            assert error.message
            assert 1 <= error.span.line <= len(lines)
            assert 1 <= error.span.column <= len(lines[error.span.line - 1]) + 1
            assert error.span.column + error.span.length <= len(lines[error.span.line - 1]) + 2
        assert failure.render().count("^") >= len(failure.errors)


@given(st.text())
def test_any_text_parses_or_has_errors(text: str) -> None:
    check_total(text)


PIECES = (
    *("input", "filter", "output", "if", "else", "in", "not", "and", "or", "xor", "nand", "!", "==", "=~", ">", "="),
    *("{", "}", "[", "]", "(", ")", ",", "=>", '"', "'", '"a"', "'b'", "[f]", "[f][g]", "/r/", "/", "\\", "$", "${A}"),
    *("a", "b-c", "5", "-5.5", "089", "${NONE}", '"${NONE}"', "#", "\n", "\r\n", " ", "\t", "{ }", "가", "input {"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join))
def test_any_tokens_parse_or_have_errors(text: str) -> None:
    check_total(text)


@few
@given(configs, st.data())
def test_a_broken_config_parses_or_has_errors(config: Config, data: st.DataObject) -> None:
    """One piece is lost, another comes from somewhere else: what people do to configs."""
    pieces = list(tokens(config))
    del pieces[data.draw(st.integers(0, len(pieces) - 1))]
    pieces.insert(data.draw(st.integers(0, len(pieces))), data.draw(st.sampled_from(PIECES)))
    check_total("\n".join(pieces))
