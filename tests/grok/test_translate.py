"""Ruby's syntax and meaning in Python: what is written, what it matches, what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from ingestd.grok.compile import compile_regex
from ingestd.grok.engine import load
from ingestd.grok.errors import PatternError
from ingestd.grok.translate import translate, translate_replacement
from tests.random_cases import random_cases

SOURCES = [  # Ruby, Python without the leading (?ms)
    ("abc", "abc"),
    ("a.c", r"a[^\n]c"),
    ("(?m:a.c)", "a.c"),
    ("(?m)a(?-m:.)", r"a[^\n]"),
    (r"\d\w\s\h", r"[0-9][0-9A-Z_a-z](?a:\s)[0-9A-Fa-f]"),
    (r"\D\S", r"[^0-9](?a:\S)"),
    (r"[\d\-x]", r"[\-0-9x]"),
    (r"[^\d.]", r"[^.0-9]"),
    (r"[a-z&&[^aeiou]]", "[b-df-hj-np-tv-z]"),
    (r"[a-c[x-z]]", "[a-cx-z]"),
    (r"[^a-c&&b-d]", "[^bc]"),
    ("[]a]", r"[\]a]"),
    ("[^]a]", r"[^\]a]"),
    ("[a-]", r"[\-a]"),
    ("a]b}c{", r"a\]b\}c\{"),
    ("a{,3}", "a{0,3}"),
    ("a{2}", "a{2}"),
    ("a{2,}?", "a{2,}?"),
    ("a{,}", r"a\{,\}"),
    ("a{2,3}+", "(?:a{2,3})+"),
    ("a{2}?", "(?:a{2})?"),
    ("a*+b++c?+", "a*+b++c?+"),
    ("a**", "a*"),
    ("a+?*", "(?:a+?)*"),
    ("(?>ab|c)", "(?>ab|c)"),
    ("a(?i)b|c", "a(?i:b|c)"),
    ("(?i:a(?-i:b))", "(?i:a(?-i:b))"),
    ("(?x) a b # c\n d", "abd"),
    ("a(?#note\\))b", "ab"),
    (r"^\d", "^[0-9]"),
    (r"\A\z\Z", r"\A\Z(?=\n?\Z)"),
    (r"(a)(b)\2", r"(a)(b)(?:\2)"),
    (r"(?<x>a)(b)", "(a)(?:b)"),
    (r"(?'x'a)\k'x'", r"(a)(?:\1)"),
    (r"(?<a>x)|(?<a>y)\k<a>", r"(?:(x)|(y)(?:(?:\2)|(?:\1)))"),
    (r"(a)\k<-1>", r"(a)(?:\1)"),
    (r"(?<=a|bc)d", "(?:(?<=a)|(?<=bc))d"),
    (r"(?<!a|bc)d", "(?<!a)(?<!bc)d"),
    (r"(?=a|b)(?!c)", "(?=a|b)(?!c)"),
    (r"(a)?(?(1)b|c)", "(a)?(?(1)b|c)"),
    (r"\x41\u{1F600}\u0042\t\e\101", "A😀B\\t\\x1bA"),
    (r"\xED\x95\x9C", "한"),
    (r"[[:alnum:]_.]", r"[._\w]"),
    (r"[[:digit:]x]", r"[x\d]"),
    (r"[[:^alpha:]]", r"(?:(?![^\W\d_]).)"),
    (r"\p{Word}\p{^Word}", r"\w[^\w]"),
    (r"\R", r"(?>\r\n|[\n-\r\x85\u2028\u2029])"),
    (r"\p{Han}", r"\p{Han}"),
    (r"[\p{Hangul}a]", r"[a\p{Hangul}]"),
    (r"(?u:\w)", r"\w"),
    (r"\cA\C-a", r"\x01\x01"),
    ("a|", "(?:a|)"),
    ("", ""),
]

MEANINGS = [  # Ruby, text, whole match or None
    (r"^b$", "a\nb\nc", "b"),
    (r"a$", "a\n", "a"),
    (r"^\s*$", "a\n", None),
    (r"^$", "", ""),
    (r"\Aa\Z", "a\n", "a"),
    (r"\Aa\z", "a\n", None),
    (r"a.b", "a\nb", None),
    (r"\d", "٣", None),
    (r"\w+", "한ab글", "ab"),
    (r"\b\w+\b", "한ab글", None),
    (r"[[:alpha:]]+", "1서울_", "서울"),
    (r"[[:space:]]+", "a\u3000b", "\u3000"),
    (r"\s", "\u3000", None),
    (r"[^\d\s]+", "1 서울2", "서울"),
    (r"(?i)é", "É", "É"),
    (r"(?i)[^a]", "Ab", "b"),
    (r"(?<w>\w)\k<w>", "abccd", "cc"),
    (r"(?<!x|yy)a", "xa yya za", "a"),
    (r"\h{4}", "xyz 12aF", "12aF"),
    (r"a{2,3}+b", "aaaaab", "aaaaab"),
    (r"a++ab", "aaab", None),
    (r"x\R", "x\r\n", "x\r\n"),
    (r"[a-z&&[^m-p]]+", "mnaq", "aq"),
    (r"[\w&&[^\d]]+", "12ab", "ab"),
    (r"[$.+!*'(){},~:;=@#%&|_\-\[\]]+", "a[x]", "["),
]

ERRORS = [  # Ruby, a part of the message, position
    ("a(?P<n>b)", "kind of group '(?P<', write (?<name>...)", 1),
    ("(?<n>b)(?P=n)", r"kind of group '(?P=', write \k<name>", 7),
    ("a(b", "group is not closed", 1),
    ("a)b", "no opening", 1),
    ("*a", "'*' has nothing to repeat", 0),
    ("a|+", "'+' has nothing to repeat", 2),
    ("[a", "not closed", 0),
    ("[]", "empty", 0),
    ("[z-a]", "range z-a is empty", 1),
    ("[[:foo:]]", "no POSIX class 'foo'", 1),
    ("a\\", "ends with a backslash", 1),
    ("a{3,2}", "wrong order", 1),
    ("a{100001}", "more than 100000", 1),
    (r"\k<x>", "no group named 'x'", 0),
    (r"(a)\2", "no group 2", 3),
    (r"(?<x>a)\1", "by number", 7),
    (r"(?<>a)", "name is empty", 0),
    (r"(?~a)", "unknown or unsupported", 0),
    (r"\p{Nonsense}", "cannot be used", 0),
    (r"\u12", "hexadecimal", 0),
    (r"\x{110000}", "no character", 0),
    ("(" * 200 + ")" * 200, "nested", 70),
    ("[" * 200, "nested", 51),
]

NEEDS_REGEX = [
    (r"\p{Han}+", "\\p{Han}"),
    (r"(?<=a+)b", "look-behind"),
    (r"(?<x>a\g<x>?b)", "call"),
    (r"a\Kb", r"\K"),
    (r"\X", r"\X"),
    (r"\Ga", r"\G"),
    (r"[[:upper:]]", "Upper"),
]


@pytest.mark.parametrize(("ruby", "python"), SOURCES)
def test_source(ruby: str, python: str) -> None:
    assert translate(ruby).source == "(?ms)" + python


@pytest.mark.parametrize("package", [re, regex], ids=["re", "regex"])
@pytest.mark.parametrize("ruby", [r"\s", r"\S", r"(?i)\S"])
def test_blanks_are_those_of_ascii(ruby: str, package: Any) -> None:
    found = package.compile(translate(ruby).source).fullmatch
    blanks = {chr(code) for code in range(0x3100) if (found(chr(code)) is None) == ruby.endswith("S")}
    assert blanks == set("\t\n\v\f\r ")


@pytest.mark.parametrize(("ruby", "_"), SOURCES)
def test_source_compiles(ruby: str, _: str) -> None:
    translation = translate(ruby)
    regex.compile(translation.source)
    assert bool(translation.needs_regex) or re.compile(translation.source)


@pytest.mark.parametrize("engine", [re, regex], ids=["re", "regex"])
@pytest.mark.parametrize(("ruby", "text", "expected"), MEANINGS)
def test_meaning(engine: Any, ruby: str, text: str, expected: str | None) -> None:
    found = engine.search(translate(ruby).source, text)
    assert (found and found[0]) == expected


@pytest.mark.parametrize(("ruby", "message", "position"), ERRORS)
def test_error(ruby: str, message: str, position: int) -> None:
    with pytest.raises(PatternError) as caught:
        compile_regex(ruby)
    assert message in caught.value.message
    assert caught.value.position == position


@pytest.mark.parametrize(("ruby", "reason"), NEEDS_REGEX)
def test_what_only_regex_takes(ruby: str, reason: str) -> None:
    translation = translate(ruby)
    assert reason in translation.needs_regex
    assert load(translation).fast is None


def test_dot_takes_newline_in_grok() -> None:
    assert translate("a.b", dot_all=True).source == "(?ms)a.b"


def test_plain_groups() -> None:
    assert translate("(a)(b)").names == ("", "")
    assert translate("(a)(b)", keep_plain_groups=False).names == ()
    assert translate(r"(a)\1", keep_plain_groups=False).names == ("",)
    assert translate("(?<x>a)(b)(?<y>c)(?<x>d)").names == ("x", "y", "x")


REPLACEMENTS = [  # pattern, replacement, value, result
    ("b", "x", "abc", "axc"),
    ("(a)(b)", r"\2\1", "abab", "baba"),
    ("b", r"[\0]", "abc", "a[b]c"),
    ("b", r"<\&>", "abc", "a<b>c"),
    ("(?<x>b)", r"<\k<x>>", "abc", "a<b>c"),
    ("(a)|b", r"<\1>", "ab", "<a><>"),
    ("a", r"\\", "a", "\\"),
    ("a", r"\n\d", "a", r"\n\d"),
    ("a", r"\9", "xa", "x"),
    ("a", "\\", "a", "\\"),
    ("/", r"\\1", "a/b", r"a\1b"),
    ("l*", "-", "hello", "-h-e--o-"),
    ("^", "> ", "a\nb\n", "> a\n> b\n"),
    (r"[\\?#-]", ".", r"a\b?c#d-e", "a.b.c.d.e"),
    (r"\p{Han}(x)?", r"<\1>", "漢x漢", "<x><>"),
]


@pytest.mark.parametrize(("pattern", "replacement", "value", "expected"), REPLACEMENTS)
def test_gsub(pattern: str, replacement: str, value: str, expected: str) -> None:
    compiled = compile_regex(pattern)
    assert compiled.matcher().sub(compiled.replacement(replacement), value) == expected


def test_replacement_of_an_unknown_name() -> None:
    with pytest.raises(PatternError, match="no group named 'y'"):
        translate_replacement(r"\k<y>", ("x",))


RUBY_PARTS = (
    "a b 0 _ - ] } { [ ( ) (?: (?> (?= (?! (?<= (?<! (?<n> (?i) (?m-i: | * + ? {2} {,3} {1,}? ^ $ . & && [^ [a-c] "
    r"[[:alpha:]] \d \W \b \A \z \Z \h \R \k<n> \1 \g<n> \K \X \G \p{L} \p{^Han} \x41 \u{41} \x \u \c \C- \M-a \07 \e "
    "(?x) # (?# (?(1)"
)


@random_cases(400)
@given(st.one_of(st.lists(st.sampled_from(RUBY_PARTS.split()), max_size=12).map("".join), st.text(max_size=20)))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    position = 0
    try:
        compile_regex(text).matcher(timeout_s=1).search("ab 0\n-_")
    except PatternError as error:
        position = error.position
    assert 0 <= position <= len(text)


SIMPLE_PARTS = r"a b [ab] [^a] . \w \W \d \b ^ $ \Z \s (?:ab|b) (a)?"
QUANTIFIED = st.tuples(st.sampled_from(SIMPLE_PARTS.split()), st.sampled_from(["", "", "?", "{1,2}"])).map("".join)


@random_cases(200)
@given(st.lists(QUANTIFIED, max_size=6), st.text("ab0 \n한", max_size=12))
def test_both_engines_agree(parts: list[str], text: str) -> None:
    source = translate("".join(parts)).source
    one, other = re.search(source, text), regex.search(source, text)
    assert (one and (one.span(), one.groups())) == (other and (other.span(), other.groups()))
