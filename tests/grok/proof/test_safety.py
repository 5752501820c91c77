"""The proofs against a matcher that counts its steps. No clock: only how the steps grow with the text."""

from __future__ import annotations

import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.grok.compile import compile_grok
from ingestd.grok.library import load_library
from ingestd.grok.proof.safety import Safety, analyse
from ingestd.grok.syntax.parser import parse
from tests.grok.proof.backtracker import LIMIT, Backtracker
from tests.random_cases import random_cases

sys.setrecursionlimit(20_000)  # the counting matcher recurses for each character


def safety_of(pattern: str) -> Safety:
    return analyse(parse(pattern))


DEGREES = [  # pattern, degree: None is exponential
    (r"foo", 1),
    (r"\d+", 1),
    (r"^\d+$", 1),
    (r"\A\S+ \S+ foo", 1),
    (r"\b\w+\b", 1),
    (r"\b\w+ ", 1),
    (r"(?<![0-9])[0-9]+ms", 1),
    (r"(a|ab)(c|bcd)*d", 1),
    (r"\[[^\]\[]*\]x", 1),
    (r"\A(?>a+)+b", 1),
    (r"\Ax*+x*y", 1),
    (r"\A(?:a?b)*c", 1),
    (r"x(?:.*)", 1),
    (r"x.*$", 1),
    (r"a{1,9}b", 1),
    (r"(?:\d{1,3}\.){3}\d{1,3}", 1),
    (r"\S+ foo", 2),
    (r"\A.*?a.*?b", 2),
    (r"\A.*foo.*bar.*$", 2),
    (r"^a*a*b", 2),
    (r"\w+\s+=", 2),
    (r'"(?:[^"\\]|\\.)*"', 2),
    (r"(?=.*foo)bar", 2),
    (r"\s+$", 2),
    (r"a*a*b", 3),
    (r"\A.*,.*,.*,x", 3),
    (r"(a+)+b", None),
    (r"\A(a|a)*b", None),
    (r"\A(a*)*b", None),
    (r"\A(?:(?:a*)?b)*c", None),
    (r"\A(a|aa)+c", None),
    (r"\A([a-z]+[0-9]?)+-", None),
    (r"\A(?:\\.|[^\"])+\"", None),
    (r"([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+\.com", None),
]


def steps(pattern: str, text: str) -> int:
    return Backtracker(pattern, text).search()


@pytest.mark.parametrize(("pattern", "degree"), DEGREES)
def test_degree(pattern: str, degree: int | None) -> None:
    safety = safety_of(pattern)
    assert (safety.degree, safety.reason) == (degree, "")


@pytest.mark.sampled
@pytest.mark.parametrize(("pattern", "degree"), [case for case in DEGREES if case[1] != 1])
def test_attack_shows_the_growth(pattern: str, degree: int | None) -> None:
    safety = safety_of(pattern)
    size = 4 if degree is None else 24 // degree
    small, large = steps(pattern, safety.attack_text(size)), steps(pattern, safety.attack_text(2 * size))
    # Twice the text: 2**degree times the steps, less what does not grow; exponential: squared, less that.
    assert large >= (min(8 * small, LIMIT) if degree is None else 0.7 * 2**degree * small)
    if degree is None:
        assert steps(pattern, safety.attack_text(30)) == LIMIT


PIECES = st.sampled_from(["a", "b", "[ab]", ".", "a?", "b?", r"\b", "(?=b)", "(?!a)", "^", "$"])
PATTERNS = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.tuples(inner, inner).map("(?:{0[0]}|{0[1]})".format),
        st.tuples(inner, st.sampled_from(["*", "+", "*?", "++", "{2,3}", "{0,5}"])).map("(?:{0[0]}){0[1]}".format),
        inner.map("(?>{})".format),
    ),
    max_leaves=7,
)
PUMPS = ["".join(letters) for size in (1, 2, 3) for letters in product("ab-", repeat=size)]


@random_cases(150)
@given(PATTERNS, st.sampled_from(PUMPS), st.sampled_from(["", "a", "b"]), st.sampled_from(["", "-", "b"]))
def test_growth_is_never_more_than_said(pattern: str, pump: str, prefix: str, suffix: str) -> None:
    degree = safety_of(pattern).degree
    if degree is None or degree > 3:
        return
    small, large = (steps(pattern, prefix + pump * size + suffix) for size in (12, 24))
    if large < LIMIT:
        assert large <= 2**degree * small * 1.5 + 200


@pytest.mark.parametrize(
    ("pattern", "degree"),
    [
        (r"a+(?: \d+)?", 1),  # once the first a is read, nothing can fail
        (r"x\s*.*", 1),  # and what is left is not entered again
        (r"(?:/\w*)+(?:\?\w*)?", 1),
        (r"x(?:a*a*b)?", 2),  # within a part of the tail, backtracking goes on
        (r"(?:a+|a*b)c", 2),
        (r"(?:%{COMBINEDAPACHELOG})+.*", 1),  # no repetition is entered again either
        (r"(?:a+a+)+", 3),
        (r"(?:(?:a|a)+b)*", None),
        (r"(?:a+)+b", None),
    ],
)
def test_the_tail_cannot_fail(pattern: str, degree: int | None) -> None:
    assert compile_grok(pattern, load_library()).safety.degree == degree


@pytest.mark.parametrize(
    ("pattern", "degree"),
    [(r"(?:[a-z]{1,9}\.){0,11}x", 1), (r"(?:[a-z]{1,60}\.){0,20}x", 2)],  # up to 99 and 1,200 letters
)
def test_counted_loops_in_each_other_multiply(pattern: str, degree: int) -> None:
    assert safety_of(pattern).degree == degree


@pytest.mark.parametrize(
    "pattern",
    [r"(?:a?){30}a{30}", r"(?<x>a\g<x>?b)", "(?:a|b|c|d)*" * 400, "[a-z]{16}" * 250],
    ids=["empty_body", "recursion", "many_loops", "many_states"],
)
def test_what_is_too_complex_is_unknown_and_so_unsafe(pattern: str) -> None:
    safety = safety_of(pattern)
    assert safety.degree is None
    assert safety.reason
    assert "is unknown" in safety.describe()


@pytest.mark.parametrize(
    ("pattern", "degree"),
    [("[a-z]{0,62}x", 1), ("[a-z]{0,62}[a-z]{0,62}x", 2), ("[a-z]{0,500}x", 2), ("(?:a{1,10}){1,10}x", None)],
)
def test_counted_loops_are_constant_factors_only_one_at_a_time(pattern: str, degree: int | None) -> None:
    assert safety_of(pattern).degree == degree


def test_description() -> None:
    assert safety_of("a+ b").describe() == "the time of a search is quadratic, as with 'a' repeated then 'b'"
    assert safety_of("ab").describe() == "the time of a search is linear"
    assert safety_of("(a+)+b").example.count("a") >= 30
