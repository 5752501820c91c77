"""What every match of a pattern has."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.grok.compile import compile_grok
from ingestd.grok.engine import Matcher
from ingestd.grok.library import load_library
from ingestd.grok.prefilter import starts_a_line

LIBRARY = load_library([], "*", {"STARTED": "^%{WORD}", "WARNED": "WARN: .*"})

CASES = [  # id, pattern, the text that every match contains, whether it starts at the start of a line
    ("text", "^GET /path", "GET /path", True),
    ("longest", r"ab%{INT:n}cde", "cde", False),
    ("none", "%{WORD:a}", "", False),
    ("too_short", "%{WORD:a} %{WORD:b}", "", False),
    ("of_a_library_pattern", r"%{WARNED:a}", "WARN: ", False),
    ("started_by_a_library_pattern", r"%{STARTED:a}: done", ": done", True),
    ("in_groups", "(?<a>fa(?:il))ed(?>!!)", "failed!!", False),
    ("repeated", "xy(ab)+cd", "xyab", False),
    ("repeated_once", "xy(?:ab){1,1}cd", "xyabcd", False),
    ("optional", "ab(?:cdef)?gh", "ab", False),
    ("optional_start", "(^a)?bc", "bc", False),
    ("alternatives", "ab(?:cdef|cdeg)h", "ab", False),
    ("anchored_alternatives", r"^ab|\Acd", "", True),
    ("one_anchored_alternative", "^ab|cd", "", False),
    ("letter_case", "(?i)abc", "", False),
    ("letter_case_of_a_part", "(?i:abc)de(?-i:fg)", "defg", False),
    ("assertions", r"ab\b(?= c)(?<!x) cd", "ab cd", False),
    ("escaped", r"\[error\] \x41", "[error] A", False),
    ("class_of_one", "a[b]c", "abc", False),
    ("class", "ab[cd]efg", "efg", False),
    ("text_end", r"abc\z", "abc", False),
]


@pytest.mark.parametrize(("pattern", "required", "anchored"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_what_a_match_has(pattern: str, required: str, anchored: bool) -> None:
    program = compile_grok(pattern, LIBRARY).program
    assert program.required == required
    assert starts_a_line(program.translation.tree.root) is anchored


piece = st.sampled_from(["a", "b", "ab", "[ab]", "^", r"\A", "$", r"\b", ".", "(?i:A)", "%{WORD:w}", "%{INT}", "(?=b)"])
patterns = st.recursive(
    piece,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("({}){}".format, inner, st.sampled_from(["?", "*", "+", "{2}", "{0,1}", "{1}"])),
    ),
    max_leaves=6,
)


@given(patterns, st.text(st.sampled_from("aAb1 \n"), max_size=8))
def test_no_match_is_lost(pattern: str, text: str) -> None:
    program = compile_grok(pattern, LIBRARY).program
    found = re.search(program.translation.source, text)
    assert found is None or program.required in text
    if "\n" not in text:
        matcher = Matcher(program, 5.0)
        line_match = matcher.search_line(text)
        assert (line_match and line_match.span()) == (found and found.span())
