"""What `shortened` leaves out changes no answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.grok.compile import compile_regex
from ingestd.grok.searches import shortened

CASES = [  # id, expression, the shortened one
    ("class", "[a-z]+=b", "[a-z]=b"),
    ("escape", r"\d+\.\d+", r"\d\.\d+"),
    ("letter", "a+b", "ab"),
    ("group", r"([a-z]+)=(\w+)", r"([a-z])=(\w+)"),
    ("alternatives", "(?:a+|b)c", "(?:a|b)c"),
    ("lazy", "a+?b", "a+?b"),
    ("anchored", "^a+b", "^a+b"),
    ("repeated_group", "(a+,){2}b", "(a+,){2}b"),
    ("optional_group", "((a+,)b)?c", "((a+,)b)?c"),
    ("inner_group_is_repeated", "((a+,)+b)c", "((a+,)+b)c"),
    ("reference", r"(a+)b\1", r"(a+)b\1"),
    ("look", "a+(?=b)", "a+(?=b)"),
    ("look_behind", "a+(?<=ab)c", "a+(?<=ab)c"),
    ("case", "(?i)a+b", "(?i)a+b"),
    ("star", "a*b", "a*b"),
    ("bracket_in_class", "[[:alpha:]]+=b", "[[:alpha:]]+=b"),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_shortened(text: str, expected: str) -> None:
    assert shortened(text) == expected


@given(
    st.sampled_from([case[1] for case in CASES] + ["(?:a+b|ab+)c", "(a+|b+)(c|a)", "((a+)b)c", r"[ab]+c|\w+b"]),
    st.text("ab,c=12. \n", max_size=12),
)
def test_the_answer_is_the_same(text: str, value: str) -> None:
    found = [compile_regex(regex).matcher().search(value) is not None for regex in (text, shortened(text))]
    assert found[0] == found[1]
